"""Rates and means with their 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Estimate:
    """A value, its 95 % interval, and how many observations it rests on."""

    value: float
    low: float
    high: float
    count: int

    def percent(self) -> str:
        """For a rate: "91.2 % [86.5, 94.4]"."""
        return f"{self.value:.1%} [{100 * self.low:.1f}, {100 * self.high:.1f}]".replace("%", " %")

    def number(self) -> str:
        """For a mean: "0.612 [0.590, 0.634]"."""
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def rate(answers: Sequence[bool]) -> Estimate:
    """How often something is true, with Wilson's interval; nan for nothing at all."""
    n = len(answers)
    if n == 0:
        return Estimate(math.nan, math.nan, math.nan, 0)
    p, z = sum(answers) / n, 1.959964
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    reach = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Estimate(p, max(0.0, centre - reach), min(1.0, centre + reach), n)


def mean(values: Sequence[float], seed: int = 0, draws: int = 2000) -> Estimate:
    """A mean with its bootstrap interval (percentiles); nan for nothing at all."""
    if not len(values):
        return Estimate(math.nan, math.nan, math.nan, 0)
    array = np.asarray(values, float)
    chosen = np.random.default_rng(seed).integers(len(array), size=(draws, len(array)))
    low, high = np.percentile(array[chosen].mean(1), (2.5, 97.5))
    return Estimate(float(array.mean()), float(low), float(high), len(array))


def sign_test(better: int, worse: int) -> float:
    """Two-sided p of so many pairs for the better and so many for the worse; ties say nothing."""
    n = better + worse
    if n == 0:
        return 1.0
    tail = sum(math.comb(n, k) for k in range(min(better, worse) + 1))
    return min(1.0, float(2 * tail / 2**n))


def mean_difference(one: Sequence[float], other: Sequence[float]) -> Estimate:
    """Of pairs, how much the second is above the first, with its bootstrap interval.

    Pairs in which one is nan are left out.
    """
    away = np.asarray(other, float) - np.asarray(one, float)
    return mean(list(away[~np.isnan(away)]))
