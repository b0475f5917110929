"""Judging whether a thing is in a picture at all, only where the error of that was measured.

The frozen model is asked with the sentence "person is near [thing]": how much it looks for the
word somewhere, and how much better the sentence explains that place than sentences with any other
thing do. How high the score has to be was measured for each kind of thing, so that at most 5 % of
the pictures without it are said to have it (`sow bench study absent`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from PIL import Image

from sow.plan.box import Box
from sow.planners.graph.detection import (
    HEAD,
    PEOPLE,
    PhraseQuery,
    box_from_heat,
    box_of_head,
)
from sow.planners.graph.nouns import kind_of, noun_of

if TYPE_CHECKING:
    from torch import Tensor

    from sow.pipeline.pipeline import SowPipeline

PERSON = "person"
HEAT_WEIGHT = 4.0
"""How much the peak of the heat counts against the logarithm of the error: as on drawings for
tuning, both then vary alike between pictures."""


@dataclass(frozen=True)
class PresenceThresholds:
    """What the score of a kind of thing means.

    Attributes:
        absent: below it, the thing counts as absent.
        present: from it on, the thing counts as present; infinite if it is never said.
    """

    absent: float
    present: float

    def read(self, score: float) -> bool | None:
        """Return whether the thing is there; None if that cannot be judged."""
        return True if score >= self.present else False if score < self.absent else None


Presence: TypeAlias = Mapping[str, PresenceThresholds]
"""The thresholds of a model's kinds of things; empty if nothing was measured on it."""

FIGURES = "1d10dd3c7c6c737a"
MEASURED: Mapping[str, Presence] = {
    FIGURES: {
        "person": PresenceThresholds(0.115, 0.116),
        "ball": PresenceThresholds(0.561, 0.919),
        "balloon": PresenceThresholds(0.068, 0.637),
        "box": PresenceThresholds(0.434, 0.938),
        "car": PresenceThresholds(0.788, 0.843),
        "cat": PresenceThresholds(0.24, 0.792),
        "dog": PresenceThresholds(0.208, 0.674),
        "hat": PresenceThresholds(0.362, 1.028),
        "house": PresenceThresholds(0.793, 0.794),
        "tree": PresenceThresholds(0.899, 1.167),
        "umbrella": PresenceThresholds(0.321, 0.665),
    }
}
"""By the revision of the model. From `benchmarks/figures/studies/results/absent.md`."""


def measured_presence(revision: str) -> Presence:
    """Return the thresholds measured on a model, by its revision; empty if there are none."""
    return MEASURED.get(revision, {})


def noun_to_judge(label: str) -> str:
    """Return the word by which a thing is judged: "person" for people, else its noun.

    Colours, clothes and whether somebody is a man or a woman are not judged.
    """
    return PERSON if kind_of(label) == "person" else noun_of(label)


def presence_query(noun: str) -> PhraseQuery:
    """Return the sentence, and the phrases in it, by which a thing is judged."""
    if noun == PERSON:
        return PEOPLE.format(PERSON), HEAD
    return f"{PERSON} is near {noun}", (noun,)


@dataclass(frozen=True)
class PresenceScore:
    """How much a picture looks as if a thing were in it, and where."""

    score: float
    box: Box


def score_presence(
    pipe: SowPipeline, image: Image.Image, nouns: Collection[str], known: Iterable[str]
) -> dict[str, PresenceScore]:
    """Return the score of each noun in a picture.

    Args:
        pipe: its UNet is called once for each inverted step, and ten times for all sentences.
        image: of the size of a canvas.
        nouns: what to look for; see `noun_to_judge`.
        known: the kinds of things with which they are compared.
    """
    from sow.pipeline.grounding import denoising_errors, phrase_heat

    queries = [presence_query(noun) for noun in nouns]
    maps = [[heat.numpy() for heat in row] for row in phrase_heat(pipe, image, queries)]
    things = [noun for noun in nouns if noun != PERSON]
    kinds = [kind for kind in dict.fromkeys([*known, *nouns]) if kind != PERSON]
    sentences = ["", PERSON, *(presence_query(kind)[0] for kind in kinds)]
    errors = denoising_errors(pipe, image, sentences) if things else {}
    scores = {}
    for noun, (sentence, _), heats in zip(nouns, queries, maps, strict=True):
        if noun == PERSON:
            _, glasses = heats
            scores[noun] = PresenceScore(float(glasses.max()), box_of_head(heats, image.size))
        else:
            box = box_from_heat(heats[0], image.size)
            inside = {text: _sum_inside(error, box, image.size) for text, error in errors.items()}
            best_other = min(value for text, value in inside.items() if text != sentence)
            score = math.log(best_other / inside[sentence]) + HEAT_WEIGHT * float(heats[0].max())
            scores[noun] = PresenceScore(score, box)
    return scores


def _sum_inside(error: Tensor, box: Box, canvas: tuple[int, int]) -> float:
    """Return the sum of a map `[h, w]` of the whole canvas inside a box."""
    from sow.attention.regions import box_coverage

    height, width = error.shape
    inside = box_coverage([box], canvas, (height, width)).reshape(error.shape)
    return float((error * inside).sum())
