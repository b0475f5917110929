"""Whether pictures respect relations: a graph and its negative, with layout and without.

    python -m sow.benchmarks.figures.studies.relations --count 200

Of every triple there is the true graph g+ and a negative g-, its subject and object swapped, or
another predicate in its place (scene_graph_dit), with the same seed. A picture passes if the
relation of its own graph holds; coverage is that everything in it is found at all, and a relation
is judged again among those (SpatialBench-UC). g+ beats g- where the relation of g+ holds in the
picture of g+ and not in that of g-.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from PIL import Image
from tqdm import tqdm

from sow.benchmarks.figures.judge.reading import Judge, Verdict
from sow.benchmarks.figures.judge.relations import holds
from sow.benchmarks.figures.world.captions import OPPOSITE, RELATION_WORDS, SCENE_WORDS, article
from sow.benchmarks.figures.world.scenes import SCENES
from sow.benchmarks.figures.world.things import COLOURS, HELD, KINDS, colours_of
from sow.benchmarks.statistics import rate, sign_test
from sow.pictures.drawing import labelled_row, stacked
from sow.pipeline import SowPipeline
from sow.plan import Plan
from sow.planners.base import PlanRequest
from sow.planners.graph.planner import GraphPlanner

BATCH = 16
FRESH, TUNING = "relations fresh", "relations tuning"
METHODS: dict[str, Mapping[str, Any]] = {
    "prompt only": {"layout_steps": 0},
    "boxes only": {"layout_pull": 0.0},
    "layout": {},
}
"""The same plans with other settings; by `boxes only` phrases are kept in, but not drawn to."""


def grow(pipe: SowPipeline, cases: Sequence[Case], changes: Mapping[str, Any]) -> list[Image.Image]:
    """A picture for each case."""
    images: list[Image.Image] = []
    for start in range(0, len(cases), BATCH):
        some = cases[start : start + BATCH]
        images += pipe(
            image=[None] * len(some),
            plan=[case.plan for case in some],
            settings=[pipe.preset("text").changed(**changes)] * len(some),
            generator=[torch.Generator().manual_seed(case.seed) for case in some],
        ).images
    return images


@dataclass(frozen=True)
class Cell:
    """One class by one method: for every case, what is true of the pictures of g+ and g-."""

    passed: list[bool]
    found: list[bool]
    beats: list[bool]
    sensitive: list[bool]

    def row(self, name: str) -> str:
        """A line of the table."""
        given = [passed for passed, found in zip(self.passed, self.found, strict=True) if found]
        rates = (self.passed, self.found, given, self.beats, self.sensitive)
        return f"| {name} | {' | '.join(rate(r).percent() for r in rates)} |"


HEADER = (
    "| | pass | coverage | pass given coverage | g+ beats g- | both pass |\n" + "|---" * 6 + "|"
)


def cells(
    pipe: SowPipeline, judge: Judge, relation: str, *, people: bool, count: int, kind: str
) -> Iterator[tuple[str, Cell, list[Image.Image]]]:
    """A class by every method, with the pictures of g+."""
    plus, minus = (
        [case_of(relation, n, people=people, negative=no, kind=kind) for n in range(count)]
        for no in (False, True)
    )
    for method, changes in METHODS.items():
        images = grow(pipe, plus, changes)
        seen, other = judge.look(images), judge.look(grow(pipe, minus, changes))
        passed = [holds(verdict, case.said) for verdict, case in zip(seen, plus, strict=True)]
        anyway = [holds(verdict, case.said) for verdict, case in zip(other, plus, strict=True)]
        turned = [holds(verdict, case.said) for verdict, case in zip(other, minus, strict=True)]
        yield method, Cell(
            passed=passed,
            found=[covered(verdict, case) for verdict, case in zip(seen, plus, strict=True)],
            beats=[p and not a for p, a in zip(passed, anyway, strict=True)],
            sensitive=[p and t for p, t in zip(passed, turned, strict=True)],
        ), images  # fmt: skip


def joined(several: Sequence[Cell]) -> Cell:
    """All of them as one."""
    parts = (
        [value for cell in several for value in getattr(cell, name)]
        for name in ("passed", "found", "beats", "sensitive")
    )
    return Cell(*parts)


def main() -> None:
    """Writes `relations.md` and `relations.png`."""
    from sow.models import load_pipeline

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--tuning", action="store_true", help="other captions, to choose by")
    options = parser.parse_args()
    pipe, judge = load_pipeline("figures", device="cpu", dtype="float32"), Judge.load()
    pipe.set_progress_bar_config(disable=True)
    kind = TUNING if options.tuning else FRESH
    classes = [(r, True) for r in WITH_PERSON] + [(r, False) for r in OF_THINGS]
    table: dict[str, list[Cell]] = {method: [] for method in METHODS}
    lines, rows = [HEADER], []
    for relation, people in tqdm(classes, desc="classes", disable=None):
        name = f"{relation}, {'a person' if people else 'two things'}"
        for method, cell, images in cells(
            pipe, judge, relation, people=people, count=options.count, kind=kind
        ):
            table[method].append(cell)
            lines.append(cell.row(f"{name}: {method}"))
            print(lines[-1], flush=True)
            rows.append(labelled_row(f"{name}: {method}", [("", i) for i in images[:10]], 10, 128))
    every = {method: joined(all_of) for method, all_of in table.items()}
    lines += [cell.row(f"**all: {method}**") for method, cell in every.items()]
    pairs = list(zip(every["prompt only"].passed, every["layout"].passed, strict=True))
    up, down = sum(b > a for a, b in pairs), sum(a > b for a, b in pairs)
    text = [
        "# Relations", "",
        f"`python -m sow.benchmarks.figures.studies.relations --count {options.count}`; so many "
        "captions a class that nothing was tuned on, nothing planted, one seed each, the same for "
        "every method; 95 % intervals.", "", *lines, "",
        f"Layout against the prompt alone, picture by picture: {up} better, {down} worse "
        f"(sign test, p {sign_test(up, down):.2g}).",
    ]  # fmt: skip
    (options.out / "relations.md").write_text("\n".join(text) + "\n", encoding="utf-8")
    stacked(rows, 4).quantize(255, dither=Image.Dither.NONE).save(
        options.out / "relations.png", optimize=True
    )


if __name__ == "__main__":
    main()
