"""Does a picture show what its sentence says? Each kind of word apart."""

from __future__ import annotations

from sow.benchmarks.world.judge.classes import NONE
from sow.benchmarks.world.judge.judge import Verdict
from sow.benchmarks.world.scenes import Scene

WORDS = (
    "place", "time", "weather", "style", "garment", "colour", "pattern", "hat", "thing",
    "expression", "age", "animal", "seat", "people",
)  # fmt: skip
"""The kinds of words that are judged."""


def followed(verdict: Verdict, scene: Scene, said: set[str] | None = None) -> dict[str, bool]:
    """Return for each kind of word in a scene whether the picture shows it.

    said: the kinds that the sentence names; all that the scene has by default. Kinds that the scene
    lacks are left out: nothing was promised.
    """
    where, seen = scene.where, {found.kind for found in verdict.things}
    results = {
        "place": verdict.answers["place"] == where.place,
        "people": len(verdict.heads) == len(scene.people),
    }
    if where.time != "day":
        results["time"] = verdict.answers["time"] == where.time
    if where.weather != "clear":
        results["weather"] = verdict.answers["weather"] == where.weather
    if scene.style:
        results["style"] = verdict.answers["style"] == scene.style
    if scene.animals:
        results["animal"] = all(beast.species in seen for beast in scene.animals)
    if scene.people:
        results |= _person(verdict, scene, seen)
    if scene.things:
        shown = all(thing.thing in seen for thing in scene.things)
        results["thing"] = results.get("thing", True) and shown
    return {name: value for name, value in results.items() if said is None or name in said}


def _person(verdict: Verdict, scene: Scene, seen: set[str]) -> dict[str, bool]:
    """Return what is so of the first person."""
    person = scene.people[0].person
    results = {
        "garment": verdict.wears.get("garment") == person.garment.type,
        "colour": verdict.wears.get("colour") == person.garment.colour,
        "age": verdict.looks.get("age") == person.identity.age,
    }
    if person.garment.pattern != "plain":
        results["pattern"] = verdict.wears.get("pattern") == person.garment.pattern
    if person.expression != "neutral":
        results["expression"] = verdict.looks.get("expression") == person.expression
    if person.hat:
        results["hat"] = person.hat in seen or verdict.looks.get("hat", NONE) == person.hat
    held = [hand.thing for hand in (person.left, person.right) if hand is not None and hand.thing]
    if held:
        results["thing"] = all(thing in seen for thing in held)
    if person.seat:
        results["seat"] = person.seat in seen
    return results
