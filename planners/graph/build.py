"""Build the scene graph of a request: from its file, its triples, its prompt, or a model's answer.

The main question is which names mean the same object, and which mean the condition.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sow.errors import PlanError
from sow.plan.box import Box
from sow.plan.plan import Plan
from sow.plan.prompt_syntax import plain_text
from sow.plan.scene_graph import CONDITION, SceneObject, unused_id
from sow.planners.base import PlanRequest
from sow.planners.graph.nouns import condition_names, words_of
from sow.planners.graph.predicates import UNKNOWN, PredicateMatch, parse_predicate, predicates
from sow.planners.graph.scene_graph import Edge, SceneGraph, add_consistent
from sow.planners.graph.sentence_parser import parse_sentence
from sow.planners.graph_spec import MAX_OBJECTS, GraphSpec, ObjectSpec, Triple

MAX_NOTES = 5


@dataclass
class BuiltGraph:
    """A scene graph and how it was built.

    Attributes:
        graph: the graph.
        in_prompt: the relations that the prompt states.
        condition_name: what the prompt calls the condition.
        notes: what the user should know.
    """

    graph: SceneGraph
    in_prompt: frozenset[Edge] = frozenset()
    condition_name: str = "person"
    notes: list[str] = field(default_factory=list)


def build_graph(request: PlanRequest, plan: Plan) -> BuiltGraph:
    """Return the graph that a request asks for, around the condition of its plan.

    Raises:
        PlanError: if its relations contradict each other, or it has too many objects.
    """
    notes: list[str] = []
    spec = request.graph if isinstance(request.graph, GraphSpec) else GraphSpec()
    answered = _answered_triples(plan) if request.graph == "planner" else []
    if request.graph == "planner" and not answered:
        notes.append("the planner answered no relations: reading the graph from the prompt")
    parsed = parse_sentence(plain_text(plan.prompt))
    use_prompt = request.graph == "prompt" or (request.graph == "planner" and not answered)
    triples = [
        *spec.relations, *(request.triples or ()), *(parsed.triples if use_prompt else ())
    ]  # fmt: skip

    def resolver_of(triples: Sequence[Triple]) -> _NameResolver:
        names = parsed.names if use_prompt else ()
        return _NameResolver(spec.objects, names, triples, parsed.names, plan)

    answered = _fitting(answered, triples, resolver_of, notes)
    resolver = resolver_of([*triples, *answered]).checked()
    edges = [edge for triple in triples for edge in _edges(triple, resolver, notes)]
    more = sorted({edge for triple in answered for edge in _edges(triple, resolver, notes)})
    graph = add_consistent(SceneGraph(resolver.objects, tuple(edges), plan.text_only), more)
    if len(notes) > MAX_NOTES:
        notes = [*notes[:MAX_NOTES], f"{len(notes) - MAX_NOTES} more relations are unknown"]
    in_prompt = {edge for triple in parsed.triples for edge in _edges(triple, resolver, [])}
    named = next((name for name in parsed.names if resolver.find(name) == CONDITION), None)
    default = "person" if plan.subject == "face" else plan.subject
    return BuiltGraph(graph, frozenset(in_prompt), named or default, notes)


def _fitting(
    answered: Sequence[Triple], triples: Sequence[Triple],
    resolver_of: Callable[[Sequence[Triple]], _NameResolver], notes: list[str],
) -> list[Triple]:  # fmt: skip
    """Return the model's triples, in order, without those that exceed the number of objects."""
    kept: list[Triple] = []
    for triple in answered:
        if not resolver_of([*triples, *kept, triple]).too_many:
            kept.append(triple)
    if left_out := len(answered) - len(kept):
        notes.append(
            f"a graph has at most {MAX_OBJECTS} objects: {left_out} relations were left out"
        )
    return kept


def _answered_triples(plan: Plan) -> list[Triple]:
    """Return the relations of a plan that a model made, with names instead of ids."""
    names = {CONDITION: CONDITION, **{obj.id: obj.label for obj in plan.objects}}
    return [(names[e.subject], e.predicate, names[e.object]) for e in plan.relations]


def _edges(triple: Triple, resolver: _NameResolver, notes: list[str]) -> list[Edge]:
    """Return the edge of a triple; an empty list if one of its names means no object."""
    subject, text, obj = triple
    match = parse_predicate(text)
    if match is None:
        notes.append(f"'{subject} {text} {obj}': {text!r} is unknown; using '{UNKNOWN}'")
        match = PredicateMatch(predicates()[UNKNOWN])
    first, second = resolver.find(subject), resolver.find(obj)
    if first is None or second is None:
        return []
    if match.reversed:
        first, second = second, first
    return [Edge.of(first, match.predicate, second)]


class _NameResolver:
    """Maps names to ids of objects, independently of the order in which the names come.

    Equal words mean the same object, and "balloon" means "red balloon" if there is only one.

    Args:
        specs: the objects of a file.
        names: further names of objects.
        triples: the relations; their ends are objects.
        prompt_names: the names in the prompt, one of which may mean the condition.
        plan: the plan of the condition.

    Raises:
        PlanError: if two objects of the file have the same name.
    """

    def __init__(
        self,
        specs: Sequence[ObjectSpec],
        names: Sequence[str],
        triples: Sequence[Triple],
        prompt_names: Sequence[str],
        plan: Plan,
    ) -> None:
        self._ids: dict[str, str | None] = {CONDITION: None if plan.text_only else CONDITION}
        self._objects: dict[str, SceneObject] = {}
        for spec in sorted(specs, key=lambda spec: spec.name):
            self._add_spec(spec, plan)
        all_names = {*names, *(name for subject, _, obj in triples for name in (subject, obj))}
        if not plan.text_only and not any(spec.condition for spec in specs):
            related = {frozenset((subject, obj)) for subject, _, obj in triples}
            free = [name for name in (*all_names, *prompt_names) if _key(name) not in self._ids]
            own_names = condition_names(free, related, plan.subject, plain_text(plan.prompt))
            self._ids |= {_key(name): CONDITION for name in own_names}
        for name in sorted(all_names, key=lambda name: (-len(words_of(name)), name)):
            if _key(name) not in self._ids:
                self._ids[_key(name)] = self.find(name) or self._new(name, name)

    @property
    def too_many(self) -> bool:
        """Whether there are more objects than a graph may have."""
        return len(self._objects) > MAX_OBJECTS

    def checked(self) -> _NameResolver:
        """Return the resolver itself.

        Raises:
            PlanError: if there are too many objects.
        """
        if self.too_many:
            raise PlanError(f"the graph has {len(self._objects)} objects",
                            f"use at most {MAX_OBJECTS}")  # fmt: skip
        return self

    def _add_spec(self, spec: ObjectSpec, plan: Plan) -> None:
        """Add an object of a file; relations may use its id or its words."""
        is_condition = spec.condition or _key(spec.name) == CONDITION
        if _key(spec.name) in self._ids and not is_condition:
            raise PlanError(f"two objects of the graph are named {spec.name!r}",
                            "give each an id")  # fmt: skip
        if is_condition and not plan.text_only:
            found = CONDITION
        else:
            found = self._new(spec.name, spec.phrase, spec.box)
        self._ids[_key(spec.name)] = found
        self._ids.setdefault(_key(spec.phrase), found)

    @property
    def objects(self) -> tuple[SceneObject, ...]:
        """All objects without the condition."""
        return tuple(self._objects.values())

    def find(self, name: str) -> str | None:
        """Return the id that a name means, or None.

        The words have to be equal, or there has to be exactly one object whose words end with the
        name or that the name ends with.
        """
        if _key(name) in self._ids:
            return self._ids[_key(name)]
        words = words_of(name)
        similar = {
            found for key, found in self._ids.items()
            if _ends_with(key.split(), words) or _ends_with(words, key.split())
        }  # fmt: skip
        return similar.pop() if len(similar) == 1 else None

    def _new(self, name: str, phrase: str, box: Box | None = None) -> str:
        free = unused_id(name, self._objects)
        self._objects[free] = SceneObject(id=free, label=_key(phrase), box=box)
        return free


def _key(name: str) -> str:
    return " ".join(words_of(name)) or name.lower()


def _ends_with(words: list[str], ending: list[str]) -> bool:
    return words[-len(ending) :] == ending
