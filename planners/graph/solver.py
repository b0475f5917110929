"""Boxes that keep to rules and come near to wishes: Cassowary, by kiwisolver.

Where two answers are equally good, which one it gives depends on where its variables happen to lie
in memory. So constraints come sorted, and each wish has a strength that no sum of others equals:
then there is one best answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from random import Random
from typing import Any

from sow.box import Box
from sow.planners.graph.sides import Arrangement, Rule, Wish
from sow.scene import CONDITION

BODY_WIDTH, BODY_LEAST = 1.5, 0.4
"""Of somebody planted: how wide they are at least below the head and how tall, in heads."""
HEAD_WIDTH, HEAD_HEIGHT = 0.55, 0.4
"""The head of somebody who is not planted, in their own box."""
HAND = 0.68
"""How far down hands are, in somebody's box or on the canvas."""
GAP, DEPTH = 1 / 32, 1 / 12
"""Between things side by side, and how much lower what stands nearer ends: shares of a side."""
LEAST_DEPTH, LEAST_WORN = 1 / 64, 1 / 32
STANDING = 0.64
"""Where things have their centres that nothing is said of, as a share of the canvas's height."""
WORN = {"head": (1.15, -0.25, 0.35), "face": (0.9, 0.3, 0.65)}
"""What is worn: its width, where it begins and where it ends, in heads from the top of the head."""
MOST_STRETCHED = 2.0
"""How much more things may shrink one way than the other."""
STRONG, MEDIUM, WEAK = 1e6, 1e3, 1.0


@dataclass(frozen=True)
class Sizes:
    """How large things are before they have to shrink.

    Attributes:
        canvas: in pixels.
        shares: of each thing its width and height, as shares of the canvas's shorter side.
        least: how far they may shrink, all of them alike.
        head: the size of what is planted, in pixels.
        aims: where centres should be, as shares of the canvas.
        worn: of what is worn, where.
    """

    canvas: tuple[int, int]
    shares: Mapping[str, tuple[float, float]]
    least: float
    head: tuple[int, int]
    aims: Mapping[str, tuple[float, float]]
    worn: Mapping[str, str]

    @property
    def side(self) -> int:
        """The canvas's shorter one."""
        return min(self.canvas)


class NoRoom(Exception):
    """A rule that cannot be kept beside those before it."""

    def __init__(self, rule: Rule | None = None) -> None:
        self.rule = rule


@dataclass(frozen=True)
class Frame:
    """The box of a thing in the making.

    Attributes:
        left, top, right, bottom: terms of the solver's variables.
        inner: of somebody planted, the head; the box itself is as wide as their body, and as tall
            as head and neck.
    """

    left: Any
    top: Any
    right: Any
    bottom: Any
    inner: Frame | None = None

    @property
    def head(self) -> Frame:
        """What is planted, of who is planted; else the box."""
        return self.inner or self

    @property
    def width(self) -> Any:
        """In pixels."""
        return self.right - self.left

    @property
    def height(self) -> Any:
        """In pixels."""
        return self.bottom - self.top

    @property
    def x(self) -> Any:
        """Of the centre."""
        return (self.left + self.right) / 2

    @property
    def y(self) -> Any:
        """Of the centre."""
        return (self.top + self.bottom) / 2


class Attempt:
    """One layout: all that has to hold and should hold, at these sizes.

    Args:
        arrangement: rules and wishes.
        sizes: of everything.
        given: boxes that stay where they are.

    Raises:
        NoRoom: names the rule that cannot be kept.
    """

    def __init__(self, arrangement: Arrangement, sizes: Sizes, given: Mapping[str, Box]) -> None:
        from kiwisolver import Solver, UnsatisfiableConstraint

        self._solver, self._dice, self._unsatisfiable = Solver(), Random(0), UnsatisfiableConstraint
        self._kept: dict[Rule, Any] = {}
        self._sizes, self._given, self._bodies = sizes, given, arrangement.bodies
        self._spaces()
        self._frames = {thing: self._frame(thing) for thing in arrangement.ids}
        for rule in arrangement.rules:
            self.keep(rule)
        for wish in arrangement.wishes:
            for term in wished(wish, self._frames, self._sizes):
                self._want(term, MEDIUM)
        for thing, (across, down) in sorted(sizes.aims.items()):
            frame = self._frames[thing].head
            self._want(frame.x == across * sizes.canvas[0], WEAK)
            self._want(frame.y == down * sizes.canvas[1], WEAK)

    def boxes(self) -> dict[str, Box]:
        """As they are now; of who is planted, the head. Edges that met before rounding still do."""
        self._solver.updateVariables()
        return {thing: _rounded(frame.head) for thing, frame in self._frames.items()}

    @property
    def shrunk(self) -> float:
        """How small things had to become: 1 is as large as they should be."""
        self._solver.updateVariables()
        small = min(self._across.value(), self._down.value())
        return round(float(small) / self._sizes.side, 4)

    def keep(self, rule: Rule) -> None:
        """One more rule.

        Raises:
            NoRoom: if it cannot be kept.
        """
        first, second = self._frames[rule.first], self._frames[rule.second]
        terms = {
            "across": lambda: first.right + self._gap <= second.left,
            "down": lambda: first.bottom + self._gap <= second.top,
            "upon": lambda: first.bottom <= second.top + rule.lap * second.height,
            "head": lambda: first.head.right <= second.head.left,
            "deep": lambda: first.bottom + self._depth <= second.bottom,
        }
        self._kept[rule] = terms[rule.along]()
        self._must(self._kept[rule], rule)

    def release(self, rule: Rule) -> None:
        """A rule that was kept is not needed any more."""
        self._solver.removeConstraint(self._kept.pop(rule))

    def _spaces(self) -> None:
        """The size of all things, the gaps between them and the depth of what stands behind."""
        from kiwisolver import Variable

        side, least = self._sizes.side, self._sizes.least
        self._across, self._down, self._gap, self._depth = (Variable() for _ in range(4))
        for one, other in ((self._across, self._down), (self._down, self._across)):
            self._must(one >= least * side)
            self._must(one <= MOST_STRETCHED * other)
        self._must(self._gap >= 0)
        self._must(self._depth >= LEAST_DEPTH * side)
        for space, usual in ((self._across, 1.0), (self._down, 1.0), (self._gap, GAP),
                             (self._depth, DEPTH)):  # fmt: skip
            self._want(space == usual * side, STRONG)

    def _frame(self, thing: str) -> Frame:
        """The box of a thing, on the canvas and of its size."""
        from kiwisolver import Variable

        (width, height), given = self._sizes.canvas, self._given.get(thing)
        left, top, right, bottom = (Variable() for _ in range(4))
        frame = Frame(left, top, right, bottom)
        if given is not None:
            for variable, value in zip((left, top, right, bottom), given.corners, strict=True):
                self._must(variable == value)
        else:
            for term in (left >= 0, top >= 0, right <= width, bottom <= height):
                self._must(term)
            self._sized(thing, frame)
        return frame if thing != CONDITION or thing not in self._bodies else self._bodied(frame)

    def _sized(self, thing: str, frame: Frame) -> None:
        if thing == CONDITION:
            self._must(frame.width == self._sizes.head[0])
            self._must(frame.height == self._sizes.head[1])
            return
        across, down = self._sizes.shares[thing]
        if thing in self._sizes.worn:  # whoever wears it says how large it is
            self._must(frame.width >= LEAST_WORN * self._sizes.side)
            self._must(frame.height >= LEAST_WORN * self._sizes.side)
            self._want(frame.width == across * self._across, WEAK)
            self._want(frame.height == down * self._down, WEAK)
            return
        self._must(frame.width == across * self._across)
        self._must(frame.height == down * self._down)

    def _bodied(self, head: Frame) -> Frame:
        """Somebody planted: what stands beside them stands beside their body."""
        given = self._given.get(CONDITION)
        width, height = (given.width, given.height) if given else self._sizes.head
        aside, below = (BODY_WIDTH - 1) / 2 * width, BODY_LEAST * height
        if given is not None:  # their body may end with the canvas
            right, bottom = self._sizes.canvas
            return Frame(max(0, given.x - aside), given.y, min(right, given.right + aside),
                         min(bottom, given.bottom + below), head)  # fmt: skip
        self._must(head.left >= aside)
        self._must(head.right <= self._sizes.canvas[0] - aside)
        self._must(head.bottom <= self._sizes.canvas[1] - below)
        return Frame(head.left - aside, head.top, head.right + aside, head.bottom + below, head)

    def _must(self, term: Any, rule: Rule | None = None) -> None:
        if isinstance(term, bool):  # between what is given there is nothing to solve
            if not term:
                raise NoRoom(rule)
            return
        try:
            self._solver.addConstraint(term)
        except self._unsatisfiable:
            raise NoRoom(rule) from None

    def _want(self, term: Any, strength: float) -> None:
        if not isinstance(term, bool):
            self._solver.addConstraint(term | (strength * (1 + 0.1 * self._dice.random())))


def wished(wish: Wish, frames: Mapping[str, Frame], sizes: Sizes) -> Iterator[Any]:
    """What a wish means for the boxes of the two that it is about."""
    one, other = frames[wish.one], frames[wish.other]
    if wish.kind == "level" and one.inner is other.inner:
        yield one.y == other.y
    elif wish.kind == "centred":
        yield one.head.x == other.head.x
    elif wish.kind == "touching down":
        yield one.bottom == other.top + wish.lap * other.height
    elif wish.kind == "touching across":
        yield one.right == other.left
    elif wish.kind in ("held", "behind"):
        yield other.x == (one.left if wish.side < 0 else one.right)
        hands = sizes.canvas[1] * HAND if one.inner else one.top + HAND * one.height
        yield other.y == hands if wish.kind == "held" else other.bottom <= hands
    elif wish.kind == "half covered":
        yield other.x == one.x + 0.3 * one.width
        yield other.top >= one.top + 0.25 * one.height
    elif wish.kind == "inside":
        yield from (one.x == other.x, one.y == other.y, one.left >= other.left)
        yield from (one.right <= other.right, one.top >= other.top, one.bottom <= other.bottom)
    elif wish.kind == "worn":
        yield from _worn(sizes.worn[wish.other], one, other, sizes.canvas[1])


def _worn(part: str, owner: Frame, thing: Frame, ground: int) -> Iterator[Any]:
    """What is on somebody's head or face, or covers them below it."""
    tall = owner.head.height * (1 if owner.inner else HEAD_HEIGHT)
    if part not in WORN:
        yield from (thing.left == owner.left, thing.right == owner.right)
        yield thing.top == owner.head.top + tall
        yield thing.bottom == (ground if owner.inner else owner.bottom)
        return
    wide, begins, ends = WORN[part]
    yield thing.x == owner.head.x
    yield thing.width == owner.head.width * (wide if owner.inner else wide * HEAD_WIDTH)
    yield thing.top == owner.head.top + begins * tall
    yield thing.bottom == owner.head.top + ends * tall


def _rounded(frame: Frame) -> Box:
    """The nearest pixels; of two that are equally near the first, whatever the last bit says."""
    left, top, right, bottom = (
        ceil(round(edge.value(), 3) - 0.5)
        for edge in (frame.left, frame.top, frame.right, frame.bottom)
    )
    return Box(x=left, y=top, width=max(1, right - left), height=max(1, bottom - top))
