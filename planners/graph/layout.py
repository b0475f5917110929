"""A box for every thing of a graph, so that what is said of where they are holds in the boxes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import combinations

from sow.box import SMALLEST, Box
from sow.errors import PlanError
from sow.planners.graph.graph import SceneGraph
from sow.planners.graph.proportions import proportions_of, worn_on
from sow.planners.graph.sides import Arrangement, Rule, with_bodies
from sow.planners.graph.solver import BODY_WIDTH, STANDING, Attempt, NoRoom, Sizes
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
CROWDED = 0.75
"""Things that have to shrink below this share of their size leave somebody planted less room."""
LEAST, EQUAL = 0.12, 0.36
SHRUNK = 0.02
"""Things that become smaller by less than this share have not shrunk."""
SMALL = 1 / 8
"""The share of the sides, in a square box, under which little can be drawn."""


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


@dataclass(frozen=True)
class Ground:
    """What a graph is laid out on, and what is planted there.

    Attributes:
        canvas: in pixels.
        stride: of the grid on which what is planted has to lie.
        subject: what is planted.
        box: its size, and where it would be without a graph.
        fixed: it stays there.
    """

    canvas: tuple[int, int]
    stride: int
    subject: str
    box: Box
    fixed: bool = False


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
            found = _Search(arrangement, sizes, ground)
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
    why = ", or the boxes that are given say otherwise" if given else ""
    return PlanError(f"there is no room{said}{why}", "leave some of the things out")


def _sizes(arrangement: Arrangement, ground: Ground) -> Iterator[Sizes]:
    """The sizes to try, from those that look best to those that leave most room."""
    graph = arrangement.graph
    usual = {thing.id: _share(thing.label, thing.id, arrangement) for thing in graph.objects}
    worn = {wish.other: worn_on(graph.labels[wish.other])
            for wish in arrangement.wishes if wish.kind == "worn"}  # fmt: skip
    head = (ground.box.width, ground.box.height)
    sizes = Sizes(ground.canvas, usual, CROWDED, head, _aims(arrangement, ground), worn)
    yield sizes
    least = -int(-SMALLEST * sizes.side // ground.stride) * ground.stride
    if not ground.fixed and not graph.bare and max(head) > least:
        head = _scaled(head, least, ground.stride)
        yield replace(sizes, head=head)
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


class _Search:
    """A layout at some sizes, with pairs that would lie over each other moved apart.

    Raises:
        NoRoom: if a rule cannot be kept.
    """

    def __init__(self, arrangement: Arrangement, sizes: Sizes, ground: Ground) -> None:
        self._arrangement, self._sizes, self._ground = arrangement, sizes, ground
        self._given = {o.id: o.box for o in arrangement.graph.objects if o.box is not None}
        self._stuck: set[frozenset[str]] = set()
        said = len(arrangement.rules)
        try:
            if ground.fixed:
                self._given[CONDITION] = ground.box
            self._spread()
            if CONDITION in self.boxes and not ground.fixed:
                self._onto_the_grid()
        finally:
            while len(arrangement.rules) > said:  # another size may put them otherwise
                arrangement.drop()

    @property
    def roomy(self) -> bool:
        """Whether nothing had to be squeezed."""
        return not self._stuck

    def wholes(self) -> dict[str, Box]:
        """The boxes, with the body of who is planted."""
        if CONDITION not in self.boxes:
            return self.boxes
        (left, right), (top, bottom) = (
            map(round, self._edges(along, CONDITION)) for along in ("across", "down")
        )
        whole = Box(x=left, y=top, width=right - left, height=bottom - top)
        return {**self.boxes, CONDITION: whole.clamped(self._sizes.canvas)}

    def remarks(self) -> Iterator[str]:
        """What is not as it should be."""
        labels, canvas = self._arrangement.graph.labels, self._sizes.canvas
        for pair in sorted(map(sorted, self._stuck)):
            yield f"there is no room to keep '{labels[pair[0]]}' and '{labels[pair[1]]}' apart"
        small = [labels[thing] for thing, box in self.boxes.items()
                 if box.width * box.height < SMALL**2 * canvas[0] * canvas[1]]  # fmt: skip
        if small:
            yield f"the picture is full: {', '.join(small[:5])} may be too small to be drawn"

    def _spread(self) -> None:
        """Solves, and moves apart what lies over each other, pair by pair."""
        attempt = Attempt(self._arrangement, self._sizes, self._given)
        self.boxes = attempt.boxes()
        while (pair := self._pressed()) is not None:
            attempt = self._apart(attempt, *pair)
            self.boxes = attempt.boxes()

    def _onto_the_grid(self) -> None:
        """What is planted goes where it can be planted, and the rest follows."""
        box, stride = self.boxes[CONDITION], self._ground.stride
        xs, ys = ((edge // stride * stride, -(-edge // stride) * stride) for edge in (box.x, box.y))
        near = [box.model_copy(update={"x": x, "y": y}) for x in xs for y in ys]
        near = [one for one in near if one.inside(self._sizes.canvas)]
        problem = NoRoom()
        for one in sorted(near, key=lambda one: (abs(one.x - box.x) + abs(one.y - box.y), one.x)):
            self._given[CONDITION] = one
            try:
                self._spread()
            except NoRoom as error:
                problem = error
            else:
                return
        raise problem

    def _pressed(self) -> tuple[str, str] | None:
        """The first pair that lies over each other and should not."""
        for one, other in combinations(self._arrangement.ids, 2):
            pair = frozenset((one, other))
            if pair in self._arrangement.together or pair in self._stuck:
                continue
            if (
                self._lap("across", one, other) > 0
                and self._lap("down", one, other) > 0
                and not (
                    self._arrangement.decided(one, other)
                    or (one in self._given and other in self._given)
                )
            ):
                return one, other
        return None

    def _apart(self, attempt: Attempt, one: str, other: str) -> Attempt:
        """The attempt with the pair apart: where they move least and nothing has to shrink, or
        else as little as can be."""
        ways = [Rule(along, first, second) for along in ("across", "down")
                for first, second in ((one, other), (other, one))]  # fmt: skip
        ways.sort(key=lambda way: self._way(way.along, way.first, way.second))
        tried: list[tuple[float, Rule, Attempt]] = []
        for way in ways:
            if self._arrangement.may_come_before(way.along, way.first, way.second):
                with suppress(NoRoom), self._arrangement.trying(way):
                    made = Attempt(self._arrangement, self._sizes, self._given)
                    tried.append((made.shrunk, way, made))
                    if made.shrunk > attempt.shrunk - SHRUNK:
                        break
        if not tried:
            self._stuck.add(frozenset((one, other)))
            return attempt
        _, way, made = max(tried, key=lambda one: one[0])
        self._arrangement.add(way)
        return made

    def _edges(self, along: str, thing: str) -> tuple[float, float]:
        """Where a thing begins and ends; who is planted has a body as well, down to the edge."""
        box = self.boxes[thing]
        bodied = thing == CONDITION and thing in self._arrangement.bodies
        if along == "down":
            return box.y, self._sizes.canvas[1] if bodied else box.bottom
        aside = (BODY_WIDTH - 1) / 2 * box.width if bodied else 0
        return box.x - aside, box.right + aside

    def _way(self, along: str, first: str, second: str) -> float:
        """How far two have to move for the first to end before the second."""
        return self._edges(along, first)[1] - self._edges(along, second)[0]

    def _lap(self, along: str, one: str, other: str) -> float:
        """How far two lie over each other one way, in pixels."""
        return min(self._way(along, one, other), self._way(along, other, one))
