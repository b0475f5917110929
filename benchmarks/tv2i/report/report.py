"""A report: what was run, the tables by setting and over all, what failed, and sheets to look at.

Made of a run and its outcomes and of nothing else; `markdown.py` and `page.py` write it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sow.benchmarks.tv2i.outcomes import Outcome
from sow.benchmarks.tv2i.report import paper
from sow.benchmarks.tv2i.report.cells import Row, Table, by_method, cell, table
from sow.benchmarks.tv2i.report.grid import Grid, Group, Said, grid
from sow.benchmarks.tv2i.report.pictures import COLUMNS, Sheet, sheet
from sow.benchmarks.tv2i.runs import Measure, Results, Run
from sow.errors import UsageError

SETTINGS = {
    "normal": ("Normal prompts", "A-I"),
    "attribute": ("Attribute editing", "A-III"),
    "style": ("Style transfer", "A-II"),
}
"""Their titles, and the paper's tables of them."""
COSTS = (
    Measure(name="seconds", label="Seconds a picture", better="lower", unit="s"),
    Measure(name="samples", label="UNet samples", better="lower"),
    Measure(name="calls", label="UNet calls", better="lower"),
)
REASONS = 12
"""Most reasons of a table of failures; the others are counted together."""
READING = (
    "Every number has its 95 % interval and n, the pictures that have an answer: Wilson's interval "
    "for rates, the bootstrap's (2,000 draws) for means. A picture without an answer is counted as "
    "missing, not as bad: a method that loses more faces is judged by those that are left, so "
    "look at both.",
    "The tests are paired by pair and seed, over what both methods have: McNemar's exact test for "
    "rates, with Newcombe's interval of the difference; for means Fisher's randomisation test by "
    "flipped signs. Holm's correction is over all tests of one table.",
    "Pairs are taken as independent. Where prompts or people come more than once they are not "
    "quite, and the intervals are a little too narrow.",
)


@dataclass(frozen=True)
class Section:
    """A part of a report."""

    title: str
    words: tuple[str, ...] = ()
    grids: tuple[Grid, ...] = ()
    sheet: Sheet | None = None


@dataclass(frozen=True)
class Report:
    """All of it.

    Attributes:
        facts: what was run, by name.
        labels: what methods are called.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    labels: Mapping[str, str] = field(default_factory=dict)


def report(results: Results, metric: str | None = None) -> Report:
    """The report of a run.

    metric: stands below the pictures of the contact sheets; by itself the first.
    """
    run, outcomes = results.run, results.outcomes
    measures = measures_of(run, outcomes)
    metric = metric or (measures[0].name if measures else None)
    methods = [method.name for method in run.methods]
    labels = {method.name: method.said for method in run.methods}
    present = [name for name in SETTINGS if any(one.setting == name for one in outcomes)]
    sections = []
    for name in present if len(present) > 1 else ():
        title, place = SETTINGS[name]
        some = [one for one in outcomes if one.setting == name]
        ours = grid(title, table(some, methods, measures), labels)
        sections.append(Section(title, (), (ours, paper.grid_of(paper.printed(place)))))
    title = "All settings together" if len(present) > 1 else "Results"
    ours = grid(title, table(outcomes, methods, measures), labels)
    sections.insert(0, Section(title, (), (ours, paper.grid_of(paper.printed("I")))))
    sections.append(Section("What it costs", (), (costs(outcomes, methods, labels),)))
    sections.append(failures(outcomes, methods, measures, labels))
    for name in present:
        some = [one for one in outcomes if one.setting == name]
        sections.append(_pictures(results, some, methods, name, metric, measures))
    words = (*READING, *_several_seeds(outcomes), *_meanings(run))
    sections.append(Section("How to read it", words))
    return Report(run.benchmark, facts(run, outcomes), tuple(sections), labels)


def measures_of(run: Run, outcomes: Iterable[Outcome]) -> tuple[Measure, ...]:
    """The metrics that the run describes, and those that only its outcomes have.

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


@dataclass(frozen=True)
class Ablation:
    """Variants in rows, as in the paper's Tables II to IV.

    Attributes:
        groups: methods of the run, with what stands in the columns of `marks`.
        reference: the method that the others are compared with.
        paper: numbers of the paper's tables that are shown beside it.
    """

    title: str
    groups: tuple[Group, ...]
    reference: str
    marks: tuple[str, ...] = ()
    paper: tuple[str, ...] = ()


def ablation(results: Results, wanted: Ablation) -> Section:
    """A table of variants, and the paper's beside it; its methods are those of the groups.

    Raises:
        UsageError: if the run does not have one of them.
    """
    known = {method.name: method.said for method in results.run.methods}
    methods = [group.method for group in wanted.groups]
    for name in (*methods, wanted.reference):
        if name not in known:
            raise UsageError(f"the run has no method {name!r}", f"it has {', '.join(known)}")
    some = [one for one in results.outcomes if one.method in methods]
    made = table(some, methods, measures_of(results.run, some), wanted.reference)
    ours = grid(wanted.title, made, known, wanted.groups, wanted.marks)
    theirs = (paper.grid_of(paper.printed(place)) for place in wanted.paper)
    return Section(wanted.title, (), (ours, *theirs))


def costs(outcomes: Sequence[Outcome], methods: Sequence[str], labels: Mapping[str, str]) -> Grid:
    """Time, UNet samples and calls of a picture; nothing is tested here."""
    found = by_method(outcomes)
    rows = []
    for method in methods:
        mine = found.get(method, {}).values()
        made = sum(outcome.error is None for outcome in mine)
        rows.append(Row(method, len(mine), made, tuple(cell(mine, one) for one in COSTS)))
    shown = grid("What it costs", Table(COSTS, "", tuple(rows), 0), labels)
    notes = ("A guided UNet step counts once for each of its branches among samples, and once "
             "among calls. Seconds are those of the machine named above.",)  # fmt: skip
    return Grid(shown.title, shown.head, shown.rows, notes)


def failures(
    outcomes: Sequence[Outcome],
    methods: Sequence[str],
    measures: Sequence[Measure],
    labels: Mapping[str, str],
) -> Section:
    """Why pictures are not there, and why scores are not."""
    found = by_method(outcomes)
    lost, unknown = [], []
    for method in methods:
        mine = list(found.get(method, {}).values())
        errors = Counter(one.error for one in mine if one.error is not None)
        lost += _reasons(labels[method], "", errors, len(mine))
        made = [one for one in mine if one.error is None]
        for measure in measures:
            gaps = Counter(
                one.missing.get(measure.name) or "it was not measured"
                for one in made if one.scores.get(measure.name) is None
            )  # fmt: skip
            unknown += _reasons(labels[method], measure.said, gaps, len(made))
    grids = []
    if lost:
        grids.append(Grid("Pictures that were not made", ("", "Pictures", "Why"), tuple(lost)))
    if unknown:
        head = ("", "Metric", "Pictures", "Why")
        grids.append(Grid("Scores that are missing", head, tuple(unknown)))
    words = () if grids else ("Every picture was made, and every score is there.",)
    return Section("What failed, and what is missing", words, tuple(grids))


def _reasons(
    label: str, metric: str, reasons: Counter[str], of: int
) -> list[tuple[Said, ...]]:  # fmt: skip
    told = reasons.most_common(REASONS)
    rest = reasons.total() - sum(count for _, count in told)
    if rest:
        told.append((f"other reasons ({len(reasons) - REASONS} of them)", rest))
    before = (Said(label, (), "head"), *((Said(metric),) if metric else ()))
    return [(*before, Said(f"{count} of {of}"), Said(why)) for why, count in told]


def _pictures(
    results: Results,
    outcomes: Sequence[Outcome],
    methods: Sequence[str],
    setting: str,
    metric: str | None,
    measures: Sequence[Measure],
) -> Section:
    made = sheet(setting, results.folder, outcomes, methods, metric)
    label = next((m.said for m in measures if m.name == metric), "")
    words = [f"The first {len(made.strips)} pairs, nothing picked."]
    if made.left_out:
        words[0] = words[0][:-1] + f"; {made.left_out} more are in the folder of results."
    if label:
        words.append(f"Below each picture: {label}.")
    if len(methods) > COLUMNS:
        words.append(f"Of {len(methods)} methods the first {COLUMNS} are shown.")
    return Section(f"Pictures: {SETTINGS[setting][0].lower()}", (" ".join(words),), (), made)


def facts(run: Run, outcomes: Sequence[Outcome]) -> tuple[tuple[str, str], ...]:
    """What was run, by name; what is not known is left out."""
    pairs = len({outcome.key for outcome in outcomes})
    said = [
        ("Split", run.split),
        ("Pairs", f"{run.pairs} asked for, {pairs} with their seeds in the results"),
        ("Model", f"{run.model}{f', revision {run.revision}' if run.revision else ''}"),
        ("Device", ", ".join(part for part in (run.device, run.dtype) if part)),
        ("Seeds", run.seeds),
        ("Versions", ", ".join(f"{name} {value}" for name, value in run.versions.items())),
        ("Date", run.date),
        *(("Note", note) for note in run.notes),
    ]
    for method in run.methods:
        settings = ", ".join(f"{name} {value}" for name, value in method.settings.items())
        stated = [f"{method.samples} UNet samples stated"] if method.samples is not None else []
        stated += [f"{method.calls} calls stated"] if method.calls is not None else []
        parts = [part for part in (method.note, settings, *stated) if part]
        if parts:
            said.append((method.said, "; ".join(parts)))
    return tuple((name, value) for name, value in said if value)


def _meanings(run: Run) -> tuple[str, ...]:
    """What the columns are."""
    return tuple(f"{one.said}: {one.note}." for one in run.measures if one.note)


def _several_seeds(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    if len({one.key for one in outcomes}) == len({one.pair for one in outcomes}):
        return ()
    return ("Some pairs come with several seeds: their pictures are alike, and the intervals "
            "narrower than they should be.",)  # fmt: skip
