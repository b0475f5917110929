"""Reasons for missing pictures and missing scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from sow.benchmarks.tv2i.outcomes import Outcome
from sow.benchmarks.tv2i.report.comparison_table import by_method
from sow.benchmarks.tv2i.report.grid import Grid, GridCell
from sow.benchmarks.tv2i.runs import Measure

MOST = 12
"""Reasons of a method and a metric; the others are counted together."""
Reasons = dict[tuple[str, str, str], list[str]]
"""By metric, how many, and why: whose."""


def failure_grids(
    outcomes: Sequence[Outcome], measures: Sequence[Measure], labels: Mapping[str, str]
) -> tuple[Grid, ...]:
    """Return the reasons for missing pictures and scores; shared reasons stand once.

    labels: what methods are called.
    """
    found = by_method(outcomes)
    lost: Reasons = {}
    unknown: Reasons = {}
    for method, label in labels.items():
        method_outcomes = found.get(method, {}).values()
        _add(
            lost,
            label,
            "",
            Counter(one.error for one in method_outcomes if one.error is not None),
            len(method_outcomes),
        )
    for measure in measures:
        for method, label in labels.items():
            made = [one for one in found.get(method, {}).values() if one.error is None]
            gaps = Counter(
                one.missing.get(measure.name) or "it was not measured"
                for one in made
                if one.scores.get(measure.name) is None
            )
            _add(unknown, label, measure.display_name, gaps, len(made))
    grids = []
    if lost:
        grids.append(
            Grid(
                "Pictures that were not made",
                ("Pictures", "Why", "Of whom"),
                _rows(lost, len(labels)),
            )
        )
    if unknown:
        head = ("Metric", "Pictures", "Why", "Of whom")
        grids.append(Grid("Scores that are missing", head, _rows(unknown, len(labels))))
    return tuple(grids)


def _add(to: Reasons, label: str, metric: str, reasons: Counter[str], of: int) -> None:
    reasons_shown = reasons.most_common(MOST)
    rest = reasons.total() - sum(count for _, count in reasons_shown)
    if rest:
        reasons_shown.append((f"other reasons ({len(reasons) - MOST} of them)", rest))
    for why, count in reasons_shown:
        to.setdefault((metric, f"{count} of {of}", why), []).append(label)


def _rows(reasons: Reasons, all_pairs: int) -> tuple[tuple[GridCell, ...], ...]:
    rows = []
    for row, who in reasons.items():
        first, *others = (text for text in row if text)
        names = "all" if len(who) == all_pairs > 1 else "; ".join(who)
        rows.append((GridCell(first, (), "head"), *map(GridCell, others), GridCell(names)))
    return tuple(rows)
