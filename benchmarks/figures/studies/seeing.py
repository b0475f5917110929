"""Measure how well graphs are read from pictures, and relations verified.

    sow bench study seeing

By drawings, whose truth is known, and by pictures of sentences without layout, in which about half
of all relations hold, against the judge. Then with `--retries 3`: how often the judge agrees.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import torch

from sow.benchmarks.figures.studies import relations
from sow.benchmarks.figures.studies.relation_cases import CLASSES, PEOPLE, TWO, case_of
from sow.benchmarks.figures.world.captions import OPPOSITE
from sow.benchmarks.figures.world.drawing import TUNING, UNSEEN, Drawing, make
from sow.benchmarks.figures.world.things import KINDS
from sow.benchmarks.output import StudyOutput, bar
from sow.benchmarks.spatial import SIDES
from sow.benchmarks.statistics import mean, rate
from sow.plan.box import Box, iou
from sow.service.presence import measured_presence
from sow.service.request import Request
from sow.service.scene_reading import DetectedGraph, read_graph
from sow.service.service import Service
from sow.service.verification import check_relations


def drawings(count: int, first: int) -> Iterator[tuple[Drawing, list[str], list[Box]]]:
    """Yield drawings of two things, or of a person and a thing, with their names and boxes."""
    seed = first
    while count:
        seed += 1
        drawing = make(seed)
        things = [thing.kind for thing in drawing.spec.things]
        names = (["person"] if drawing.spec.person else []) + things
        nodes = drawing.scene_graph["nodes"]
        assert isinstance(nodes, dict)
        boxes = [node["box"] for node in nodes.values()]
        if len(set(names)) == 2 and drawing.spec.style == "none" and all(boxes):
            count -= 1
            truth = [Box.model_validate(box) for box in boxes]
            if drawing.spec.person and drawing.head:
                truth[0] = drawing.head
            yield drawing, names, truth


def read(service: Service, count: int, first: int) -> Iterator[str]:
    """Yield lines about drawings: whether things are found, where, and on which side."""
    random, laps = Random(first), dict[str, list[float]]()
    answers: dict[bool, list[str]] = {True: [], False: []}
    sides, presence = list[bool](), measured_presence(service.model.revision)
    for drawing, names, truth in bar(drawings(count, first), "drawings", count):
        other = random.choice([kind for kind in KINDS if kind not in names])
        seen = read_graph(service.pipe, drawing.image, [*names, other], presence)
        answers[False].append(_answer(seen, other))
        found = {thing.label: thing.box for thing in seen.graph.objects if thing.box}
        for name, box in zip(names, truth, strict=True):
            answers[True].append(_answer(seen, name))
            kind = "people's heads" if name == "person" else "things"
            if name in found:
                laps.setdefault(kind, []).append(iou(found[name].corners, box.corners))
        sides_read = {(one, other): side for one, side, other in seen.graph.relations}
        side, wanted = sides_read.get((names[0], names[1])), drawing.spec.relation
        if wanted in SIDES and side is not None:
            # A drawing says where the thing is, of people too; here they are named first.
            sides.append(side == (OPPOSITE[wanted] if drawing.spec.person else wanted))
    for there, name in ((True, "is there"), (False, "is not there")):
        said = "; ".join(
            f"{answer}: {rate([one == answer for one in answers[there]]).percent()}"
            for answer in ("there", "cannot be judged", "absent")
        )
        yield f"- of what {name}, {said}"
    for kind, values in laps.items():
        good = rate([value >= 0.5 for value in values]).percent()
        lap = mean(values).number()
        yield f"- boxes of {kind}: intersection over union {lap}, at least 0.5 in {good}"
    yield f"- of two, the side, where one is said: {rate(sides).percent()}, n {len(sides)}"


def _answer(seen: DetectedGraph, name: str) -> str:
    if name in seen.absent:
        return "absent"
    return "cannot be judged" if name in seen.unjudged else "there"


def verified(service: Service, count: int, kind: str, kept: Path) -> Iterator[str]:
    """Yield the table of verified relations against the judge, by class."""
    pipe, judge = service.pipe, relations.tools()[1]
    yield "| | the judge sees it: said to hold | not judged | not: said to hold | not judged |"
    yield "|---|---|---|---|---|"
    presence = measured_presence(service.model.revision)
    every: dict[bool, list[bool | None]] = {True: [], False: []}
    for relation, people in bar([c for c in CLASSES if c[0] not in TWO], "classes"):
        cases = [case_of(relation, n, people, kind, negative=n % 2 == 0) for n in range(count)]
        images = relations.generate(pipe, cases, {"layout_steps": 0}, kept).images
        told: dict[bool, list[bool | None]] = {True: [], False: []}
        for case, image, verdict in zip(cases, images, judge.look(images), strict=True):
            (check,) = check_relations(pipe, case.plan, image, presence)
            told[case.holds(verdict)].append(check.holds)
        for true in told:
            every[true] += told[true]
        name = f"{relation}, {'a person' if people else 'two things'}"
        yield f"| {name} | {_of(told[True])} | {_of(told[False])} |"
    yield f"| **all** | {_of(every[True])} | {_of(every[False])} |"


def _of(told: Sequence[bool | None]) -> str:
    """Return how many are said to hold, and how many are not judged, as two cells."""
    if not told:
        return "none | none"
    holds = rate([answer is True for answer in told]).percent()
    unjudged = rate([answer is None for answer in told]).percent()
    return f"{holds}, n {len(told)} | {unjudged}"


def retried(service: Service, count: int, kind: str) -> Iterator[str]:
    """Yield the table of how often a relation is seen, at first and after retries."""
    judge = relations.tools()[1]
    yield "| | first seed | after at most 3 others | seeds used |\n|---|---|---|---|"
    for relation, people in (("left of", PEOPLE), ("below", PEOPLE), ("near", ())):
        first, last, used = list[bool](), list[bool](), list[float]()
        for n in bar(range(count), "retries"):
            case = case_of(relation, n, people, f"{kind} again")
            work = service.resolve(Request(None, case.prompt, triples=case.triples))
            seeds = []
            for retries in (0, 3):
                (picture,) = service.make(work, [case.seed], retries=retries)
                (first, last)[retries > 0].append(case.holds(judge.look([picture.image])[0]))
                seeds.append(picture.recipe.seed)
            used.append(1.0 + seeds[1] - seeds[0])
        name = f"{relation}, {'a person' if people else 'two things'}"
        row = f"{rate(first).percent()} | {rate(last).percent()} | {mean(used).number()}"
        yield f"| {name} | {row} |"


def study(output: StudyOutput, *, count: int, tuning: bool) -> None:
    """Write `seeing.md`."""
    output.check_output_path("seeing.md")
    service = Service("figures", device="cpu", dtype="float32")
    torch.set_num_threads(1)
    service.pipe.set_progress_bar_config(disable=True)
    kind = "seeing tuning" if tuning else "seeing fresh"
    first = (TUNING if tuning else UNSEEN) + 90_000
    lines = [
        "# Graphs from pictures, and whether relations hold",
        "",
        f"`{output.command}`; 95 % intervals.",
        "",
        f"{count} drawings, in each also a thing looked for that is not there:",
        "",
    ]
    per_class = max(1, count // 10)
    parts = (
        read(service, count, first),
        [""],
        [
            f"Pictures of {per_class} sentences a class, without layout, "
            "half of them turned round:",
            "",
        ],
        verified(service, per_class, kind, output.pictures),
        [""],
        [f"With layout and `--retries 3`, {2 * per_class} sentences a class, by the judge:", ""],
        retried(service, 2 * per_class, kind),
    )
    for part in parts:
        for line in part:
            lines.append(line)
            output.log(line)
    output.write_page("seeing.md", lines)
