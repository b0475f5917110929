"""Group the columns of tables, so that none is too wide to read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from sow.benchmarks.statistics import mean
from sow.benchmarks.tv2i.outcomes import Outcome
from sow.benchmarks.tv2i.report.comparison_table import Table, by_method, cell
from sow.benchmarks.tv2i.report.grid import Grid, grid, number, span
from sow.benchmarks.tv2i.runs import Ablation, Measure

MOST = 7
"""Columns of numbers."""
SAMPLES = Measure(name="samples", label="UNet samples", better="lower")


def headed(measures: Sequence[Measure]) -> list[tuple[str, tuple[Measure, ...]]]:
    """Return metrics by group, in order of appearance; large groups are split."""
    groups: dict[str, list[Measure]] = {}
    for measure in measures:
        groups.setdefault(measure.group, []).append(measure)
    found = []
    for name, group in groups.items():
        size = math.ceil(len(group) / math.ceil(len(group) / MOST))
        parts = [tuple(group[start : start + size]) for start in range(0, len(group), size)]
        found += [
            (name if part is parts[0] else f"{name}, more".lstrip(", "), part) for part in parts
        ]
    return found


def main_of(measures: Sequence[Measure]) -> tuple[Measure, ...]:
    """Return the metrics of the overview, by group."""
    return tuple(one for _, group in headed(measures) for one in group if one.main)


def part(made: Table, measures: Sequence[Measure]) -> Table:
    """Return some columns of a table, with tests corrected over all of them."""
    places = [made.measures.index(one) for one in measures]
    rows = (replace(row, cells=tuple(row.cells[n] for n in places)) for row in made.rows)
    return replace(made, measures=tuple(measures), rows=tuple(rows))


def with_cost(made: Table, outcomes: Iterable[Outcome]) -> Table:
    """Return the table with the UNet samples of a picture, which are not tested."""
    found = by_method(outcomes)
    rows = (
        replace(row, cells=(*row.cells, cell(found.get(row.method, {}).values(), SAMPLES)))
        for row in made.rows
    )
    return replace(made, measures=(*made.measures, SAMPLES), rows=tuple(rows))


def overview(
    title: str,
    made: Table,
    outcomes: Iterable[Outcome],
    labels: Mapping[str, str],
    wanted: Ablation | None = None,
) -> Grid:
    """Return the main columns and the cost as one table."""
    costed = with_cost(part(made, main_of(made.measures)), outcomes)
    rows, marks = (wanted.rows, wanted.marks) if wanted else ((), ())
    shown = grid(title, costed, labels, rows, marks)
    return replace(shown, notes=ceilings(costed, labels))


def grids(
    title: str, made: Table, labels: Mapping[str, str], wanted: Ablation | None = None
) -> tuple[Grid, ...]:
    """Return all columns, one table per group."""
    rows, marks = (wanted.rows, wanted.marks) if wanted else ((), ())
    found = []
    for name, group in headed(made.measures):
        shown = grid(name or title, part(made, group), labels, rows, marks)
        found.append(replace(shown, notes=()))
    return tuple(found)


def ceilings(made: Table, labels: Mapping[str, str]) -> tuple[str, ...]:
    """Return a sentence per metric with a ceiling: its value, and who is below."""
    found = []
    for place, measure in enumerate(made.measures):
        known = measure.ceiling
        if known is None or not known.scores:
            continue
        estimate = mean(list(known.scores))
        missing = f", {known.missing} missing" if known.missing else ""
        note = f" ({known.note})" if known.note else ""
        nearer = [
            labels.get(row.method, row.method)
            for row in made.rows
            if row.cells[place].estimate.high < estimate.low
        ]
        found.append(
            f"{known.of}: {measure.display_name} {number(estimate.value, measure)} "
            f"{span(estimate, measure)}, n = {estimate.count}{missing}{note}. Who is far below "
            "that has kept pixels and not only a person, as inpainting in the paper's Table I "
            "(0.408, and hardly a vote); the copy-paste rate says so directly. Below it here: "
            f"{', '.join(nearer) or 'nobody'}."
        )
    return tuple(found)


def tests_note(made: Table, labels: Mapping[str, str], where: str) -> tuple[str, ...]:
    """Return the note on Δ and Holm; `where` names the columns corrected together."""
    if not made.tests:
        return ()
    first = labels.get(made.reference, made.reference)
    return (
        f"Δ: the row minus “{first}”, over the pairs and seeds for which both have an answer. "
        f"Holm: p corrected for all {made.tests} tests of {where}; “better” and “worse” where it "
        "is below 0.05, else n.s., which is not the same as equal.",
    )
