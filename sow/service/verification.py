"""Checking whether the relations of a plan can be seen in a generated picture."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from sow.plan.box import Box
from sow.plan.plan import Plan
from sow.plan.scene_graph import CONDITION, Relation
from sow.planners.graph.nouns import noun_of
from sow.planners.graph.predicates import parse_predicate
from sow.planners.graph.prompt_text import WORN
from sow.service.presence import PERSON, Presence, noun_to_judge
from sow.service.scene_reading import FoundObjects, find_objects

if TYPE_CHECKING:
    from sow.pipeline.pipeline import SowPipeline

IN_BOXES = (
    "left of", "right of", "above", "below", "on", "in", "near", "touching", "holding", "wearing",
)  # fmt: skip
"""The relations of which boxes show something; of "riding" they show no more than of "on"."""
NOT_ENOUGH = ("in", "near", "touching", "wearing")
"""Boxes can refute these, but not prove them: where the judge of the drawn world saw no *near* or
*wearing*, boxes often did."""


@dataclass(frozen=True)
class RelationCheck:
    """A relation of a plan, and whether it can be seen in a picture.

    Attributes:
        said: the relation in the words that were checked: without colours and clothes, and
            "person" for men and women.
        holds: None if it cannot be judged.
        reason: why it cannot be judged, or what is absent; else empty.
    """

    relation: Relation
    said: str
    holds: bool | None
    reason: str = ""


def check_relations(
    pipe: SowPipeline,
    plan: Plan,
    image: Image.Image,
    presence: Presence,
    *,
    face_lost: bool = False,
) -> tuple[RelationCheck, ...]:
    """Check for each relation of a plan whether it can be seen in a picture made by it.

    The place of the condition is known. Everything else is searched for as by `read_graph`, the two
    objects of a relation together.

    Args:
        presence: the thresholds measured on the model; nothing else is judged.
        face_lost: whether the planted face is not in the picture; then its relations are not
            judged.
    """
    names = {node.id: noun_to_judge(bare_label(node.label)) for node in plan.objects}
    if not plan.text_only:
        names[CONDITION] = noun_to_judge(PERSON if plan.subject == "face" else plan.subject)
    reasons = [
        _why_not(pipe, plan, relation, names, presence, face_lost) for relation in plan.relations
    ]
    judged = [edge for edge, reason in zip(plan.relations, reasons, strict=True) if not reason]
    found = _find(pipe, image, names, judged, presence)
    checks = []
    for relation, reason in zip(plan.relations, reasons, strict=True):
        holds = None
        if not reason:
            holds, reason = _verdict(relation, names, found, plan)
        said = _said(relation, plan, names)
        checks.append(RelationCheck(relation, said, holds, reason))
    return tuple(checks)


def _why_not(
    pipe: SowPipeline,
    plan: Plan,
    relation: Relation,
    names: Mapping[str, str],
    presence: Presence,
    face_lost: bool,
) -> str:
    """Return why a relation cannot be judged in any picture of a plan; empty if it can."""
    ends = (relation.subject, relation.object)
    parsed = parse_predicate(relation.predicate)
    asked = {node.id: noun_of(bare_label(node.replaced or node.label)) for node in plan.objects}
    unknown = [word for end in ends for word in pipe.unknown_words(asked.get(end, ""))]
    if parsed is not None and pipe.unknown_words(parsed.predicate.name):
        unknown += pipe.unknown_words(relation.predicate)
    if unknown:
        return f"the model does not know {', '.join(dict.fromkeys(unknown))}"
    if parsed is None or parsed.predicate.name not in IN_BOXES:
        return f"boxes do not show {relation.predicate!r}"
    confused = _ambiguous(names) & {*ends}
    if confused:
        return f"there is more than one {names[min(confused)]}"
    unmeasured = [names[end] for end in ends if end != CONDITION and names[end] not in presence]
    if unmeasured:
        return (
            f"it was not measured how often this model sees a {unmeasured[0]} where there is none"
        )
    if CONDITION in ends and face_lost:
        return "the planted face was not found"
    return ""


def _ambiguous(names: Mapping[str, str]) -> set[str]:
    """Return the objects that could be confused: several of one name, such as two people."""
    counts = Counter(names.values())
    return {end for end, name in names.items() if counts[name] > 1} - {CONDITION}


def _find(
    pipe: SowPipeline,
    image: Image.Image,
    names: Mapping[str, str],
    relations: Sequence[Relation],
    presence: Presence,
) -> FoundObjects:
    """Return where the objects of these relations are; the condition's place is known."""
    pairs = [frozenset((names[edge.subject], names[edge.object])) for edge in relations]
    ends = {end for edge in relations for end in (edge.subject, edge.object)} - {CONDITION}
    labels = sorted({names[end] for end in ends})
    if not labels:
        return FoundObjects({}, {})
    distinct = [pair for pair in dict.fromkeys(pairs) if len(pair) == 2]
    return find_objects(pipe, image, labels, distinct, presence)


def _verdict(
    relation: Relation, names: Mapping[str, str], found: FoundObjects, plan: Plan
) -> tuple[bool | None, str]:
    """Return whether a relation holds in a picture, and why it does not or cannot be judged."""
    from sow.planners.graph.detection import DetectedObject, relation_holds

    parsed = parse_predicate(relation.predicate)
    assert parsed is not None
    places = {end: found.places[name] for end, name in names.items() if name in found.places}
    if CONDITION in names:
        places[CONDITION] = DetectedObject(names[CONDITION], plan.box, _body(plan))
    ends = (relation.subject, relation.object)
    seen = {names[end]: found.present[names[end]] for end in ends if end != CONDITION}
    absent = [name for name, there in seen.items() if there is False]
    if absent:
        return False, f"no {' and no '.join(absent)} was found"
    unsure = [name for name, there in seen.items() if there is None]
    if unsure:
        return None, f"it cannot be judged whether there is a {unsure[0]}"
    one, other = reversed(ends) if parsed.reversed else ends
    holds = relation_holds(parsed.predicate, places[one], places[other], plan.canvas)
    if holds and parsed.predicate.name in NOT_ENOUGH:
        return None, f"boxes agree with {relation.predicate!r}, but do not prove it"
    return holds, ""


def _said(relation: Relation, plan: Plan, names: Mapping[str, str]) -> str:
    """Return a relation in words: those that are checked, or else the user's own."""
    replaced = {node.id: node.replaced for node in plan.objects if node.replaced}
    one, other = (replaced.get(end, names[end]) for end in (relation.subject, relation.object))
    return f"{one} {relation.predicate} {other}"


def _body(plan: Plan) -> Box | None:
    """Return the region of the body that belongs to a planted face."""
    body = next((region.box for region in plan.related if region.label == "body"), None)
    return body if plan.subject == "face" else None


def bare_label(label: str) -> str:
    """Return a label without clothes: "man in a red coat" is searched for as "man"."""
    return re.split(WORN, label, maxsplit=1, flags=re.IGNORECASE)[0]
