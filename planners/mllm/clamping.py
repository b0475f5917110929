"""Turn boxes and regions that a model answered into legal ones."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from sow.plan.box import MAX_CONDITION_SHARE, MIN_CONDITION_SHARE, Box
from sow.plan.plan import Region
from sow.planners.mllm.answers import BoxAnswer, RegionAnswer
from sow.planners.offline.planner import related_regions

MAX_REGIONS = 8
MAX_COVERED = 0.25
"""The share of the condition's box that all related regions together may cover."""


def clamp_box(
    answer: BoxAnswer, sketch: Box, canvas: tuple[int, int], grid: int, room: float = 0.0
) -> Box | None:
    """Return the legal box nearest to an answered one, or None if the answer is not a box.

    The longer side becomes 180/512 to 256/512 (Sec. V-A) of the canvas's shorter side.

    Args:
        answer: the model's box.
        sketch: a legal box with the proportions of the condition, which is never stretched.
        canvas: width and height in pixels.
        grid: the grid of boxes, in pixels.
        room: the share of the canvas's height to keep free below the box, for a body.
    """
    if answer.width <= 0 or answer.height <= 0 or _huge(answer):
        return None
    shorter = min(canvas)
    least, most = MIN_CONDITION_SHARE * shorter, MAX_CONDITION_SHARE * shorter
    longer = min(max(max(answer.width, answer.height), least), most)
    scale = longer / max(sketch.width, sketch.height)
    width, height = sketch.width * scale, sketch.height * scale
    x = min(max(answer.x + answer.width / 2, 0), canvas[0])
    y = min(max(answer.y + answer.height / 2, 0), canvas[1])
    box = Box.around(x, y, max(1, width), max(1, height)).aligned(grid, canvas)
    box = _within_range(box, least, most, grid, canvas)
    lowest = int((1 - room) * canvas[1] - box.height) // grid * grid
    return (
        box
        if box.y <= lowest
        else Box(x=box.x, y=max(0, lowest), width=box.width, height=box.height)
    )


def _within_range(box: Box, least: float, most: float, grid: int, canvas: tuple[int, int]) -> Box:
    """Return a box whose size is in the range after alignment, if the grid has such a size."""
    low, high = -int(-least // grid) * grid, int(most // grid) * grid
    longer = max(box.width, box.height)
    if low > high or high < grid or low <= longer <= high:
        return box
    wanted = min(max(longer, low), high)
    scale = wanted / longer
    sized = Box(
        x=box.x, y=box.y,
        width=max(1, round(box.width * scale)), height=max(1, round(box.height * scale)),
    )  # fmt: skip
    return sized.aligned(grid, canvas)


def _huge(answer: BoxAnswer) -> bool:
    """Return whether a box has absurd numbers, which are an error rather than a large box."""
    return any(abs(v) > 1e6 for v in (answer.x, answer.y, answer.width, answer.height))


def clamp_regions(
    answers: Iterable[RegionAnswer], box: Box, canvas: tuple[int, int]
) -> tuple[Region, ...]:
    """Return the legal regions, cut so that together they cover little of the condition."""
    regions: list[Region] = []
    covered = np.zeros((box.height, box.width), bool)
    for answer in islice(answers, 10 * MAX_REGIONS):
        if len(regions) == MAX_REGIONS:
            break
        if _huge(answer.box) or answer.box.width <= 0 or answer.box.height <= 0:
            continue
        left, top = max(0, round(answer.box.x)), max(0, round(answer.box.y))
        right = min(canvas[0], round(answer.box.x + answer.box.width))
        bottom = min(canvas[1], round(answer.box.y + answer.box.height))
        if right - left < 1 or bottom - top < 1:
            continue
        region: Box | None = Box(x=left, y=top, width=right - left, height=bottom - top)
        more = covered | _cover(region, box)
        if more.mean() > MAX_COVERED:
            region = max(beside(region, box), key=_area, default=None)
        else:
            covered = more
        if region is not None:
            regions.append(Region(label=answer.label or "related", box=region))
    return tuple(regions)


def rule_regions(box: Box, canvas: tuple[int, int], subject: str) -> tuple[Region, ...]:
    """Return the regions of the rules, cut so that they do not cover the condition."""
    return tuple(
        Region(label=region.label, box=part)
        for region in related_regions(box, canvas, subject)
        for part in beside(region.box, box)
    )


def _cover(region: Box | None, box: Box) -> NDArray[np.bool_]:
    """Return which pixels of a box a region covers, (height, width)."""
    over = np.zeros((box.height, box.width), bool)
    if region is not None:
        rows = slice(max(0, region.y - box.y), max(0, region.bottom - box.y))
        over[rows, max(0, region.x - box.x) : max(0, region.right - box.x)] = True
    return over


def _area(box: Box) -> int:
    return box.width * box.height


def beside(region: Box | None, box: Box) -> list[Box]:
    """Return the parts of a region below, above, left and right of the condition."""
    if region is None:
        return []
    top, bottom = max(region.y, box.y), min(region.bottom, box.bottom)
    if top >= bottom or region.right <= box.x or region.x >= box.right:
        return [region]
    strips = (
        (region.x, box.bottom, region.right, region.bottom),
        (region.x, region.y, region.right, box.y),
        (region.x, top, box.x, bottom),
        (box.right, top, region.right, bottom),
    )
    return [
        Box(x=left, y=upper, width=right - left, height=lower - upper)
        for left, upper, right, lower in strips
        if right > left and lower > upper
    ]
