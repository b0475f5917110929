"""Variety: how different pictures of one plan are that differ only in their seeds.

Counted is what is outside the condition: inside all of them are to be alike. By itself a number
says little, since sentences leave more or less open; beside it belongs that of the frozen model's
own pictures of the same sentence and as many seeds, outside the same condition (the method `text`):
1 is as varied as the model is by itself (`relative`, `relative_mean`).

How far it can be trusted: `figures/judge/results/colour.md`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from PIL import Image

from sow.benchmarks.figures.judge.clothes import features
from sow.benchmarks.figures.judge.judge import Judge
from sow.benchmarks.statistics import Estimate, mean_ratio
from sow.benchmarks.tv2i.metrics.base import OPEN, Case, Described, Mask, Missing, Score
from sow.benchmarks.tv2i.metrics.colour import on_canvas, outside_of
from sow.benchmarks.tv2i.metrics.judge_base import Verdicts

ONE_SEED = "variety needs two pictures of a pair: give --seeds 2 or more"


class Variety(Described, ABC):
    """A number measured in the pictures of a pair with several seeds."""

    @abstractmethod
    def value(self, cases: Sequence[Case]) -> float:
        """Return the number for two or more pictures.

        Raises:
            Missing: if there is none.
        """

    def __call__(self, cases: Sequence[Case]) -> Score:
        """Return the number, or the reason why it is missing; cases without a picture are left out.

        Args:
            cases: of one pair and plan, with different seeds.
        """
        with_picture = [case for case in cases if case.result is not None]
        if len(with_picture) < 2:
            return Score(None, ONE_SEED if len(cases) < 2 else "fewer than two pictures were made")
        try:
            value = float(self.value(with_picture))
        except Missing as reason:
            return Score(None, str(reason))
        except Exception as error:  # as for metrics: no picture is a reason to lose the others
            return Score(None, f"{type(error).__name__}: {error}"[:300])
        return Score(value) if math.isfinite(value) else Score(None, "it is not a number")


class PixelVariety(Variety):
    """The difference of pixels outside the condition: the root of the mean square over pixels and
    channels, in levels of 255, averaged over all pairs of seeds."""

    name, label, better, unit = "variety_pixels", "Variety in pixels", "higher", ""
    note = "RMS difference between seeds outside the condition, of 255, mean of all pairs of seeds"
    group = OPEN

    def value(self, cases: Sequence[Case]) -> float:
        """Return the difference, 0 (all alike) to 255."""
        counted = outside_all(cases)
        seen = [on_canvas(case)[counted].astype(float) for case in cases]
        return float(np.mean([math.sqrt(((a - b) ** 2).mean()) for a, b in combinations(seen, 2)]))


class FeatureVariety(Variety):
    """The difference of what the judge sees outside the condition (`judge.clothes.features`): the
    Euclidean distance, averaged over all pairs of seeds. Of pictures of the drawn world."""

    name, label, better = "variety_features", "Variety as the judge sees it", "higher"
    note = (
        "distance between seeds of the judge's features (its first block upwards, 96 channels, "
        "averaged outside the condition), mean of all pairs of seeds"
    )
    group = OPEN

    def __init__(self, judge: Judge | Verdicts) -> None:
        self.judge = judge.judge if isinstance(judge, Verdicts) else judge

    def value(self, cases: Sequence[Case]) -> float:
        """Return the distance, 0 (all alike) and up; another colour of clothes is about 5,
        another place 8."""
        counted = Image.fromarray(outside_all(cases)).convert("L")
        seen = features(self.judge, [case.picture for case in cases], [counted] * len(cases))
        return float(np.mean([np.linalg.norm(a - b) for a, b in combinations(seen, 2)]))


def outside_all(cases: Sequence[Case]) -> Mask:
    """Return the mask outside the conditions of all cases, `[H, W]`.

    Raises:
        Missing: if their canvases differ, or nothing is outside.
    """
    if len({case.plan.canvas for case in cases}) > 1:
        raise Missing("the canvases differ")
    counted = np.logical_and.reduce([outside_of(case) for case in cases])
    if not counted.any():
        raise Missing("nothing is outside the condition")
    return np.asarray(counted)


def groups(cases: Sequence[Case]) -> list[list[Case]]:
    """Return the cases grouped by pair, in order of first appearance."""
    found: dict[str, list[Case]] = {}
    for case in cases:
        found.setdefault(case.pair.id, []).append(case)
    return list(found.values())


def relative(
    values: Sequence[float | None], baseline: Sequence[float | None]
) -> list[float | None]:
    """Return for each pair the variety relative to the model's own; None if one is missing or the
    second is 0.

    A single one is noisy, since a few seeds stand for both, and where the model's own happen to be
    alike it is huge: of many take `relative_mean`, not their mean.
    """
    return [
        None if one is None or not other else one / other
        for one, other in zip(values, baseline, strict=True)
    ]


def relative_mean(values: Sequence[float | None], baseline: Sequence[float | None]) -> Estimate:
    """Return the mean variety relative to the model's own, with its 95 % bootstrap interval
    over pairs; 1 is as varied as the model itself."""
    values_known, baseline_known = (
        [math.nan if one is None else one for one in some] for some in (values, baseline)
    )
    return mean_ratio(values_known, baseline_known)
