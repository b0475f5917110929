"""Tables as text, before they are Markdown or HTML: what stands in a cell, and what below it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sow.benchmarks.statistics import Estimate
from sow.benchmarks.tv2i.report.cells import Against, Cell, Table, Verdict
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
class Said:
    """A cell: what is read first, and smaller lines below it."""

    main: str
    lines: tuple[str, ...] = ()
    tone: Tone = ""


@dataclass(frozen=True)
class Grid:
    """A table: its first column names the rows.

    Attributes:
        notes: a sentence each, below it.
        theirs: whether it is quoted from a paper, and not ours.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Said, ...], ...]
    notes: tuple[str, ...] = ()
    theirs: bool = False


def number(value: float, measure: Measure) -> str:
    """A value with its unit."""
    if math.isnan(value):
        return "–"
    if measure.rate or measure.unit == "%":
        return f"{100 * value:.1f} %"
    digits = 3 if abs(value) < 10 else 2 if abs(value) < 100 else 1
    return f"{value:.{digits}f}{f' {measure.unit}' if measure.unit else ''}"


def span(estimate: Estimate, measure: Measure, sign: str = "") -> str:
    """An interval; `sign` is + where differences are meant."""
    if math.isnan(estimate.low):
        return ""
    if measure.rate or measure.unit == "%":
        return f"[{100 * estimate.low:{sign}.1f}, {100 * estimate.high:{sign}.1f}]"
    most = max(abs(estimate.low), abs(estimate.high))
    digits = 3 if most < 10 else 2 if most < 100 else 1
    return f"[{estimate.low:{sign}.{digits}f}, {estimate.high:{sign}.{digits}f}]"


def difference(estimate: Estimate, measure: Measure) -> str:
    """A difference with its interval; of rates, in percentage points."""
    if measure.rate or measure.unit == "%":
        value = f"{100 * estimate.value:+.1f} points"
    else:
        digits = 3 if abs(estimate.value) < 10 else 2
        unit = f" {measure.unit}" if measure.unit else ""
        value = f"{estimate.value:+.{digits}f}{unit}"
    return f"{value} {span(estimate, measure, '+')}".replace("-", "−")


def p_value(p: float) -> str:
    """A p value, no finer than it is known."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def tested(test: Against, measure: Measure) -> tuple[str, ...]:
    """A difference and its test."""
    verdict = VERDICTS[test.verdict(measure)]
    corrected = p_value(test.corrected).removeprefix("p ").removeprefix("= ")
    return (
        f"Δ {difference(test.difference, measure)}",
        f"{p_value(test.p)}, Holm {corrected}: {verdict} ({test.difference.count} pairs)",
    )


def said(cell: Cell, measure: Measure) -> Said:
    """A cell of the tables of a report."""
    if cell.estimate.count == 0:
        return Said("–", (f"no answer for {cell.missing}",) if cell.missing else ())
    missing = f", {cell.missing} missing" if cell.missing else ""
    counted = f"n = {cell.estimate.count}{missing}"
    if cell.against is None and cell.estimate.low == cell.estimate.high:
        share = measure.rate or measure.unit == "%"
        value = number(cell.estimate.value, measure) if share else f"{cell.estimate.value:g}"
        return Said(value, (f"{counted}, all alike",))
    lines = [f"{span(cell.estimate, measure)} {counted}"]
    tone: Tone = ""
    if cell.against:
        lines += tested(cell.against, measure)
        tone = cell.against.verdict(measure)
    return Said(number(cell.estimate.value, measure), tuple(lines), tone)


def head_of(measure: Measure) -> str:
    """A metric with an arrow to where it is better."""
    return f"{measure.said}{ARROWS[measure.better]}"


def grid(
    title: str,
    made: Table,
    labels: Mapping[str, str],
    groups: Sequence[Variant] = (),
    marks: Sequence[str] = (),
) -> Grid:
    """A table as text.

    labels: what methods are called. groups and marks: what stands before the metrics, for the
    rows of an ablation; a group of a method that is not in the table is left out.
    """
    before = {group.method: group.marks for group in groups}
    rows = []
    for row in made.rows:
        lines = () if row.made == row.asked else (f"{row.made} of {row.asked} pictures",)
        if row.method == made.reference and len(made.rows) > 1:
            lines = ("reference", *lines)
        name = Said(labels.get(row.method, row.method), lines, "head")
        shown = [Said(mark) for mark in before.get(row.method, ())]
        shown += [Said("")] * (len(marks) - len(shown))
        cells = [said(one, m) for one, m in zip(row.cells, made.measures, strict=True)]
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
