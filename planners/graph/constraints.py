"""Translate the relations of a scene graph into constraints on boxes.

The solver handles linear constraints only, so it cannot choose between "left of" and "right of" by
itself. That choice is made here. Relations that name a direction are taken as given; where a
relation leaves the side open (on which side something is held), the side with more room is taken.
Pairs that are unrelated and would overlap are separated later, by `search`.
"""

from __future__ import annotations

import copy
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from sow.plan.scene_graph import CONDITION
from sow.planners.graph.nouns import kind_of
from sow.planners.graph.scene_graph import Edge, SceneGraph

if TYPE_CHECKING:
    from networkx import DiGraph

Direction = Literal["across", "down", "upon", "head", "deep"]
OVERLAPS = {"riding": 0.4, "sitting on": 0.25}
"""How far the upper object reaches into the lower one, as a share of the lower one's height."""


@dataclass(frozen=True)
class OrderConstraint:
    """A hard constraint: one box ends before another begins.

    Attributes:
        direction: `across`: left to right; `down`: top to bottom; `upon`: top to bottom without a
            gap; `head`: left to right, but only beside the head of the condition, so that the
            second box may cover its body; `deep`: the second box is nearer to the viewer, so it
            ends lower.
        first, second: ids.
        overlap: how far the boxes may overlap, as a share of the second's height.
        edge: the relation it comes from; None if it only separates two boxes.
    """

    direction: Direction
    first: str
    second: str
    overlap: float = 0.0
    edge: Edge | None = None


@dataclass(frozen=True)
class SoftConstraint:
    """A preference, kept as far as the hard constraints allow (`solver.soft_terms`).

    Attributes:
        kind: what it asks for: level, centred, held …
        one, other: ids.
        side: -1 for left, 1 for right.
        overlap: as in `OrderConstraint`.
    """

    kind: str
    one: str
    other: str
    side: int = 0
    overlap: float = 0.0


@dataclass
class LayoutConstraints:
    """The hard and soft constraints of a scene graph.

    Attributes:
        graph: the scene graph.
        bodies: ids of objects that have a body below their head, and hands.
        hard: the order constraints.
        soft: the soft constraints.
        may_overlap: pairs of ids whose relation allows them to overlap.
        notes: relations that the layout cannot show.
    """

    graph: SceneGraph
    bodies: Collection[str]
    hard: list[OrderConstraint] = field(default_factory=list)
    soft: list[SoftConstraint] = field(default_factory=list)
    may_overlap: set[frozenset[str]] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        from networkx import DiGraph

        # Each graph has an edge from what comes first to what comes second.
        self._across: DiGraph = DiGraph()
        self._down: DiGraph = DiGraph()  # the first ends before the second begins
        self._lower: DiGraph = DiGraph()  # the first ends higher up: `down` and `deep`
        ids = [obj.id for obj in self.graph.objects]
        self.ids = [*([] if self.graph.text_only else [CONDITION]), *ids]
        for order in (self._across, self._down, self._lower):
            order.add_nodes_from(self.ids)
        edges = self.graph.edges
        for edge in edges:
            if edge.predicate.place in ("left", "right", "above", "below", "upon", "hanging"):
                self._add_ordered(edge)
        for edge in edges:
            if edge.predicate.place in ("front", "behind"):
                self._add_depth(edge)
        for edge in edges:
            if edge.predicate.place in ("worn", "hand", "beside", "inside"):
                self._add_undirected(edge)

    def copy(self) -> LayoutConstraints:
        """Return a copy whose order constraints can grow without changing this one."""
        copied = copy.copy(self)
        copied.hard = list(self.hard)
        copied._across, copied._down = self._across.copy(), self._down.copy()
        copied._lower = self._lower.copy()
        return copied

    @property
    def full_height(self) -> set[str]:
        """Ids of what fills the picture's height: people, and the condition."""
        people = {obj.id for obj in self.graph.objects if kind_of(obj.label) == "person"}
        return people | (set() if self.graph.text_only else {CONDITION})

    def add(self, constraint: OrderConstraint) -> None:
        """Add an order constraint."""
        self.hard.append(constraint)
        for order in self._orders(constraint):
            order.add_edge(constraint.first, constraint.second)

    def allows_order(self, direction: Direction, first: str, second: str) -> bool:
        """Return whether no constraint puts `second` before `first`."""
        order = self._across if direction in ("across", "head") else self._lower
        return not has_order(order, second, first)

    def are_separated(self, one: str, other: str) -> bool:
        """Return whether the constraints keep two objects apart, directly or through others."""
        return any(
            has_order(order, first, second)
            for order in (self._across, self._down)
            for first, second in ((one, other), (other, one))
        )

    def rank(self, direction: Direction, name: str) -> tuple[int, int]:
        """Return how many objects come before one, and how many after it."""
        from networkx import ancestors, descendants

        order = self._across if direction == "across" else self._down
        return len(ancestors(order, name)), len(descendants(order, name))

    def _orders(self, constraint: OrderConstraint) -> list[DiGraph]:
        """Return the graphs that a constraint belongs to."""
        if constraint.direction in ("across", "head"):
            return [self._across]
        return [self._lower] if constraint.direction == "deep" else [self._down, self._lower]

    def _add_ordered(self, edge: Edge) -> None:
        """Add the order that a directional relation or a support relation states."""
        axis, first, second = edge.order or ("", "", "")
        place = edge.predicate.place
        if axis == "across":
            self.add(OrderConstraint("across", first, second, edge=edge))
            self.soft.append(SoftConstraint("level", first, second))
            return
        self.soft.append(SoftConstraint("centred", first, second))
        if place in ("above", "below"):
            self.add(OrderConstraint("down", first, second, edge=edge))
            return
        overlap = 0.0 if second == CONDITION else OVERLAPS.get(edge.name, 0.0)
        self.add(OrderConstraint("upon", first, second, overlap, edge))
        self.soft.append(SoftConstraint("touching down", first, second, overlap=overlap))

    def _add_depth(self, edge: Edge) -> None:
        """Put what is in front lower down, unless another relation decides the vertical order."""
        _, far, near = edge.order or ("", "", "")
        self.may_overlap.add(frozenset((far, near)))
        if not self.allows_order("deep", far, near):
            self.notes.append(
                f"{self.graph.quote(edge)} has no effect on the layout: another relation puts one "
                "above the other"
            )
        elif far == CONDITION and CONDITION in self.bodies:
            self.add(OrderConstraint("down", far, near, edge=edge))
            self.soft.append(SoftConstraint("centred", far, near))
        elif self.are_separated(far, near):
            self.add(OrderConstraint("deep", far, near, edge=edge))
        elif near == CONDITION and CONDITION in self.bodies:
            self._add_beside_head(near, far, "behind")
        else:
            self.add(OrderConstraint("deep", far, near, edge=edge))
            self.soft.append(SoftConstraint("half covered", far, near))

    def _add_undirected(self, edge: Edge) -> None:
        """Add what a relation without a direction asks for."""
        one, other, place = edge.subject, edge.object, edge.predicate.place
        if place == "worn":
            self.soft.append(SoftConstraint("worn", one, other))
            self.may_overlap |= {frozenset((other, name)) for name in self.ids}
        elif place == "inside":
            self.may_overlap.add(frozenset((one, other)))
            if not self.are_separated(one, other):
                self.soft.append(SoftConstraint("inside", one, other))
        elif place == "hand" and one in self.bodies:
            self.may_overlap.add(frozenset((one, other)))
            if not self.are_separated(one, other):
                self._add_beside_head(one, other, "held")
        elif not self.are_separated(one, other):
            self._add_beside(edge)

    def _add_beside_head(self, owner: str, name: str, kind: str) -> None:
        """Put an object beside its owner's head, over the edge of the body."""
        side = self._roomier_side(owner, 1)
        if owner == CONDITION:
            first, second = (owner, name)[::side]
            self.add(OrderConstraint("head", first, second))
        self.soft.append(SoftConstraint(kind, owner, name, side))

    def _add_beside(self, edge: Edge) -> None:
        """Put the subject right beside the object, or beside the condition."""
        anchor, name = edge.object, edge.subject
        if edge.subject == CONDITION:
            anchor, name = name, anchor
        side = self._roomier_side(anchor, 1 if anchor == CONDITION else -1)
        first, second = (anchor, name)[::side]
        self.add(OrderConstraint("across", first, second))
        self.soft += [
            SoftConstraint("touching across", first, second),
            SoftConstraint("level", first, second),
        ]

    def _roomier_side(self, name: str, default: int) -> int:
        """Return the side of an object with fewer others: -1 for left, 1 for right."""
        left, right = self.rank("across", name)
        return default if left == right else (1 if right < left else -1)


def has_order(order: DiGraph, first: str, second: str) -> bool:
    """Return whether `first` comes before `second`, directly or through others."""
    from networkx import has_path

    return bool(has_path(order, first, second))


def ids_with_bodies(graph: SceneGraph, subject: str) -> set[str]:
    """Return the ids of people and animals: they have hands and a body below the head."""
    names = {obj.id: obj.label for obj in graph.objects}
    if not graph.text_only:
        names[CONDITION] = "person" if subject == "face" else subject
    return {key for key, name in names.items() if kind_of(name) in ("person", "animal")}
