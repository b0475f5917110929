"""From what was said to a graph: who is the condition, which names are one thing, what is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sow.box import Box
from sow.errors import PlanError
from sow.plan import Plan
from sow.planners.base import PlanRequest
from sow.planners.graph.graph import Edge, SceneGraph, believed
from sow.planners.graph.kinds import condition_names, words_of
from sow.planners.graph.predicates import UNKNOWN, Saying, predicates, read_predicate
from sow.planners.graph.sentences import read_sentence
from sow.planners.scenes import MOST_OBJECTS, GivenGraph, GivenObject, Triple
from sow.scene import CONDITION, SceneObject, free_id

MOST_NOTED = 5


@dataclass
class Read:
    """A graph, and how it was read.

    Attributes:
        spoken: the relations that the prompt says by itself.
        called: what the prompt calls the condition.
        notes: what the user should know.
    """

    graph: SceneGraph
    spoken: frozenset[Edge] = frozenset()
    called: str = "person"
    notes: list[str] = field(default_factory=list)


def read_graph(request: PlanRequest, plan: Plan) -> Read:
    """The graph that a request asks for, around what its plan plants.

    Raises:
        PlanError: if its relations contradict each other, or it is too large.
    """
    notes: list[str] = []
    given = request.graph if isinstance(request.graph, GivenGraph) else GivenGraph()
    answered = _answered(plan) if request.graph == "planner" else []
    if request.graph == "planner" and not answered:
        notes.append("the planner answered no relations: reading the graph from the prompt")
    heard = read_sentence(plan.prompt)
    read = request.graph == "prompt" or (request.graph == "planner" and not answered)
    told = [*given.relations, *(request.triples or ()), *(heard.triples if read else ())]

    def cast_of(triples: Sequence[Triple]) -> _Cast:
        return _Cast(given.objects, heard.names if read else (), triples, heard.names, plan)

    answered = _fitting(answered, told, cast_of, notes)
    cast = cast_of([*told, *answered]).checked()
    edges = [edge for triple in told for edge in _edges(triple, cast, notes)]
    more = sorted({edge for triple in answered for edge in _edges(triple, cast, notes)})
    graph = believed(SceneGraph(cast.objects, tuple(edges), plan.bare), more)
    if len(notes) > MOST_NOTED:
        notes = [*notes[:MOST_NOTED], f"{len(notes) - MOST_NOTED} more relations are unknown"]
    spoken = {edge for triple in heard.triples for edge in _edges(triple, cast, [])}
    called = next((name for name in heard.names if cast.find(name) == CONDITION), None)
    usual = "person" if plan.subject == "face" else plan.subject
    return Read(graph, frozenset(spoken), called or usual, notes)


def _fitting(
    answered: Sequence[Triple], told: Sequence[Triple],
    cast_of: Callable[[Sequence[Triple]], _Cast], notes: list[str],
) -> list[Triple]:  # fmt: skip
    """Of what a model answered, in its order, what does not make the graph of the user too large:
    its answer is paid for."""
    kept: list[Triple] = []
    for triple in answered:
        if not cast_of([*told, *kept, triple]).crowded:
            kept.append(triple)
    if left := len(answered) - len(kept):
        notes.append(f"a graph has at most {MOST_OBJECTS} objects: {left} relations were left out")
    return kept


def _answered(plan: Plan) -> list[Triple]:
    """What a model's plan says, by names."""
    names = {CONDITION: CONDITION, **{thing.id: thing.label for thing in plan.objects}}
    return [(names[e.subject], e.predicate, names[e.object]) for e in plan.relations]


def _edges(triple: Triple, cast: _Cast, notes: list[str]) -> list[Edge]:
    """The edge that a triple is; none between what is not there or one and the same."""
    subject, text, thing = triple
    saying = read_predicate(text)
    if saying is None:
        notes.append(f"'{subject} {text} {thing}': {text!r} is unknown; using '{UNKNOWN}'")
        saying = Saying(predicates()[UNKNOWN])
    first, second = cast.find(subject), cast.find(thing)
    if first is None or second is None:
        return []
    if saying.turned:
        first, second = second, first
    return [Edge.of(first, saying.predicate, second)]


class _Cast:
    """Who is who: every name that was said, and the thing it means, in whatever order.

    The same words are the same thing, and so is "balloon" where there is one "red balloon". heard:
    the names in the prompt, of which one may be the condition's.

    Raises:
        PlanError: if two have the same id.
    """

    def __init__(
        self,
        given: Sequence[GivenObject],
        names: Sequence[str],
        triples: Sequence[Triple],
        heard: Sequence[str],
        plan: Plan,
    ) -> None:
        self._ids: dict[str, str | None] = {CONDITION: None if plan.bare else CONDITION}
        self._things: dict[str, SceneObject] = {}
        for thing in sorted(given, key=lambda thing: thing.name):
            self._give(thing, plan)
        said = {*names, *(name for subject, _, thing in triples for name in (subject, thing))}
        if not plan.bare and not any(thing.condition for thing in given):
            together = {frozenset((subject, thing)) for subject, _, thing in triples}
            free = [name for name in (*said, *heard) if _key(name) not in self._ids]
            selves = condition_names(free, together, plan.subject, plan.prompt)
            self._ids |= {_key(name): CONDITION for name in selves}
        for name in sorted(said, key=lambda name: (-len(words_of(name)), name)):
            if _key(name) not in self._ids:
                self._ids[_key(name)] = self.find(name) or self._new(name, name)

    @property
    def crowded(self) -> bool:
        """Whether they are too many."""
        return len(self._things) > MOST_OBJECTS

    def checked(self) -> _Cast:
        """Itself.

        Raises:
            PlanError: if they are too many.
        """
        if self.crowded:
            raise PlanError(f"the graph has {len(self._things)} objects",
                            f"use at most {MOST_OBJECTS}")  # fmt: skip
        return self

    def _give(self, thing: GivenObject, plan: Plan) -> None:
        """A thing of a file: relations speak of its id, or say what it is."""
        own = thing.condition or _key(thing.name) == CONDITION
        if _key(thing.name) in self._ids and not own:
            raise PlanError(f"two objects of the graph are named {thing.name!r}", "give each an id")
        if own and not plan.bare:
            found = CONDITION
        else:
            found = self._new(thing.name, thing.phrase, thing.box)
        self._ids[_key(thing.name)] = found
        self._ids.setdefault(_key(thing.phrase), found)

    @property
    def objects(self) -> tuple[SceneObject, ...]:
        """All but the condition."""
        return tuple(self._things.values())

    def find(self, name: str) -> str | None:
        """What a name means: the same words, or the only thing whose words end so, or whose words
        it ends with; None if that is nobody."""
        if _key(name) in self._ids:
            return self._ids[_key(name)]
        words = words_of(name)
        alike = {
            thing for key, thing in self._ids.items()
            if _ends(key.split(), words) or _ends(words, key.split())
        }  # fmt: skip
        return alike.pop() if len(alike) == 1 else None

    def _new(self, name: str, phrase: str, box: Box | None = None) -> str:
        free = free_id(name, self._things)
        self._things[free] = SceneObject(id=free, label=_key(phrase), box=box)
        return free


def _key(name: str) -> str:
    return " ".join(words_of(name)) or name.lower()


def _ends(words: list[str], ending: list[str]) -> bool:
    return words[-len(ending) :] == ending
