"""What is planted: crop, mask, canvas, latents."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from sow.diffusion.noise import background
from sow.diffusion.planting import check_membership, coverage_of, membership, planted
from sow.errors import PlanError
from sow.pictures.condition import Condition
from sow.plan.plan import Plan


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
    canvas = planted(condition, made.box, made.canvas, "box").into(
        background("grey", made.canvas, None)
    )
    assert canvas.shape == (3, 64, 96)
    levels = ((canvas + 1) * 127.5).round()
    inside = levels[:, 8:48, 24:64].permute(1, 2, 0).numpy()
    assert np.array_equal(inside, np.asarray(condition.picture))
    outside = torch.ones(64, 96, dtype=torch.bool)
    outside[8:48, 24:64] = False
    assert (levels[:, outside] == 128).all()


def test_only_the_condition_is_planted_or_all_of_its_box(gradient):
    """In part where its mask is grey; under a mask of the user's own nothing is told but grey."""
    made = plan(box=[24, 8, 40, 40])
    mask = Image.new("L", gradient.size)
    mask.paste(255, (40, 0, 80, 40))
    mask.paste(128, (36, 0, 40, 40))
    condition = Condition.prepare(gradient, made, mask)
    canvas = torch.full((3, 64, 96), -1.0)
    alone, box = (
        planted(condition, made.box, made.canvas, "condition"),
        planted(condition, made.box, made.canvas, "box"),
    )
    there = alone.into(canvas)
    assert (there[:, :, 24:40] == -1).all()  # not a trace of what is left out
    assert (there[:, :8] == -1).all()
    colours = torch.from_numpy(np.asarray(condition.picture) / 127.5 - 1).permute(2, 0, 1).float()
    assert torch.allclose(there[:, 8:48, 50:64], colours[:, :, 26:])
    assert 0.3 < float(alone.cover[0, 20, 43]) / 255 < 0.7
    assert torch.allclose(box.into(canvas)[0, 8:48, 26:40], torch.tensor(0.0039), atol=1e-4)
    ellipse = plan(ellipse=[34, 18, 20, 20])
    surroundings = Condition.prepare(gradient, ellipse)
    whole = np.asarray(surroundings.picture) / 127.5 - 1
    pasted = planted(surroundings, ellipse.box, ellipse.canvas, "box").into(canvas)[:, 8:48, 24:64]
    assert np.allclose(pasted.permute(1, 2, 0).numpy(), whole, atol=1e-6)
    assert (
        planted(surroundings, ellipse.box, ellipse.canvas, "condition").into(canvas)[:, 8, 24] == -1
    ).all()


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
    coverage = coverage_of(condition, made.box, made.canvas, 8)
    assert coverage[0, 2].tolist() == [0, 0, 0, 0, 0.5, 1, 1, 1, 0, 0, 0, 0]
    expected = torch.zeros(1, 8, 12)
    expected[:, 1:6, 4:8] = 1
    assert torch.equal(membership(coverage, (0.5, 0.5)), expected)
    speck = Condition(gradient.resize((40, 40)), Image.new("L", (40, 40), 100))
    with pytest.raises(PlanError, match="larger"):
        check_membership(membership(coverage_of(speck, made.box, made.canvas, 8), (0.5, 0.5)))


def test_the_rim_of_C_is_as_wide_and_as_soft_as_it_is_set():
    coverage = torch.tensor([[[0.0, 0.01, 0.1, 0.3, 0.5, 1.0]]])
    cases = {
        (0.5, 0.5): [0, 0, 0, 0, 1, 1],
        (0.02, 0.02): [0, 0, 1, 1, 1, 1],
        (0.0, 0.0): [0, 1, 1, 1, 1, 1],
        (0.1, 0.5): [0, 0, 0, 0.5, 1, 1],
    }
    for rim, expected in cases.items():
        assert membership(coverage, rim)[0, 0].tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("kind", "mean", "spread"), [("grey", 0.0, 0.0), ("black", -1.0, 0.0),
                                                      ("noise", 0.0, 0.577)])  # fmt: skip
def test_backgrounds(kind, mean, spread):
    pixels = background(kind, (300, 200), torch.Generator().manual_seed(0))
    assert pixels.shape == (3, 200, 300)
    assert pixels.mean().item() == pytest.approx(mean, abs=0.01)
    assert pixels.std().item() == pytest.approx(spread, abs=0.01)


def test_what_is_hidden_under_transparency_is_not_told_by_a_mask():
    picture = Image.new("RGBA", (80, 40), (255, 0, 0, 0))
    picture.paste((0, 90, 0, 255), (0, 0, 40, 40))
    condition = Condition.prepare(picture, plan(), Image.new("L", (80, 40), 255))
    assert condition.picture.getpixel((35, 20)) == (128, 128, 128)
    assert condition.picture.getpixel((5, 20)) == (0, 90, 0)
