"""Which candidate is proposed: the rule, and what is said of it.

Most likeness among those that are no worse in anything else that is measured. All by paired 95 %
intervals of the difference to the published method: a candidate is *worse* in something if its
interval lies wholly on the bad side, and has more likeness only if that interval lies wholly on the
good side. "No worse" so means that nothing worse could be shown with these pairs, no more.
The cost of a picture is reported but decides nothing. One half of the pairs chooses; the other half
shows whether the choice holds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sow.benchmarks.statistics import Estimate
from sow.benchmarks.tuning.measures import FACES, PROMPT, likeness_of
from sow.benchmarks.tv2i.report.comparison_table import Against, Row, Table
from sow.benchmarks.tv2i.report.grid import difference, number
from sow.benchmarks.tv2i.runs import Measure

LEAST = 8
"""Pairs below which nothing is said of a difference: intervals of fewer are too narrow."""
NO_FRONT = (
    "the published method has no picture whose likeness can be measured: the front means nothing, "
    "and nothing is proposed"
)
FOLLOWS = ("id_distance", "arcface", "same_person")
"""What goes with likeness: more of one of them is no second gain, less is a loss."""


def worse(estimate: Estimate, measure: Measure) -> bool:
    """Return whether a difference lies wholly on the bad side of 0."""
    return _beyond(estimate, {"lower": 1, "higher": -1}.get(measure.better, 0))


def better(estimate: Estimate, measure: Measure) -> bool:
    """Return whether a difference lies wholly on the good side of 0."""
    return _beyond(estimate, {"lower": -1, "higher": 1}.get(measure.better, 0))


def _beyond(estimate: Estimate, side: int) -> bool:
    if not side or math.isnan(estimate.low):
        return False
    return estimate.low > 0 if side > 0 else estimate.high < 0


@dataclass(frozen=True)
class Standing:
    """A candidate compared with the published method, on one half of the pairs.

    Attributes:
        name: of the candidate.
        likeness: how much it differs in likeness; None where no pair has both.
        more_likeness: it has more, by its interval, on enough pairs.
        worse: the labels of what it is worse in, by its interval, on enough pairs; likeness among
            them.
        checked: the labels of what was measured on enough pairs, likeness left out.
        unknown: the labels of what was not.
        lost: pictures that could not be made.
    """

    name: str
    likeness: Against | None
    more_likeness: bool
    worse: tuple[str, ...]
    checked: tuple[str, ...]
    unknown: tuple[str, ...]
    lost: int

    @property
    def eligible(self) -> bool:
        """True if the candidate may be proposed by the results of this half."""
        return self.more_likeness and not self.worse and not self.lost


def standings(made: Table) -> tuple[Standing, ...]:
    """Return every candidate but the published method, in the order of the table.

    Raises:
        UsageError: if likeness is not in the table.
    """
    decides = likeness_of(made.measures)
    return tuple(_standing(row, made, decides) for row in made.rows if row.method != made.reference)


def _standing(row: Row, made: Table, decides: Measure) -> Standing:
    found: dict[str, Against] = {}
    for cell, measure in zip(row.cells, made.measures, strict=True):
        if cell.against is not None:
            found[measure.name] = cell.against
    judged = [measure for measure in made.measures if measure.better]
    guards = [measure for measure in judged if measure.name not in FOLLOWS]
    sufficient = {name for name, test in found.items() if test.difference.count >= LEAST}
    likeness = found.get(decides.name)
    return Standing(
        name=row.method,
        likeness=likeness,
        more_likeness=likeness is not None
        and decides.name in sufficient
        and better(likeness.difference, decides),
        worse=tuple(
            m.display_name
            for m in judged
            if m.name in sufficient and worse(found[m.name].difference, m)
        ),
        checked=tuple(m.display_name for m in guards if m.name in sufficient),
        unknown=tuple(m.display_name for m in guards if m.name not in sufficient),
        lost=row.requested - row.made,
    )


@dataclass(frozen=True)
class Proposal:
    """The proposal of `sow tune`.

    Attributes:
        candidate: its name; that of the published method where nothing else is shown to be better.
        line: it and why, in a sentence.
        notes: what has to be known of it, a sentence each.
        meaningless: nothing could be measured: nothing is proposed.
        confirmed: the reporting half shows more likeness, too.
        contradicted: what the reporting half shows it to be worse in.
        changes: that it is something else than the published method.
    """

    candidate: str
    line: str
    notes: tuple[str, ...] = ()
    meaningless: bool = False
    confirmed: bool = False
    contradicted: tuple[str, ...] = ()
    changes: bool = False


def propose(choosing: Table, reporting: Table) -> Proposal:
    """Choose on one half, and check the choice on the other.

    Args:
        choosing, reporting: candidates by measures; both have the published method as reference.

    Raises:
        UsageError: if likeness is in neither.
    """
    decides, published = likeness_of(choosing.measures), choosing.reference
    place = choosing.measures.index(decides)
    known = [row.cells[place].estimate.count for row in choosing.rows if row.method == published]
    if not any(known):
        return Proposal(published, NO_FRONT, meaningless=True)
    found = standings(choosing)
    able = [one for one in found if one.eligible]
    if not able:
        return _published(found, decides, published, known[0])
    best = max(able, key=lambda one: _gain(one, decides))
    there = next(one for one in standings(reporting) if one.name == best.name)
    return _of(best, there, decides, prompt_measured(choosing))


def _gain(one: Standing, decides: Measure) -> float:
    assert one.likeness is not None
    value = one.likeness.difference.value
    return -value if decides.better == "lower" else value


def _published(found: Sequence[Standing], decides: Measure, published: str, count: int) -> Proposal:
    notes = []
    if count < LEAST:
        notes.append(
            f"the choosing half has an answer of {count} pairs, and below {LEAST} nothing can be "
            "shown: give --minutes more"
        )
    for one in found:
        if one.more_likeness and (one.worse or one.lost):
            lost = [f"{one.lost} pictures could not be made"] if one.lost else []
            why = [f"worse in {_listed(one.worse)}"] if one.worse else []
            notes.append(f"“{one.name}” has more likeness, but is out: {', '.join(why + lost)}")
    metric = decides.display_name
    line = f"the published method stays: no candidate has more likeness ({metric}) by its "
    return Proposal(
        published, f"{line}interval and is no worse in anything else measured", tuple(notes)
    )


def _of(best: Standing, there: Standing, decides: Measure, prompt: bool) -> Proposal:
    assert best.likeness is not None
    unmeasured = best.unknown
    notes = []
    if unmeasured:
        notes.append(
            f"not measured, or on fewer than {LEAST} pairs, so that nothing is said of "
            f"it: {_listed(unmeasured)}"
        )
    contradicted = there.worse + ((f"{there.lost} pictures not made",) if there.lost else ())
    if contradicted:
        notes.append(f"the reporting half contradicts: worse in {_listed(contradicted)}")
    elif there.more_likeness:
        assert there.likeness is not None
        notes.append(
            "the reporting half shows more likeness, too: "
            f"Δ {difference(there.likeness.difference, decides)}"
        )
    else:
        shown = (
            ""
            if there.likeness is None
            else (f": Δ {difference(there.likeness.difference, decides)}")
        )
        notes.append(f"the reporting half does not contradict, but shows no more likeness{shown}")
    line = (
        f"“{best.name}”: {decides.display_name} Δ {difference(best.likeness.difference, decides)} "
        f"against the published method on {best.likeness.difference.count} pairs; "
        "not shown to be worse in "
        f"{_listed(best.checked) or 'anything, since nothing else was measured'}"
    )
    if not prompt:
        line += "; prompt alignment was not measured"
    return Proposal(best.name, line, tuple(notes), False, there.more_likeness, contradicted, True)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def prompt_measured(made: Table) -> bool:
    """Return whether prompt alignment is measured."""
    return any(measure.name in PROMPT for measure in made.measures)


def faces_lost(made: Table) -> tuple[str, ...]:
    """Return the candidates that lose faces, by their intervals."""
    labels = [measure.display_name for measure in made.measures if measure.name == FACES]
    return tuple(one.name for one in standings(made) if set(labels) & set(one.worse))


def front(made: Table) -> tuple[str, ...]:
    """Return the candidates that no other beats in both likeness and prompt, by their means.

    Where the prompt is not measured, copies stand for it: the fewer the better. Empty where one of
    both has no answer at all.
    """
    axes = axes_of(made.measures)
    if axes is None:
        return ()
    points = {}
    for row in made.rows:
        values = [row.cells[made.measures.index(one)].estimate.value for one in axes]
        if not any(map(math.isnan, values)):
            points[row.method] = [
                -value if one.better == "lower" else value
                for value, one in zip(values, axes, strict=True)
            ]
    return tuple(
        name
        for name, point in points.items()
        if not any(
            all(a >= b for a, b in zip(other, point, strict=True)) and other != point
            for other in points.values()
        )
    )


def axes_of(measures: Sequence[Measure]) -> tuple[Measure, Measure] | None:
    """Return the metrics of the front, across and upwards; None without a metric against
    likeness."""
    decides = likeness_of(tuple(measures))
    for name in (*PROMPT, "copy_paste"):
        for measure in measures:
            if measure.name == name and measure.better:
                return measure, decides
    return None


def value_of(made: Table, method: str, measure: Measure) -> str:
    """Return a candidate's mean as text."""
    row = next(row for row in made.rows if row.method == method)
    return number(row.cells[made.measures.index(measure)].estimate.value, measure)
