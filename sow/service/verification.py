"""Whether the relations of a plan can be seen in a picture that was made by it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from sow.plan.box import Box
from sow.plan.plan import Plan
from sow.plan.scene_graph import CONDITION, Relation
from sow.planners.graph.nouns import kind_of
from sow.planners.graph.predicates import parse_predicate
from sow.planners.graph.prompt_text import WORN
from sow.service.scene_reading import find_objects

if TYPE_CHECKING:
    from sow.pipeline.pipeline import SowPipeline
    from sow.planners.graph.detection import DetectedObject


@dataclass(frozen=True)
class RelationCheck:
    """A relation of a plan, and whether it can be seen in a picture.

    holds: None where boxes cannot show it (in front of, behind), or one thing could be taken for
    another of its name, somebody for somebody else.
    """

    relation: Relation
    said: str
    holds: bool | None


def checks(pipe: SowPipeline, plan: Plan, image: Image.Image) -> tuple[RelationCheck, ...]:
    """The relations of a plan, looked for in a picture that was made by it.

    Where the condition is, is known; everything else is found as by `graph_of`, of each relation
    its two things together. Of what seems to be missing nothing holds.
    """
    from sow.planners.graph.detection import DetectedObject

    names = {thing.id: bare_label(thing.label) for thing in plan.objects}
    called = "person" if plan.subject == "face" else plan.subject
    ends = {end for edge in plan.relations for end in (edge.subject, edge.object)}
    labels = sorted({names[end] for end in ends if end in names})
    if not labels:
        return ()
    pairs = {
        frozenset(names.get(end, called) for end in (edge.subject, edge.object))
        for edge in plan.relations
    }
    two = [pair for pair in pairs if len(pair) == 2]
    found, missing = find_objects(pipe, image, labels, two, None if plan.text_only else called)
    gone = {end for end, name in names.items() if name in missing}
    at = {end: found[name] for end, name in names.items() if name in found}
    at[CONDITION] = DetectedObject(called, plan.box, _body(plan))
    told = names if plan.text_only else {**names, CONDITION: called}
    unsure = _unsure(told)
    return tuple(
        RelationCheck(
            relation=edge,
            said=f"{told[edge.subject]} {edge.predicate} {told[edge.object]}",
            holds=_judged(edge, at, gone, unsure, plan.canvas),
        )
        for edge in plan.relations
    )


def _unsure(names: dict[str, str]) -> set[str]:
    """Which of these could be taken for one another: of one name, or one of several people."""
    all_of = list(names.values())
    people = {end for end, name in names.items() if kind_of(name) == "person"}
    alike = {end for end, name in names.items() if all_of.count(name) > 1}
    return (alike | (people if len(people) > 1 else set())) - {CONDITION}


def _judged(
    edge: Relation,
    at: dict[str, DetectedObject],
    gone: set[str],
    unsure: set[str],
    canvas: tuple[int, int],
) -> bool | None:
    from sow.planners.graph.detection import relation_holds

    both = {edge.subject, edge.object}
    said = parse_predicate(edge.predicate)
    if said is None or both & unsure:
        return None
    if both & gone:
        return False
    one, other = (edge.object, edge.subject) if said.reversed else (edge.subject, edge.object)
    return relation_holds(said.predicate, at[one], at[other], canvas)


def _body(plan: Plan) -> Box | None:
    """The region of the body of somebody planted."""
    own = next((r.box for r in plan.related if r.label == "body"), None)
    return own if plan.subject == "face" else None


def bare_label(label: str) -> str:
    """A label without what somebody wears: "man in a red coat" is looked for as a man."""
    return re.split(WORN, label, maxsplit=1, flags=re.IGNORECASE)[0]
