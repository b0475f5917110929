"""The numbers of a report: every one with n, its interval, and a test against the first method.

Compared is what belongs together: the same pair with the same seed, where both have a score. Where
a pair comes with several seeds they are averaged first, since their pictures are alike: what is
counted and tested are pairs.
Yes and no: McNemar's exact test (a sign test of the pairs that differ), Wilson's interval, and
Newcombe's of the difference, as long as all seeds of every pair say the same; if not, shares of
seeds are numbers. Numbers: a test by flipped signs, intervals by the bootstrap.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sow.benchmarks.statistics import (
    Estimate,
    holm,
    mean,
    mean_difference,
    rate,
    rate_difference,
    sign_flips,
    sign_test,
    turned,
)
from sow.benchmarks.tv2i.outcomes import Outcome
from sow.benchmarks.tv2i.runs import Measure

LEVEL = 0.05
Verdict = Literal["better", "worse", "other", ""]
Keyed = Mapping[tuple[str, int], Outcome]
"""Outcomes of one method, by pair and seed."""


@dataclass(frozen=True)
class Against:
    """The difference of a method from its reference.

    Attributes:
        difference: this one minus the other; its count is of the pairs that both have.
        p: of the test alone.
        corrected: by Holm, for all tests of the table.
    """

    difference: Estimate
    p: float
    corrected: float = math.nan

    def verdict(self, measure: Measure) -> Verdict:
        """Return the verdict of the corrected test; empty if it shows nothing."""
        if not self.corrected < LEVEL:
            return ""
        if not measure.better:
            return "other"
        lower = self.difference.value < 0
        return "better" if lower == (measure.better == "lower") else "worse"


@dataclass(frozen=True)
class Cell:
    """A method's result in a metric.

    Attributes:
        estimate: of the pairs that have a score, their seeds averaged.
        missing: pictures without one.
        against: the other method; None for that one itself, and where no pair has both.
    """

    estimate: Estimate
    missing: int
    against: Against | None = None


@dataclass(frozen=True)
class Row:
    """A method's results in all metrics.

    Attributes:
        requested: pictures that were to be made.
        made: those that were.
    """

    method: str
    requested: int
    made: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """Methods in rows, metrics in columns.

    Attributes:
        reference: the method that the others are compared with.
        tests: how many there are, which the corrected p values stand for.
    """

    measures: tuple[Measure, ...]
    reference: str
    rows: tuple[Row, ...]
    tests: int


def by_method(outcomes: Iterable[Outcome]) -> dict[str, dict[tuple[str, int], Outcome]]:
    """Return outcomes by method, then by pair and seed."""
    found: dict[str, dict[tuple[str, int], Outcome]] = {}
    for outcome in outcomes:
        found.setdefault(outcome.method, {})[outcome.key] = outcome
    return found


def table(
    outcomes: Iterable[Outcome],
    methods: Sequence[str],
    measures: Sequence[Measure],
    reference: str | None = None,
) -> Table:
    """Compare methods in all metrics with a reference, by default the first method."""
    found = by_method(outcomes)
    first = reference or methods[0]
    rows = []
    for method in methods:
        compared_outcomes: Keyed = found.get(method, {})
        cells = tuple(cell(compared_outcomes.values(), measure) for measure in measures)
        if method != first:
            reference_outcomes = found.get(first, {})
            cells = tuple(
                replace(one, against=against(reference_outcomes, compared_outcomes, measure))
                for one, measure in zip(cells, measures, strict=True)
            )
        made = sum(outcome.error is None for outcome in compared_outcomes.values())
        rows.append(Row(method, len(compared_outcomes), made, cells))
    return _corrected(Table(tuple(measures), first, tuple(rows), 0))


def cell(outcomes: Iterable[Outcome], measure: Measure) -> Cell:
    """Return the result of one method in a metric."""
    scores = [(one.pair, one.score(measure.name)) for one in outcomes if one.error is None]
    known = [(pair, score) for pair, score in scores if not math.isnan(score)]
    return Cell(estimated(averaged(known), measure), len(scores) - len(known))


def averaged(scores: Iterable[tuple[str, float]]) -> list[float]:
    """Return the mean score of every pair, in order of first appearance."""
    found: dict[str, list[float]] = {}
    for pair, score in scores:
        found.setdefault(pair, []).append(score)
    return [sum(pair_scores) / len(pair_scores) for pair_scores in found.values()]


def estimated(known: Sequence[float], measure: Measure) -> Estimate:
    """Return a rate, or a mean."""
    if measure.rate and _yes_or_no(known):
        return rate([score > 0.5 for score in known])
    return mean(known)


def _yes_or_no(scores: Iterable[float]) -> bool:
    return all(score in (0, 1) for score in scores)


def against(reference: Keyed, compared_outcomes: Keyed, measure: Measure) -> Against | None:
    """Return the paired difference of two methods; None if no pair has both scores."""
    both = [
        (key[0], one, other)
        for key in compared_outcomes
        if key in reference
        and not math.isnan(one := reference[key].score(measure.name))
        and not math.isnan(other := compared_outcomes[key].score(measure.name))
    ]
    ones = averaged((pair, one) for pair, one, _ in both)
    others = averaged((pair, other) for pair, _, other in both)
    return compared(list(zip(ones, others, strict=True)), measure) if both else None


def compared(both: Sequence[tuple[float, float]], measure: Measure) -> Against:
    """Return the difference of paired scores, second minus first."""
    ones, others = [one for one, _ in both], [other for _, other in both]
    if measure.rate and _yes_or_no([*ones, *others]):
        first, second = [one > 0.5 for one in ones], [other > 0.5 for other in others]
        return Against(rate_difference(first, second), sign_test(*turned(first, second)))
    away = [other - one for one, other in both]
    return Against(mean_difference(ones, others), sign_flips(away))


def _corrected(made: Table) -> Table:
    """Return the table with Holm's p values over all of its tests."""
    tests = [one.against.p for row in made.rows for one in row.cells if one.against]
    values = iter(holm(tests))
    rows = tuple(
        replace(
            row,
            cells=tuple(
                replace(one, against=replace(one.against, corrected=next(values)))
                if one.against
                else one
                for one in row.cells
            ),
        )
        for row in made.rows
    )
    return replace(made, rows=rows, tests=len(tests))
