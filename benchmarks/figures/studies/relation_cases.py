"""Scene graphs of two or three nodes, matching sentences, and the claims for the judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from sow.benchmarks.figures.judge.judge import Verdict
from sow.benchmarks.figures.judge.relations import holds
from sow.benchmarks.figures.world.captions import OPPOSITE, RELATION_WORDS, SCENE_WORDS
from sow.benchmarks.figures.world.scenes import SCENES
from sow.benchmarks.figures.world.things import COLOURS, HELD, KINDS, colours_of
from sow.plan.plan import Plan
from sow.plan.scene_graph import article
from sow.planners.base import PlanRequest
from sow.planners.graph.planner import GraphPlanner

WITH_PERSON = ("left of", "right of", "above", "below", "near", "holding", "wearing")
OF_THINGS = ("left of", "right of", "above", "below", "near", "on")
TWO = ("holding and beside", "on both sides")
"""Two relations in one sentence: a thing in a person's hand and another to the left or right, or
one on either side. The world the model was trained on has one thing beside a person at most."""
PEOPLE = ("person", "man", "woman")
CLASSES = (*((name, PEOPLE) for name in WITH_PERSON + TWO), *((name, ()) for name in OF_THINGS))
"""Relations, and the words for the person in them; () if both are things."""
UPON, UNDER = ("ball", "box", "cat", "dog", "hat"), ("box", "car", "house")
OTHERWISE = {"holding": "left of", "wearing": "holding"}
"""What stands in g- for what cannot be turned round, of somebody and a thing."""
APART = {"near": "above", "on": "below"}
"""The same of two things; what is near somebody is above them too."""


@dataclass(frozen=True)
class Case:
    """A graph and a sentence with the same meaning.

    triples: as a user would give them. claims: every relation as the judge is asked for it.
    """

    prompt: str
    triples: tuple[tuple[str, str, str], ...]
    claims: tuple[dict[str, str], ...]
    seed: int

    @property
    def key(self) -> tuple[str, int]:
        """What its picture depends on."""
        return self.prompt, self.seed

    @property
    def plan(self) -> Plan:
        """The plan that `sow plan` makes of the sentence and the triples, with nothing planted."""
        request = PlanRequest(None, self.prompt, canvas=(128, 128), triples=self.triples)
        return GraphPlanner().plan(request)

    def holds(self, verdict: Verdict) -> bool:
        """Return whether all relations can be seen."""
        return all(holds(verdict, claim) for claim in self.claims)

    def found(self, verdict: Verdict) -> bool:
        """Return whether everything in the graph is found."""
        kinds = {thing.kind for thing in verdict.things}
        named = {
            claim[key] for claim in self.claims for key in ("thing", "other_thing") if key in claim
        }
        people = any("other_thing" not in claim for claim in self.claims)
        return named <= kinds and (bool(verdict.heads) or not people)


def case_of(
    name: str, number: int, people: Sequence[str], kind: str, *, negative: bool = False
) -> Case:
    """Return the case of a class and a number, or its negative; details are random."""
    random = Random(f"{kind} {name} {bool(people)} {number}")
    scene = random.choice([scene for scene in SCENES if scene != "plain"])
    where = SCENE_WORDS[scene][0]
    seed = random.randrange(2**31)
    if not people:
        return _of_things(name, random, where, seed, negative)
    clothes = f"{random.choice(tuple(COLOURS))} {random.choice(('coat', 'shirt', 'sweater'))}"
    person = f"{random.choice(people)} in {article(clothes)}"
    if name in TWO:
        return _two(name, random, person, where, seed, negative)
    thing = _thing(_kind_beside(name, random), random)
    if negative:
        name = OPPOSITE.get(name) or OTHERWISE.get(name) or APART[name]
    who = person.split()[0]
    claims = ({"thing": thing.split()[-1], "relation": name},)
    if name in ("holding", "wearing"):
        prompt = f"{article(person)} {name} {article(thing)} {where}"
        return Case(prompt, ((who, name, thing),), claims, seed)
    prompt = f"{article(thing)} {RELATION_WORDS[name][0]} {article(person)} {where}"
    return Case(prompt, ((thing, name, who),), claims, seed)


def _two(name: str, random: Random, person: str, where: str, seed: int, negative: bool) -> Case:
    """Return a case with a thing beside a person, and another in the hand or on the other side."""
    kinds = random.choice(HELD), random.choice(("dog", "cat", "tree", "car", "house"))
    first, second = (_thing(kind, random) for kind in kinds)
    side = random.choice(("left of", "right of"))
    side = OPPOSITE[side] if negative else side
    who, other = person.split()[0], OPPOSITE[side]
    if name == "on both sides":
        triples = ((second, side, who), (first, other, who))
        words = f"with {article(first)} on the {other.split()[0]}"
    else:
        triples = ((second, side, who), (who, "holding", first))
        words = f"holding {article(first)}"
    claims = (
        {"thing": second.split()[-1], "relation": side},
        {"thing": first.split()[-1], "relation": triples[1][1]},
    )
    prompt = f"{article(second)} {side} {article(person)} {words} {where}"
    return Case(prompt, triples, claims, seed)


def _of_things(name: str, random: Random, where: str, seed: int, negative: bool) -> Case:
    if name == "on":
        under = random.choice(UNDER)
        kinds = [random.choice([kind for kind in UPON if kind != under]), under]
    else:
        kinds = random.sample(KINDS, 2)
    one, other = (_thing(kind, random) for kind in kinds)
    if negative and name in APART:
        name = APART[name]
    elif negative:
        one, other = other, one
    claims = {"thing": one.split()[-1], "other_thing": other.split()[-1], "relation": name}
    prompt = f"{article(one)} {RELATION_WORDS[name][0]} {article(other)} {where}"
    return Case(prompt, ((one, name, other),), (claims,), seed)


def _kind_beside(name: str, random: Random) -> str:
    if name == "wearing":
        return "hat"
    return random.choice(HELD if name == "holding" else [kind for kind in KINDS if kind != "hat"])


def _thing(kind: str, random: Random) -> str:
    return kind if kind == "tree" else f"{random.choice(colours_of(kind))} {kind}"
