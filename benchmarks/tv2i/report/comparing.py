"""Compare two folders of results, pair by pair and seed by seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sow.benchmarks.statistics import holm
from sow.benchmarks.tv2i.outcomes import Outcome
from sow.benchmarks.tv2i.report.comparison_table import Against, Keyed, against, by_method, cell
from sow.benchmarks.tv2i.report.grid import Grid, GridCell, head_of, number, span, tested
from sow.benchmarks.tv2i.report.report import COSTS, SETTINGS, Report, Section, measures_of
from sow.benchmarks.tv2i.runs import Measure, Results, Run
from sow.errors import UsageError

MOST_NAMED = 8
"""Pairs that only one of both has, by name; the others are counted."""
Key = tuple[str, int]


def compare(one: Results, other: Results) -> Report:
    """Return the report of the second results against the first.

    Methods of one name are compared; where each has only one, these, whatever they are called.

    Raises:
        UsageError: if they are of other benchmarks or pairs, or have nothing in common.
    """
    keys = _common(one, other)
    pairs = _pairs_of_methods(one, other)
    names = {m.name for m in measures_of(one.run, one.outcomes)}
    measures = [m for m in measures_of(other.run, other.outcomes) if m.name in names]
    measures.append(COSTS[0])
    parts = [("All settings together", set(SETTINGS))]
    present = [name for name in SETTINGS if any(o.setting == name for o in one.outcomes)]
    if len(present) > 1:
        parts += [(SETTINGS[name][0], {name}) for name in present]
    labels = {method.name: method.display_name for method in other.run.methods}
    sections = []
    for title, settings in parts:
        first = by_method(o for o in one.outcomes if o.setting in settings)
        second = by_method(o for o in other.outcomes if o.setting in settings)
        rows = [
            (labels[b] if a == b else f"A: {a}, B: {b}", first.get(a, {}), second.get(b, {}))
            for a, b in pairs
        ]
        sections.append(Section(title, (), (_differences(title, rows, measures),)))
    sections.append(_only(one, other, keys))
    facts = (("A", _called(one)), ("B", _called(other)), *_other_facts(one.run, other.run))
    return Report(f"{other.run.benchmark}: B against A", facts, tuple(sections))


def _called(results: Results) -> str:
    date = f", {results.run.date}" if results.run.date else ""
    return f"{results.folder.name or results.folder}{date}"


def _common(one: Results, other: Results) -> set[Key]:
    """Return the pairs and seeds in both.

    Raises:
        UsageError: if there are none, or they are not the same.
    """
    if one.run.benchmark != other.run.benchmark:
        raise UsageError(
            f"{one.run.benchmark!r} and {other.run.benchmark!r} are different benchmarks",
            "compare runs of one",
        )
    first, second = _asked(one), _asked(other)
    for pair in sorted(first.keys() & second.keys()):
        if first[pair] != second[pair]:
            raise UsageError(
                f"pair {pair!r} is not the same in both: its setting, prompt or person differs",
                "compare runs of the same pairs",
            )
    keys = {o.key for o in one.outcomes} & {o.key for o in other.outcomes}
    if not keys:
        what = "seeds" if first.keys() & second.keys() else "pairs"
        raise UsageError(f"the results have no {what} in common", "compare runs of the same pairs")
    return keys


def _asked(results: Results) -> dict[str, tuple[str, str, str]]:
    return {o.pair: (o.setting, o.prompt, str(o.person)) for o in results.outcomes}


def _pairs_of_methods(one: Results, other: Results) -> list[tuple[str, str]]:
    """Return which methods are compared.

    Raises:
        UsageError: if that is not clear.
    """
    first = [method.name for method in one.run.methods]
    second = [method.name for method in other.run.methods]
    if both := [(name, name) for name in first if name in second]:
        return both
    if len(first) == len(second) == 1:
        return [(first[0], second[0])]
    raise UsageError("the results have no method in common", "compare runs of one method")


def _differences(
    title: str, rows: Sequence[tuple[str, Keyed, Keyed]], measures: Sequence[Measure]
) -> Grid:
    """Return methods in rows, metrics in columns: A's value, B's, and the paired difference."""
    tests = [[against(first, second, m) for m in measures] for _, first, second in rows]
    found = [test for row in tests for test in row if test]
    corrected = iter(holm([test.p for test in found]))
    tests = [[replace(t, corrected=next(corrected)) if t else None for t in row] for row in tests]
    shown = []
    for (label, first, second), row in zip(rows, tests, strict=True):
        name = GridCell(label, (), "head")
        shown.append(
            (name, *(_said(first, second, m, test) for m, test in zip(measures, row, strict=True)))
        )
    notes = (
        "A → B, then B minus A over the pairs and seeds for which both have an answer, with its "
        f"95 % interval. Holm: p corrected for the {len(found)} tests of this table.",
    )
    return Grid(title, ("", *(head_of(m) for m in measures)), tuple(shown), notes)


def _said(first: Keyed, second: Keyed, measure: Measure, test: Against | None) -> GridCell:
    one, two = cell(first.values(), measure), cell(second.values(), measure)
    lines = [
        f"{name} {span(c.estimate, measure)} n = {c.estimate.count}, {c.missing} missing"
        for name, c in (("A", one), ("B", two))
    ]
    main = f"{number(one.estimate.value, measure)} → {number(two.estimate.value, measure)}"
    if test is None:
        return GridCell(main, (*lines, "no pair has both"))
    return GridCell(main, (*lines, *tested(test, measure)), test.verdict(measure))


def _only(one: Results, other: Results, keys: set[Key]) -> Section:
    """Return the section of what only one of the two has."""
    rows = []
    for name, this, that in (("A", one, other), ("B", other, one)):
        others = {method.name for method in that.run.methods}
        methods = [m.display_name for m in this.run.methods if m.name not in others]
        known = {m.name for m in measures_of(that.run, that.outcomes)}
        measures = [
            m.display_name for m in measures_of(this.run, this.outcomes) if m.name not in known
        ]
        rows.append(
            (
                GridCell(f"only {name}", (), "head"),
                GridCell(", ".join(methods) or "–"),
                GridCell(", ".join(measures) or "–"),
                GridCell(_pairs(this.outcomes, keys)),
            )
        )
    grid = Grid(
        "What only one has", ("", "Methods", "Metrics", "Pairs with their seeds"), tuple(rows)
    )
    return Section(
        "What only one has", (f"Both have {len(keys)} pairs with their seeds.",), (grid,)
    )


def _pairs(outcomes: Sequence[Outcome], keys: set[Key]) -> str:
    alone = sorted({o.key for o in outcomes} - keys)
    named = ", ".join(f"{pair} ({seed})" for pair, seed in alone[:MOST_NAMED])
    more = f" and {len(alone) - MOST_NAMED} more" if len(alone) > MOST_NAMED else ""
    return f"{len(alone)}: {named}{more}" if alone else "–"


def _other_facts(one: Run, other: Run) -> list[tuple[str, str]]:
    """Return the conditions in which the two runs differ."""
    names = ("split", "model", "revision", "device", "dtype", "seeds")
    differences = [(name.capitalize(), getattr(one, name), getattr(other, name)) for name in names]
    differences += [
        (name, one.versions.get(name), other.versions.get(name))
        for name in sorted(one.versions.keys() | other.versions.keys())
    ]
    first = {method.name: method for method in one.methods}
    for method in other.methods:
        if method.name in first and first[method.name].settings != method.settings:
            before = first[method.name].settings
            changed = [
                key
                for key in sorted(before.keys() | method.settings.keys())
                if before.get(key) != method.settings.get(key)
            ]
            differences += [
                (f"{method.display_name}: {key}", before.get(key), method.settings.get(key))
                for key in changed
            ]
    return [
        (name, f"A {a if a not in (None, '') else '–'}, B {b if b not in (None, '') else '–'}")
        for name, a, b in differences
        if a != b
    ]
