"""The paper's tables, for comparison, and what can be said of their significance.

The numbers are in `paper.json`, as printed. They are of other data, other pictures and other
judges than any run here, so nothing here tests ours against them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from sow.benchmarks.statistics import Estimate, fisher, fisher_power, rate
from sow.benchmarks.tv2i.report.grid import ARROWS, Grid, GridCell, p_value

DATA = Path(__file__).with_name("paper.json")
OTHER = (
    "From the paper, as printed: other pictures, other prompts and other judges than ours, so the "
    "two cannot be subtracted."
)


class Printed(NamedTuple):
    """One of the paper's tables.

    Attributes:
        number: as the paper counts it; A- is its appendix.
        setting: normal, style or attribute; None where it is of all three.
        pictures: of a row, read off its rates.
        reference: the row of the paper's own method.
        marks: names of the columns before the numbers.
        columns: name, kind (mean, rate, votes, seconds) and what is better.
        rows: name, marks and values; rates and votes in per cent.
    """

    number: str
    title: str
    setting: str | None
    pictures: int
    reference: str
    marks: tuple[str, ...]
    columns: tuple[dict[str, str], ...]
    rows: tuple[dict[str, Any], ...]

    def values(self, column: str) -> dict[str, float]:
        """Return a column, by row."""
        place = [one["name"] for one in self.columns].index(column)
        return {row["name"]: row["values"][place] for row in self.rows}


@cache
def tables() -> tuple[Printed, ...]:
    """Return all tables, in the paper's order."""
    return tuple(
        Printed(
            one["number"],
            one["title"],
            one["setting"],
            one["pictures"],
            one["reference"],
            tuple(one.get("marks", ())),
            tuple(one["columns"]),
            tuple(one["rows"]),
        )
        for one in json.loads(DATA.read_text(encoding="utf-8"))["tables"]
    )


def source() -> str:
    """Return the citation."""
    return str(json.loads(DATA.read_text(encoding="utf-8"))["source"])


def printed(number: str) -> Printed:
    """Return a table by its number."""
    return next(one for one in tables() if one.number == number)


def grid_of(table: Printed) -> Grid:
    """Return a table as text: rates with Wilson's interval, and Fisher's test against the
    paper's own."""
    rows = []
    for row in table.rows:
        marks = [GridCell(mark) for mark in row.get("marks", ())]
        cells = [_said(table, row, place) for place in range(len(table.columns))]
        rows.append((GridCell(row["name"], (), "head"), *marks, *cells))
    head = ("", *table.marks, *(c["name"] + ARROWS[c["better"]] for c in table.columns))
    notes = (OTHER, *_of_rates(table), *remarks(table))
    title = f"The paper's Table {table.number}: {table.title}"
    return Grid(title, head, tuple(rows), notes, quoted=True)


def _said(table: Printed, row: dict[str, Any], place: int) -> GridCell:
    """Return a printed number as a cell, with interval and test where possible."""
    column, value = table.columns[place], row["values"][place]
    if column["kind"] == "seconds":
        return GridCell(f"{value:g} s")
    if column["kind"] == "mean":
        fine = any(one["values"][place] != round(one["values"][place], 3) for one in table.rows)
        return GridCell(f"{value:.{4 if fine else 3}f}")
    counted = votes_of(table, column["name"]) if column["kind"] == "votes" else table.pictures
    if not counted:
        return GridCell(f"{value:.2f} %")
    estimate = rate_of(value, counted)
    lines = [f"[{100 * estimate.low:.1f}, {100 * estimate.high:.1f}] n = {counted}"]
    if column["kind"] == "rate" and row["name"] != table.reference:
        own_rate = table.values(column["name"])[table.reference]
        lines.append(f"against {table.reference}: {p_value(p_of(value, own_rate, counted))}")
    return GridCell(f"{value:.2f} %", tuple(lines))


def rate_of(percent: float, count: int) -> Estimate:
    """Return a printed rate with Wilson's interval."""
    hits = round(percent * count / 100)
    return rate([True] * hits + [False] * (count - hits))


def p_of(percent: float, other: float, count: int) -> float:
    """Return Fisher's p of two printed rates, unpaired, since the lost pictures are not printed."""
    return fisher(round(percent * count / 100), count, round(other * count / 100), count)


def smallest_count(percents: Sequence[float], places: int = 2, most: int = 1000) -> int | None:
    """Return the smallest number of votes that gives all these rounded shares."""
    for count in range(50, most):
        near = (round(share * count / 100) for share in percents)
        if all(
            abs(round(100 * hits / count, places) - share) < 0.1**places / 2
            for hits, share in zip(near, percents, strict=True)
        ):
            return count
    return None


def votes_of(table: Printed, column: str) -> int | None:
    """Return the least number of votes of a column; None if unknown.

    Where the shares do not sum to 100 %, they are of no number of votes at all.
    """
    shares = list(table.values(column).values())
    if table.setting is None or not math.isclose(sum(shares), 100, abs_tol=0.05):
        return None
    return smallest_count(shares)


def _of_rates(table: Printed) -> list[str]:
    """Return notes on what the rates of a table show."""
    notes = []
    for column in table.columns:
        if column["kind"] != "rate":
            continue
        values = table.values(column["name"])
        own_rate = values[table.reference]
        tests = {
            name: p_of(value, own_rate, table.pictures)
            for name, value in values.items()
            if name != table.reference
        }
        shown = [name for name, p in tests.items() if p < 0.05]
        lowest = min(tests, key=lambda name: tests[name])
        claim = (
            f"differ from {', '.join(shown)}"
            if shown
            else (f"differ from no other row (the nearest: {lowest}, {p_value(tests[lowest])})")
        )
        notes.append(
            f"{column['name']}: by Fisher's exact test without correction, {table.pictures} "
            f"pictures a row, the paper's {table.reference} can be said to {claim}."
        )
    if any(votes_of(table, c["name"]) for c in table.columns if c["kind"] == "votes"):
        notes.append("How many votes is not printed: n is the smallest number with such shares.")
    if any(column["kind"] == "mean" for column in table.columns):
        notes.append(
            "ID-Distance is printed without a spread: nothing can be said of its significance."
        )
    return notes


def remarks(table: Printed) -> list[str]:
    """Return further notes on a table."""
    if table.number == "II":
        p, power = fisher(3, 60, 10, 60), fisher_power(3 / 60, 10 / 60, 150)
        return [
            f"Truncated outlines, all modules against none: 3 of 60 against 10 of 60, "
            f"{p_value(p)}: not significant. With 150 pictures a row Fisher's test would show such "
            f"rates in {power:.0%} of all studies; with 60 in "
            f"{fisher_power(3 / 60, 10 / 60, 60):.0%}.".replace("%", " %")
        ]
    if table.number == "A-I":
        return [misprint()]
    if table.number == "A-IV":
        return [
            "By the paper's own ID-Distance 5 and 20 cycles are both nearer than the 10 it settles "
            "on (0.6726 and 0.6714 against 0.8068); whether by chance cannot be told."
        ]
    return []


def misprint() -> str:
    """Return why the paper's own row in the table of normal prompts must be wrong.

    Table I is the mean of the three settings; in these two columns so is every other row, to
    0.02 points.
    """
    implied, sums = {}, {}
    for column in ("Condition Consistency", "General Fidelity"):
        others = [printed(number).values(column)["SOW"] for number in ("A-II", "A-III")]
        implied[column] = 3 * printed("I").values(column)["SOW"] - sum(others)
        sums[column] = sum(printed("A-I").values(column).values())
    return (
        "The shares of this table do not sum to 100 % "
        f"({sums['Condition Consistency']:.2f} and {sums['General Fidelity']:.2f}). Table I is the "
        "mean of the three settings, and implies for SOW "
        f"{implied['Condition Consistency']:.2f} % in Condition Consistency and "
        f"{implied['General Fidelity']:.2f} % in General Fidelity, with which both sum to 100: "
        "65.19 seems to be printed in the wrong column."
    )
