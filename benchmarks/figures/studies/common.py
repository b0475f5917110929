"""What studies share: tables with paired tests, worker processes, sheets to check by eye."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, TypeVar

from PIL import Image, ImageDraw, ImageFont

from sow.benchmarks.output import bar, hide_bars
from sow.benchmarks.statistics import sign_test, turned
from sow.benchmarks.tv2i.metrics.base import Score, split
from sow.benchmarks.tv2i.outcomes import Outcome
from sow.benchmarks.tv2i.pairs import SETTINGS
from sow.benchmarks.tv2i.report.comparison_table import cell, table
from sow.benchmarks.tv2i.report.grid import Grid, grid
from sow.benchmarks.tv2i.report.grid import number as formatted
from sow.benchmarks.tv2i.report.markdown import grid_parts
from sow.benchmarks.tv2i.runs import Measure
from sow.pictures.drawing import side_by_side

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

PAIRED = (
    "Every number has its 95 % interval; rows have the same people, sentences and seeds, and are "
    "tested pair by pair (rates: McNemar's exact test; means: Fisher's randomisation test)."
)


def outcome(
    row: str,
    pair: str,
    setting: str,
    prompt: str,
    person: int,
    seed: int,
    scores: Mapping[str, Score],
) -> Outcome:
    """Return the outcome of one picture of a row."""
    found, missing = split(scores)
    return Outcome(
        method=row,
        pair=pair,
        setting=next(name for name in SETTINGS if name == setting),
        prompt=prompt,
        person=person,
        seed=seed,
        file=f"{pair}-{seed}.png",
        scores=found,
        missing=missing,
    )


def rows_of(
    title: str, outcomes: Iterable[Outcome], measures: Sequence[Measure], first: str | None = None
) -> Grid:
    """Return a table with rows in the order of the outcomes. first: the reference row."""
    records = list(outcomes)
    names = list(dict.fromkeys(one.method for one in records))
    made = table(records, names, measures, first)
    return grid(title, made, {name: name for name in names})


def brief(outcomes: Sequence[Outcome], measures: Sequence[Measure]) -> str:
    """Return a row as one line without intervals, for progress messages."""
    values = (
        f"{one.display_name} {formatted(cell(outcomes, one).estimate.value, one)}"
        for one in measures
    )
    return f"{outcomes[0].method}: {', '.join(values)}"


def page(title: str, words: Iterable[str], grids: Iterable[Grid]) -> Iterator[str]:
    """Yield the lines of a page."""
    yield f"# {title}"
    parts = [*words, *(part for one in grids for part in grid_parts(one, title))]
    for part in parts:
        yield ""
        yield part


Given = TypeVar("Given")
Made = TypeVar("Made")
Record = TypeVar("Record", bound="DataclassInstance")


def by_processes(
    work: Callable[[Given], Made], classes: Sequence[Given], workers: int
) -> Iterator[Made]:
    """Yield the result of each class, in order, computed in worker processes. `work` must be
    picklable."""
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=hide_bars) as pool:
        yield from bar(pool.map(work, classes), "classes", len(classes))


def joined(cells: Iterable[Record]) -> Record:
    """Join records of one kind: concatenate tuples, add numbers."""
    records = list(cells)
    values: dict[str, Any] = {}
    for field in fields(records[0]):
        parts = [getattr(cell, field.name) for cell in records]
        values[field.name] = sum(parts, start=type(parts[0])())
    return type(records[0])(**values)


def changes_text(before: Sequence[bool], after: Sequence[bool]) -> str:
    """Return how many paired answers became better and worse, with the p of a sign test."""
    up, down = turned(before, after)
    return f"{up} better, {down} worse (sign test, p {sign_test(up, down):.2g})"


def numbered_tiles(
    tiles: Iterable[tuple[Image.Image, Sequence[str]]], side: int = 156, columns: int = 10
) -> list[Image.Image]:
    """Return rows of numbered pictures with lines of text below, to check by eye."""
    font, made = ImageFont.load_default(size=11), list[Image.Image]()
    for number, (picture, lines) in enumerate(tiles):
        height = side * picture.height // picture.width
        tile = Image.new("RGB", (side, height + 14 * len(lines) + 6), "white")
        tile.paste(picture.resize((side, height), Image.Resampling.BICUBIC), (0, 0))
        pen = ImageDraw.Draw(tile)
        for line, text in enumerate([f"{number}: {lines[0]}", *lines[1:]]):
            pen.text((2, height + 1 + 14 * line), text, fill="black", font=font)
        made.append(tile)
    return [side_by_side(made[n : n + columns]) for n in range(0, len(made), columns)]
