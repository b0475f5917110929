"""The scene graph: objects, relations between them, and a check that all relations can be true."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from sow.errors import PlanError
from sow.plan.scene_graph import CONDITION, SceneObject
from sow.planners.graph.predicates import Predicate, predicates

if TYPE_CHECKING:
    from networkx import DiGraph, MultiDiGraph

PLACE_ORDER = {
    "left": ("across", 1), "right": ("across", -1),
    "above": ("down", 1), "upon": ("down", 1), "below": ("down", -1), "hanging": ("down", -1),
    "behind": ("deep", 1), "front": ("deep", -1),
    "inside": ("within", 1),
}  # fmt: skip
"""The axis along which a place orders its ends, and 1 if the subject comes first, else -1."""


@dataclass(frozen=True, order=True)
class Edge:
    """A relation: the ids of its ends, or `condition`, and the name of its predicate."""

    subject: str
    name: str
    object: str

    @classmethod
    def of(cls, subject: str, predicate: Predicate, obj: str) -> Edge:
        """Return an edge with this predicate."""
        return cls(subject, predicate.name, obj)

    @property
    def predicate(self) -> Predicate:
        """The predicate."""
        return predicates()[self.name]

    @property
    def order(self) -> tuple[str, str, str] | None:
        """The axis, the id that comes first and the id that comes second; None without an order."""
        axis, sign = PLACE_ORDER.get(self.predicate.place, ("", 0))
        first, second = (self.subject, self.object)[::sign] if sign else ("", "")
        return (axis, first, second) if sign else None


@dataclass(frozen=True)
class SceneGraph:
    """Objects by their ids, and relations between them and the condition.

    Objects and edges are sorted, and duplicate edges removed, so the order in which they are given
    does not matter.

    Attributes:
        objects: the objects, without the condition.
        edges: the relations.
        text_only: whether there is no condition.
    """

    objects: tuple[SceneObject, ...]
    edges: tuple[Edge, ...]
    text_only: bool = False

    def __post_init__(self) -> None:
        """Sort objects and edges, and check that the relations can all be true.

        Raises:
            PlanError: if they cannot; it names those that contradict each other.
        """
        object.__setattr__(self, "objects", tuple(sorted(self.objects, key=lambda o: o.id)))
        object.__setattr__(self, "edges", tuple(sorted(set(self.edges))))
        for edge in self.edges:
            if edge.subject == edge.object:
                raise PlanError(f"{self.quote(edge)} relates an object to itself",
                                "name two objects")  # fmt: skip
        for axis in ("across", "down", "deep", "within"):
            cycle = find_cycle_edges(self.order_along(axis))
            if cycle:
                quotes = ", ".join(map(self.quote, cycle))
                raise PlanError(f"these relations contradict each other: {quotes}",
                                "remove one of them")  # fmt: skip

    @cached_property
    def nx(self) -> MultiDiGraph:
        """The graph as networkx has it: nodes with `label` and `box`, edges keyed by predicate."""
        from networkx import MultiDiGraph

        graph: MultiDiGraph = MultiDiGraph()
        if not self.text_only:
            graph.add_node(CONDITION, label=CONDITION, box=None)
        for obj in self.objects:
            graph.add_node(obj.id, label=obj.label, box=obj.box)
        for edge in self.edges:
            graph.add_edge(edge.subject, edge.object, key=edge.name, edge=edge)
        return graph

    @cached_property
    def labels(self) -> dict[str, str]:
        """The label of every id, including the condition's."""
        return {CONDITION: CONDITION, **{obj.id: obj.label for obj in self.objects}}

    def quote(self, edge: Edge) -> str:
        """Return a relation in words and in quotes, for messages."""
        return f"'{self.labels[edge.subject]} {edge.name} {self.labels[edge.object]}'"

    def order_along(self, axis: str) -> DiGraph:
        """Return the order of ids along an axis of `PLACE_ORDER`; every edge has its relation."""
        from networkx import DiGraph

        graph: DiGraph = DiGraph()
        for edge in self.edges:
            order = edge.order
            if order is not None and order[0] == axis:
                graph.add_edge(*order[1:], edge=edge)
        return graph

    def between(self, one: str, other: str) -> Iterator[Edge]:
        """Yield the relations between two ids, in both directions."""
        return (edge for edge in self.edges if {edge.subject, edge.object} == {one, other})

    def hops(self) -> Iterator[tuple[int, Edge]]:
        """Yield the actions reachable from the condition with their distance, nearest first.

        Relations that only say where something is are not followed.
        """
        from networkx import Graph, bfs_edges

        actions = [edge for edge in self.edges if edge.predicate.is_action]
        graph: Graph = Graph([(edge.subject, edge.object) for edge in actions])
        depth = {CONDITION: 0}
        if CONDITION not in graph:
            return
        for near, far in bfs_edges(graph, CONDITION):
            depth[far] = depth[near] + 1
        reached = [
            (max(depth[e.subject], depth[e.object]), e) for e in actions if e.subject in depth
        ]
        yield from sorted(reached)


def find_cycle_edges(graph: DiGraph) -> list[Edge]:
    """Return the relations of a cycle in an order, or an empty list."""
    from networkx import NetworkXNoCycle, find_cycle

    try:
        return [graph.edges[first, second]["edge"] for first, second in find_cycle(graph)]
    except NetworkXNoCycle:
        return []


def add_consistent(graph: SceneGraph, edges: Iterable[Edge]) -> SceneGraph:
    """Return the graph with those of a model's relations that do not contradict what is there."""
    for edge in edges:
        with suppress(PlanError):
            graph = replace(graph, edges=(*graph.edges, edge))
    return graph
