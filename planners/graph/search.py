"""Boxes at some sizes: which pairs would lie over each other, and which way they go apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from sow.box import Box
from sow.planners.graph.sides import Arrangement, Rule
from sow.planners.graph.solver import BODY_LEAST, BODY_WIDTH, Attempt, NoRoom, Sizes
from sow.scene import CONDITION

SHRUNK = 0.02
"""Things that become smaller by less than this share have not shrunk."""
BURIED = 0.6
"""What it is worth to keep things large by putting one of them on somebody's head."""
SMALL = 1 / 8
"""The share of the sides, in a square box, under which little can be drawn."""


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


class Search:
    """A layout at some sizes, with pairs that would lie over each other moved apart.

    Attributes:
        boxes: of all ids.

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
        left, right = max(0, left), min(right, self._sizes.canvas[0])
        whole = Box(x=left, y=top, width=right - left, height=bottom - top)
        return {**self.boxes, CONDITION: whole}

    def remarks(self) -> Iterator[str]:
        """What is not as it should be."""
        labels, canvas = self._arrangement.graph.labels, self._sizes.canvas
        for pair in sorted(map(sorted, self._stuck)):
            yield f"not enough room: '{labels[pair[0]]}' and '{labels[pair[1]]}' overlap"
        least = SMALL**2 * canvas[0] * canvas[1]
        small = [labels[thing] for thing, box in self.boxes.items()
                 if thing != CONDITION and box.width * box.height < least]  # fmt: skip
        if small:
            yield f"the picture is full: {', '.join(small[:5])} may be too small to draw"

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
        ways.sort(key=self._moves)
        before, tried = attempt.shrunk, list[tuple[float, Rule]]()
        for way in ways:
            if not self._arrangement.may_come_before(way.along, way.first, way.second):
                continue
            try:
                attempt.keep(way)
            except NoRoom:  # a solver that has failed is not asked again
                attempt = Attempt(self._arrangement, self._sizes, self._given)
                continue
            demoted = BURIED if way.second == CONDITION and way.along == "down" else 1.0
            tried.append((demoted * attempt.shrunk, way))
            if attempt.shrunk > before - SHRUNK:
                self._arrangement.add(way)
                return attempt
            attempt.release(way)
        if tried:
            _, way = max(tried, key=lambda one: one[0])
            self._arrangement.add(way)
            attempt.keep(way)
        else:
            self._stuck.add(frozenset((one, other)))
        return attempt

    def _moves(self, way: Rule) -> float:
        """How far two have to move to keep to a rule; before somebody's body there is room."""
        far = self._way(way.along, way.first, way.second)
        if way.along == "down" and way.first == CONDITION and CONDITION in self._arrangement.bodies:
            box = self.boxes[CONDITION]
            far += box.y + (1 + BODY_LEAST) * box.height - self._sizes.canvas[1]
        return far

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
