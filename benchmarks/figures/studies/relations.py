"""Do pictures respect relations? A graph and its negative, with layout and without.

    sow bench study relations --count 200

Of every triple there is the true graph g+ and a negative g-, its subject and object swapped, or
another predicate in its place (scene_graph_dit), with the same seed. A picture passes if the
relation of its own graph holds; coverage is that everything in it is found at all, and a relation
is judged again among those (SpatialBench-UC). g+ beats g- where the relation of g+ holds in the
picture of g+ and not in that of g-.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from sow.attention.layout import phrases_of
from sow.benchmarks.figures.judge.judge import Judge
from sow.benchmarks.figures.studies import picture_cache
from sow.benchmarks.figures.studies.common import by_processes, changes_text, joined
from sow.benchmarks.figures.studies.picture_cache import Generated, PictureSpec
from sow.benchmarks.figures.studies.relation_cases import CLASSES, Case, case_of
from sow.benchmarks.figures.studies.tasks import figures
from sow.benchmarks.output import StudyOutput
from sow.benchmarks.spatial import SIDES
from sow.benchmarks.statistics import rate
from sow.pictures.drawing import labelled_grid
from sow.pipeline.pipeline import SowPipeline

BATCH = 16
FRESH, TUNING = "relations fresh", "relations tuning"
METHODS: dict[str, Mapping[str, Any]] = {
    "prompt only": {"layout_steps": 0},
    "boxes only": {"layout_pull": 0.0},
    "layout": {},
}
"""The same plans with other settings; by `boxes only` phrases are kept in, but not drawn to."""
SHOWN = 10
"""Pictures of a class in the sheet."""


@dataclass(frozen=True)
class Cell:
    """One class by one method: what is true of the pictures of g+ and g-, case by case.

    distant: the two stand further apart in the plan than a third of the canvas. seconds: of the
    pictures of g+ and g-, together.
    """

    passed: tuple[bool, ...]
    found: tuple[bool, ...]
    beats: tuple[bool, ...]
    both: tuple[bool, ...]
    distant: tuple[bool, ...]
    seconds: float

    HEADER = (
        "| | pass | coverage | pass given coverage | g+ beats g- | both pass |\n" + "|---" * 6 + "|"
    )

    def row(self, name: str) -> str:
        """Return a line of the table."""
        given = [passed for passed, found in zip(self.passed, self.found, strict=True) if found]
        rates = (self.passed, self.found, given, self.beats, self.both)
        return f"| {name} | {' | '.join(rate(r).percent() for r in rates)} |"


@dataclass(frozen=True)
class Outcome:
    """A class by every method, with rows of its first pictures."""

    name: str
    cells: dict[str, Cell]
    rows: list[Image.Image]

    def lines(self) -> Iterator[str]:
        """Return the lines of the table."""
        return (cell.row(f"{self.name}: {method}") for method, cell in self.cells.items())


@cache
def tools() -> tuple[SowPipeline, Judge]:
    """Return the model and the judge of a process."""
    return figures(), Judge.load()


def generate(
    pipe: SowPipeline,
    cases: Sequence[Case],
    changes: Mapping[str, Any],
    pictures: Path | None = None,
) -> Generated:
    """Return a picture for each case; for `pictures` see `picture_cache.generate`."""
    settings = pipe.preset("text").changed(**changes)
    wanted = [PictureSpec(None, case.plan, settings, case.seed) for case in cases]
    return picture_cache.generate(pipe, wanted, pictures, BATCH)


def outcome(
    which: tuple[str, Sequence[str]], numbers: range, kind: str, pictures: Path | None = None
) -> Outcome:
    """Return the verdicts on a class by every method; uses one thread, for worker processes."""
    torch.set_num_threads(1)
    (pipe, judge), (relation, people) = tools(), which
    name = f"{relation}, {'a person' if people else 'two things'}"
    plus, minus = (
        [case_of(relation, n, people, kind, negative=no) for n in numbers] for no in (False, True)
    )
    distant = tuple(any(edge.distant for edge in case.plan.relations) for case in plus)
    cells, rows = {}, []
    plain = dict[tuple[str, int], Image.Image]()

    def made(cases: Sequence[Case], changes: Mapping[str, Any]) -> Generated:
        """Return plans without boxes lead to the same pictures by every method."""
        left = [case for case in cases if case.key not in plain]
        grown = generate(pipe, left, changes, pictures)
        new = {case.key: image for case, image in zip(left, grown.images, strict=True)}
        plain.update({case.key: new[case.key] for case in left if not phrases_of(case.plan)})
        return Generated([new.get(case.key) or plain[case.key] for case in cases], grown.seconds)

    for method, changes in METHODS.items():
        first, second = made(plus, changes), made(minus, changes)
        images, others = first.images, second.images
        seen, other = judge.look(images), judge.look(others)
        passed = tuple(case.holds(verdict) for case, verdict in zip(plus, seen, strict=True))
        anyway = [case.holds(verdict) for case, verdict in zip(plus, other, strict=True)]
        turned = [case.holds(verdict) for case, verdict in zip(minus, other, strict=True)]
        cells[method] = Cell(
            passed=passed,
            found=tuple(case.found(verdict) for case, verdict in zip(plus, seen, strict=True)),
            beats=tuple(p and not a for p, a in zip(passed, anyway, strict=True)),
            both=tuple(p and t for p, t in zip(passed, turned, strict=True)),
            distant=distant,
            seconds=first.seconds + second.seconds,
        )
        shown = [("", image) for image in images[:SHOWN]]
        rows.append(labelled_grid(f"{name}: {method}", shown, SHOWN, 128))
    return Outcome(name, cells, rows)


def sided(found: Sequence[Outcome], method: str) -> Cell:
    """Return the joined cells of the classes that name a side, by a method."""
    return joined(o.cells[method] for o in found if o.name.split(",")[0] in SIDES)


def apart(found: Sequence[Outcome]) -> Iterator[str]:
    """Yield the table of near and distant pairs by every method."""
    yield "| | near | distant |\n|---|---|---|"
    for method in METHODS:
        cell = sided(found, method)
        pairs = list(zip(cell.passed, cell.distant, strict=True))
        both = (
            rate([passed for passed, far in pairs if far == wanted]) for wanted in (False, True)
        )
        yield f"| {method} | " + " | ".join(f"{e.percent()}, n {e.count}" for e in both) + " |"


def report(found: Sequence[Outcome], command: str) -> list[str]:
    """Return the lines of the page."""
    every = {method: joined(o.cells[method] for o in found) for method in METHODS}
    cost = sided(found, "layout").seconds / sided(found, "prompt only").seconds
    return [
        "# Relations",
        "",
        f"`{command}`; so many captions a class, from that number on, that nothing was tuned "
        "on, nothing planted, one seed each, the same for every method; 95 % intervals. `boxes "
        "only`: phrases are kept in their boxes and not drawn to them. Of two relations, both have "
        "to hold.",
        "",
        Cell.HEADER,
        *(line for o in found for line in o.lines()),
        *(cell.row(f"**all: {method}**") for method, cell in every.items()),
        "",
        "Layout against the prompt alone, picture by picture: "
        f"{changes_text(every['prompt only'].passed, every['layout'].passed)}. "
        f"It takes {cost:.2f} times the processor's time of the prompt alone.",
        "",
        "Left, right, above and below, where the two stand near each other in the plan, and where "
        "their centres are over a third of the canvas apart:",
        "",
        *apart(found),
    ]


def study(output: StudyOutput, *, count: int, first: int, tuning: bool, workers: int) -> None:
    """Write `relations.md` and `relations.png`, or with the number of another first caption."""
    name = f"relations-{first}" if first else "relations"
    output.check_output_path(f"{name}.md", f"{name}.png")
    kind, found = TUNING if tuning else FRESH, []
    work = partial(
        outcome, numbers=range(first, first + count), kind=kind, pictures=output.pictures
    )
    for result in by_processes(work, CLASSES, workers):
        found.append(result)
        output.log("\n".join(result.lines()))
    output.write_page(f"{name}.md", report(found, output.command))
    output.write_sheet(f"{name}.png", [row for result in found for row in result.rows], colours=255)
