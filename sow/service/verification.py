"""Checking whether the relations of a plan can be seen in a generated picture."""

from __future__ import annotations

import re
from collections import Counter
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

    Attributes:
        said: the relation in words.
        holds: None if it cannot be judged: boxes do not show it (in front of, behind), or one of
            its objects could be confused with another one (of the same name, or another person).
    """

    relation: Relation
    said: str
    holds: bool | None


def check_relations(pipe: SowPipeline, plan: Plan, image: Image.Image) -> tuple[RelationCheck, ...]:
    """Check for each relation of a plan whether it can be seen in a picture made by it.

    The place of the condition is known. Everything else is searched for as by `read_graph`, the two
    objects of a relation together. Relations of an object that seems to be missing do not hold.
    """
    from sow.planners.graph.detection import DetectedObject

    names = {node.id: bare_label(node.label) for node in plan.objects}
    condition_name = "person" if plan.subject == "face" else plan.subject
    ends = {end for relation in plan.relations for end in (relation.subject, relation.object)}
    labels = sorted({names[end] for end in ends if end in names})
    if not labels:
        return ()
    pairs = {
        frozenset(names.get(end, condition_name) for end in (relation.subject, relation.object))
        for relation in plan.relations
    }
    distinct = [pair for pair in pairs if len(pair) == 2]
    known = None if plan.text_only else condition_name
    found, missing_names = find_objects(pipe, image, labels, distinct, known)
    missing = {end for end, name in names.items() if name in missing_names}
    detected = {end: found[name] for end, name in names.items() if name in found}
    detected[CONDITION] = DetectedObject(condition_name, plan.box, _body(plan))
    all_names = names if plan.text_only else {**names, CONDITION: condition_name}
    ambiguous = _ambiguous(all_names)
    return tuple(
        RelationCheck(
            relation=relation,
            said=f"{all_names[relation.subject]} {relation.predicate} {all_names[relation.object]}",
            holds=_holds(relation, detected, missing, ambiguous, plan.canvas),
        )
        for relation in plan.relations
    )


def _ambiguous(names: dict[str, str]) -> set[str]:
    """Return the objects that could be confused: several of the same name, or several people."""
    counts = Counter(names.values())
    people = {end for end, name in names.items() if kind_of(name) == "person"}
    same_name = {end for end, name in names.items() if counts[name] > 1}
    return (same_name | (people if len(people) > 1 else set())) - {CONDITION}


def _holds(
    relation: Relation,
    detected: dict[str, DetectedObject],
    missing: set[str],
    ambiguous: set[str],
    canvas: tuple[int, int],
) -> bool | None:
    from sow.planners.graph.detection import relation_holds

    subject, object_ = relation.subject, relation.object
    parsed = parse_predicate(relation.predicate)
    if parsed is None or {subject, object_} & ambiguous:
        return None
    if {subject, object_} & missing:
        return False
    if parsed.reversed:
        subject, object_ = object_, subject
    return relation_holds(parsed.predicate, detected[subject], detected[object_], canvas)


def _body(plan: Plan) -> Box | None:
    """Return the region of the body that belongs to a planted face."""
    body = next((region.box for region in plan.related if region.label == "body"), None)
    return body if plan.subject == "face" else None


def bare_label(label: str) -> str:
    """Return a label without clothes: "man in a red coat" is searched for as "man"."""
    return re.split(WORN, label, maxsplit=1, flags=re.IGNORECASE)[0]
