"""Regions that follow the condition through its relations, as in Semantic Derivative Flow (SDF).

A relation happens between its two ends, in the box of its predicate. The flow starts at the
condition, whose body belongs to it fully, and goes on to predicate and object; the weight falls
with every step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sow.plan.box import Box
from sow.plan.plan import Region
from sow.plan.scene_graph import CONDITION
from sow.planners.graph.scene_graph import SceneGraph

ZETA = 0.1
"""How far the box of a predicate grows into its subject and object, as a share of their common box.
It is SDF's, whose ablation prefers it to none and to twice as much."""
DECAY = 0.5
"""The factor on the weight at every step."""
MIN_WEIGHT = 0.05
"""Regions with less weight than this have no effect and are left out."""
DISTANT = 1 / 3
"""Centres further apart than this share of the canvas's width are distant: such relations often
get lost."""


def between(one: Box, other: Box, canvas: tuple[int, int]) -> Box:
    """Return the box of a predicate: the region between its ends, grown into both of them."""
    common = around(one, other)
    _, left, right, _ = sorted((one.x, one.right, other.x, other.right))
    _, top, bottom, _ = sorted((one.y, one.bottom, other.y, other.bottom))
    across, down = ZETA * common.width, ZETA * common.height
    grown = Box.around(
        (left + right) / 2, (top + bottom) / 2, right - left + 2 * across, bottom - top + 2 * down
    )
    x, y = max(0, grown.x), max(0, grown.y)
    width, height = min(grown.right, canvas[0]) - x, min(grown.bottom, canvas[1]) - y
    return Box(x=x, y=y, width=max(1, width), height=max(1, height))


def around(*boxes: Box) -> Box:
    """Return the smallest box around others (SDF's global box)."""
    x, y = min(box.x for box in boxes), min(box.y for box in boxes)
    right, bottom = max(box.right for box in boxes), max(box.bottom for box in boxes)
    return Box(x=x, y=y, width=right - x, height=bottom - y)


def distant(one: Box, other: Box, canvas: tuple[int, int]) -> bool:
    """Return whether the centres of two boxes are further apart than `DISTANT`."""
    (x, y), (u, v) = one.centre, other.centre
    return (x - u) ** 2 + (y - v) ** 2 > (DISTANT * canvas[0]) ** 2


def flow(graph: SceneGraph, boxes: Mapping[str, Box], canvas: tuple[int, int]) -> Iterator[Region]:
    """Yield the regions outwards from the condition, nearest first, without its own regions."""
    done = {CONDITION}
    for hop, edge in graph.hops():
        weight = DECAY ** (2 * hop - 1)
        if weight < MIN_WEIGHT:
            return
        predicate_box = between(boxes[edge.subject], boxes[edge.object], canvas)
        yield Region(label=edge.name, box=predicate_box, weight=weight)
        for name in {edge.subject, edge.object} - done:
            done.add(name)
            yield Region(label=graph.labels[name], box=boxes[name], weight=weight * DECAY)
