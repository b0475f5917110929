"""Why pictures are not there, and why scores are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from sow.benchmarks.tv2i.outcomes import Outcome
from sow.benchmarks.tv2i.report.cells import by_method
from sow.benchmarks.tv2i.report.grid import Grid, Said
from sow.benchmarks.tv2i.runs import Measure

MOST = 12
"""Reasons of a method and a metric; the others are counted together."""
Reasons = dict[tuple[str, str, str], list[str]]
"""By metric, how many, and why: whose."""


def what_failed(
    outcomes: Sequence[Outcome], measures: Sequence[Measure], labels: Mapping[str, str]
) -> tuple[Grid, ...]:  # fmt: skip
    """Why pictures are not there, and why scores are not; what is so for several is said once.

    labels: what methods are called.
    """
    found = by_method(outcomes)
    lost: Reasons = {}
    unknown: Reasons = {}
    for method, label in labels.items():
        mine = found.get(method, {}).values()
        _add(
            lost, label, "", Counter(one.error for one in mine if one.error is not None), len(mine)
        )
    for measure in measures:
        for method, label in labels.items():
            made = [one for one in found.get(method, {}).values() if one.error is None]
            gaps = Counter(
                one.missing.get(measure.name) or "it was not measured"
                for one in made if one.scores.get(measure.name) is None
            )  # fmt: skip
            _add(unknown, label, measure.said, gaps, len(made))
    grids = []
    if lost:
        grids.append(Grid("Pictures that were not made", ("Pictures", "Why", "Of whom"),
                          _rows(lost, len(labels))))  # fmt: skip
    if unknown:
        head = ("Metric", "Pictures", "Why", "Of whom")
        grids.append(Grid("Scores that are missing", head, _rows(unknown, len(labels))))
    return tuple(grids)


def _add(to: Reasons, label: str, metric: str, reasons: Counter[str], of: int) -> None:
    told = reasons.most_common(MOST)
    rest = reasons.total() - sum(count for _, count in told)
    if rest:
        told.append((f"other reasons ({len(reasons) - MOST} of them)", rest))
    for why, count in told:
        to.setdefault((metric, f"{count} of {of}", why), []).append(label)


def _rows(reasons: Reasons, everybody: int) -> tuple[tuple[Said, ...], ...]:
    rows = []
    for said, who in reasons.items():
        first, *others = (text for text in said if text)
        names = "all" if len(who) == everybody > 1 else "; ".join(who)
        rows.append((Said(first, (), "head"), *map(Said, others), Said(names)))
    return tuple(rows)
