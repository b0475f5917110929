"""The graph of a plan and its layout, drawn: boxes with their names, arrows with relations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from PIL import ImageDraw

from sow.plan.box import Box
from sow.plan.scene_graph import CONDITION, Relation, SceneObject

THING, ARROW, PAPER = (20, 140, 70), (110, 40, 130), (255, 255, 255)
LETTERS = 18
"""Pixels, as the names of regions have."""


def draw_scene(
    pen: ImageDraw.ImageDraw, objects: Sequence[SceneObject], relations: Sequence[Relation],
    condition: Box | None, scale: int, line: int,
) -> None:  # fmt: skip
    """Every object with a box (green), and arrows (purple) from subjects to objects.

    pen: on a canvas `scale` times as large as the plan's. condition: where it is planted, if
    anything is. line: the width of lines, in pixels.
    """
    placed = {thing.id: thing.box for thing in objects if thing.box is not None}
    for thing in objects:
        if thing.box is not None:
            left, top, right, bottom = (v * scale for v in thing.box.corners)
            corners = (left, top, right, bottom)
            pen.rectangle(corners, fill=(*THING, 50), outline=(*THING, 255), width=line)
            at = (left + 6, bottom - LETTERS - 8)
            pen.text(at, thing.label, fill=(*THING, 255), font_size=LETTERS)
    if condition is not None:
        placed[CONDITION] = condition
    for (one, other), names in _arrows(relations).items():
        if one in placed and other in placed:
            _arrow(pen, placed[one], placed[other], ", ".join(names), scale, line)


def _arrows(relations: Iterable[Relation]) -> dict[tuple[str, str], list[str]]:
    """What is said of each pair, so that it is written once."""
    found: dict[tuple[str, str], list[str]] = {}
    for edge in relations:
        found.setdefault((edge.subject, edge.object), []).append(edge.predicate)
    return found


def _arrow(
    pen: ImageDraw.ImageDraw, one: Box, other: Box, name: str, scale: int, line: int
) -> None:
    """From centre to centre, a little short of both, with its name beside the middle."""
    (x, y), (u, v) = ((a * scale, b * scale) for a, b in (one.centre, other.centre))
    long = math.hypot(u - x, v - y)
    if not long:
        return
    along = ((u - x) / long, (v - y) / long)
    short = min(0.1 * long, 8.0 * line)
    start = (x + along[0] * short, y + along[1] * short)
    end = (u - along[0] * short, v - along[1] * short)
    pen.line([start, end], fill=(*ARROW, 255), width=line)
    pen.polygon([end, *_barbs(end, along, 4.0 * line)], fill=(*ARROW, 255))
    middle = ((x + u) / 2, (y + v) / 2)
    wide = pen.textlength(name, font_size=LETTERS)
    corner = (middle[0] - wide / 2, middle[1] - LETTERS / 2)
    paper = (corner[0] - 3, corner[1] - 1, corner[0] + wide + 3, corner[1] + LETTERS + 5)
    pen.rectangle(paper, fill=(*PAPER, 200))
    pen.text(corner, name, fill=(*ARROW, 255), font_size=LETTERS)


def _barbs(
    tip: tuple[float, float], along: tuple[float, float], size: float
) -> Iterator[tuple[float, float]]:
    """The two other corners of an arrow's head."""
    for turn in (0.5, -0.5):
        back = (tip[0] - size * along[0], tip[1] - size * along[1])
        yield back[0] - turn * size * along[1], back[1] + turn * size * along[0]
