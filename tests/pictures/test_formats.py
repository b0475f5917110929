"""What a file or a picture is: said of formats that are not read, and of photographs."""

from __future__ import annotations

import pytest
from conftest import EXAMPLES, FACES
from PIL import Image, TiffImagePlugin
from skimage import data

from sow.benchmarks.figures.world.drawing import make
from sow.checkpoints.spec import CheckpointSpec
from sow.errors import PictureError
from sow.models.find import Model
from sow.pictures.condition import Condition
from sow.pictures.formats import is_photograph
from sow.pictures.loading import load_image, load_image_with_notes
from sow.plan.plan import Plan
from sow.planners.base import PlanRequest
from sow.planners.offline.planner import OfflinePlanner
from sow.service.notes import model_notes
from sow.service.request import Request
from sow.service.resolved import read_request

BEGINS = {
    "HEIC": (b"\0\0\0\x18ftypheic", "JPEG"),
    "HEIC by its other name": (b"\0\0\0\x18ftypmif1", "JPEG"),
    "video": (b"\0\0\0\x18ftypisom", "one frame"),
    "JPEG 2000": (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG"),
    "JPEG 2000 stream": (b"\xff\x4f\xff\x51\0", "JPEG"),
    "JPEG XL": (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG"),
    "JPEG XL stream": (b"\xff\x0a", "JPEG"),
    "raw data: CR2": (b"II*\0\x10\0\0\0CR\2\0", "JPEG"),
    "raw data: CR3": (b"\0\0\0\x18ftypcrx ", "JPEG"),
    "raw data: RAF": (b"FUJIFILMCCD-RAW 0201", "JPEG"),
    "SVG": (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- made -->\n<svg xmlns='x'/>", "JPEG"),
    "PDF": (b"%PDF-1.7\n", "JPEG"),
    "web page": (b"\n<!DOCTYPE html><html>", "download the picture itself"),
}


@pytest.mark.parametrize("name", BEGINS)
def test_other_formats_are_called_by_their_names(tmp_path, name):
    begins, hint = BEGINS[name]
    (tmp_path / "a.jpg").write_bytes(begins + bytes(200))
    with pytest.raises(PictureError) as caught:
        load_image(tmp_path / "a.jpg")
    assert name.split(":")[0].split(" by ")[0].removesuffix(" stream") in caught.value.what
    assert hint in caught.value.hint


def test_of_a_cameras_raw_data_not_the_thumbnail_is_taken(tmp_path):
    for tag, value in ((0xC612, b"\1\4\0\0"), (0x00FE, 1)):
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        tags[tag] = value
        Image.new("RGB", (160, 120)).save(tmp_path / "a.tif", tiffinfo=tags)
        with pytest.raises(PictureError, match="raw data of a camera; convert it to JPEG"):
            load_image(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("-", "standard input is not supported; save the picture as a file first"),
        ("https://some.example/a.png", "a.png' is a URL, not a file; download it"),
        ("c:/a.png", "no picture at 'c:/a.png'"),
    ],
)
def test_what_is_no_file_at_all_says_so(tmp_path, monkeypatch, path, says):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PictureError, match=says):
        load_image(path)


@pytest.mark.parametrize("kind", ["gif", "webp", "png", "tiff", "avif", "mpo"])
def test_what_is_left_out_of_an_animation_is_said(tmp_path, kind):
    frames = [Image.effect_noise((32, 32), 90).convert("RGB") for _ in range(3)]
    file, others = tmp_path / f"a.{kind}", frames[1:]
    if f".{kind}" not in Image.registered_extensions():
        pytest.skip("this Pillow does not write it")
    frames[0].save(file, save_all=True, append_images=others)
    if kind == "mpo" and Image.open(file).format != "MPO":
        pytest.skip("this Pillow writes damaged ones")
    said = () if kind == "mpo" else (f"'a.{kind}' holds several pictures: only the first is used",)
    assert load_image_with_notes(file)[1] == said
    assert read_request(Request(image=file, prompt="a man")).notes == said
    if kind != "mpo":
        opened = Image.open(file)
        assert (
            read_request(Request(image=opened, prompt="a man"))
            .notes[0]
            .startswith("the picture holds")
        )
    frames[0].save(file)
    assert load_image_with_notes(file)[1] == ()


def test_nobody_is_blamed_for_a_mask_they_did_not_give():
    clear, mask = Image.new("RGBA", (64, 64), (200, 0, 0, 9)), Image.new("L", (64, 64))
    plan = Plan.parse({"canvas": [64, 64], "prompt": "x", "box": [8, 8, 24, 24]})
    for attempt in (
        lambda image, mask: Condition.prepare(image, plan, mask),
        lambda image, mask: OfflinePlanner().plan(PlanRequest(image, "a man", mask=mask)),
    ):
        with pytest.raises(PictureError, match="the picture's own transparency keeps nothing"):
            attempt(clear, None)
        with pytest.raises(PictureError, match="the mask keeps nothing"):
            attempt(clear.convert("RGB"), mask)


def test_a_matte_that_does_not_count_is_said():
    cut = Image.radial_gradient("L").convert("RGB")
    assert read_request(Request(cut, "a man", matte="box")).notes == ()
    cut.putalpha(Image.linear_gradient("L"))
    assert read_request(Request(cut, "a man")).notes == ()
    (note,) = read_request(Request(cut, "a man", matte="box")).notes
    assert "not the matte" in note


def test_words_with_digits_are_one_word():
    checkpoint = CheckpointSpec(words=frozenset({"a", "man"}))
    assert checkpoint.unknown_words("a man, 8k, 35mm_film") == ["8k", "35mm", "film"]


PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "rocket", "camera", "retina", "coins", "grass")


def test_photographs_are_told_from_drawings():
    drawn = [Image.open(EXAMPLES / f"{name}.png").convert("RGB") for name in FACES]
    styles = ("none", "oil", "watercolor", "sketch")
    drawn += [make(seed, style=style).image for seed in range(5) for style in styles]
    assert not any(map(is_photograph, drawn))
    photographs = [Image.fromarray(getattr(data, name)()) for name in PHOTOGRAPHS]
    astronaut = photographs[0]
    before_white = Image.new("RGB", astronaut.size, "white")
    before_white.paste(astronaut.crop((150, 20, 330, 220)), (160, 150))
    closely = astronaut.crop((170, 60, 290, 200)).resize((96, 112))
    assert all(map(is_photograph, (*photographs, before_white, closely)))


def test_only_a_photograph_looks_odd_in_figures(tmp_path, astronaut, faces):
    figures, other = (Model(name, tmp_path, "bundled") for name in ("figures", "other"))
    assert [len(list(model_notes(figures, image))) for image in (astronaut, faces[FACES[0]])] == [
        1,
        0,
    ]
    assert list(model_notes(other, astronaut)) == []
