"""Three drawn people x four prompts x two boxes: does a body grow under the planted face?

    sow bench study contact-sheet

Writes a sheet as `sow generate` runs and one by the paper's preset, the whole square planted, that
starts from random noise instead (Sec. V-B, ablation of Seed Initialization: without the seed canvas
a second head appears), and prints how often the judge finds a head where it was planted and
elsewhere. Everything but the box is what `sow generate` decides by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from sow.benchmarks.figures.judge.judge import Judge
from sow.benchmarks.figures.studies.picture_cache import PictureSpec, generate
from sow.benchmarks.figures.studies.trials import service as loaded
from sow.benchmarks.output import StudyOutput
from sow.pictures.condition import Condition
from sow.pictures.drawing import side_by_side
from sow.pictures.loading import GREY, load_image
from sow.plan.box import Box, iou
from sow.service.request import Request
from sow.service.service import Service

FACES = ("drawn-long-hair", "drawn-curls", "drawn-beard")
PROMPTS = (
    "a person in a red coat in the forest",
    "a person wearing a blue suit in the city",
    "a smiling person wearing a yellow sweater on the beach",
    "a person holding a red balloon in the snow",
)
BOXES = (Box(x=24, y=16, width=56, height=56), Box(x=56, y=16, width=56, height=56))


@dataclass(frozen=True)
class Way:
    """How a sheet is made: preset, matte and changed settings."""

    preset: str = "normal"
    matte: str = "auto"
    changes: Mapping[str, Any] = field(default_factory=dict)


NOW = Way()
# The paper's ablation, with the paper's settings.
RANDOM_START = Way("paper-normal", "box", {"seed_canvas": "none"})


@dataclass(frozen=True)
class Made:
    """One picture of the sheet."""

    face: str
    prompt: str
    box: Box
    condition: Condition
    image: Image.Image


def make_pictures(
    service: Service,
    faces: dict[str, Image.Image],
    way: Way,
    seed: int = 0,
    boxes: Sequence[Box] = BOXES,
    pictures: Path | None = None,
) -> list[Made]:
    """Return all pictures of a sheet, face by face, box by box, with consecutive seeds."""
    made: list[Made] = []
    for name, face in faces.items():
        specs = [
            service.resolve(
                Request(
                    face,
                    prompt,
                    setting="normal",
                    box=box,
                    matte=way.matte,
                    preset=way.preset,
                    settings=way.changes,
                )
            )
            for box in boxes
            for prompt in PROMPTS
        ]
        first = seed + len(made)
        wanted = [PictureSpec.of(spec, first + n) for n, spec in enumerate(specs)]
        images = generate(service.pipe, wanted, pictures, batch=len(specs)).images
        made += [
            Made(name, spec.plan.prompt, spec.plan.box, spec.condition, image)
            for spec, image in zip(specs, images, strict=True)
        ]
    return made


def heads(made: list[Made], judge: Judge) -> list[tuple[bool, bool]]:
    """Return for each picture whether a head is where it was planted, and whether one is elsewhere.

    "Where it was planted" is an overlap (intersection over union) of at least 0.4 with the box.
    """
    verdicts = judge.look([one.image for one in made], [one.box for one in made])
    answers = []
    for one, verdict in zip(made, verdicts, strict=True):
        here = [iou(head.box.corners, one.box.corners) >= 0.4 for head in verdict.heads]
        answers.append((any(here), not all(here)))
    return answers


def sheet(made: list[Made]) -> list[Image.Image]:
    """Return the rows of the sheet: the planted canvas, then four pictures; two such groups a
    row."""
    rows = []
    for start in range(0, len(made), len(PROMPTS)):
        row = made[start : start + len(PROMPTS)]
        planted, condition = Image.new("RGB", row[0].image.size, GREY), row[0].condition
        planted.paste(condition.picture, (row[0].box.x, row[0].box.y), condition.mask)
        rows.append(side_by_side([planted, *(m.image for m in row)]))
    return [side_by_side(rows[n : n + 2], 12) for n in range(0, len(rows), 2)]


def study(output: StudyOutput, *, examples: Path) -> None:
    """Draw both sheets and report where heads are."""
    ways = {"contact-sheet": NOW, "contact-sheet-random-start": RANDOM_START}
    output.check_output_path(*(f"{name}.png" for name in ways))
    service, judge = loaded(), Judge.load()
    faces = {name: load_image(examples / f"{name}.png") for name in FACES}
    output.log("| start | pictures | head found where planted | head found elsewhere |")
    output.log("|---|---|---|---|")
    for name, way in ways.items():
        made = make_pictures(service, faces, way, pictures=output.pictures)
        output.write_sheet(f"{name}.png", sheet(made))
        here, elsewhere = zip(*heads(made, judge), strict=True)
        output.log(f"| {name} | {len(made)} | {sum(here)} | {sum(elsewhere)} |")
