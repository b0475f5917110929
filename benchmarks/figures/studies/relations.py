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
WITH_PERSON = ("left of", "right of", "above", "below", "near", "holding", "wearing")
OF_THINGS = ("left of", "right of", "above", "below", "near", "on")
UPON, UNDER = ("ball", "box", "cat", "dog", "hat"), ("box", "car", "house")
METHODS: dict[str, Mapping[str, Any]] = {
    "prompt only": {"layout_steps": 0},
    "boxes only": {"layout_pull": 0.0},
    "layout": {},
}
"""The same plans with other settings; by `boxes only` phrases are kept in, but not drawn to."""


@dataclass(frozen=True)
class Case:
    """A graph of two nodes, and the sentence that says the same.

    said: as the judge is asked.
    """

    prompt: str
    triple: tuple[str, str, str]
    said: dict[str, str]
    seed: int

    @property
    def plan(self) -> Plan:
        """As `sow plan` makes it of the sentence and the triple, with nothing planted."""
        request = PlanRequest(None, self.prompt, canvas=(128, 128), triples=(self.triple,))
        return GraphPlanner().plan(request)


def case_of(relation: str, number: int, *, people: bool, negative: bool, kind: str) -> Case:
    """The case of a number; chance decides who, what and where."""
    random = Random(f"{kind} {relation} {people} {number}")
    scene = random.choice([scene for scene in SCENES if scene != "plain"])
    where = SCENE_WORDS[scene][0]
    seed = random.randrange(2**31)
    thing, other = _things(relation, random, people)
    said = {"scene": scene, "thing": thing.split()[-1]}
    if people:
        clothes = f"{random.choice(tuple(COLOURS))} {random.choice(('coat', 'shirt', 'sweater'))}"
        person = f"{random.choice(('person', 'man', 'woman'))} in {article(clothes)}"
        return _with_person(relation, person, thing, where, said, seed, negative)
    said |= {"other_thing": other.split()[-1]}
    named = relation
    if negative:
        if relation in ("near", "on"):
            named = {"near": "above", "on": "below"}[relation]
        else:
            thing, other = other, thing
            said = {**said, "thing": said["other_thing"], "other_thing": said["thing"]}
    prompt = f"{article(thing)} {RELATION_WORDS[named][0]} {article(other)} {where}"
    return Case(prompt, (thing, named, other), {**said, "relation": named}, seed)


def _with_person(
    relation: str, person: str, thing: str, where: str, said: dict[str, str], seed: int,
    negative: bool,
) -> Case:  # fmt: skip
    who = person.split()[0]
    named = relation
    if negative:
        other = {"holding": "left of", "wearing": "holding", "near": "above"}
        named = OPPOSITE.get(relation) or other[relation]
    if named in ("holding", "wearing"):
        prompt = f"{article(person)} {named} {article(thing)} {where}"
        triple = (who, named, thing)
    else:
        prompt = f"{article(thing)} {RELATION_WORDS[named][0]} {article(person)} {where}"
        triple = (thing, named, who)
    return Case(prompt, triple, {**said, "relation": named}, seed)


def _things(relation: str, random: Random, people: bool) -> tuple[str, str]:
    if relation == "wearing":
        kinds = ["hat", "ball"]
    elif relation == "holding":
        kinds = [random.choice(HELD), "cat"]
    elif relation == "on":
        under = random.choice(UNDER)
        kinds = [random.choice([kind for kind in UPON if kind != under]), under]
    else:
        kinds = random.sample([kind for kind in KINDS if not (people and kind == "hat")], 2)
    one, other = (
        kind if kind == "tree" else f"{random.choice(colours_of(kind))} {kind}" for kind in kinds
    )
    return one, other


def covered(verdict: Verdict, case: Case) -> bool:
    """Whether everything in the graph is found."""
    kinds = {thing.kind for thing in verdict.things}
    both = "other_thing" in case.said
    people = both or bool(verdict.heads)
    return (
        case.said["thing"] in kinds and people and (not both or case.said["other_thing"] in kinds)
    )


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
