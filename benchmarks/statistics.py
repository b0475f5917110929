"""Rates and means with their 95 % intervals, and tests between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Estimate:
    """A value, its 95 % interval, and how many observations it rests on."""

    value: float
    low: float
    high: float
    count: int

    def percent(self) -> str:
        """Return a rate as text: "91.2 % [86.5, 94.4]"."""
        return f"{self.value:.1%} [{100 * self.low:.1f}, {100 * self.high:.1f}]".replace("%", " %")

    def number(self) -> str:
        """Return a mean as text: "0.612 [0.590, 0.634]"."""
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def rate(answers: Sequence[bool]) -> Estimate:
    """Return the share of true answers with Wilson's interval; nan without answers."""
    n = len(answers)
    if n == 0:
        return Estimate(math.nan, math.nan, math.nan, 0)
    p, z = sum(answers) / n, 1.959964
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    reach = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Estimate(p, max(0.0, centre - reach), min(1.0, centre + reach), n)


def mean(values: Sequence[float], seed: int = 0, draws: int = 2000) -> Estimate:
    """Return a mean with its bootstrap percentile interval; nan without values."""
    if not len(values):
        return Estimate(math.nan, math.nan, math.nan, 0)
    array = np.asarray(values, float)
    chosen = np.random.default_rng(seed).integers(len(array), size=(draws, len(array)))
    low, high = np.percentile(array[chosen].mean(1), (2.5, 97.5))
    return Estimate(float(array.mean()), float(low), float(high), len(array))


def turned(one: Sequence[bool], other: Sequence[bool]) -> tuple[int, int]:
    """Return in how many pairs only the second is true, and in how many only the first."""
    pairs = list(zip(one, other, strict=True))
    return sum(y and not x for x, y in pairs), sum(x and not y for x, y in pairs)


def sign_test(better: int, worse: int) -> float:
    """Return the two-sided p of the sign test; ties are ignored."""
    n = better + worse
    if n == 0:
        return 1.0
    tail = sum(math.comb(n, k) for k in range(min(better, worse) + 1))
    return min(1.0, float(2 * tail / 2**n))


def mean_difference(one: Sequence[float], other: Sequence[float]) -> Estimate:
    """Return the mean of paired differences, second minus first, with its bootstrap interval.

    Pairs in which one is nan are left out.
    """
    away = np.asarray(other, float) - np.asarray(one, float)
    return mean(list(away[~np.isnan(away)]))


def mean_ratio(
    values: Sequence[float], baseline: Sequence[float], seed: int = 0, draws: int = 2000
) -> Estimate:
    """Return the ratio of the means of paired values, with its bootstrap interval over pairs (so
    that both means rest on the same pairs).

    Pairs in which one is nan are left out; nan for nothing at all, or where the second is 0.
    """
    both = np.stack([np.asarray(values, float), np.asarray(baseline, float)], -1)
    both = both[~np.isnan(both).any(-1)]
    if not len(both) or not both[:, 1].mean():
        return Estimate(math.nan, math.nan, math.nan, len(both))
    chosen = np.random.default_rng(seed).integers(len(both), size=(draws, len(both)))
    means = both[chosen].mean(1)
    ratios = means[means[:, 1] != 0]
    low, high = np.percentile(ratios[:, 0] / ratios[:, 1], (2.5, 97.5))
    value = both[:, 0].mean() / both[:, 1].mean()
    return Estimate(float(value), float(low), float(high), len(both))


def sign_flips(away: Sequence[float], seed: int = 0, draws: int = 20_000) -> float:
    """Return the two-sided p of Fisher's randomisation test that paired differences are around 0.

    Without a difference, every sign is as likely as its opposite: p is the share of sign flips
    whose mean is at least as far from 0. All flips are tried up to 2**14 of them, else `draws`
    random ones and the observed signs. It is 1 if all differences are 0.
    """
    array = np.asarray(away, float)
    array = array[array != 0]
    n = len(array)
    if n == 0:
        return 1.0
    if n <= 14:
        throws = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        return float(_as_far(throws @ array, array).mean())
    dice, hits = np.random.default_rng(seed), 0
    for start in range(0, draws, 2000):  # a slice at a time: there may be thousands of pairs
        size = min(2000, draws - start)
        bits = np.frombuffer(dice.bytes(size * (-(-n // 8))), np.uint8).reshape(size, -1)
        heads = np.unpackbits(bits, axis=1)[:, :n]
        hits += int(_as_far(2 * (heads @ array) - array.sum(), array).sum())
    return (hits + 1) / (draws + 1)


def _as_far(sums: NDArray[np.float64], seen: NDArray[np.float64]) -> NDArray[np.bool_]:
    # Sums of the same numbers in another order differ in their last bits.
    return np.asarray(np.abs(sums) >= abs(seen.sum()) - 1e-9 * np.abs(seen).sum())


def rate_difference(one: Sequence[bool], other: Sequence[bool]) -> Estimate:
    """Return the difference of paired rates, second minus first, with its interval.

    Newcombe's method 10 (Statistics in Medicine 17, 1998, 2635): Wilson's intervals of both,
    put together with how far the two go along with each other.
    """
    n = len(one)
    if n == 0:
        return Estimate(math.nan, math.nan, math.nan, 0)
    pairs = list(zip(one, other, strict=True))
    a, d = sum(x and y for x, y in pairs), sum(not (x or y) for x, y in pairs)
    b, c = sum(x and not y for x, y in pairs), sum(y and not x for x, y in pairs)
    first, second = rate(one), rate(other)
    margins = math.sqrt((a + b) * (c + d) * (a + c) * (b + d))
    over: float = a * d - b * c
    over = max(over - n / 2, 0.0) if over > 0 else over
    along = over / margins if margins else 0.0

    def reach(up: float, down: float) -> float:
        return math.sqrt(max(0.0, up * up - 2 * along * up * down + down * down))

    value = second.value - first.value
    low = value - reach(second.value - second.low, first.high - first.value)
    high = value + reach(second.high - second.value, first.value - first.low)
    return Estimate(value, max(-1.0, low), min(1.0, high), n)


def fisher(hits: int, count: int, other_hits: int, other_count: int) -> float:
    """Return the two-sided p of Fisher's exact test of two independent rates."""
    total, both = count + other_count, hits + other_hits
    ways = {
        k: math.comb(count, k) * math.comb(other_count, both - k)
        for k in range(max(0, both - other_count), min(count, both) + 1)
    }
    # Whole numbers: what is as rare as what was seen is found without rounding.
    return sum(w for w in ways.values() if w <= ways[hits]) / math.comb(total, both)


def fisher_power(p: float, q: float, count: int, level: float = 0.05) -> float:
    """Return the power of Fisher's test, `count` against `count`, for true rates p and q."""

    def chances(rate: float) -> list[float]:
        return [math.comb(count, k) * rate**k * (1 - rate) ** (count - k) for k in range(count + 1)]

    one, other = chances(p), chances(q)
    return sum(
        one[a] * other[b]
        for a in range(count + 1)
        for b in range(count + 1)
        if one[a] * other[b] > 1e-12 and fisher(a, count, b, count) < level
    )


def holm(values: Sequence[float]) -> list[float]:
    """Return p values corrected by Holm's method (1979), in the given order."""
    order = sorted(range(len(values)), key=lambda n: values[n])
    corrected, largest = [0.0] * len(values), 0.0
    for place, n in enumerate(order):
        largest = max(largest, (len(values) - place) * values[n])
        corrected[n] = min(1.0, largest)
    return corrected
