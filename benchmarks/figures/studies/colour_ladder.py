"""Drawings that differ in one respect, in two, in all: a test of measures of variety."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from sow.benchmarks.figures.world.drawing import TESTING, draw, identity_of
from sow.benchmarks.figures.world.layout import Spec, sample
from sow.benchmarks.figures.world.paper import FACE, HAIR
from sow.benchmarks.figures.world.people import CLOTHES
from sow.benchmarks.figures.world.scenes import SCENES
from sow.benchmarks.figures.world.things import COLOURS
from sow.benchmarks.tv2i.metrics.base import Case
from sow.benchmarks.tv2i.pairs import Pair
from sow.pictures.condition import Condition
from sow.plan.plan import Plan

FIRST = TESTING + 16_000_000
"""The first seed of unseen people."""
RUNGS = (
    "the same drawing twice",
    "only the details of the scenery differ",
    "only the colour of the clothes differs",
    "only the place differs",
    "place, clothes and their colour differ",
)


@dataclass(frozen=True)
class Ladder:
    """A person whose head is at the same place in one drawing per rung.

    pictures: each is held to the first. head: 8-bit grey, white where the condition would be.
    """

    number: int
    pictures: tuple[Image.Image, ...]
    head: Image.Image

    def cases(self, rung: int) -> list[Case]:
        """Return the first drawing and that of a rung, as two seeds of one pair."""
        plan = Plan.parse(
            {
                "canvas": self.head.size,
                "prompt": "a person",
                "subject": "face",
                "box": {"x": 0, "y": 0, "width": self.head.width, "height": self.head.height},
            }
        )
        condition = Condition(self.pictures[0], self.head)
        pair = Pair(f"{self.number}", "normal", "a person", Path(), None, self.number, 0)
        return [
            Case(replace(pair, seed=seed), self.pictures[which], condition, plan)
            for seed, which in enumerate((0, rung))
        ]


def ladders(count: int) -> Iterator[Ladder]:
    """Yield the ladders of `count` people."""
    for number in range(FIRST, FIRST + count):
        yield ladder(number)


def ladder(number: int) -> Ladder:
    """Return the ladder of a number; always the same."""
    random, other = Random(number), Random(f"other {number}")
    spec = sample(random, identity=identity_of(number), things=(), style="none")
    details = random.getstate()
    person = spec.person
    assert person is not None
    colour = other.choice([one for one in COLOURS if one != person.clothing_colour])
    scene = other.choice([one for one in SCENES if one != spec.scene])
    worn = other.choice(
        [
            one
            for one in CLOTHES
            if one != person.clothing and (person.identity.woman or one != "dress")
        ]
    )
    specs: tuple[tuple[Spec, bool], ...] = (
        (spec, False),
        (spec, True),
        (replace(spec, person=replace(person, clothing_colour=colour)), False),
        (replace(spec, scene=scene), False),
        (
            replace(
                spec, scene=scene, person=replace(person, clothing=worn, clothing_colour=colour)
            ),
            True,
        ),
    )
    pictures = []
    for one, otherwise in specs:
        dice = Random(f"details {number}")
        if not otherwise:
            dice.setstate(details)
        image, parts = draw(one, dice)
        pictures.append(image)
        if len(pictures) == 1:
            head = Image.fromarray(np.isin(parts, (FACE, HAIR))).convert("L")
    return Ladder(number, tuple(pictures), head)
