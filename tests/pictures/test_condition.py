"""What is planted: crop, mask, canvas, latents."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from sow.diffusion.noise import background
from sow.diffusion.planting import condition_mask_of, seed_canvas
from sow.errors import PlanError
from sow.pictures.condition import Condition
from sow.plan import Plan


@pytest.fixture
def gradient():
    """Red grows to the right, green downwards; 80x40."""
    x, y = np.meshgrid(np.linspace(0, 255, 80), np.linspace(0, 255, 40))
    return Image.fromarray(np.dstack([x, y, x * 0]).astype(np.uint8))


def plan(**more) -> Plan:
    return Plan.parse({"canvas": [96, 64], "prompt": "x", "box": [24, 8, 40, 40], **more})


def test_the_crop_fills_the_box(gradient):
    condition = Condition.prepare(gradient, plan(crop=[40, 0, 40, 40]))
    pixels = np.asarray(condition.picture, float)
    assert pixels.shape == (40, 40, 3)
    assert pixels[0, 0, 0] == pytest.approx(128, abs=4)
    assert pixels[39, 39] == pytest.approx([255, 255, 0], abs=4)


def test_the_canvas_is_grey_around_the_box(gradient):
    made = plan()
    condition = Condition.prepare(gradient, made)
    canvas = seed_canvas(condition, made.box, background("grey", made.canvas, None))
    assert canvas.shape == (3, 64, 96)
    levels = ((canvas + 1) * 127.5).round()
    inside = levels[:, 8:48, 24:64].permute(1, 2, 0).numpy()
    assert np.array_equal(inside, np.asarray(condition.picture))
    outside = torch.ones(64, 96, dtype=torch.bool)
    outside[8:48, 24:64] = False
    assert (levels[:, outside] == 128).all()


def test_an_ellipse_keeps_its_surroundings_and_a_mask_does_not(gradient):
    ellipse = Condition.prepare(gradient, plan(ellipse=[34, 18, 20, 20]))
    assert ellipse.mask.getpixel((0, 0)) == 0
    assert ellipse.mask.getpixel((20, 20)) == 255
    area = np.asarray(ellipse.mask, float).sum() / 255
    assert area == pytest.approx(np.pi * 100, rel=0.03)
    whole = Condition.prepare(gradient, plan())
    assert ellipse.picture.tobytes() == whole.picture.tobytes()
    mask = Image.new("L", gradient.size)
    mask.paste(255, (40, 0, 80, 40))
    masked = Condition.prepare(gradient, plan(), mask)
    assert masked.picture.getpixel((5, 20)) == (128, 128, 128)
    assert masked.picture.getpixel((35, 20)) == whole.picture.getpixel((35, 20))


def test_a_latent_belongs_to_C_if_half_of_it_does(gradient):
    made = plan(box=[24, 8, 40, 40])
    half = Image.new("L", (40, 40), 255)
    half.paste(0, (0, 0, 12, 40))  # the second column of latents keeps exactly half
    condition = Condition(gradient.resize((40, 40)), half)
    mask = condition_mask_of(condition, made.box, made.canvas, 8)
    expected = torch.zeros(1, 8, 12, dtype=torch.bool)
    expected[:, 1:6, 4:8] = True
    assert torch.equal(mask, expected)
    speck = Condition(gradient.resize((40, 40)), Image.new("L", (40, 40), 100))
    with pytest.raises(PlanError, match="larger"):
        condition_mask_of(speck, made.box, made.canvas, 8)


@pytest.mark.parametrize(("kind", "mean", "spread"), [("grey", 0.0, 0.0), ("black", -1.0, 0.0),
                                                      ("noise", 0.0, 0.577)])  # fmt: skip
def test_backgrounds(kind, mean, spread):
    pixels = background(kind, (300, 200), torch.Generator().manual_seed(0))
    assert pixels.shape == (3, 200, 300)
    assert pixels.mean().item() == pytest.approx(mean, abs=0.01)
    assert pixels.std().item() == pytest.approx(spread, abs=0.01)
