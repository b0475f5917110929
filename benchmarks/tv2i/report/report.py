"""A report: conditions, tables by setting and over all, failures, and contact sheets.

Made of a run and its outcomes and of nothing else; `markdown.py` and `page.py` write it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sow.benchmarks.tv2i.outcomes import Outcome
from sow.benchmarks.tv2i.report import paper
from sow.benchmarks.tv2i.report.baseline import WORDS, baseline_grid
from sow.benchmarks.tv2i.report.columns import SAMPLES, grids, main_of, overview, tests_note
from sow.benchmarks.tv2i.report.comparison_table import Row, Table, by_method, cell, table
from sow.benchmarks.tv2i.report.failures import failure_grids
from sow.benchmarks.tv2i.report.grid import Grid, GridCell, grid
from sow.benchmarks.tv2i.report.pictures import COLUMNS, ROWS, Sheet, sheet
from sow.benchmarks.tv2i.runs import Ablation, Measure, Results, Run
from sow.errors import UsageError

SETTINGS = {
    "normal": ("Normal prompts", "A-I"),
    "attribute": ("Attribute editing", "A-III"),
    "style": ("Style transfer", "A-II"),
}
"""Their titles, and the paper's tables of them."""
COSTS = (
    Measure(name="seconds", label="Seconds a picture", better="lower", unit="s"),
    SAMPLES,
    Measure(name="calls", label="UNet calls", better="lower"),
)
READING = (
    "Every number has its 95 % interval and n, the pairs that have an answer: Wilson's interval "
    "for rates, the bootstrap's (2,000 draws) for means. A picture without an answer is counted as "
    "missing, not as bad: a method that loses more faces is judged by those that are left, so "
    "look at both.",
    "The tests are paired by pair and seed, over what both methods have: McNemar's exact test for "
    "rates, with Newcombe's interval of the difference; for means Fisher's randomisation test by "
    "flipped signs. Holm's correction is over all tests of a setting, in whichever of its tables "
    "they stand; the overview shows some of them.",
    "Pairs are taken as independent. Where prompts or people come more than once they are not "
    "quite, and the intervals are a little too narrow.",
)


@dataclass(frozen=True)
class Section:
    """A section of a report."""

    title: str
    words: tuple[str, ...] = ()
    grids: tuple[Grid, ...] = ()
    sheet: Sheet | None = None


@dataclass(frozen=True)
class Report:
    """A report.

    Attributes:
        facts: what was run, by name.
        labels: what methods are called.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    labels: Mapping[str, str] = field(default_factory=dict)


def report(results: Results, metric: str | None = None) -> Report:
    """Return the report of a run.

    metric: shown below the pictures of the contact sheets; by default the first.
    """
    run, outcomes = results.run, results.outcomes
    measures = measures_of(run, outcomes)
    metric = metric or (measures[0].name if measures else None)
    labels = {method.name: method.display_name for method in run.methods}
    methods = [method.name for method in run.compared]
    compared = [one for one in outcomes if one.method in set(methods)]
    sections = tables(compared, methods, measures, labels) if methods else []
    if shown := baseline_grid(run, labels):
        sections.append(Section(shown.title, (WORDS,), (shown,)))
    sections += [ablation(results, wanted) for wanted in run.ablations]
    if methods:
        sections.append(Section("What it costs", (), (costs(compared, methods, labels),)))
    sections.append(failures(outcomes, measures, labels))
    for name in _settings(compared):
        selected = [one for one in compared if one.setting == name]
        sections.append(_pictures(results, selected, methods, name, metric, measures))
    for wanted in run.ablations:
        selected = _first_of(outcomes, [row.method for row in wanted.rows])
        names = [row.method for row in wanted.rows]
        sections.append(_pictures(results, selected, names, wanted.title, metric, measures))
    if shown := methods_of(run):
        sections.append(Section("What was compared", (), (shown,)))
    words = (*READING, *_several_seeds(outcomes), *_meanings(run))
    sections.append(Section("How to read it", words))
    return Report(run.benchmark, facts(run, outcomes), tuple(sections), labels)


def tables(
    outcomes: Sequence[Outcome],
    methods: Sequence[str],
    measures: Sequence[Measure],
    labels: Mapping[str, str],
) -> list[Section]:
    """Return the overview, all numbers, and those of every setting, beside the paper's."""
    present = _settings(outcomes)
    overall = "All settings together" if len(present) > 1 else "Results"
    made = table(outcomes, methods, measures)
    found = []
    if main_of(measures):
        words = tests_note(made, labels, f"all columns of “{overall}” below")
        found.append(Section("In short", words, (overview("In short", made, outcomes, labels),)))
    found.append(_numbers(overall, made, labels, "I"))
    for name in present if len(present) > 1 else ():
        title, place = SETTINGS[name]
        selected = [one for one in outcomes if one.setting == name]
        found.append(_numbers(title, table(selected, methods, measures), labels, place))
    return found


def _numbers(title: str, made: Table, labels: Mapping[str, str], place: str) -> Section:
    """Return all columns of a table in groups, and one of the paper's tables."""
    shown = grids(title, made, labels)
    where = "the tables of this section together" if len(shown) > 1 else "this table"
    paper_grid = paper.grid_of(paper.printed(place))
    return Section(title, tests_note(made, labels, where), (*shown, paper_grid))


def _settings(outcomes: Sequence[Outcome]) -> list[str]:
    return [name for name in SETTINGS if any(one.setting == name for one in outcomes)]


def measures_of(run: Run, outcomes: Iterable[Outcome]) -> tuple[Measure, ...]:
    """Return the metrics that the run describes, and those that only outcomes have.

    Of these nothing is known but their scores: yes and no where there is nothing else.

    Raises:
        UsageError: if a metric of yes and no has another score.
    """
    described = {measure.name: measure.rate for measure in run.measures}
    others: dict[str, bool] = {}
    for outcome in outcomes:
        for name, score in outcome.scores.items():
            if described.get(name) and score not in (None, 0, 1):
                raise UsageError(
                    f"{name!r} is described as yes or no, and {outcome.pair!r} has {score:g}",
                    "describe it as a number, or score 1 and 0",
                )
            if name not in described:
                others[name] = others.get(name, True) and score in (None, 0, 1)
    return (*run.measures, *(Measure(name=name, rate=yes) for name, yes in others.items()))


def ablation(results: Results, wanted: Ablation) -> Section:
    """Return a table of variants with the main columns (or all, if none is main), beside the
    paper's."""
    labels = {method.name: method.display_name for method in results.run.methods}
    methods = [row.method for row in wanted.rows]
    selected = [one for one in results.outcomes if one.method in methods]
    measures = measures_of(results.run, selected)
    chosen = main_of(measures) or measures
    made = table(selected, methods, chosen, wanted.reference)
    ours: tuple[Grid, ...] = (overview(wanted.title, made, selected, labels, wanted),)
    if not main_of(measures):
        ours = grids(wanted.title, made, labels, wanted)
    paper_grids = (paper.grid_of(paper.printed(place)) for place in wanted.paper)
    pairs: Counter[str] = Counter(
        setting for _, setting in {(one.pair, one.setting) for one in selected}
    )
    requested = ", ".join(f"{pairs[name]} {name}" for name in SETTINGS if pairs[name])
    words = (
        f"{pairs.total()} pairs: {requested}.",
        *wanted.notes,
        *tests_note(made, labels, "this table"),
    )
    return Section(wanted.title, words, (*ours, *paper_grids))


def costs(outcomes: Sequence[Outcome], methods: Sequence[str], labels: Mapping[str, str]) -> Grid:
    """Return the time, UNet samples and calls per picture; nothing is tested here."""
    found = by_method(outcomes)
    rows = []
    for method in methods:
        method_outcomes = found.get(method, {}).values()
        made = sum(outcome.error is None for outcome in method_outcomes)
        rows.append(
            Row(
                method,
                len(method_outcomes),
                made,
                tuple(cell(method_outcomes, one) for one in COSTS),
            )
        )
    shown = grid("What it costs", Table(COSTS, "", tuple(rows), 0), labels)
    notes = (
        "A guided UNet step counts once for each of its branches among samples, and once "
        "among calls. Seconds are those of the machine named above.",
    )
    return Grid(shown.title, shown.head, shown.rows, notes)


def failures(
    outcomes: Sequence[Outcome], measures: Sequence[Measure], labels: Mapping[str, str]
) -> Section:
    """Return the section of missing pictures and scores."""
    found = failure_grids(outcomes, measures, labels)
    words = () if found else ("Every picture was made, and every score is there.",)
    return Section("What failed, and what is missing", words, found)


def _pictures(
    results: Results,
    outcomes: Sequence[Outcome],
    methods: Sequence[str],
    setting: str,
    metric: str | None,
    measures: Sequence[Measure],
) -> Section:
    made = sheet(setting, results.folder, outcomes, methods, metric)
    label = next((m.display_name for m in measures if m.name == metric), "")
    several = len({one.key for one in outcomes}) > len({one.pair for one in outcomes})
    shown = "rows, the first pairs and seeds" if several else "pairs, the first ones"
    words = [f"{len(made.strips)} {shown}, nothing picked."]
    if made.left_out:
        words[0] = words[0][:-1] + f"; {made.left_out} more are in the folder of results."
    if label:
        words.append(f"Below each picture: {label}.")
    if len(methods) > COLUMNS:
        words.append(f"Of {len(methods)} methods the first {COLUMNS} are shown.")
    called = SETTINGS[setting][0].lower() if setting in SETTINGS else setting.lower()
    return Section(f"Pictures: {called}", (" ".join(words),), (), made)


def _first_of(outcomes: Sequence[Outcome], methods: Sequence[str]) -> list[Outcome]:
    """Return the outcomes of these methods for the first pairs of every setting."""
    selected = [one for one in outcomes if one.method in set(methods)]
    present = _settings(selected)
    kept: set[tuple[str, int]] = set()
    for name in present:
        keys = dict.fromkeys(one.key for one in selected if one.setting == name)
        kept |= set(list(keys)[: ROWS // len(present)])
    return [one for one in selected if one.key in kept]


def facts(run: Run, outcomes: Sequence[Outcome]) -> tuple[tuple[str, str], ...]:
    """Return the conditions of a run by name, without unknown ones."""
    pairs, keys = ({one.pair for one in outcomes}, {one.key for one in outcomes})
    several = f", of {len(keys)} pictures a method" if len(keys) > len(pairs) else ""
    rows_of_facts = [
        ("Split", run.split),
        ("Pairs", f"{run.pairs} asked for, {len(pairs)} with their seeds in the results{several}"),
        ("Model", f"{run.model}{f', revision {run.revision}' if run.revision else ''}"),
        ("Device", ", ".join(part for part in (run.device, run.dtype) if part)),
        ("Seeds", run.seeds),
        ("Versions", ", ".join(f"{name} {value}" for name, value in run.versions.items())),
        ("Date", run.date),
        *(("Note", note) for note in run.notes),
    ]
    return tuple((name, value) for name, value in rows_of_facts if value)


def methods_of(run: Run) -> Grid | None:
    """Return the table of each method's parameters."""
    rows = []
    for method in run.methods:
        settings = ", ".join(f"{name} {value}" for name, value in method.settings.items())
        stated = [f"{method.samples} UNet samples stated"] if method.samples is not None else []
        stated += [f"{method.calls} calls stated"] if method.calls is not None else []
        parts = [part for part in (method.note, settings, *stated) if part]
        if parts:
            rows.append((GridCell(method.display_name, (), "head"), GridCell("; ".join(parts))))
    return Grid("What was compared", ("", "With"), tuple(rows)) if rows else None


def _meanings(run: Run) -> tuple[str, ...]:
    """Return a sentence per column."""
    return tuple(f"{one.display_name}: {one.note}." for one in run.measures if one.note)


def _several_seeds(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    if len({one.key for one in outcomes}) == len({one.pair for one in outcomes}):
        return ()
    return (
        "Pairs come with several seeds, whose pictures are alike: a pair's scores are "
        "averaged first, so that n, intervals and tests are of pairs. A rate whose seeds "
        "differ is a mean of shares then.",
    )
