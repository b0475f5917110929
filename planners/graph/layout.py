"""Lay out a scene graph: a box for every object, so that its relations hold between the boxes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from sow.errors import PlanError
from sow.plan.box import MIN_CONDITION_SHARE, Box
from sow.plan.scene_graph import CONDITION
from sow.planners.graph.constraints import LayoutConstraints, OrderConstraint, ids_with_bodies
from sow.planners.graph.proportions import proportions_of, worn_on
from sow.planners.graph.scene_graph import SceneGraph
from sow.planners.graph.search import LayoutInput, LayoutSearch
from sow.planners.graph.solver import DEFAULT_HEIGHT, LayoutSizes, NoRoomError

BESIDE = (1.0, 1.4)
"""Width and height of an object's box in a picture with people or a condition, relative to the
object: it is drawn somewhere inside."""
ALONE = (1.3, 1.75)
"""The same in a picture of objects only, which has more room."""
HELD, INSIDE = (1.0, 1.3), (0.6, 0.8)
"""The same for an object that is held, and for one inside another."""
STACKED, SEATED = 0.8, (0.75, 0.72)
"""The greatest height above or below a person or the condition, and the size of a person there."""
SHIFT = 0.14
"""How far the condition moves away from objects on one side, as a share of the canvas's width."""
CROWDED, CRAMPED = 0.75, 0.4
"""The least scale of objects, tried first, and the least scale before the condition is shrunk: a
small face soon becomes somebody else's, so objects shrink first."""
MIN_SCALE, EQUAL_SIZE = 0.12, 0.36
"""The least scale tried last, and the size that all objects have then."""


@dataclass(frozen=True)
class Layout:
    """The boxes of a scene graph.

    Attributes:
        boxes: by ids, in canvas pixels; that of the condition is the planted part.
        full_boxes: the same, but that of the condition includes its body.
        notes: what the user should know about it.
    """

    boxes: Mapping[str, Box]
    full_boxes: Mapping[str, Box]
    notes: tuple[str, ...] = ()


def lay_out(graph: SceneGraph, layout_input: LayoutInput) -> Layout:
    """Return boxes for all objects of a graph.

    The result does not depend on the order of objects and relations. Where there are many objects,
    all of them shrink by the same factor; the condition shrinks last, and only to the smallest size
    of the paper.

    Raises:
        PlanError: if there is not enough room; it names a relation that cannot be satisfied.
    """
    constraints = LayoutConstraints(graph, ids_with_bodies(graph, layout_input.subject))
    problem = NoRoomError()
    best: Layout | None = None
    for sizes in _sizes(constraints, layout_input):
        try:
            found = LayoutSearch(constraints, sizes, layout_input)
        except NoRoomError as error:
            problem = error
            continue
        best = Layout(found.boxes, found.full_boxes(), (*constraints.notes, *found.notes()))
        if found.has_no_overlaps:
            break
    if best is None:
        raise _no_room(graph, problem.constraint)
    return best


def _no_room(graph: SceneGraph, constraint: OrderConstraint | None) -> PlanError:
    has_boxes = any(obj.box for obj in graph.objects)
    where = f" for {graph.quote(constraint.edge)}" if constraint and constraint.edge else ""
    why = ", or the given boxes contradict it" if has_boxes else ""
    return PlanError(f"not enough room{where}{why}", "remove some objects")


def _sizes(constraints: LayoutConstraints, layout_input: LayoutInput) -> Iterator[LayoutSizes]:
    """Yield the sizes to try, from those that look best to those that leave most room."""
    graph = constraints.graph
    shares = {obj.id: _share(obj.label, obj.id, constraints) for obj in graph.objects}
    worn = {soft.other: worn_on(graph.labels[soft.other])
            for soft in constraints.soft if soft.kind == "worn"}  # fmt: skip
    head = (layout_input.box.width, layout_input.box.height)
    aims = _aims(constraints, layout_input)
    sizes = LayoutSizes(layout_input.canvas, shares, CROWDED, head, aims, worn)
    yield sizes
    yield replace(sizes, min_scale=CRAMPED)
    smallest = -int(-MIN_CONDITION_SHARE * sizes.side // layout_input.grid) * layout_input.grid
    if not layout_input.fixed and not graph.text_only and max(head) > smallest:
        head = _scaled(head, smallest, layout_input.grid)
        yield replace(sizes, head=head)
        yield replace(sizes, head=head, min_scale=CRAMPED)
    yield replace(sizes, head=head, min_scale=MIN_SCALE)
    equal = dict.fromkeys(shares, (EQUAL_SIZE, EQUAL_SIZE))
    yield replace(sizes, head=head, min_scale=MIN_SCALE, shares=equal)


def _scaled(head: tuple[int, int], longer: int, grid: int) -> tuple[int, int]:
    """Return a size on the grid with the same proportions and this longer side."""
    width, height = (max(grid, round(side * longer / max(head) / grid) * grid) for side in head)
    return width, height


def _share(label: str, name: str, constraints: LayoutConstraints) -> tuple[float, float]:
    """Return the size of an object's box, as shares of the canvas's shorter side."""
    usual, full_height = proportions_of(label), constraints.full_height
    wide, tall = BESIDE if full_height else ALONE
    for soft in constraints.soft:
        if soft.kind == "held" and soft.other == name:
            wide, tall = HELD
        elif soft.kind == "inside" and soft.one == name:
            wide, tall = INSIDE
    if name in full_height:
        wide, tall = 1.0, 1.0
    for hard in constraints.hard:
        ends = {hard.first, hard.second}
        if hard.direction in ("down", "upon") and name in ends:
            if name in full_height:
                wide, tall = SEATED
            elif ends & full_height:
                tall = min(tall, STACKED)
    across, down = usual.height * usual.aspect * wide, usual.height * tall
    return min(across, 0.9), min(down, 1.0)


def _aims(
    constraints: LayoutConstraints, layout_input: LayoutInput
) -> dict[str, tuple[float, float]]:
    """Return preferred centres as shares of the canvas, by how many objects come before each."""
    aims = {}
    for name in constraints.ids:
        (left, right), (above, below) = (
            constraints.rank(direction, name) for direction in ("across", "down")
        )
        across = (left + 0.5) / (left + right + 1)
        down = (above + 0.5) / (above + below + 1) if above or below else DEFAULT_HEIGHT
        aims[name] = (across, down)
    if not constraints.graph.text_only:
        aims[CONDITION] = _aim_of_condition(constraints, layout_input)
    return aims


def _aim_of_condition(
    constraints: LayoutConstraints, layout_input: LayoutInput
) -> tuple[float, float]:
    """Return the condition's centre without a graph, moved away from objects on one side.

    In the middle of the canvas the objects of the picture would grow over a face.
    """
    across, down = (
        centre / side
        for centre, side in zip(layout_input.box.centre, layout_input.canvas, strict=True)
    )
    left, right = constraints.rank("across", CONDITION)
    if bool(left) != bool(right):
        across = 0.5 + SHIFT if left else 0.5 - SHIFT
    return across, down
