"""The recipe inside a picture: complete, repeatable, private, and not to be trusted blindly."""

from __future__ import annotations

import json
import zlib
from typing import get_args

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from sow.errors import OutputError, PictureError
from sow.pictures.condition import Condition
from sow.pictures.recipe import CONDITION_CHUNK, MAX_BYTES, TEXT_KEY, Recipe, read_recipe, save_png
from sow.plan.plan import Canvas, Plan
from sow.settings.settings import Settings
from sow.utils.files import write_png

PLAN = Plan.parse({"canvas": [64, 64], "prompt": 'a "quoted" pérson — 人', "box": [16, 8, 32, 24]})
RECIPE = Recipe(
    plan=PLAN,
    settings=Settings(cycles=3),
    seed=5,
    model="figures",
    revision="0",
    device="cpu",
    dtype="float32",
    picture_sha256="",
    versions={"sow": "0"},
)


@pytest.fixture
def condition():
    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 4), dtype=np.uint8)
    both = Image.fromarray(pixels)
    return Condition(both.convert("RGB"), both.getchannel("A"))


@pytest.fixture
def picture():
    return Image.effect_noise((64, 64), 60).convert("RGB")


def test_what_goes_in_comes_out(tmp_path, picture, condition):
    save_png(picture, tmp_path / "a.png", RECIPE, condition)
    recipe, planted = read_recipe(tmp_path / "a.png")
    assert recipe == RECIPE
    assert planted.picture.tobytes() == condition.picture.tobytes()
    assert planted.mask.tobytes() == condition.mask.tobytes()
    assert Image.open(tmp_path / "a.png").convert("RGB").tobytes() == picture.tobytes()
    save_png(picture, tmp_path / "b.png", RECIPE, condition)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_recipe_from_before_there_was_modulation_has_none():
    data = {**json.loads(RECIPE.model_dump_json()), "version": 1}
    for name in ("alpha_minus", "alpha_plus", "lambda_c", "lambda_d", "gate", "tau",
                 "modulated_factors", "modulated_branches"):  # fmt: skip
        del data["settings"][name]
    old = Recipe.model_validate_json(json.dumps(data))
    assert (old.settings.alpha_minus, old.settings.alpha_plus) == (0, 0)


def test_nothing_is_overwritten_or_left_half_written(tmp_path, picture, condition, monkeypatch):
    path = tmp_path / "a.png"
    path.write_text("precious")
    with pytest.raises(OutputError, match="exists"):
        save_png(picture, path, RECIPE, condition)
    assert path.read_text() == "precious"
    save_png(picture, path, RECIPE, condition, force=True)
    before = path.read_bytes()

    def full(self, file, *_, **__):
        file.write(b"half a pic")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OutputError, match="No space left"):
        write_png(picture, path, force=True)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_a_file_that_appears_meanwhile_is_kept(tmp_path, picture, monkeypatch):
    path = tmp_path / "a.png"
    monkeypatch.setattr("sow.utils.files.check_output_path", lambda *_: path.write_text("precious"))
    with pytest.raises(OutputError, match="exists"):
        write_png(picture, path)
    assert path.read_text() == "precious"
    assert len(list(tmp_path.iterdir())) == 1


def tampered(picture, condition, **changes):
    info = PngImagePlugin.PngInfo()
    data = {**json.loads(RECIPE.model_dump_json()), **changes.pop("recipe", {})}
    text = changes.pop("text", json.dumps(data))
    if text is not None:
        info.add_text(TEXT_KEY, text)
    chunk = changes.pop("chunk", condition.to_png())
    if chunk is not None:
        info.add(CONDITION_CHUNK, chunk)
    return info


def lora(name):
    return {"name": name, "sha256": "0" * 64, "weight": 1}


def embedding(token):
    return {"name": "a.safetensors", "sha256": "0" * 64, "token": token}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"text": None}, "has no recipe"),
        ({"chunk": None}, "has no recipe"),
        ({"text": "{"}, "damaged"),
        ({"chunk": b"nonsense"}, "damaged"),
        ({"recipe": {"seed": -1}}, "seed"),
        ({"recipe": {"settings": {"cycles": 10**9}}}, "cycles"),
        ({"recipe": {"extra": "x"}}, "extra"),
        ({"recipe": {"plan": {"canvas": [64, 64], "prompt": "x", "box": [0, 0, 8, 8]}}}, "not fit"),
        ({"recipe": {"version": 7, "extra": 1}}, "a newer SOW"),
        ({"recipe": {"version": "x"}}, "version"),
        ({"recipe": {"versions": {"x" * 100: "1"}}}, "versions"),
        ({"recipe": {"loras": [lora("/etc/a.safetensors")]}}, "loras"),
        ({"recipe": {"loras": [lora("../a.safetensors")]}}, "loras"),
        ({"recipe": {"loras": [lora(r"\\server\share\a.safetensors")]}}, "loras"),
        ({"recipe": {"embeddings": [embedding("")]}}, "embeddings"),
        ({"recipe": {"embeddings": [embedding("two words")]}}, "embeddings"),
    ],
)
def test_tampered_recipes_get_one_line(tmp_path, picture, condition, changes, says):
    picture.save(tmp_path / "a.png", pnginfo=tampered(picture, condition, **changes))
    with pytest.raises(PictureError) as caught:
        read_recipe(tmp_path / "a.png")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bombs_in_recipes_are_not_unpacked(tmp_path, picture, condition):
    claims = bytearray(condition.to_png())
    claims[16:24] = (60000).to_bytes(4) * 2
    claims[29:33] = zlib.crc32(claims[12:29]).to_bytes(4)
    info = tampered(picture, condition, chunk=bytes(claims))
    picture.save(tmp_path / "inner.png", pnginfo=info)
    picture.save(tmp_path / "outer.png")
    outer = bytearray((tmp_path / "outer.png").read_bytes())
    outer[16:24] = (60000).to_bytes(4) * 2
    outer[29:33] = zlib.crc32(outer[12:29]).to_bytes(4)
    (tmp_path / "outer.png").write_bytes(outer)
    for name in ("inner.png", "outer.png"):
        with pytest.raises(PictureError, match=r"damaged|million pixels"):
            read_recipe(tmp_path / name)


def test_other_files_have_no_recipe(tmp_path, picture):
    picture.save(tmp_path / "a.jpg")
    for name in ("a.jpg", "missing.png"):
        with pytest.raises(PictureError):
            read_recipe(tmp_path / name)


def test_a_condition_of_noise_can_be_read_again_whatever_its_size(tmp_path, picture):
    """It was refused above 16 MB, after it had been written."""
    side = 2200
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 4), dtype=np.uint8)
    both = Image.fromarray(pixels)
    large = Condition(both.convert("RGB"), both.getchannel("A"))
    plan = Plan.parse({"canvas": [2400, 2400], "prompt": "x", "box": [0, 0, side, side]})
    save_png(picture, tmp_path / "a.png", RECIPE.model_copy(update={"plan": plan}), large)
    assert (tmp_path / "a.png").stat().st_size > 17 * 2**20
    assert read_recipe(tmp_path / "a.png")[1].mask.tobytes() == large.mask.tobytes()
    largest = get_args(get_args(Canvas)[0])[1].metadata[1].le
    assert largest**2 * (3 + 4) * 1.01 < MAX_BYTES


def test_an_animated_png_is_not_played_to_find_its_recipe(tmp_path, picture, condition):
    """One that claims two thousand million frames."""
    save_png(picture, tmp_path / "a.png", RECIPE, condition)
    data = (tmp_path / "a.png").read_bytes()
    chunk = b"acTL" + (2**31).to_bytes(4) + bytes(4)
    claims = data[:33] + (8).to_bytes(4) + chunk + zlib.crc32(chunk).to_bytes(4) + data[33:]
    (tmp_path / "a.png").write_bytes(claims)
    assert read_recipe(tmp_path / "a.png")[0] == RECIPE


def test_a_recipe_of_version_3_tells_no_threads():
    data = {**json.loads(RECIPE.model_dump_json()), "version": 3}
    del data["threads"]
    old = Recipe.model_validate_json(json.dumps(data))
    assert (old.version, old.threads) == (6, 0)
    assert old.settings == RECIPE.settings
