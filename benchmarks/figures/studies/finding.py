"""Measure how well faces are found, and lost faces noticed.

    sow bench study finding

Drawn people that no detector was trained or tuned on. Whether a planted face is still there, the
judge says.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from sow.benchmarks.figures.judge.judge import SAME_PERSON, Judge
from sow.benchmarks.figures.studies.trials import Trial, generate, looked, service, trials
from sow.benchmarks.figures.training.face_lessons import face_of
from sow.benchmarks.figures.world.drawing import TESTING, Drawing, make
from sow.benchmarks.figures.world.tv2i import fresh
from sow.benchmarks.output import StudyOutput, bar
from sow.benchmarks.statistics import rate
from sow.pictures.condition import Condition
from sow.plan.box import Box, iou
from sow.plan.plan import Plan
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
SIDE, CANVAS, PLACE, GROUND = 160, (512, 512), (176, 64, 160, 160), (90, 160, 110)
"""Of the photographs: their width on the canvas, its size, the box, and what is around it."""
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


def photographs() -> Iterator[str]:
    """Yield the table of how often a photographed face is reported as missing."""
    from skimage.data import lfw_subset

    pieces = [Image.fromarray((255 * piece).astype(np.uint8)) for piece in lfw_subset()]
    people, others = ([piece.convert("RGB").resize((SIDE, SIDE)) for piece in part]
                      for part in (pieces[:100], pieces[100:]))  # fmt: skip
    shown: dict[str, list[bool]] = {}
    unseen = list[bool]()
    for person, other in zip(bar(people, "photographs"), others, strict=True):
        plan = Plan.parse({"canvas": CANVAS, "prompt": "a person", "box": PLACE, "subject": "face"})
        face_check = FaceCheck(Condition.prepare(person, plan), plan)
        unseen.append(not face_check.faces)
        if not face_check.faces:
            continue
        for name, change in CHANGES.items():
            canvas = Image.new("RGB", CANVAS, GROUND)
            canvas.paste(change(person, other), PLACE[:2])
            findings = face_check.look(canvas)
            shown.setdefault(name, []).append(findings is not None and findings.lost > 0)
    yield "| the planted face | reported as missing |"
    yield "|---|---|"
    yield from (
        f"| {name} | {rate(lost).percent()} of {len(lost)} |" for name, lost in shown.items()
    )
    yield ""
    yield f"Of {rate(unseen).percent()} of {len(unseen)} the note says that it was not checked."


def _compressed(person: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    person.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def _blurred(person: Image.Image, side: int) -> Image.Image:
    return person.resize((side, side), Image.Resampling.BOX).resize(person.size)


Change = Callable[[Image.Image, Image.Image], Image.Image]
CHANGES: dict[str, Change] = {
    "as it is": lambda person, other: person,
    "darker, and compressed (JPEG, quality 20)": lambda person, other: _compressed(
        ImageEnhance.Brightness(person).enhance(0.6), 20
    ),
    "destroyed: blurred to 5 x 5 pixels": lambda person, other: _blurred(person, 5),
    "destroyed: its middle smeared": lambda person, other: _smeared(person),
    "destroyed: replaced by another piece of a photograph": lambda person, other: other,
}


def _smeared(person: Image.Image) -> Image.Image:
    """Return a head whose face, eyes to mouth, is one colour."""
    smeared, (width, height) = person.copy(), person.size
    middle = (width // 5, height // 4, width * 4 // 5, height * 9 // 10)
    smeared.paste(_blurred(person.crop(middle), 1), middle)
    return smeared


def _row(name: str, judge: Judge, work: Sequence[Trial], images: list[Image.Image]) -> str:
    noticed: dict[str, list[bool]] = {"nobody": [], "another": [], "same": []}
    for trial, image, judged in zip(work, images, looked(judge, work, images), strict=True):
        who = "nobody"
        if judged.here:
            who = "same" if judged.distance < SAME_PERSON else "another"
        findings = FaceCheck(trial.work.condition, trial.work.plan).look(image)
        noticed[who].append(findings is not None and findings.lost > 0)
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
            "",
            "Photographs of 100 faces (scikit-image's `lfw_subset`, 25 px, enlarged), changed as "
            "results are, since there are no pictures of Stable Diffusion here:",
            "",
            *photographs(),
        ],
    )
