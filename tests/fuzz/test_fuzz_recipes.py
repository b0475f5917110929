"""Recipes from strangers: read and shown, or one line says why not."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from fuzzing import COUNT, Case, check, randomness
from hostile_pictures import mangled
from hostile_recipes import changed, words_changed
from PIL import Image, PngImagePlugin

from sow.cli.output import as_json
from sow.errors import PictureError
from sow.pictures.condition import Condition
from sow.pictures.recipe import CONDITION_CHUNK, TEXT_KEY, Recipe, read_recipe, save_png
from sow.plan.plan import Plan
from sow.service.recipe_rows import recipe_rows
from sow.settings.settings import Settings

PLAN = Plan.parse({
    "canvas": [64, 64], "prompt": "a man", "box": [8, 8, 16, 24], "ellipse": [8, 8, 16, 24],
    "related": [{"label": "coat", "box": [0, 32, 64, 32]}], "crop": [0, 0, 16, 24],
    "objects": [{"id": "tree", "label": "tree"}], "notes": ["a note"], "planner": "offline",
    "relations": [{"subject": "condition", "predicate": "under", "object": "tree"}],
})  # fmt: skip
RECIPE = Recipe(
    plan=PLAN, settings=Settings(), seed=5, model="figures", revision="0", device="cpu",
    dtype="float32", picture_sha256="", versions={"sow": "0"}, threads=2,
)  # fmt: skip
CONDITION = Condition(
    Image.effect_noise((16, 24), 90).convert("RGB"), Image.effect_noise((16, 24), 90)
)
PICTURE = Image.effect_noise((64, 64), 60).convert("RGB")


def shown(path: Path) -> Recipe:
    """Read, and printed as `sow show` does; nothing of it may steer a terminal."""
    recipe, condition = read_recipe(path)
    box = recipe.plan.box
    assert condition.picture.size == condition.mask.size == (box.width, box.height)
    assert condition.picture.info == condition.mask.info == {}
    for name, line in recipe_rows(recipe).items():
        assert line.isprintable(), name
        line.encode()
    data = recipe.model_dump(mode="json")
    text = as_json(data)
    assert json.loads(text, parse_constant=pytest.fail) == data
    assert all(line.isprintable() for line in text.split("\n"))
    return recipe


def with_text(path: Path, text: str) -> Path:
    """The picture with another recipe in it."""
    info = PngImagePlugin.PngInfo()
    info.add_text(TEXT_KEY, text)
    info.add(CONDITION_CHUNK, CONDITION.to_png())
    PICTURE.save(path, pnginfo=info)
    return path


def data_of(version: int) -> dict[str, Any]:
    return {**json.loads(RECIPE.model_dump_json()), "version": version}


def test_changed_recipes(tmp_path, capfd):
    dice = randomness("recipes")

    def case(number: int) -> Case:
        own = Random(dice.random())
        text = changed(data_of(own.choice((1, 2, 3, 4, 4, 4, 5))), own)
        return Case(f"{number} {text[:300]}", lambda: shown(with_text(tmp_path / "a.png", text)))

    ends = check(case(number) for number in range(COUNT))
    assert ends["worked"] > COUNT / 20
    assert ends["PictureError"] > COUNT / 2
    assert capfd.readouterr() == ("", "")


def test_whatever_a_recipe_says_is_shown_in_plain_letters(tmp_path):
    dice = randomness("words")

    def case(number: int) -> Case:
        text = words_changed(data_of(4), Random(dice.random()))

        def run() -> None:
            recipe = shown(with_text(tmp_path / "a.png", text))
            save_png(PICTURE, tmp_path / "b.png", recipe, CONDITION, force=True)
            assert shown(tmp_path / "b.png") == recipe

        return Case(f"{number} {text[:300]}", run)

    ends = check(case(number) for number in range(COUNT // 4))
    assert ends["worked"] == COUNT // 4


def test_mangled_files(tmp_path, capfd):
    dice = randomness("files")
    save_png(PICTURE, tmp_path / "a.png", RECIPE, CONDITION)
    honest = (tmp_path / "a.png").read_bytes()

    def case(number: int) -> Case:
        data = mangled(honest, Random(dice.random()))

        def run() -> None:
            (tmp_path / "b.png").write_bytes(data)
            shown(tmp_path / "b.png")

        return Case(str(number), run)

    ends = check(case(number) for number in range(COUNT))
    assert ends["worked"] > COUNT / 20
    assert ends["PictureError"] > COUNT / 4
    assert capfd.readouterr() == ("", "")


def test_a_hundred_thousand_regions(tmp_path):
    data = data_of(4)
    data["plan"]["related"] *= 100_000
    with pytest.raises(PictureError, match=r"at most 200|is too long"):
        read_recipe(with_text(tmp_path / "a.png", json.dumps(data)))


@pytest.mark.parametrize(
    "deep", ["[" * 10**6, '{"plan":' * 10**5, '{"plan":' + "[" * 190 + "]" * 190]
)
def test_deep_nesting(tmp_path, deep):
    with pytest.raises(PictureError, match="damaged"):
        read_recipe(with_text(tmp_path / "a.png", deep))
