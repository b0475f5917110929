"""Whether relations to a planted face hold, and what that costs the face.

    python -m sow.benchmarks.figures.studies.relations_planted --count 200

By three ways with the same face, sentence and seed: the sentence alone, as `sow generate` does it
without a graph; the graph, by which the face gets its place and makes room, but nothing else has a
say in the picture; and the graph with its layout, as `sow generate --triple` does it.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import torch
from PIL import Image

from sow.benchmarks.figures.judge.reading import Judge
from sow.benchmarks.figures.studies.relation_cases import Case, case_of
from sow.benchmarks.figures.studies.sharing import by_processes, joined, save_sheet
from sow.benchmarks.figures.studies.trials import Trial, grow, judged, service
from sow.benchmarks.figures.world.drawing import TUNING, UNSEEN
from sow.benchmarks.figures.world.tv2i import Pair
from sow.benchmarks.statistics import Estimate, mean, mean_difference, rate, sign_test
from sow.pictures.drawing import labelled_row
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
        """A line of the table."""
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
    """A face and a case; with its graph, or with the sentence alone."""
    said = {key: value for part in case.said for key, value in part.items()}
    pair = Pair(f"graph-{face}", "normal", case.prompt, said, face, face < UNSEEN)
    triples = case.triples if graph else None
    request = Request(pair.picture, case.prompt, triples=triples)
    return Trial(pair, case.seed, made.work(request))


def outcome(
    relation: str, count: int, tuning: bool, methods: Sequence[str] = METHODS
) -> tuple[dict[str, Cell], list[Image.Image]]:
    """What the judge says of a class by every method, and a row of pictures for each."""
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
        started = time.process_time()
        images = grow(made, work, {"layout_steps": 0} if method == "place only" else None)
        seconds = time.process_time() - started
        seen = judge.look(images, [each.work.plan.box for each in work])
        values = judged(method, judge, work, images).values
        cells[method] = Cell(
            passed=tuple(case.holds(verdict) for case, verdict in zip(cases, seen, strict=True)),
            found=tuple(case.found(verdict) for case, verdict in zip(cases, seen, strict=True)),
            identity=tuple(map(float, values["identity"])),
            same=tuple(map(bool, values["same"])),
            seconds=seconds,
        )
        shown = [("", image) for image in images[:SHOWN]]
        rows.append(labelled_row(f"{relation}: {method}", shown, SHOWN, 128))
    return cells, rows


def report(found: Sequence[dict[str, Cell]], count: int) -> Iterator[str]:
    """The page."""
    yield "# Relations to a planted face\n"
    yield (
        f"`python -m sow.benchmarks.figures.studies.relations_planted --count {count}`; so many "
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
        pairs = list(zip(every[one].passed, every[other].passed, strict=True))
        up, down = sum(b > a for a, b in pairs), sum(a > b for a, b in pairs)
        away = mean_difference(every[one].identity, every[other].identity)
        cost = every[other].seconds / every[one].seconds
        yield (
            f"\n{other} against {one}, picture by picture: {up} better, {down} worse (sign test, "
            f"p {sign_test(up, down):.2g}); ID-Distance changes by {away.number()}; {cost:.2f} "
            "times the processor's time."
        )


def main() -> None:
    """Writes `relations-planted.md` and `relations-planted.png`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--tuning", action="store_true", help="other people, to choose by")
    parser.add_argument("--workers", type=int, default=2, help="processes, a thread each")
    options = parser.parse_args()
    found, rows = [], []
    work = partial(outcome, count=options.count, tuning=options.tuning)
    results = by_processes(work, CLASSES, options.workers)
    for relation, (cells, shown) in zip(CLASSES, results, strict=True):
        found.append(cells)
        rows += shown
        for method, cell in cells.items():
            print(cell.row(f"{relation}: {method}"), flush=True)
    text = "\n".join(report(found, options.count)) + "\n"
    (options.out / "relations-planted.md").write_text(text, encoding="utf-8")
    save_sheet(rows, options.out / "relations-planted.png")


if __name__ == "__main__":
    main()
