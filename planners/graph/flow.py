"""Where something happens, and what of a picture listens to the condition for it.

A relation happens between its two things, in the box of its predicate. From the condition the flow
goes subject, predicate, object, as Semantic Derivative Flow has it: its body belongs to it wholly,
and with every hop outwards the weight falls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sow.box import Box
from sow.plan import Region
from sow.planners.graph.graph import SceneGraph
from sow.scene import CONDITION

ZETA = 0.1
"""How much the box of a predicate is grown into its subject and object, as a share of their
common box: SDF's, whose ablation prefers it to none and to twice as much."""
FALL = 0.5
"""What is left of the weight after a hop."""
LEAST_WEIGHT = 0.05
"""What is left of it further out changes nothing."""
DISTANT = 1 / 3
"""Of the canvas's width, between two centres: further apart relations are often lost."""


def between(one: Box, other: Box, canvas: tuple[int, int]) -> Box:
    """The box of what happens between two things: the region between them, grown into both."""
    whole = around(one, other)
    _, left, right, _ = sorted((one.x, one.right, other.x, other.right))
    _, top, bottom, _ = sorted((one.y, one.bottom, other.y, other.bottom))
    across, down = ZETA * whole.width, ZETA * whole.height
    grown = Box.around(
        (left + right) / 2, (top + bottom) / 2, right - left + 2 * across, bottom - top + 2 * down
    )
    x, y = max(0, grown.x), max(0, grown.y)
    width, height = min(grown.right, canvas[0]) - x, min(grown.bottom, canvas[1]) - y
    return Box(x=x, y=y, width=max(1, width), height=max(1, height))


def around(*boxes: Box) -> Box:
    """The smallest box around others: SDF's global one, around subject, predicate and object."""
    x, y = min(box.x for box in boxes), min(box.y for box in boxes)
    right, bottom = max(box.right for box in boxes), max(box.bottom for box in boxes)
    return Box(x=x, y=y, width=right - x, height=bottom - y)


def distant(one: Box, other: Box, canvas: tuple[int, int]) -> bool:
    """Whether two things are so far apart that what is between them is easily lost."""
    (x, y), (u, v) = one.centre, other.centre
    return (x - u) ** 2 + (y - v) ** 2 > (DISTANT * canvas[0]) ** 2


def flow(graph: SceneGraph, boxes: Mapping[str, Box], canvas: tuple[int, int]) -> Iterator[Region]:
    """The regions outwards from the condition, beyond what belongs to it by itself."""
    told = {CONDITION}
    for hop, edge in graph.hops():
        weight = FALL ** (2 * hop - 1)
        if weight < LEAST_WEIGHT:
            return
        where = between(boxes[edge.subject], boxes[edge.object], canvas)
        yield Region(label=edge.name, box=where, weight=weight)
        for thing in {edge.subject, edge.object} - told:
            told.add(thing)
            yield Region(label=graph.labels[thing], box=boxes[thing], weight=weight * FALL)
