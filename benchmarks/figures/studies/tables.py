"""The tables of studies: rows over the same pairs and seeds, in the manner of a bench's report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from sow.benchmarks.tv2i.metrics.base import Score, split
from sow.benchmarks.tv2i.outcomes import Outcome
from sow.benchmarks.tv2i.pairs import SETTINGS
from sow.benchmarks.tv2i.report.cells import cell, table
from sow.benchmarks.tv2i.report.grid import Grid, grid, number
from sow.benchmarks.tv2i.report.markdown import grid_parts
from sow.benchmarks.tv2i.runs import Measure

PAIRED = (
    "Every number has its 95 % interval; rows have the same people, sentences and seeds, and are "
    "tested pair by pair (rates: McNemar's exact test; means: Fisher's randomisation test)."
)


def outcome(
    row: str, pair: str, setting: str, prompt: str, person: int, seed: int,
    scores: Mapping[str, Score],
) -> Outcome:  # fmt: skip
    """What was found in one picture of a row."""
    found, missing = split(scores)
    return Outcome(
        method=row, pair=pair, setting=next(name for name in SETTINGS if name == setting),
        prompt=prompt, person=person, seed=seed, file=f"{pair}-{seed}.png", scores=found,
        missing=missing,
    )  # fmt: skip


def rows_of(
    title: str, outcomes: Iterable[Outcome], measures: Sequence[Measure], first: str | None = None
) -> Grid:
    """A table, in the order of the outcomes. first: what the other rows are compared with."""
    some = list(outcomes)
    names = list(dict.fromkeys(one.method for one in some))
    made = table(some, names, measures, first)
    return grid(title, made, {name: name for name in names})


def brief(outcomes: Sequence[Outcome], measures: Sequence[Measure]) -> str:
    """A row in a line, without intervals, for whoever waits."""
    told = (f"{one.said} {number(cell(outcomes, one).estimate.value, one)}" for one in measures)
    return f"{outcomes[0].method}: {', '.join(told)}"


def page(title: str, words: Iterable[str], grids: Iterable[Grid]) -> Iterator[str]:
    """The lines of a page."""
    yield f"# {title}"
    parts = [*words, *(part for one in grids for part in grid_parts(one, title))]
    for part in parts:
        yield ""
        yield part
