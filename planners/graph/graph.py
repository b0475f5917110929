"""The scene graph itself: things, what is between them, and whether all of it can be true."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from sow.errors import PlanError
from sow.planners.graph.predicates import Predicate, predicates
from sow.scene import CONDITION, SceneObject

if TYPE_CHECKING:
    from networkx import DiGraph, MultiDiGraph

ORDERS = {
    "left": ("across", 1), "right": ("across", -1),
    "above": ("down", 1), "upon": ("down", 1), "below": ("down", -1), "hanging": ("down", -1),
    "behind": ("deep", 1), "front": ("deep", -1),
    "inside": ("within", 1),
}  # fmt: skip
"""For a place, along what it puts two things in order, and whether its subject comes first."""


@dataclass(frozen=True, order=True)
class Edge:
    """A relation between the ids of things, or the condition."""

    subject: str
    name: str
    object: str

    @classmethod
    def of(cls, subject: str, predicate: Predicate, thing: str) -> Edge:
        """With a predicate instead of its name."""
        return cls(subject, predicate.name, thing)

    @property
    def predicate(self) -> Predicate:
        """What is said of them."""
        return predicates()[self.name]

    @property
    def order(self) -> tuple[str, str, str] | None:
        """Along what, and which one comes first and which second, if it says that."""
        along, sign = ORDERS.get(self.predicate.place, ("", 0))
        first, second = (self.subject, self.object)[::sign] if sign else ("", "")
        return (along, first, second) if sign else None


@dataclass(frozen=True)
class SceneGraph:
    """Things by their ids, and relations between them; the condition is there without being told.

    Attributes:
        objects: the things, without the condition; kept by their ids.
        edges: each once. In whatever order things are said, the graph is the same.
        bare: there is no condition.
    """

    objects: tuple[SceneObject, ...]
    edges: tuple[Edge, ...]
    bare: bool = False

    def __post_init__(self) -> None:
        """Contradictions never get any further.

        Raises:
            PlanError: if the relations cannot all be true; it names those that clash.
        """
        object.__setattr__(self, "objects", tuple(sorted(self.objects, key=lambda o: o.id)))
        object.__setattr__(self, "edges", tuple(sorted(set(self.edges))))
        for edge in self.edges:
            if edge.subject == edge.object:
                raise PlanError(f"{self.said(edge)} relates an object to itself",
                                "name two objects")  # fmt: skip
        for along in ("across", "down", "deep", "within"):
            clash = circle(self.ordered(along))
            if clash:
                said = ", ".join(map(self.said, clash))
                raise PlanError(f"these relations contradict each other: {said}",
                                "remove one of them")  # fmt: skip

    @cached_property
    def nx(self) -> MultiDiGraph:
        """As networkx has it: nodes with their `label` and `box`, edges by predicate."""
        from networkx import MultiDiGraph

        graph: MultiDiGraph = MultiDiGraph()
        if not self.bare:
            graph.add_node(CONDITION, label=CONDITION, box=None)
        for thing in self.objects:
            graph.add_node(thing.id, label=thing.label, box=thing.box)
        for edge in self.edges:
            graph.add_edge(edge.subject, edge.object, key=edge.name, edge=edge)
        return graph

    @cached_property
    def labels(self) -> dict[str, str]:
        """Of all ids."""
        return {CONDITION: CONDITION, **{thing.id: thing.label for thing in self.objects}}

    def said(self, edge: Edge) -> str:
        """A relation in words, quoted."""
        return f"'{self.labels[edge.subject]} {edge.name} {self.labels[edge.object]}'"

    def ordered(self, along: str) -> DiGraph:
        """Who comes before whom, with the relation that says it; `along` as in `ORDERS`."""
        from networkx import DiGraph

        graph: DiGraph = DiGraph()
        for edge in self.edges:
            order = edge.order
            if order is not None and order[0] == along:
                graph.add_edge(*order[1:], edge=edge)
        return graph

    def between(self, one: str, other: str) -> Iterator[Edge]:
        """The relations of two things, whoever is the subject."""
        return (edge for edge in self.edges if {edge.subject, edge.object} == {one, other})

    def hops(self) -> Iterator[tuple[int, Edge]]:
        """What happens between the condition and others, and between those and others again: how
        far from the condition, nearest first. Where something merely stands leads nowhere."""
        from networkx import Graph, bfs_edges

        acting = [edge for edge in self.edges if edge.predicate.acts]
        graph: Graph = Graph([(edge.subject, edge.object) for edge in acting])
        depth = {CONDITION: 0}
        if CONDITION not in graph:
            return
        for near, far in bfs_edges(graph, CONDITION):
            depth[far] = depth[near] + 1
        far_end = [
            (max(depth[e.subject], depth[e.object]), e) for e in acting if e.subject in depth
        ]
        yield from sorted(far_end)


def circle(graph: DiGraph) -> list[Edge]:
    """The relations of a circle in an order, or none."""
    from networkx import NetworkXNoCycle, find_cycle

    try:
        return [graph.edges[first, second]["edge"] for first, second in find_cycle(graph)]
    except NetworkXNoCycle:
        return []


def believed(graph: SceneGraph, more: Iterable[Edge]) -> SceneGraph:
    """A graph with those of a model's relations that can be true with what is there before them."""
    for edge in more:
        with suppress(PlanError):
            graph = replace(graph, edges=(*graph.edges, edge))
    return graph
