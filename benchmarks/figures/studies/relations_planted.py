"""Do relations to a planted face hold, and what do they cost the face?

    sow bench study relations-planted

By three ways with the same face, sentence and seed: the sentence alone, as `sow generate` does it
without a graph; the graph, by which the face gets its place and makes room, but nothing else has a
say in the picture; and the graph with its layout, as `sow generate --triple` does it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import torch
from PIL import Image

from sow.benchmarks.figures.judge.judge import Judge
from sow.benchmarks.figures.studies.common import by_processes, changes_text, joined
from sow.benchmarks.figures.studies.relation_cases import Case, case_of
from sow.benchmarks.figures.studies.trials import Trial, generate, judged, service
from sow.benchmarks.figures.world.drawing import TUNING, UNSEEN
from sow.benchmarks.figures.world.tv2i import Pair
from sow.benchmarks.output import StudyOutput
from sow.benchmarks.statistics import Estimate, mean, mean_difference, rate
from sow.pictures.drawing import labelled_grid
from sow.service.request import Request
from sow.service.service import Service

CLASSES = ("left of", "right of", "above", "below", "near", "holding")
METHODS = ("prompt only", "place only", "layout")
FIRST = {False: UNSEEN + 70_000, True: TUNING + 70_000}
"""The first face, by whether it is for tuning; a class has a thousand of its own."""
SHOWN = 10
"""Pictures of a class in the sheet."""


@dataclass(frozen=True)
class Cell:
    """One class by one method, picture by picture; seconds of all of them."""

    passed: tuple[bool, ...]
    found: tuple[bool, ...]
    identity: tuple[float, ...]
    same: tuple[bool, ...]
    seconds: float

    HEADER = (
        "| | pass | coverage | pass given coverage | ID-Distance | same person |\n"
        + "|---" * 6
        + "|"
    )

    def row(self, name: str) -> str:
        """Return a line of the table."""
        given = [passed for passed, found in zip(self.passed, self.found, strict=True) if found]
        cells = [rate(r).percent() for r in (self.passed, self.found, given)]
        cells += [self._distance().number(), rate(self.same).percent()]
        return f"| {name} | {' | '.join(cells)} |"

    def _distance(self) -> Estimate:
        return mean([value for value in self.identity if not math.isnan(value)])


@cache
def _tools() -> tuple[Service, Judge]:
    return service(), Judge.load()


def trial(made: Service, case: Case, face: int, *, graph: bool) -> Trial:
    """Return a trial of a face and a case, with its graph or with the sentence alone."""
    claims = {key: value for part in case.claims for key, value in part.items()}
    pair = Pair(f"graph-{face}", "normal", case.prompt, claims, face, face < UNSEEN)
    triples = case.triples if graph else None
    request = Request(pair.picture, case.prompt, triples=triples)
    return Trial(pair, case.seed, made.resolve(request))


def outcome(
    relation: str,
    count: int,
    tuning: bool,
    methods: Sequence[str] = METHODS,
    pictures: Path | None = None,
) -> tuple[dict[str, Cell], list[Image.Image]]:
    """Return the verdicts on a class by every method, and a row of pictures for each."""
    torch.set_num_threads(1)
    made, judge = _tools()
    kind = "relations planted " + ("tuning" if tuning else "fresh")
    cases = [case_of(relation, number, ("person",), kind) for number in range(count)]
    first = FIRST[tuning] + 1_000 * CLASSES.index(relation)
    plain, graphs = (
        [trial(made, case, first + n, graph=graph) for n, case in enumerate(cases)]
        for graph in (False, True)
    )
    cells, rows = {}, []
    for method in methods:
        work = plain if method == "prompt only" else graphs
        changes = {"layout_steps": 0} if method == "place only" else None
        grown = generate(made, work, changes, pictures)
        images = grown.images
        seen = judge.look(images, [each.work.plan.box for each in work])
        values = judged(method, judge, work, images)
        cells[method] = Cell(
            passed=tuple(case.holds(verdict) for case, verdict in zip(cases, seen, strict=True)),
            found=tuple(case.found(verdict) for case, verdict in zip(cases, seen, strict=True)),
            identity=tuple(one.score("id_distance") for one in values),
            same=tuple(one.score("same_person") > 0.5 for one in values),
            seconds=grown.seconds,
        )
        shown = [("", image) for image in images[:SHOWN]]
        rows.append(labelled_grid(f"{relation}: {method}", shown, SHOWN, 128))
    return cells, rows


def report(found: Sequence[dict[str, Cell]], command: str) -> Iterator[str]:
    """Yield the lines of the page."""
    yield "# Relations to a planted face\n"
    yield (
        f"`{command}`; so many "
        "faces and sentences a class that nothing was tuned on, what `sow generate` makes of them, "
        "the same seeds for every method; 95 % intervals. `place only`: the graph gives the face "
        "its place, and `layout_steps` is 0.\n"
    )
    yield Cell.HEADER
    for relation, cells in zip(CLASSES, found, strict=True):
        for method, cell in cells.items():
            yield cell.row(f"{relation}: {method}")
    every = {method: joined(cells[method] for cells in found) for method in METHODS}
    for method, cell in every.items():
        yield cell.row(f"**all: {method}**")
    for one, other in (("prompt only", "place only"), ("place only", "layout")):
        away = mean_difference(every[one].identity, every[other].identity)
        cost = every[other].seconds / every[one].seconds
        yield (
            f"\n{other} against {one}, picture by picture: "
            f"{changes_text(every[one].passed, every[other].passed)}; ID-Distance changes by "
            f"{away.number()}; {cost:.2f} times the processor's time."
        )


def study(output: StudyOutput, *, count: int, tuning: bool, workers: int) -> None:
    """Write `relations-planted.md` and `relations-planted.png`."""
    output.check_output_path("relations-planted.md", "relations-planted.png")
    found, rows = [], []
    work = partial(outcome, count=count, tuning=tuning, pictures=output.pictures)
    results = by_processes(work, CLASSES, workers)
    for relation, (cells, shown) in zip(CLASSES, results, strict=True):
        found.append(cells)
        rows += shown
        for method, cell in cells.items():
            output.log(cell.row(f"{relation}: {method}"))
    output.write_page("relations-planted.md", report(found, output.command))
    output.write_sheet("relations-planted.png", rows, colours=255)
