"""Which side of each other things go to: decided first, because no solver of lines can.

What relations say of left, right, above and below is taken as said. What they leave open, such as
on which side something is held, is decided here by where there is more room; the rest, pairs that
would lie over each other, by the layout when it sees them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from sow.planners.graph.graph import Edge, SceneGraph
from sow.planners.graph.kinds import kind_of
from sow.scene import CONDITION

if TYPE_CHECKING:
    from networkx import DiGraph

Along = Literal["across", "down", "upon", "head", "deep"]
LAPS = {"riding": 0.4, "sitting on": 0.25}
"""How far what is upon something reaches into it, as a share of that thing's height."""


@dataclass(frozen=True)
class Rule:
    """One box ends before another begins; always holds.

    Attributes:
        along: `across`, `down`; `upon`: down, without a gap; `head`: across, but only beside the
            head of somebody whose body it may lie over; `deep`: further off, so that it ends
            higher up.
        first, second: ids.
        lap: how far they may overlap, as a share of the second's height.
        edge: the relation that says so, if one does.
    """

    along: Along
    first: str
    second: str
    lap: float = 0.0
    edge: Edge | None = None


@dataclass(frozen=True)
class Wish:
    """Something that should be so as far as the rules leave room for it; the solver knows how.

    side: -1 for left, 1 for right. lap: as of a rule.
    """

    kind: str
    one: str
    other: str
    side: int = 0
    lap: float = 0.0


@dataclass
class Arrangement:
    """Rules and wishes of a graph.

    Attributes:
        bodies: the ids of those who have a body below their head, and hands.
        together: pairs of ids that may lie over each other, by what is said of them.
        notes: what cannot be shown.
    """

    graph: SceneGraph
    bodies: Collection[str]
    rules: list[Rule] = field(default_factory=list)
    wishes: list[Wish] = field(default_factory=list)
    together: set[frozenset[str]] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        from networkx import DiGraph

        self._across: DiGraph = DiGraph()
        self._down: DiGraph = DiGraph()  # what ends before another begins
        self._lower: DiGraph = DiGraph()  # what ends higher up than another: that, and what is deep
        ids = [thing.id for thing in self.graph.objects]
        self.ids = [*([] if self.graph.bare else [CONDITION]), *ids]
        for order in (self._across, self._down, self._lower):
            order.add_nodes_from(self.ids)
        edges = self.graph.edges
        for edge in edges:
            if edge.predicate.place in ("left", "right", "above", "below", "upon", "hanging"):
                self._ordered(edge)
        for edge in edges:
            if edge.predicate.place in ("front", "behind"):
                self._deep(edge)
        for edge in edges:
            if edge.predicate.place in ("worn", "hand", "beside", "inside"):
                self._loose(edge)

    @property
    def filling(self) -> set[str]:
        """The ids of those who fill the picture's height: people, and what is planted."""
        people = {thing.id for thing in self.graph.objects if kind_of(thing.label) == "person"}
        return people | (set() if self.graph.bare else {CONDITION})

    def add(self, rule: Rule) -> None:
        """One more."""
        self.rules.append(rule)
        for order in self._orders(rule):
            order.add_edge(rule.first, rule.second)

    def drop(self) -> None:
        """Takes the last rule back."""
        rule = self.rules.pop()
        for order in self._orders(rule):
            pair = (rule.first, rule.second)
            if not any(
                (r.first, r.second) == pair and order in self._orders(r) for r in self.rules
            ):
                order.remove_edge(*pair)

    def may_come_before(self, along: Along, first: str, second: str) -> bool:
        """Whether no rule says the contrary."""
        order = self._across if along in ("across", "head") else self._lower
        return not leads(order, second, first)

    def decided(self, one: str, other: str) -> bool:
        """Whether rules keep two things apart."""
        return any(
            leads(order, first, second)
            for order in (self._across, self._down)
            for first, second in ((one, other), (other, one))
        )

    def rank(self, along: Along, thing: str) -> tuple[int, int]:
        """How many come before it, and how many after."""
        from networkx import ancestors, descendants

        order = self._across if along == "across" else self._down
        return len(ancestors(order, thing)), len(descendants(order, thing))

    def _orders(self, rule: Rule) -> list[DiGraph]:
        """Those that a rule belongs to."""
        if rule.along in ("across", "head"):
            return [self._across]
        return [self._lower] if rule.along == "deep" else [self._down, self._lower]

    def _ordered(self, edge: Edge) -> None:
        """What a relation says of before and after, and what goes with it."""
        along, first, second = edge.order or ("", "", "")
        place = edge.predicate.place
        if along == "across":
            self.add(Rule("across", first, second, edge=edge))
            self.wishes.append(Wish("level", first, second))
            return
        self.wishes.append(Wish("centred", first, second))
        if place in ("above", "below"):
            self.add(Rule("down", first, second, edge=edge))
            return
        lap = 0.0 if second == CONDITION else LAPS.get(edge.name, 0.0)
        self.add(Rule("upon", first, second, lap, edge))
        self.wishes.append(Wish("touching down", first, second, lap=lap))

    def _deep(self, edge: Edge) -> None:
        """In front of something is lower down in a picture, unless it is above or below it."""
        _, far, near = edge.order or ("", "", "")
        self.together.add(frozenset((far, near)))
        if not self.may_come_before("deep", far, near):
            self.notes.append(
                f"{self.graph.said(edge)} has no effect on the layout: another relation puts one "
                "above the other"
            )
        elif far == CONDITION and CONDITION in self.bodies:
            self.add(Rule("down", far, near, edge=edge))
            self.wishes.append(Wish("centred", far, near))
        elif self.decided(far, near):
            self.add(Rule("deep", far, near, edge=edge))
        elif near == CONDITION and CONDITION in self.bodies:
            self._beside_head(near, far, "behind")
        else:
            self.add(Rule("deep", far, near, edge=edge))
            self.wishes.append(Wish("half covered", far, near))

    def _loose(self, edge: Edge) -> None:
        """What relations leave open."""
        one, other, place = edge.subject, edge.object, edge.predicate.place
        if place == "worn":
            self.wishes.append(Wish("worn", one, other))
            self.together |= {frozenset((other, thing)) for thing in self.ids}
        elif place == "inside":
            self.together.add(frozenset((one, other)))
            if not self.decided(one, other):
                self.wishes.append(Wish("inside", one, other))
        elif place == "hand" and one in self.bodies:
            self.together.add(frozenset((one, other)))
            if not self.decided(one, other):
                self._beside_head(one, other, "held")
        elif not self.decided(one, other):
            self._beside(edge)

    def _beside_head(self, owner: str, thing: str, kind: str) -> None:
        """Beside somebody's head, over the edge of their body."""
        side = self._roomier(owner, 1)
        if owner == CONDITION:
            first, second = (owner, thing)[::side]
            self.add(Rule("head", first, second))
        self.wishes.append(Wish(kind, owner, thing, side))

    def _beside(self, edge: Edge) -> None:
        anchor, thing = edge.object, edge.subject
        if edge.subject == CONDITION:
            anchor, thing = thing, anchor
        side = self._roomier(anchor, 1 if anchor == CONDITION else -1)
        first, second = (anchor, thing)[::side]
        self.add(Rule("across", first, second))
        self.wishes += [Wish("touching across", first, second), Wish("level", first, second)]

    def _roomier(self, thing: str, usual: int) -> int:
        """The side of something where there are fewer others."""
        left, right = self.rank("across", thing)
        return usual if left == right else (1 if right < left else -1)


def leads(order: DiGraph, first: str, second: str) -> bool:
    """Whether one thing comes before another by any number of rules."""
    from networkx import has_path

    return bool(has_path(order, first, second))


def with_bodies(graph: SceneGraph, subject: str) -> set[str]:
    """The ids of those who have hands and a body below their head."""
    names = {thing.id: thing.label for thing in graph.objects}
    if not graph.bare:
        names[CONDITION] = "person" if subject == "face" else subject
    return {key for key, name in names.items() if kind_of(name) in ("person", "animal")}
