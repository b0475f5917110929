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
