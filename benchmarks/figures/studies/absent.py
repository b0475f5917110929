"""How often is a thing said to be in a picture without it, and how often is it found?

    sow bench study absent

Drawings, whose truth is known, and pictures that `figures` made: of sentences, and around planted
faces. Of those the judge says what is in them; what it sees though nobody asked for it is left out.
Thresholds are chosen for each kind of thing on pictures for tuning, and reported on others.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from PIL import Image

from sow.benchmarks.figures.judge.judge import Judge
from sow.benchmarks.figures.studies import picture_cache, relations_planted, trials
from sow.benchmarks.figures.studies.common import by_processes
from sow.benchmarks.figures.studies.picture_cache import PictureSpec
from sow.benchmarks.figures.studies.relation_cases import case_of
from sow.benchmarks.figures.world.drawing import TESTING, TUNING, Drawing, make
from sow.benchmarks.figures.world.things import KINDS
from sow.benchmarks.output import StudyOutput, bar
from sow.benchmarks.statistics import Estimate, rate
from sow.plan.plan import NOTHING, Plan
from sow.service.presence import PERSON, PresenceThresholds, score_presence
from sow.service.service import Service

Source = Literal["drawing", "sentence", "planted"]
SOURCES: tuple[Source, ...] = ("drawing", "sentence", "planted")
JUDGED = (PERSON, *KINDS)
FIRST = {True: TUNING + 7_000_000, False: TESTING + 7_000_000}
"""The first drawing and caption, by whether it is for tuning."""
FIRST_FACE = {True: TUNING + 75_000, False: TESTING + 75_000}
MAX_FALSE, MAX_ABSENT = 0.05, 0.02
"""The highest share of pictures without a thing that may be said to have it (the upper limit of its
interval), and of pictures with it that may be said to have none."""
MIN_FOUND = 1 / 3
"""A kind of which less is found is not said to be there at all."""


@dataclass(frozen=True)
class Answer:
    """The score of a kind of thing in one picture, and whether it is there."""

    source: Source
    kind: str
    there: bool
    score: float


def drawings(count: int, tuning: bool) -> Iterator[tuple[int, Drawing]]:
    """Yield drawings with their seeds: three in four have things."""
    seed = FIRST[tuning]
    while count:
        seed += 1
        drawing = make(seed)
        if drawing.spec.things or seed % 4 == 0:
            count -= 1
            yield seed, drawing


def answers(part: tuple[bool, Source], count: int, pictures: Path | None = None) -> list[Answer]:
    """Return the scores of all kinds in the pictures of a half and a source."""
    torch.set_num_threads(1)
    (tuning, source), service = part, trials.service()
    if source == "drawing":
        made = _drawn(count, tuning)
    elif source == "sentence":
        made = _of_sentences(service, count, tuning, pictures)
    else:
        made = _planted(service, count, tuning, pictures)
    found = []
    for image, truth in bar(made, source):
        scores = score_presence(service.pipe, image, list(truth), KINDS)
        found += [Answer(source, kind, truth[kind], scores[kind].score) for kind in truth]
    return found


def _drawn(count: int, tuning: bool) -> list[tuple[Image.Image, dict[str, bool]]]:
    found = []
    for _, drawing in drawings(count, tuning):
        nodes = drawing.scene_graph["nodes"]
        assert isinstance(nodes, dict)
        seen = {PERSON if name == PERSON else node["kind"]: node["box"] is not None
                for name, node in nodes.items()}  # fmt: skip
        hidden = {kind for kind, visible in seen.items() if not visible}
        truth = {kind: kind in seen for kind in JUDGED if kind not in hidden}
        found.append((drawing.image, truth))
    seeds = itertools.count(FIRST[tuning] + 500_000)
    empty = (drawing for drawing in map(make, seeds) if drawing.spec.person is None)
    nobody = itertools.islice(empty, count)
    return [*found, *((drawing.image, {PERSON: False}) for drawing in nobody)]


def _of_sentences(
    service: Service, count: int, tuning: bool, pictures: Path | None
) -> list[tuple[Image.Image, dict[str, bool]]]:
    chosen = list(drawings(count, tuning))
    canvas = service.model.checkpoint_spec.canvas
    wanted = []
    for seed, drawing in chosen:
        fields = {"canvas": canvas, "prompt": drawing.caption.text, "box": [0, 0, *canvas]}
        plan = Plan.parse({**fields, "subject": NOTHING, "suppress": ""})
        wanted.append(PictureSpec(None, plan, service.pipe.preset("text"), seed))
    images = picture_cache.generate(service.pipe, wanted, pictures).images
    asked = [
        {thing.kind for thing in drawing.spec.things} | ({PERSON} if drawing.spec.person else set())
        for _, drawing in chosen
    ]
    return _judged(images, asked)


def _planted(
    service: Service, count: int, tuning: bool, pictures: Path | None
) -> list[tuple[Image.Image, dict[str, bool]]]:
    classes, first = relations_planted.CLASSES, FIRST_FACE[tuning]
    kind = "absent " + ("tuning" if tuning else "fresh")
    cases = [case_of(classes[n % len(classes)], n, (PERSON,), kind) for n in range(count)]
    work = [
        relations_planted.trial(service, case, first + n, graph=True)
        for n, case in enumerate(cases)
    ]
    images = trials.generate(service, work, None, pictures).images
    asked = [{claim["thing"] for claim in case.claims} | {PERSON} for case in cases]
    return [
        (image, {kind: there for kind, there in truth.items() if kind != PERSON})
        for image, truth in _judged(images, asked)
    ]


def _judged(
    images: Sequence[Image.Image], asked: Sequence[set[str]]
) -> list[tuple[Image.Image, dict[str, bool]]]:
    """Return pictures with what the judge says is in them and what is not."""
    found = []
    for image, wanted, verdict in zip(images, asked, Judge.load().look([*images]), strict=True):
        seen = {thing.kind for thing in verdict.things} | ({PERSON} if verdict.heads else set())
        found.append((image, {kind: kind in seen for kind in JUDGED if kind not in seen - wanted}))
    return found


def choose(tuned: Sequence[Answer]) -> PresenceThresholds:
    """Return the thresholds of a kind, by its scores in the pictures for tuning."""
    without = sorted(answer.score for answer in tuned if not answer.there)
    having = sorted(answer.score for answer in tuned if answer.there)

    def false_rate(threshold: float) -> Estimate:
        return rate([score >= threshold for score in without])

    scores = sorted(answer.score for answer in tuned)
    present = next((s for s in scores if false_rate(s).high <= MAX_FALSE), math.inf)
    absent = having[math.floor(MAX_ABSENT * len(having))] if having else -math.inf
    if not having or rate([score >= present for score in having]).value < MIN_FOUND:
        present = math.inf
    return PresenceThresholds(_floored(min(absent, present)), _ceiled(present))


def _floored(value: float) -> float:
    return value if math.isinf(value) else math.floor(value * 1000) / 1000


def _ceiled(value: float) -> float:
    return value if math.isinf(value) else math.ceil(value * 1000) / 1000


HEADER = (
    "| | said to be there from | of pictures without it: drawings | made by `figures` | all "
    "| found, where it is | said to be absent below | where it is | where it is not |\n"
    + "|---" * 9
    + "|"
)


def row(name: str, answers: Sequence[Answer], thresholds: dict[str, PresenceThresholds]) -> str:
    """Return a line of the table."""

    def said(verdict: bool, there: bool, sources: Sequence[Source] = SOURCES) -> str:
        chosen = [a for a in answers if a.there == there and a.source in sources]
        values = [thresholds[a.kind].read(a.score) is verdict for a in chosen]
        return f"{rate(values).percent()} of {len(values)}" if values else "none"

    own = thresholds.get(name)
    never = own is not None and math.isinf(own.present)
    present = "" if own is None else "never" if never else f"{own.present:.3f}"
    cells = [
        present,
        said(True, False, SOURCES[:1]),
        said(True, False, SOURCES[1:]),
        said(True, False),
        said(True, True),
        "" if own is None else f"{own.absent:.3f}",
        said(False, True),
        said(False, False),
    ]
    return f"| {name} | {' | '.join(cells)} |"


def report(tuned: Sequence[Answer], fresh: Sequence[Answer], command: str, count: int) -> list[str]:
    """Return the lines of the page."""
    thresholds = {kind: choose([a for a in tuned if a.kind == kind]) for kind in JUDGED}
    return [
        "# Is a thing in a picture at all?",
        "",
        f"`{command}`; 95 % intervals. In each half there are {count} drawings, {count} pictures "
        f"of sentences and {count} around planted faces, these made by `figures`, all at 128 px; "
        f"for people also {count} drawings without any. What is in a drawing is known; what is in "
        "the others the judge says. The thresholds of a kind are chosen on the pictures for "
        "tuning: so that the upper limit of what is wrongly said to be there is at most "
        f"{100 * MAX_FALSE:.0f} %, and that at most {100 * MAX_ABSENT:.0f} % of what is there is "
        "said to be absent. Between them nothing is said. A kind of which less than a third would "
        "be found is never said to be there.",
        "",
        "On other pictures:",
        "",
        HEADER,
        *(row(kind, [a for a in fresh if a.kind == kind], thresholds) for kind in JUDGED),
        row("**all things**", [a for a in fresh if a.kind != PERSON], thresholds),
        "",
        "On the pictures for tuning:",
        "",
        HEADER,
        *(row(kind, [a for a in tuned if a.kind == kind], thresholds) for kind in JUDGED),
    ]


def study(output: StudyOutput, *, count: int, workers: int) -> None:
    """Write `absent.md`."""
    output.check_output_path("absent.md")
    parts = [(tuning, source) for tuning in (True, False) for source in SOURCES]
    work = partial(answers, count=count, pictures=output.pictures)
    found = dict(zip(parts, by_processes(work, parts, workers), strict=True))
    tuned, fresh = (
        [answer for source in SOURCES for answer in found[tuning, source]]
        for tuning in (True, False)
    )
    output.write_page("absent.md", report(tuned, fresh, output.command, count))
