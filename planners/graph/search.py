"""Solve a layout at fixed sizes and separate objects that overlap without being related.

The algorithm (`LayoutSearch`):

1. Solve the constraints of the graph (`solver.BoxSolver`).
2. Take the first pair of objects that overlap although nothing says they may. Of the four ways to
   separate them (left, right, above, below), try first the one that moves them least. Keep the
   first one that does not shrink the objects, or else the one that shrinks them least. A pair for
   which no way is solvable may overlap.
3. Repeat until no such pair is left.
4. The condition has to lie on the latent grid: fix it at the nearest grid points in turn and
   repeat 1 to 3, until one of them has a solution.

The search works on its own copy of the constraints, because other sizes may need other separations.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from sow.plan.box import Box
from sow.plan.scene_graph import CONDITION
from sow.planners.graph.constraints import LayoutConstraints, OrderConstraint
from sow.planners.graph.solver import BODY_WIDTH, MIN_BODY, BoxSolver, LayoutSizes, NoRoomError

SHRINK_TOLERANCE = 0.02
"""Objects that become smaller by less than this share count as not shrunk."""
COVERED_HEAD_FACTOR = 0.6
"""The factor on the score of a separation that puts an object above the condition's head: to avoid
one, objects may shrink to this share."""
SMALL = 1 / 8
"""An object smaller than a square of this share of the canvas's sides is hardly drawn."""


@dataclass(frozen=True)
class LayoutInput:
    """The canvas of a layout, and the condition on it.

    Attributes:
        canvas: in pixels.
        grid: the grid of the condition, in pixels.
        subject: the subject of the condition.
        box: the size of the condition, and where it would be without a graph.
        fixed: keep the condition there.
    """

    canvas: tuple[int, int]
    grid: int
    subject: str
    box: Box
    fixed: bool = False


class LayoutSearch:
    """One layout at given sizes; see the module for the algorithm.

    Attributes:
        boxes: the box of every id, in pixels; of the condition the planted part.

    Raises:
        NoRoomError: if a constraint of the graph cannot be satisfied.
    """

    def __init__(
        self, constraints: LayoutConstraints, sizes: LayoutSizes, layout_input: LayoutInput
    ) -> None:
        self._constraints, self._sizes, self._input = constraints.copy(), sizes, layout_input
        self._fixed_boxes = {o.id: o.box for o in constraints.graph.objects if o.box is not None}
        self._overlapping: set[frozenset[str]] = set()
        if layout_input.fixed:
            self._fixed_boxes[CONDITION] = layout_input.box
        self._separate_all()
        if CONDITION in self.boxes and not layout_input.fixed:
            self._snap_condition()

    @property
    def has_no_overlaps(self) -> bool:
        """Whether all unrelated pairs are separated."""
        return not self._overlapping

    def full_boxes(self) -> dict[str, Box]:
        """Return the boxes; that of a condition with a body includes the body."""
        if CONDITION not in self.boxes:
            return self.boxes
        (left, right), (top, bottom) = (
            map(round, self._edges(direction, CONDITION)) for direction in ("across", "down")
        )
        left, right = max(0, left), min(right, self._sizes.canvas[0])
        full = Box(x=left, y=top, width=right - left, height=bottom - top)
        return {**self.boxes, CONDITION: full}

    def notes(self) -> Iterator[str]:
        """Yield what the user should know: remaining overlaps, small objects."""
        labels, canvas = self._constraints.graph.labels, self._sizes.canvas
        for pair in sorted(map(sorted, self._overlapping)):
            yield f"not enough room: '{labels[pair[0]]}' and '{labels[pair[1]]}' overlap"
        least = SMALL**2 * canvas[0] * canvas[1]
        small = [labels[name] for name, box in self.boxes.items()
                 if name != CONDITION and box.width * box.height < least]  # fmt: skip
        if small:
            yield f"the picture is full: {', '.join(small[:5])} may be too small to draw"

    def _separate_all(self) -> None:
        """Solve, and separate overlapping pairs one by one (steps 1 to 3)."""
        solver = BoxSolver(self._constraints, self._sizes, self._fixed_boxes)
        self.boxes = solver.boxes()
        while (pair := self._overlapping_pair()) is not None:
            solver = self._separate(solver, *pair)
            self.boxes = solver.boxes()

    def _snap_condition(self) -> None:
        """Fix the condition at a grid point near its box and solve again (step 4)."""
        box, grid = self.boxes[CONDITION], self._input.grid
        xs, ys = ((edge // grid * grid, -(-edge // grid) * grid) for edge in (box.x, box.y))
        near = [box.model_copy(update={"x": x, "y": y}) for x in xs for y in ys]
        near = [snapped for snapped in near if snapped.is_inside(self._sizes.canvas)]
        problem = NoRoomError()
        for snapped in sorted(near, key=lambda s: (abs(s.x - box.x) + abs(s.y - box.y), s.x)):
            self._fixed_boxes[CONDITION] = snapped
            try:
                self._separate_all()
            except NoRoomError as error:
                problem = error
            else:
                return
        raise problem

    def _overlapping_pair(self) -> tuple[str, str] | None:
        """Return the first pair that overlaps and should not."""
        for one, other in combinations(self._constraints.ids, 2):
            pair = frozenset((one, other))
            if pair in self._constraints.may_overlap or pair in self._overlapping:
                continue
            if (
                self._overlap("across", one, other) > 0
                and self._overlap("down", one, other) > 0
                and not (
                    self._constraints.are_separated(one, other)
                    or (one in self._fixed_boxes and other in self._fixed_boxes)
                )
            ):
                return one, other
        return None

    def _separate(self, solver: BoxSolver, one: str, other: str) -> BoxSolver:
        """Return the solver with a pair separated in the best way (step 2)."""
        ways = [OrderConstraint(direction, first, second) for direction in ("across", "down")
                for first, second in ((one, other), (other, one))]  # fmt: skip
        ways.sort(key=self._distance)
        scale_before = solver.scale
        shrinking: list[tuple[float, OrderConstraint]] = []
        for way in ways:
            if not self._constraints.allows_order(way.direction, way.first, way.second):
                continue
            try:
                solver.add(way)
            except NoRoomError:  # after a failure the solver's state is undefined
                solver = BoxSolver(self._constraints, self._sizes, self._fixed_boxes)
                continue
            above_head = way.second == CONDITION and way.direction == "down"
            factor = COVERED_HEAD_FACTOR if above_head else 1.0
            shrinking.append((factor * solver.scale, way))
            if solver.scale > scale_before - SHRINK_TOLERANCE:
                self._constraints.add(way)
                return solver
            solver.remove(way)
        if shrinking:
            _, way = max(shrinking, key=lambda scored: scored[0])
            self._constraints.add(way)
            solver.add(way)
        else:
            self._overlapping.add(frozenset((one, other)))
        return solver

    def _distance(self, way: OrderConstraint) -> float:
        """Return how far two objects have to move to satisfy a constraint, in pixels.

        There is room before the body of the condition, so what is below its head starts there.
        """
        distance = self._overlap_of_order(way.direction, way.first, way.second)
        bodied = CONDITION in self._constraints.bodies
        if way.direction == "down" and way.first == CONDITION and bodied:
            box = self.boxes[CONDITION]
            distance += box.y + (1 + MIN_BODY) * box.height - self._sizes.canvas[1]
        return distance

    def _edges(self, direction: str, name: str) -> tuple[float, float]:
        """Return where an object begins and ends; the condition's body reaches the lower edge."""
        box = self.boxes[name]
        bodied = name == CONDITION and name in self._constraints.bodies
        if direction == "down":
            return box.y, self._sizes.canvas[1] if bodied else box.bottom
        shoulder = (BODY_WIDTH - 1) / 2 * box.width if bodied else 0
        return box.x - shoulder, box.right + shoulder

    def _overlap_of_order(self, direction: str, first: str, second: str) -> float:
        """Return how far two objects have to move so that the first ends before the second."""
        return self._edges(direction, first)[1] - self._edges(direction, second)[0]

    def _overlap(self, direction: str, one: str, other: str) -> float:
        """Return how far two objects overlap in a direction, in pixels."""
        return min(
            self._overlap_of_order(direction, one, other),
            self._overlap_of_order(direction, other, one),
        )
