"""Colour that the sentence leaves open, and how much of it is grey.

On the drawn world that are the clothes of the person planted, where the sentence names no colour
of clothes; of photographs, which nobody judges, everything outside the condition. Both have the
same names. What is grey: `sow.benchmarks.colours`, decided on the drawn world and never measured
on photographs. How far the judge is right about clothes: `figures/judge/results/colour.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from sow.benchmarks.colours import Histogram, hues, is_grey, mean_saturation, total_variation
from sow.benchmarks.figures.judge.clothes import LEAST, clothes_of
from sow.benchmarks.statistics import Estimate
from sow.benchmarks.tv2i.metrics.base import OPEN, Case, Mask, Metric, Missing, Pixels
from sow.benchmarks.tv2i.metrics.judge_base import Judged, JudgedMetric, Verdicts

Counted = Callable[[Case], Pixels]
"""The pixels of a case that are counted, uint8 `[n, 3]`; raises `Missing` where there are none."""
DRAWS = 500
"""Of the bootstrap of distances of hue."""


def outside_of(case: Case) -> Mask:
    """Return the mask of the canvas outside the condition, `[H, W]`."""
    planted = Image.new("L", case.plan.canvas)
    planted.paste(case.condition.mask, (case.plan.box.x, case.plan.box.y))
    return np.asarray(planted) < 128


def on_canvas(case: Case) -> Pixels:
    """Return the result at its canvas size, uint8 `[H, W, 3]`; other sizes are scaled to it.

    Raises:
        Missing: if there is no picture.
    """
    picture = case.picture.convert("RGB")
    if picture.size != case.plan.canvas:
        picture = picture.resize(case.plan.canvas, Image.Resampling.LANCZOS)
    return np.asarray(picture)


def outside(case: Case) -> Pixels:
    """Return the pixels outside the condition, uint8 `[n, 3]`.

    Raises:
        Missing: if there is no picture, or nothing is outside.
    """
    found = on_canvas(case)[outside_of(case)]
    if not len(found):
        raise Missing("nothing is outside the condition")
    return found


def clothes(judged: Judged) -> Pixels:
    """Return the pixels of the planted person's clothes, uint8 `[n, 3]`.

    Raises:
        Missing: if the sentence names their colour or is a pencil sketch's, or there are too few.
    """
    mentions = judged.pair.mentions
    if mentions.get("style") == "sketch":
        raise Missing("a pencil sketch has no colours")
    if "clothing_colour" in mentions:
        raise Missing("the sentence names the clothes' colour")
    found: Pixels = judged.verdict.pixels[clothes_of(judged.verdict)]
    if len(found) < LEAST:
        raise Missing("there are too few clothes to tell their colour")
    return found


def clothes_by(verdicts: Verdicts) -> Counted:
    """Return the function from a case to its pixels of clothes, by this judge."""
    return lambda case: clothes(verdicts.of(case))


class Saturation(Metric):
    """The mean saturation (HSV) of everything outside the condition."""

    name, label, better = "saturation", "Saturation", ""
    note = "mean saturation (HSV, 0 to 1) outside the condition"
    group = OPEN

    def value(self, case: Case) -> float:
        """Return the mean saturation, 0 to 1."""
        return mean_saturation(outside(case))


class Grey(Metric):
    """1 if at least half of the pixels outside the condition are grey, else 0."""

    name, label, better, unit, rate = "grey", "Grey", "lower", "%", True
    note = "at least half of the pixels outside the condition are grey"
    group = OPEN

    def value(self, case: Case) -> float:
        """Return 1 or 0."""
        return float(is_grey(outside(case)))


class JudgedSaturation(JudgedMetric):
    """The mean saturation (HSV) of the clothes, for sentences that do not name their colour."""

    name, label, better = "saturation", "Saturation of clothes", ""
    note = "mean saturation (HSV, 0 to 1) of clothes whose colour the sentence leaves open"
    group = OPEN

    def read(self, judged: Judged) -> float:
        """Return the mean saturation, 0 to 1."""
        return mean_saturation(clothes(judged))


class JudgedGrey(JudgedMetric):
    """1 if the clothes are grey, else 0, for sentences that do not name their colour."""

    name, label, better, unit, rate = "grey", "Grey clothes", "lower", "%", True
    note = "at least half of the pixels of clothes whose colour the sentence leaves open are grey"
    group = OPEN

    def read(self, judged: Judged) -> float:
        """Return 1 or 0."""
        return float(is_grey(clothes(judged)))


def hues_of(case: Case, counted: Counted = outside) -> Histogram | None:
    """Return the histogram of hues of a case, `[12]`; None if no pixels count."""
    try:
        return hues(counted(case))
    except Missing:
        return None


def hue_distance(
    cases: Sequence[Case], baseline: Sequence[Case], counted: Counted = outside
) -> float:
    """Return the distance of the hues of two sets of pictures, such as a method's and the model's
    own: the total variation of their histograms of 12 hues, 0 to 1.

    Each picture's pixels count by their chroma, each picture as one: a picture without colour says
    nothing of hues. Few pictures differ by chance alone: compare with what two halves of the
    model's own come to.

    Args:
        own: what they are compared with.
        counted: which pixels; on the drawn world `clothes_by(verdicts)`.

    Raises:
        Missing: if there is no colour in one of both.
    """
    hues_of_cases, baseline_hues = (
        [one for case in pictures if (one := hues_of(case, counted)) is not None]
        for pictures in (cases, baseline)
    )
    return hue_estimate(hues_of_cases, baseline_hues, draws=0).value


def hue_estimate(
    pictures: Sequence[Histogram], baseline: Sequence[Histogram], seed: int = 0, draws: int = DRAWS
) -> Estimate:
    """Return the distance of two sets of histograms, one per pair, with its bootstrap interval over
    pairs.

    Drawn again, sets vary more than they do: the interval lies rather too high than too low.

    Raises:
        Missing: if there is no colour in one of both.
    """
    first, second = (
        np.stack(list(one)) if len(one) else np.zeros((0, 12)) for one in (pictures, baseline)
    )
    value = total_variation(first.sum(0), second.sum(0))
    if np.isnan(value):
        raise Missing("there is no colour to tell hues by")
    if not draws:
        return Estimate(value, value, value, len(first))
    dice, found = np.random.default_rng(seed), []
    for _ in range(draws):
        chosen = dice.integers(len(first), size=len(first))
        others = (
            chosen if len(first) == len(second) else dice.integers(len(second), size=len(second))
        )
        found.append(total_variation(first[chosen].sum(0), second[others].sum(0)))
    low, high = np.nanpercentile(found, (2.5, 97.5))
    return Estimate(value, float(low), float(high), len(first))
