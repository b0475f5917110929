"""C and R at the resolution of every attention layer."""

from __future__ import annotations

import math

import pytest
import torch

from sow.attention.regions import downsampled_size, regions_of
from sow.plan.plan import Plan


def plan_with(*related, box=(16, 0, 32, 32), canvas=(64, 64)) -> Plan:
    regions = [{"label": f"part {n}", "box": b} for n, b in enumerate(related)]
    return Plan.parse({"canvas": canvas, "prompt": "a cat", "box": box, "related": regions})


def mask_of(plan: Plan) -> torch.Tensor:
    """Return the box as C in latents of 8 pixels, `[1, 1, h, w]`."""
    mask = torch.zeros(1, 1, plan.canvas[1] // 8, plan.canvas[0] // 8, dtype=torch.bool)
    box = plan.box
    mask[..., box.y // 8 : box.bottom // 8, box.x // 8 : box.right // 8] = True
    return mask


def test_tokens_of_boxes():
    plan = plan_with([0, 32, 64, 32])
    regions = regions_of(mask_of(plan), [plan], 1)
    assert regions.condition.view(8, 8)[:4, 2:6].all()
    assert regions.condition.sum() == 16
    assert regions.related.view(8, 8)[4:].all()
    assert regions.related.sum() == 32
    assert regions.num_tokens == 64


def test_the_condition_and_related_regions_are_disjoint():
    plan = plan_with([0, 0, 64, 64])
    regions = regions_of(mask_of(plan), [plan], 1)
    assert not (regions.condition & regions.related).any()
    assert (regions.condition | regions.related).all()


@pytest.mark.parametrize(("factor", "rows"), [(1, 8), (2, 4), (4, 2), (8, 1)])
def test_a_token_belongs_to_a_region_from_half_its_area(factor, rows):
    """C is the left half, R most of the right half: half of a token is enough, less is not."""
    plan = plan_with([36, 0, 28, 64], box=(0, 0, 32, 64))
    regions = regions_of(mask_of(plan), [plan], factor)
    grid = regions.condition.view(rows, rows)
    assert grid[:, : max(1, rows // 2)].all()
    assert grid.sum() == rows * max(1, rows // 2)
    # R is 28 of 32 pixels wide: a column belongs to it if at least half is covered.
    expected = sum(
        min(64, (c + 1) * 8 * factor) - max(36, c * 8 * factor) >= 4 * factor for c in range(rows)
    )
    assert regions.related.view(rows, rows)[0].sum() == (expected if rows > 1 else 0)


def test_odd_sizes_are_rounded_up_as_in_the_unet():
    assert [downsampled_size((9, 7), f) for f in (1, 2, 4, 8)] == [(9, 7), (5, 4), (3, 2), (2, 1)]


def test_distance_is_in_canvas_widths_from_the_centre_of_the_box():
    plan = plan_with(box=(0, 0, 16, 16), canvas=(64, 128))
    regions = regions_of(mask_of(plan), [plan], 1)
    distance = regions.distance.view(16, 8)
    assert distance[1, 1] == pytest.approx(math.hypot(4, 4) / 64)
    assert distance[15, 0] == pytest.approx(math.hypot(4, 124 - 8) / 64)


def test_the_nearest_fifth_of_the_related_region():
    plan = plan_with([0, 32, 64, 32])
    regions = regions_of(mask_of(plan), [plan], 1)
    nearest_fifth = regions.nearest_fifth.view(8, 8)
    assert nearest_fifth.sum() == math.ceil(32 / 5)
    assert (nearest_fifth & ~regions.related.view(8, 8)).sum() == 0
    far = regions.distance[regions.related & ~regions.nearest_fifth].min()
    assert regions.distance[regions.nearest_fifth].max() <= far
    assert nearest_fifth[4].sum() >= 4  # the row right below the condition


def test_pictures_of_a_batch_are_independent():
    first, second = plan_with([0, 32, 64, 32]), plan_with(box=(0, 0, 8, 8))
    both = regions_of(torch.cat([mask_of(first), mask_of(second)]), [first, second], 1)
    assert (both.condition.sum(1).tolist(), both.related.sum(1).tolist()) == ([16, 1], [32, 0])
    assert not both.nearest_fifth[1].any()


def test_a_token_has_the_largest_weight_of_its_regions():
    first, second = [0, 32, 64, 24], [0, 48, 32, 16]
    plain = plan_with(first, second)
    assert torch.equal(*(getattr(regions_of(mask_of(plain), [plain], 1), name).float()
                         for name in ("related", "weight")))  # fmt: skip
    regions = [{"label": "light", "box": first, "weight": 0.25}, {"label": "heavy", "box": second}]
    for order in (regions, regions[::-1]):
        weighted = plain.changed(related=order)
        made = regions_of(mask_of(weighted), [weighted], 1)
        grid = made.weight.view(8, 8)
        assert (grid[6:, :4] == 1).all()
        assert (grid[4:7, 4:] == 0.25).all()
        assert (grid[4:6] == 0.25).all()
        assert not grid[:4].any()
        assert not grid[7, 4:].any()
        assert torch.equal(made.related, regions_of(mask_of(plain), [plain], 1).related)
