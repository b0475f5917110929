"""Tests of pairs and rates against published tables, hand-computed cases, and scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from sow.benchmarks.statistics import (
    fisher,
    fisher_power,
    holm,
    rate_difference,
    sign_flips,
    sign_test,
)
from sow.benchmarks.tv2i.preference.agreement import alpha, alpha_estimate


def paired(both: int, first: int, second: int, none: int):
    """A table of pairs as two rows of answers."""
    ones = [True] * (both + first) + [False] * (second + none)
    others = [True] * both + [False] * first + [True] * second + [False] * none
    return ones, others


@pytest.mark.parametrize(
    ("cells", "low", "high"),
    [
        # Newcombe 1998, table II, method 10: p1 - p2; here the second minus the first.
        ((36, 12, 2, 0), -0.3404, -0.0569),
        # Altman et al. 2000, p. 52: 12.2 %, from 1.1 to 22.6.
        ((14, 5, 0, 22), -0.2265, -0.0115),
        # Bentur et al. 2009, by Fagerland et al.: -0.507 to -0.026.
        ((1, 1, 7, 12), 0.0256, 0.5069),
    ],
)
def test_intervals_of_paired_rates_are_the_published_ones(cells, low, high):
    found = rate_difference(*paired(*cells))
    assert found.low == pytest.approx(low, abs=2e-4)
    assert found.high == pytest.approx(high, abs=2e-4)
    assert found.value == pytest.approx((cells[2] - cells[1]) / sum(cells))


def test_intervals_of_paired_rates_at_the_edges():
    assert math.isnan(rate_difference([], []).value)
    same = rate_difference([True] * 10, [True] * 10)
    assert (same.value, same.count) == (0, 10)
    assert same.low < 0 < same.high
    ends = rate_difference([False] * 5, [True] * 5)
    assert ends.high == 1.0
    assert 0 < ends.low < 1


@pytest.mark.parametrize(("a", "n", "b", "m"), [(3, 60, 10, 60), (0, 20, 4, 20), (7, 9, 1, 30)])
def test_fisher_is_that_of_scipy(a, n, b, m):
    assert fisher(a, n, b, m) == pytest.approx(stats.fisher_exact([[a, n - a], [b, m - b]])[1])


def test_the_papers_failures_are_not_significant():
    assert fisher(3, 60, 10, 60) == pytest.approx(0.0748, abs=1e-4)
    assert fisher_power(3 / 60, 10 / 60, 60) < 0.5
    assert 0.85 < fisher_power(3 / 60, 10 / 60, 150) < 0.95


def test_power_under_no_difference_is_at_most_the_level():
    assert fisher_power(0.3, 0.3, 40) <= 0.05


def test_few_differences_are_flipped_in_every_way():
    # Of 8 ways of three signs, +1+2+3 and -1-2-3 are as far from 0 as what was seen.
    assert sign_flips([1, 2, 3]) == 2 / 8
    # 1+2-3 = 0: nothing is nearer.
    assert sign_flips([1, 2, -3]) == 1.0
    assert sign_flips([]) == sign_flips([0, 0]) == 1.0
    assert sign_flips([0, 5, 0]) == 1.0


def test_flipped_signs_agree_with_scipy():
    away = np.random.default_rng(5).normal(0.3, 1, 12)
    exact = stats.permutation_test((away,), np.mean, permutation_type="samples",
                                   n_resamples=np.inf).pvalue  # fmt: skip
    assert sign_flips(away) == pytest.approx(exact, abs=1e-12)
    many = np.random.default_rng(6).normal(0.1, 1, 300)
    assert sign_flips(many) == pytest.approx(stats.ttest_1samp(many, 0).pvalue, abs=0.01)
    assert sign_flips(many + 5) == pytest.approx(1 / 20_001)


def test_flipped_signs_of_equal_steps_are_the_sign_test():
    assert sign_flips([1] * 9 + [-1] * 2) == pytest.approx(sign_test(9, 2))
    assert sign_test(9, 2) == pytest.approx(stats.binomtest(2, 11).pvalue)


def test_holm_by_hand():
    # Sorted 0.005 x 4, 0.01 x 3, 0.03 x 2, 0.04 x 1, and never below the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.5]) == [1.0, 1.0]
    assert holm([]) == []


def units(*coders: str) -> list[list[str]]:
    rows = [coder.split() for coder in coders]
    return [[row[n] for row in rows if row[n] != "."] for n in range(len(rows[0]))]


def test_alpha_is_the_published_one():
    # Krippendorff, Computing Krippendorff's Alpha-Reliability, section C: nominal 0.743.
    four = units(
        "1 2 3 3 2 1 4 1 2 . . .", "1 2 3 3 2 2 4 1 2 5 . 3",
        ". 3 3 3 2 3 4 2 2 5 1 .", "1 2 3 3 2 4 4 1 2 5 1 .",
    )  # fmt: skip
    assert alpha(four) == pytest.approx(0.743, abs=5e-4)
    found = alpha_estimate(four)
    assert found.low < found.value < found.high
    assert found.count == 11  # one question has one answer only


def test_alpha_at_the_edges():
    assert alpha([["a", "a"], ["b", "b"]]) == 1.0
    # Two people who always differ: 1 - 1 / (8 / 12).
    assert alpha([["a", "b"], ["a", "b"]]) == pytest.approx(1 - 1 / (8 / 12))
    assert math.isnan(alpha([["a"], ["b"]]))
    assert math.isnan(alpha([["a", "a"], ["a", "a"]]))
    assert math.isnan(alpha_estimate([]).value)
