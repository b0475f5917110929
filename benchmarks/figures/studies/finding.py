"""Measure how well faces are found, and lost faces noticed.

    sow bench study finding

Drawn people that no detector was trained or tuned on. Whether a planted face is still there, the
judge says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from sow.benchmarks.figures.judge.judge import SAME_PERSON, Judge
from sow.benchmarks.figures.studies.trials import Trial, generate, looked, service, trials
from sow.benchmarks.figures.training.face_lessons import face_of
from sow.benchmarks.figures.world.drawing import TESTING, Drawing, make
from sow.benchmarks.figures.world.tv2i import fresh
from sow.benchmarks.output import StudyOutput, bar
from sow.benchmarks.statistics import rate
from sow.pictures.condition import Condition
from sow.plan.box import Box, iou
from sow.planners.offline.drawn_faces import find_drawn_faces
from sow.planners.offline.faces import find_faces, find_photographed_faces
from sow.service.face_check import FaceCheck
from sow.service.service import Service

FIRST = TESTING + 13_000_000
ENOUGH = 0.4
"""How much (IoU) of a face's box a found one has to cover; MTCNN draws its boxes otherwise."""
Finder = Callable[[Image.Image], list[Box]]
FINDERS: dict[str, Finder] = {
    "MTCNN": find_photographed_faces,
    "the detector of drawn faces": find_drawn_faces,
    "as `sow` asks both": find_faces,
}
SMALL = 40
"""Pixels of a box so small that most planted faces in it are lost."""


def found(finder: Finder, drawings: Sequence[Drawing]) -> tuple[str, str]:
    """Return the share of faces found, and of drawings in which a face is invented."""
    there, invented = [], []
    for drawing in bar(drawings, "drawings"):
        boxes = finder(drawing.image)
        person = drawing.spec.person
        hits = [box for box in boxes if person is not None and _same(box, face_of(person))]
        if person is not None:
            there.append(bool(hits))
        invented.append(len(boxes) > len(hits))
    return rate(there).percent(), rate(invented).percent()


def _same(box: Box, face: tuple[float, float, float, float]) -> bool:
    x, y, width, height = face
    true = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return iou(box.corners, true) > ENOUGH


def finding(count: int) -> Iterator[str]:
    """Yield the table of detectors on drawings with and without people, and on heads."""
    drawings = [make(FIRST + number) for number in range(count)]
    pairs = fresh(count)
    yield "| | faces found in drawings | drawings in which a face is invented | heads found |"
    yield "|---|---|---|---|"
    for name, finder in FINDERS.items():
        heads = [bool(finder(pair.picture)) for pair in bar(pairs, "heads")]
        yield f"| {name} | {' | '.join(found(finder, drawings))} | {rate(heads).percent()} |"


def shrunk(trial: Trial) -> Trial:
    """Return a trial planted so small that the face is mostly lost."""
    plan, pair = trial.work.plan, trial.pair
    x, y = plan.box.centre
    box = Box.around(x, y, SMALL, SMALL).aligned(8, plan.canvas)
    plan = plan.changed(box=box, related=(), ellipse=None)
    condition = Condition.prepare(pair.picture, plan)
    return replace(trial, work=replace(trial.work, plan=plan, condition=condition))


def looking(made: Service, judge: Judge, count: int, pictures: Path) -> Iterator[str]:
    """Yield the table of how often a planted face is reported as missing."""
    yield "| planted | pictures | said where no head is | where another's is | where theirs is |"
    yield "|---|---|---|---|---|"
    for setting in ("normal", "attribute", "style"):
        work = trials(made, fresh(2 * count, setting)[count:], 70_000)
        yield _row(setting, judge, work, generate(made, work, None, pictures).images)
        lost = [shrunk(trial) for trial in work[: count // 2]]
        yield _row(
            f"{setting}, in a box of {SMALL} px",
            judge,
            lost,
            generate(made, lost, None, pictures).images,
        )


def _row(name: str, judge: Judge, work: Sequence[Trial], images: list[Image.Image]) -> str:
    noticed: dict[str, list[bool]] = {"nobody": [], "another": [], "same": []}
    for trial, image, judged in zip(work, images, looked(judge, work, images), strict=True):
        who = "nobody"
        if judged.here:
            who = "same" if judged.distance < SAME_PERSON else "another"
        noticed[who].append(FaceCheck(trial.work).is_missing_from(image))
    cells = [f"{rate(s).percent()} of {len(s)}" if s else "none there" for s in noticed.values()]
    return f"| {name} | {len(work)} | {' | '.join(cells)} |"


def study(output: StudyOutput, *, count: int) -> None:
    """Write `finding.md`."""
    output.check_output_path("finding.md")
    made, judge = service(), Judge.load()
    output.write_page(
        "finding.md",
        [
            "# Faces found, and faces lost",
            "",
            f"`{output.command}`; {count} of each, of people that "
            "nothing was trained or tuned on; 95 % intervals.",
            "",
            *finding(count),
            "",
            "## Whether the planted face is still there",
            "",
            "Of how many pictures it is said that the planted face cannot be made out: as "
            "`sow generate` makes them, and with the same faces planted too small. Whose head "
            "there is, the judge says; it takes one without eyes for a head too.",
            "",
            *looking(made, judge, max(2, count // 2), output.pictures),
        ],
    )
