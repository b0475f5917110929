"""The agreement between people: Krippendorff's alpha for categories."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np

from sow.benchmarks.statistics import Estimate


def alpha(units: Sequence[Sequence[Hashable]]) -> float:
    """Return Krippendorff's alpha, nominal (Content Analysis, 2004, ch. 11); 1 is perfect, 0
    chance.

    Chosen over Fleiss' kappa since not everybody answers every question.

    units: for each question, what those said who answered it. nan where no question has two
    answers, or where everybody always said the same.
    """
    return _alpha([Counter(unit) for unit in units if len(unit) > 1])


def alpha_estimate(units: Sequence[Sequence[Hashable]], draws: int = 1000) -> Estimate:
    """Return alpha with its interval: a percentile bootstrap over questions."""
    counted = [Counter(unit) for unit in units if len(unit) > 1]
    value = _alpha(counted)
    if math.isnan(value):
        return Estimate(math.nan, math.nan, math.nan, len(counted))
    values = sorted({label for unit in counted for label in unit}, key=repr)
    table = np.array([[unit[label] for label in values] for unit in counted], float)
    chosen = np.random.default_rng(0).integers(len(table), size=(draws, len(table)))
    drawn = np.array([_of(table[rows]) for rows in chosen])
    known = drawn[~np.isnan(drawn)]
    if not len(known):
        return Estimate(value, math.nan, math.nan, len(counted))
    low, high = np.percentile(known, (2.5, 97.5))
    return Estimate(value, float(low), float(high), len(counted))


def _alpha(counted: Sequence[Counter[Hashable]]) -> float:
    values = sorted({label for unit in counted for label in unit}, key=repr)
    return _of(np.array([[unit[label] for label in values] for unit in counted], float))


def _of(table: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    """Return alpha of counts, questions in rows and answers in columns; every row has at least
    two."""
    if not table.size:
        return math.nan
    sums, totals = table.sum(1), table.sum(0)
    n = totals.sum()
    # Pairs that differ: seen within questions, and to be expected among all answers.
    seen = ((sums**2 - (table**2).sum(1)) / (sums - 1)).sum() / n
    expected = (n**2 - (totals**2).sum()) / (n * (n - 1))
    return float(1 - seen / expected) if expected else math.nan
