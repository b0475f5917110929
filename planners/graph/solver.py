"""Solve layout constraints with Cassowary (kiwisolver): boxes in pixels.

Where two solutions are equally good, kiwisolver's choice depends on the memory addresses of its
variables. To be reproducible, constraints are added in a fixed order, and every soft constraint has
a slightly different strength, so that there is one best solution.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from random import Random
from typing import Any

from sow.plan.box import Box
from sow.plan.scene_graph import CONDITION
from sow.planners.graph.constraints import LayoutConstraints, OrderConstraint, SoftConstraint

BODY_WIDTH, MIN_BODY = 1.5, 0.4
"""The body of the condition: its least width and height, in heads."""
HEAD_WIDTH, HEAD_HEIGHT = 0.55, 0.4
"""The head of a person who is not the condition, as shares of their box."""
HAND_HEIGHT = 0.68
"""How far down hands are, as a share of the person's box or of the canvas."""
GAP, DEPTH = 1 / 32, 1 / 12
"""The gap between neighbours, and how much lower the nearer of two objects ends, as shares of the
canvas's shorter side."""
MIN_DEPTH, MIN_WORN = 1 / 64, 1 / 32
"""The least depth, and the least side of a worn object: shares of the canvas's shorter side."""
DEFAULT_HEIGHT = 0.64
"""Where the centres of unrelated objects are, as a share of the canvas's height."""
WORN = {"head": (1.15, -0.25, 0.35), "face": (0.9, 0.3, 0.65)}
"""Width of a worn object, and its top and bottom below the top of the head, all in heads."""
MAX_STRETCH = 2.0
"""How much more objects may shrink in one direction than in the other."""
STRONG, MEDIUM, WEAK = 1e6, 1e3, 1.0


@dataclass(frozen=True)
class LayoutSizes:
    """Sizes of objects, and the least scale they may be shrunk to.

    Attributes:
        canvas: in pixels.
        shares: width and height of each object, as shares of the canvas's shorter side.
        min_scale: the least scale; it is the same for all objects.
        head: width and height of the condition, in pixels.
        aims: preferred centres, as shares of the canvas.
        worn: the part of the body (`head`, `face`, `body`) that each worn object is worn on.
    """

    canvas: tuple[int, int]
    shares: Mapping[str, tuple[float, float]]
    min_scale: float
    head: tuple[int, int]
    aims: Mapping[str, tuple[float, float]]
    worn: Mapping[str, str]

    @property
    def side(self) -> int:
        """The canvas's shorter side, in pixels."""
        return min(self.canvas)


class NoRoomError(Exception):
    """A constraint contradicts those before it: `constraint`, if it is known."""

    def __init__(self, constraint: OrderConstraint | None = None) -> None:
        self.constraint = constraint


@dataclass(frozen=True)
class SymbolicBox:
    """A box whose edges are expressions of the solver's variables.

    Attributes:
        left, top, right, bottom: the expressions, in pixels.
        inner: the planted head of a condition with a body; the box itself is as wide as the body
            and as tall as head and neck. None for anything else.
    """

    left: Any
    top: Any
    right: Any
    bottom: Any
    inner: SymbolicBox | None = None

    @property
    def head(self) -> SymbolicBox:
        """The planted head, or the box itself."""
        return self.inner or self

    @property
    def width(self) -> Any:
        """The width, in pixels."""
        return self.right - self.left

    @property
    def height(self) -> Any:
        """The height, in pixels."""
        return self.bottom - self.top

    @property
    def x(self) -> Any:
        """The horizontal position of the centre."""
        return (self.left + self.right) / 2

    @property
    def y(self) -> Any:
        """The vertical position of the centre."""
        return (self.top + self.bottom) / 2


class BoxSolver:
    """The boxes of one layout, with all hard and soft constraints at given sizes.

    Args:
        constraints: the hard and soft constraints.
        sizes: the sizes of all objects.
        fixed_boxes: boxes that must not move.

    Raises:
        NoRoomError: with the constraint that cannot be satisfied.
    """

    def __init__(
        self, constraints: LayoutConstraints, sizes: LayoutSizes, fixed_boxes: Mapping[str, Box]
    ) -> None:
        from kiwisolver import Solver, UnsatisfiableConstraint

        self._solver, self._dice, self._unsatisfiable = Solver(), Random(0), UnsatisfiableConstraint
        self._added: dict[OrderConstraint, Any] = {}
        self._sizes, self._fixed_boxes, self._bodies = sizes, fixed_boxes, constraints.bodies
        self._add_scale()
        self._boxes = {name: self._symbolic_box(name) for name in constraints.ids}
        for constraint in constraints.hard:
            self.add(constraint)
        for soft in constraints.soft:
            for term in soft_terms(soft, self._boxes, self._sizes):
                self._prefer(term, MEDIUM)
        for name, (across, down) in sorted(sizes.aims.items()):
            box = self._boxes[name].head
            self._prefer(box.x == across * sizes.canvas[0], WEAK)
            self._prefer(box.y == down * sizes.canvas[1], WEAK)

    def boxes(self) -> dict[str, Box]:
        """Return the current boxes, in whole pixels; of a condition with a body the head.

        Edges that touch still touch after rounding.
        """
        self._solver.updateVariables()
        return {name: _rounded(box.head) for name, box in self._boxes.items()}

    @property
    def scale(self) -> float:
        """The scale that objects had to be shrunk to; 1 is their full size."""
        self._solver.updateVariables()
        smaller = min(self._across.value(), self._down.value())
        return round(float(smaller) / self._sizes.side, 4)

    def add(self, constraint: OrderConstraint) -> None:
        """Add an order constraint.

        Raises:
            NoRoomError: if it cannot be satisfied.
        """
        first, second = self._boxes[constraint.first], self._boxes[constraint.second]
        terms = {
            "across": lambda: first.right + self._gap <= second.left,
            "down": lambda: first.bottom + self._gap <= second.top,
            "upon": lambda: first.bottom <= second.top + constraint.overlap * second.height,
            "head": lambda: first.head.right <= second.head.left,
            "deep": lambda: first.bottom + self._depth <= second.bottom,
        }
        self._added[constraint] = terms[constraint.direction]()
        self._require(self._added[constraint], constraint)

    def remove(self, constraint: OrderConstraint) -> None:
        """Remove an order constraint that was added."""
        self._solver.removeConstraint(self._added.pop(constraint))

    def _add_scale(self) -> None:
        """Add the variables that all objects share: their scale, the gap, the depth."""
        from kiwisolver import Variable

        side, min_scale = self._sizes.side, self._sizes.min_scale
        self._across, self._down, self._gap, self._depth = (Variable() for _ in range(4))
        for one, other in ((self._across, self._down), (self._down, self._across)):
            self._require(one >= min_scale * side)
            self._require(one <= MAX_STRETCH * other)
        self._require(self._gap >= 0)
        self._require(self._depth >= MIN_DEPTH * side)
        for variable, usual in ((self._across, 1.0), (self._down, 1.0), (self._gap, GAP),
                                (self._depth, DEPTH)):  # fmt: skip
            self._prefer(variable == usual * side, STRONG)

    def _symbolic_box(self, name: str) -> SymbolicBox:
        """Return the box of an object: on the canvas, and of its size."""
        from kiwisolver import Variable

        (width, height), fixed = self._sizes.canvas, self._fixed_boxes.get(name)
        left, top, right, bottom = (Variable() for _ in range(4))
        box = SymbolicBox(left, top, right, bottom)
        if fixed is not None:
            for variable, value in zip((left, top, right, bottom), fixed.corners, strict=True):
                self._require(variable == value)
        else:
            for term in (left >= 0, top >= 0, right <= width, bottom <= height):
                self._require(term)
            self._add_size(name, box)
        return box if name != CONDITION or name not in self._bodies else self._with_body(box)

    def _add_size(self, name: str, box: SymbolicBox) -> None:
        if name == CONDITION:
            self._require(box.width == self._sizes.head[0])
            self._require(box.height == self._sizes.head[1])
            return
        across, down = self._sizes.shares[name]
        if name in self._sizes.worn:  # its size follows from the size of its owner
            self._require(box.width >= MIN_WORN * self._sizes.side)
            self._require(box.height >= MIN_WORN * self._sizes.side)
            self._prefer(box.width == across * self._across, WEAK)
            self._prefer(box.height == down * self._down, WEAK)
            return
        self._require(box.width == across * self._across)
        self._require(box.height == down * self._down)

    def _with_body(self, head: SymbolicBox) -> SymbolicBox:
        """Return the box of a condition with a body: neighbours keep clear of the body."""
        fixed = self._fixed_boxes.get(CONDITION)
        width, height = (fixed.width, fixed.height) if fixed else self._sizes.head
        shoulder, below = (BODY_WIDTH - 1) / 2 * width, MIN_BODY * height
        if fixed is not None:  # the body may be cut by the canvas
            right, bottom = self._sizes.canvas
            return SymbolicBox(max(0, fixed.x - shoulder), fixed.y,
                               min(right, fixed.right + shoulder),
                               min(bottom, fixed.bottom + below), head)  # fmt: skip
        self._require(head.left >= shoulder)
        self._require(head.right <= self._sizes.canvas[0] - shoulder)
        self._require(head.bottom <= self._sizes.canvas[1] - below)
        return SymbolicBox(
            head.left - shoulder, head.top, head.right + shoulder, head.bottom + below, head
        )

    def _require(self, term: Any, constraint: OrderConstraint | None = None) -> None:
        if isinstance(term, bool):  # both sides are fixed: there is nothing to solve
            if not term:
                raise NoRoomError(constraint)
            return
        try:
            self._solver.addConstraint(term)
        except self._unsatisfiable:
            raise NoRoomError(constraint) from None

    def _prefer(self, term: Any, strength: float) -> None:
        if not isinstance(term, bool):
            self._solver.addConstraint(term | (strength * (1 + 0.1 * self._dice.random())))


def soft_terms(
    soft: SoftConstraint, boxes: Mapping[str, SymbolicBox], sizes: LayoutSizes
) -> Iterator[Any]:
    """Yield the equations and inequalities of a soft constraint."""
    one, other = boxes[soft.one], boxes[soft.other]
    if soft.kind == "level" and one.inner is other.inner:
        yield one.y == other.y
    elif soft.kind == "centred":
        yield one.head.x == other.head.x
    elif soft.kind == "touching down":
        yield one.bottom == other.top + soft.overlap * other.height
    elif soft.kind == "touching across":
        yield one.right == other.left
    elif soft.kind in ("held", "behind"):
        yield other.x == (one.left if soft.side < 0 else one.right)
        hands = sizes.canvas[1] * HAND_HEIGHT if one.inner else one.top + HAND_HEIGHT * one.height
        yield other.y == hands if soft.kind == "held" else other.bottom <= hands
    elif soft.kind == "half covered":
        yield other.x == one.x + 0.3 * one.width
        yield other.top >= one.top + 0.25 * one.height
    elif soft.kind == "inside":
        yield from (one.x == other.x, one.y == other.y, one.left >= other.left)
        yield from (one.right <= other.right, one.top >= other.top, one.bottom <= other.bottom)
    elif soft.kind == "worn":
        yield from _worn_terms(sizes.worn[soft.other], one, other, sizes.canvas[1])


def _worn_terms(
    part: str, owner: SymbolicBox, worn: SymbolicBox, canvas_height: int
) -> Iterator[Any]:
    """Yield the terms of a worn object: on the owner's head or face, or over the whole body."""
    head_height = owner.head.height * (1 if owner.inner else HEAD_HEIGHT)
    if part not in WORN:
        yield from (worn.left == owner.left, worn.right == owner.right)
        yield worn.top == owner.head.top + head_height
        yield worn.bottom == (canvas_height if owner.inner else owner.bottom)
        return
    width, top, bottom = WORN[part]
    yield worn.x == owner.head.x
    yield worn.width == owner.head.width * (width if owner.inner else width * HEAD_WIDTH)
    yield worn.top == owner.head.top + top * head_height
    yield worn.bottom == owner.head.top + bottom * head_height


def _rounded(box: SymbolicBox) -> Box:
    """Return the box in whole pixels; halves are rounded down, whatever the last bit is."""
    left, top, right, bottom = (
        ceil(round(edge.value(), 3) - 0.5) for edge in (box.left, box.top, box.right, box.bottom)
    )
    return Box(x=left, y=top, width=max(1, right - left), height=max(1, bottom - top))
