"""Tables as text, before they become Markdown or HTML."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sow.benchmarks.statistics import Estimate
from sow.benchmarks.tv2i.report.comparison_table import Against, Cell, Table, Verdict
from sow.benchmarks.tv2i.runs import Measure, Variant

Tone = Literal["", "better", "worse", "other", "head"]
ARROWS = {"lower": " ↓", "higher": " ↑", "": ""}
VERDICTS: dict[Verdict, str] = {
    "better": "better",
    "worse": "worse",
    "other": "differs",
    "": "n.s.",
}


@dataclass(frozen=True)
class GridCell:
    """A cell: its main text, and smaller lines below."""

    main: str
    lines: tuple[str, ...] = ()
    tone: Tone = ""


@dataclass(frozen=True)
class Grid:
    """A table of text; its first column names the rows.

    Attributes:
        notes: a sentence each, below it.
        quoted: whether it is quoted from a paper, and not ours.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[GridCell, ...], ...]
    notes: tuple[str, ...] = ()
    quoted: bool = False


def number(value: float, measure: Measure) -> str:
    """Return a value with its unit as text."""
    if math.isnan(value):
        return "–"
    if measure.rate or measure.unit == "%":
        return f"{100 * value:.1f} %"
    digits = 3 if abs(value) < 10 else 2 if abs(value) < 100 else 1
    return f"{value:.{digits}f}{f' {measure.unit}' if measure.unit else ''}"


def span(estimate: Estimate, measure: Measure, sign: str = "") -> str:
    """Return an interval as text; `sign` is + for differences."""
    if math.isnan(estimate.low):
        return ""
    if measure.rate or measure.unit == "%":
        return f"[{100 * estimate.low:{sign}.1f}, {100 * estimate.high:{sign}.1f}]"
    most = max(abs(estimate.low), abs(estimate.high))
    digits = 3 if most < 10 else 2 if most < 100 else 1
    return f"[{estimate.low:{sign}.{digits}f}, {estimate.high:{sign}.{digits}f}]"


def difference(estimate: Estimate, measure: Measure) -> str:
    """Return a difference with its interval as text; rates in percentage points."""
    if measure.rate or measure.unit == "%":
        value = f"{100 * estimate.value:+.1f} points"
    else:
        digits = 3 if abs(estimate.value) < 10 else 2
        unit = f" {measure.unit}" if measure.unit else ""
        value = f"{estimate.value:+.{digits}f}{unit}"
    return f"{value} {span(estimate, measure, '+')}".replace("-", "−")


def p_value(p: float) -> str:
    """Return a p value as text."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def tested(test: Against, measure: Measure) -> tuple[str, ...]:
    """Return a difference and its test as lines."""
    verdict = VERDICTS[test.verdict(measure)]
    corrected = p_value(test.corrected).removeprefix("p ").removeprefix("= ")
    return (
        f"Δ {difference(test.difference, measure)}",
        f"{p_value(test.p)}, Holm {corrected}: {verdict} ({test.difference.count} pairs)",
    )


def grid_cell(cell: Cell, measure: Measure) -> GridCell:
    """Return a cell of a report's table."""
    if cell.estimate.count == 0:
        return GridCell("–", (f"no answer for {cell.missing}",) if cell.missing else ())
    missing = f", {cell.missing} missing" if cell.missing else ""
    counted = f"n = {cell.estimate.count}{missing}"
    if cell.against is None and cell.estimate.low == cell.estimate.high:
        share = measure.rate or measure.unit == "%"
        value = number(cell.estimate.value, measure) if share else f"{cell.estimate.value:g}"
        return GridCell(value, (f"{counted}, all alike",))
    lines = [f"{span(cell.estimate, measure)} {counted}"]
    tone: Tone = ""
    if cell.against:
        lines += tested(cell.against, measure)
        tone = cell.against.verdict(measure)
    return GridCell(number(cell.estimate.value, measure), tuple(lines), tone)


def head_of(measure: Measure) -> str:
    """Return the name of a metric with an arrow to its better side."""
    return f"{measure.display_name}{ARROWS[measure.better]}"


def grid(
    title: str,
    made: Table,
    labels: Mapping[str, str],
    groups: Sequence[Variant] = (),
    marks: Sequence[str] = (),
) -> Grid:
    """Return a table as text.

    labels: what methods are called. groups and marks: what stands before the metrics, for the
    rows of an ablation; a group of a method that is not in the table is left out.
    """
    before = {group.method: group.marks for group in groups}
    rows = []
    for row in made.rows:
        lines = () if row.made == row.requested else (f"{row.made} of {row.requested} pictures",)
        if row.method == made.reference and len(made.rows) > 1:
            lines = ("reference", *lines)
        name = GridCell(labels.get(row.method, row.method), lines, "head")
        shown = [GridCell(mark) for mark in before.get(row.method, ())]
        shown += [GridCell("")] * (len(marks) - len(shown))
        cells = [grid_cell(one, m) for one, m in zip(row.cells, made.measures, strict=True)]
        rows.append((name, *shown, *cells))
    head = ("", *marks, *(head_of(measure) for measure in made.measures))
    return Grid(title, head, tuple(rows), _notes(made, labels))


def _notes(made: Table, labels: Mapping[str, str]) -> tuple[str, ...]:
    if not made.tests:
        return ()
    first = labels.get(made.reference, made.reference)
    return (
        f"Δ: this row minus “{first}”, over the pairs and seeds for which both have an answer. "
        f"Holm: p corrected for the {made.tests} tests of this table; “better” and “worse” where "
        "it is below 0.05, else n.s., which is not the same as equal.",
    )
