"""Mattes: what is cut out of drawings whose parts are known, of a photograph, and of nothing."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sow.benchmarks.figures.world.drawing import TUNING, box_of, draw, identity_of, square_around
from sow.benchmarks.figures.world.layout import sample
from sow.benchmarks.figures.world.paper import FACE, HAIR
from sow.errors import PictureError, PlanError
from sow.pictures.condition import Condition
from sow.pictures.matte import extract_matte, rembg_foreground
from sow.plan.box import Box
from sow.plan.plan import Plan

CLOSE = Box(x=20, y=8, width=216, height=248)
"""The ellipse of a head that fills a picture of 256 x 256."""


def drawn_head(number: int) -> tuple[Image.Image, np.ndarray]:
    """A head as close as users crop it, and which of its pixels are head."""
    wishes = {"identity": identity_of(TUNING + 30_000 + number), "things": (), "style": "none",
              "scene": "plain"}  # fmt: skip
    random = Random(TUNING + 30_000 + number)
    image, parts = draw(sample(random, **wishes), random, size=512)
    mask = np.isin(parts, (FACE, HAIR))
    square = square_around(box_of(mask), 0.08)
    true = Image.fromarray(mask).convert("L").crop(square.corners).resize((256, 256))
    head = image.crop(square.scaled(4, 4).corners).resize((256, 256), Image.Resampling.LANCZOS)
    return head, np.asarray(true) > 127


def overlap(matte: Image.Image | None, true: np.ndarray) -> float:
    """Intersection over union."""
    assert matte is not None
    found = np.asarray(matte) > 127
    return float((found & true).sum() / (found | true).sum())


@pytest.mark.parametrize("number", [1, 4, 6, 11, 19, 30])
def test_drawn_heads_are_cut_out_with_their_hair(number):
    image, true = drawn_head(number)
    assert overlap(extract_matte(image, CLOSE), true) > 0.85


def test_a_photograph_is_cut_out_with_its_hair_and_without_its_collar(astronaut):
    matte = extract_matte(astronaut, Box(x=168, y=32, width=114, height=155))
    levels = np.asarray(matte)
    assert levels.shape == (512, 512)
    inside, outside = [(90, 225), (120, 200), (40, 225), (75, 165), (100, 290), (160, 225)], [
        (20, 60), (60, 350), (200, 225), (185, 160), (300, 225)]  # fmt: skip
    assert all(levels[at] > 200 for at in inside)
    assert all(levels[at] == 0 for at in outside)
    soft = ((levels > 0) & (levels < 255)).sum()
    assert soft > 200  # a rim, not a cut with scissors


def test_a_thing_before_a_background_is_found_and_a_texture_is_not():
    image = Image.effect_noise((200, 160), 20).convert("RGB")
    ImageDraw.Draw(image).rectangle((60, 30, 140, 120), fill=(200, 40, 30))
    true = np.zeros((160, 200), bool)
    true[30:121, 60:141] = True
    assert overlap(extract_matte(image), true) > 0.9
    assert extract_matte(Image.new("RGB", (64, 64), "red")) is None
    filling = image.crop((62, 32, 138, 118))  # nothing but the thing
    assert extract_matte(filling) is None


def test_the_same_picture_gives_the_same_matte_also_for_a_copy():
    image, _ = drawn_head(4)
    first = extract_matte(image, CLOSE)
    extract_matte(drawn_head(6)[0], CLOSE)
    assert extract_matte(image.copy(), CLOSE).tobytes() == first.tobytes()


def test_a_head_outside_the_picture_is_refused():
    with pytest.raises(PictureError, match="outside"):
        extract_matte(Image.new("RGB", (64, 64)), Box(x=500, y=500, width=20, height=20))


def test_a_plan_for_another_picture_is_refused_not_cut_out_of_it():
    plan = Plan.parse({"canvas": [64, 64], "prompt": "x", "box": [8, 8, 32, 32], "matte": {}})
    with pytest.raises(PlanError, match="this picture"):
        Condition.prepare(Image.new("RGB", (64, 64), "red"), plan)


def test_rembg_says_what_is_somebody_and_the_rest_is_done_here():
    """Its network is not at hand: what it is asked and how its answer is taken is what counts."""
    image, true = drawn_head(4)
    asked = []

    def cut(picture: Image.Image, only_mask: bool) -> Image.Image:
        asked.append((picture.size, only_mask))
        return Image.fromarray((true * 255).astype(np.uint8))

    assert (rembg_foreground(image, cut) == true).all()
    assert asked == [((256, 256), True)]


def test_a_speck_on_one_colour_is_no_object_and_is_not_searched_for(monkeypatch):
    """GrabCut would take a minute of two cores for it."""
    monkeypatch.setattr("sow.pictures.matte._grab_cut", None)
    picture = Image.new("RGB", (300, 300), (200, 200, 200))
    picture.putpixel((150, 40), (0, 0, 0))
    assert extract_matte(picture) is None
