"""Whether a picture shows what its sentence says."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sow.benchmarks.figures.judge.anatomy import DetectedThing, Head, grown
from sow.benchmarks.figures.judge.classes import BODY, FACE, HAIR, HAND, NECK
from sow.benchmarks.figures.judge.judge import Verdict
from sow.benchmarks.figures.world.drawing import box_of
from sow.plan.box import gap

NEAR = 20
"""Pixels between two boxes that still are near each other."""
REACH = 14
"""Pixels between a hand and what it holds: a balloon hangs on a string too thin to be seen."""


def answers(verdict: Verdict, claims: dict[str, str]) -> dict[str, bool]:
    """Return for every claim of a sentence whether the judge sees it.

    said: as :class:`sow.benchmarks.figures.world.captions.Caption` has it.
    """
    right: dict[str, bool] = {}
    for name, wanted in claims.items():
        if name in ("scene", "style", "clothing"):
            right[name] = verdict.picture_labels[name] == wanted
        elif name in ("expression", "age", "glasses", "beard", "hair_style"):
            right[name] = verdict.looks.get(name) == wanted
    if claims.get("style") != "sketch":
        if "clothing_colour" in claims:
            right["clothing_colour"] = verdict.clothing_colour == claims["clothing_colour"]
        if "hair_colour" in claims:
            right["hair_colour"] = verdict.hair_colour == claims["hair_colour"]
    for name, colour in (("thing", "thing_colour"), ("other_thing", "other_colour")):
        if name in claims:
            seen = [thing for thing in verdict.things if thing.kind == claims[name]]
            right[name] = bool(seen)
            if colour in claims and claims.get("style") != "sketch":
                right[colour] = any(thing.colour == claims[colour] for thing in seen)
    if "relation" in claims:
        right["relation"] = holds(verdict, claims)
    return right


def holds(verdict: Verdict, claims: dict[str, str]) -> bool:
    """Return whether a claimed relation can be seen."""
    relation = claims["relation"]
    things = [thing for thing in verdict.things if thing.kind == claims["thing"]]
    if "other_thing" in claims:
        second_things = [thing for thing in verdict.things if thing.kind == claims["other_thing"]]
        return any(between_things(relation, a, b) for a in things for b in second_things)
    return any(
        to_person(relation, thing, verdict, head) for thing in things for head in verdict.heads
    )


def to_person(relation: str, thing: DetectedThing, verdict: Verdict, head: Head) -> bool:
    """Return whether a relation holds between a thing and the person of a head."""
    (x, y), (head_x, _) = thing.box.centre, head.box.centre
    if relation == "holding":
        hand = grown(verdict.classes == HAND, REACH)
        return bool((hand & thing.mask).any() and (verdict.classes == HAND).sum() >= 8)
    if relation == "wearing":
        on = grown(thing.mask, 3) & (head.face | _hair(verdict, head))
        return (
            bool(on.any())
            and thing.box.y <= head.box.y + 4
            and abs(x - head_x) < head.box.width / 2
        )
    if relation == "left of":
        return x < head_x - 0.5 * head.box.width
    if relation == "right of":
        return x > head_x + 0.5 * head.box.width
    offset = abs(x - head_x)
    if relation == "above":
        return y < head.box.y + 4 and offset < head.box.width
    if relation == "below":
        return y > head.box.bottom and offset < head.box.width
    person = box_of(np.isin(verdict.classes, (HAIR, FACE, NECK, BODY, HAND)))
    return person is not None and gap(thing.box, person) <= NEAR


def _hair(verdict: Verdict, head: Head) -> NDArray[np.bool_]:
    inside = np.zeros(verdict.classes.shape, bool)
    inside[head.box.y : head.box.bottom, head.box.x : head.box.right] = True
    hair: NDArray[np.bool_] = inside & (verdict.classes == HAIR)
    return hair


def between_things(relation: str, one: DetectedThing, other: DetectedThing) -> bool:
    """Return whether a relation holds between two things."""
    across = one.box.centre[0] - other.box.centre[0]
    down = one.box.centre[1] - other.box.centre[1]
    if relation == "left of":
        return -across > abs(down) * 0.7 and across < 0
    if relation == "right of":
        return across > abs(down) * 0.7
    if relation == "above":
        return -down > abs(across) * 0.7 and down < 0
    if relation == "below":
        return down > abs(across) * 0.7
    if relation == "on":
        lap = min(one.box.right, other.box.right) - max(one.box.x, other.box.x)
        return lap > 0 and down < 0 and abs(one.box.bottom - other.box.y) <= 12
    return gap(one.box, other.box) <= NEAR  # near
