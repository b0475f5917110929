"""A box for every thing of a graph, so that what is said of where they are holds in the boxes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from sow.box import SMALLEST, Box
from sow.errors import PlanError
from sow.planners.graph.graph import SceneGraph
from sow.planners.graph.proportions import proportions_of, worn_on
from sow.planners.graph.search import Ground, Search
from sow.planners.graph.sides import Arrangement, Rule, with_bodies
from sow.planners.graph.solver import STANDING, NoRoom, Sizes
from sow.scene import CONDITION

BESIDE = (1.0, 1.4)
"""How much wider and taller than a thing its box is beside somebody: it finds its place in it."""
ALONE = (1.3, 1.75)
"""The same where nobody takes up the room."""
HELD, WITHIN = (1.0, 1.3), (0.6, 0.8)
"""The same in a hand, and in something else."""
STACKED, SEATED = 0.8, (0.75, 0.72)
"""What is above or below somebody is less tall, and so are they."""
ASIDE = 0.14
"""How far somebody moves aside for what stands on their other side, as a share of the width."""
CROWDED, CRAMPED = 0.75, 0.4
"""How far things shrink at first, and before somebody planted leaves them room: a face is soon
somebody else's where it is small, so they do it first."""
LEAST, EQUAL = 0.12, 0.36
"""How far all may shrink at last, and the size of every one of them then."""


@dataclass(frozen=True)
class Laid:
    """Where everything is.

    Attributes:
        boxes: by ids; that of the condition is what is planted.
        wholes: the same, but of the condition head and body.
        notes: what the user should know about it.
    """

    boxes: Mapping[str, Box]
    wholes: Mapping[str, Box]
    notes: tuple[str, ...] = ()


def lay_out(graph: SceneGraph, ground: Ground) -> Laid:
    """Boxes for all things of a graph; the same for any order in which it was said.

    Things shrink where there are many, all alike, before somebody planted does, whose size stays
    within the usual range.

    Raises:
        PlanError: if there is no room; it names a relation that cannot be kept.
    """
    arrangement = Arrangement(graph, with_bodies(graph, ground.subject))
    notes, problem = list(arrangement.notes), NoRoom()
    best: Laid | None = None
    for sizes in _sizes(arrangement, ground):
        try:
            found = Search(arrangement, sizes, ground)
        except NoRoom as error:
            problem = error
            continue
        best = Laid(found.boxes, found.wholes(), (*notes, *found.remarks()))
        if found.roomy:
            break
    if best is None:
        raise _no_room(graph, problem.rule)
    return best


def _no_room(graph: SceneGraph, rule: Rule | None) -> PlanError:
    given = any(thing.box for thing in graph.objects)
    said = f" for {graph.said(rule.edge)}" if rule and rule.edge else ""
    why = ", or the given boxes contradict it" if given else ""
    return PlanError(f"not enough room{said}{why}", "remove some objects")


def _sizes(arrangement: Arrangement, ground: Ground) -> Iterator[Sizes]:
    """The sizes to try, from those that look best to those that leave most room."""
    graph = arrangement.graph
    usual = {thing.id: _share(thing.label, thing.id, arrangement) for thing in graph.objects}
    worn = {wish.other: worn_on(graph.labels[wish.other])
            for wish in arrangement.wishes if wish.kind == "worn"}  # fmt: skip
    head = (ground.box.width, ground.box.height)
    sizes = Sizes(ground.canvas, usual, CROWDED, head, _aims(arrangement, ground), worn)
    yield sizes
    yield replace(sizes, least=CRAMPED)
    least = -int(-SMALLEST * sizes.side // ground.stride) * ground.stride
    if not ground.fixed and not graph.bare and max(head) > least:
        head = _scaled(head, least, ground.stride)
        yield replace(sizes, head=head)
        yield replace(sizes, head=head, least=CRAMPED)
    yield replace(sizes, head=head, least=LEAST)
    yield replace(sizes, head=head, least=LEAST, shares=dict.fromkeys(usual, (EQUAL, EQUAL)))


def _scaled(head: tuple[int, int], longer: int, stride: int) -> tuple[int, int]:
    """A size in the same proportions, on the grid."""
    width, height = (
        max(stride, round(side * longer / max(head) / stride) * stride) for side in head
    )
    return width, height


def _share(label: str, thing: str, arrangement: Arrangement) -> tuple[float, float]:
    """The size of a thing's box, as shares of the canvas's shorter side."""
    usual, filling = proportions_of(label), arrangement.filling
    wide, tall = BESIDE if filling else ALONE
    for wish in arrangement.wishes:
        if wish.kind == "held" and wish.other == thing:
            wide, tall = HELD
        elif wish.kind == "inside" and wish.one == thing:
            wide, tall = WITHIN
    if thing in filling:
        wide, tall = 1.0, 1.0
    for rule in arrangement.rules:
        ends = {rule.first, rule.second}
        if rule.along in ("down", "upon") and thing in ends:
            if thing in filling:
                wide, tall = SEATED
            elif ends & filling:
                tall = min(tall, STACKED)
    across, down = usual.tall * usual.wide * wide, usual.tall * tall
    return min(across, 0.9), min(down, 1.0)


def _aims(arrangement: Arrangement, ground: Ground) -> dict[str, tuple[float, float]]:
    """Where centres should be: the more comes before something, the further on it is."""
    aims = {}
    for thing in arrangement.ids:
        (left, right), (above, below) = (
            arrangement.rank(along, thing) for along in ("across", "down")
        )
        across = (left + 0.5) / (left + right + 1)
        down = (above + 0.5) / (above + below + 1) if above or below else STANDING
        aims[thing] = (across, down)
    if not arrangement.graph.bare:
        aims[CONDITION] = _aim_of_condition(arrangement, ground)
    return aims


def _aim_of_condition(arrangement: Arrangement, ground: Ground) -> tuple[float, float]:
    """Where it would be without a graph, but aside from what is on one side of it.

    In the middle of the canvas a face is overgrown by what a picture puts there.
    """
    across, down = (c / side for c, side in zip(ground.box.centre, ground.canvas, strict=True))
    left, right = arrangement.rank("across", CONDITION)
    if bool(left) != bool(right):
        across = 0.5 + ASIDE if left else 0.5 - ASIDE
    return across, down
