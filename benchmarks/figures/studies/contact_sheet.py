"""Three drawn identities x four prompts x two boxes: does a body grow under the planted face?

    python -m sow.benchmarks.figures.studies.contact_sheet

Writes a sheet with the seed canvas and one that starts from random noise instead (Sec. V-B,
ablation of Seed Initialization: without it a second head appears), and prints how often the judge
finds a head where it was planted and elsewhere.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from sow.benchmarks.figures.judge.anatomy import overlap
from sow.benchmarks.figures.judge.reading import Judge
from sow.box import Box
from sow.models import load_pipeline
from sow.pictures.drawing import side_by_side
from sow.pictures.reading import load_image
from sow.pipeline import SowPipeline
from sow.plan import Plan
from sow.settings import Settings

FACES = ("drawn-long-hair", "drawn-curls", "drawn-beard")
PROMPTS = (
    "a person in a red coat in the forest",
    "a person wearing a blue suit in the city",
    "a smiling person wearing a yellow sweater on the beach",
    "a person holding a red balloon in the snow",
)
BOXES = (Box(x=24, y=16, width=56, height=56), Box(x=56, y=16, width=56, height=56))


@dataclass(frozen=True)
class Made:
    """One picture of the sheet."""

    face: str
    prompt: str
    box: Box
    image: Image.Image


def make_pictures(
    pipe: SowPipeline,
    faces: dict[str, Image.Image],
    settings: Settings,
    seed: int = 0,
    boxes: Sequence[Box] = BOXES,
) -> list[Made]:
    """All pictures of a sheet, face by face, box by box; the seed counts up."""
    made: list[Made] = []
    for name, face in faces.items():
        jobs = [(box, prompt) for box in boxes for prompt in PROMPTS]
        plans = [Plan(canvas=pipe.canvas, prompt=prompt, box=box) for box, prompt in jobs]
        first = seed + len(made)
        images = pipe(
            image=face,
            plan=plans,
            settings=settings,
            generator=[torch.Generator().manual_seed(first + n) for n in range(len(plans))],
        ).images
        made += [
            Made(name, prompt, box, image)
            for (box, prompt), image in zip(jobs, images, strict=True)
        ]
    return made


def heads(made: list[Made], judge: Judge) -> list[tuple[bool, bool]]:
    """For each picture: whether a head is where one was planted, and whether one is elsewhere.

    "Where it was planted" is an overlap (intersection over union) of at least 0.4 with the box.
    """
    verdicts = judge.look([one.image for one in made], [one.box for one in made])
    answers = []
    for one, verdict in zip(made, verdicts, strict=True):
        here = [overlap(head.box, one.box) >= 0.4 for head in verdict.heads]
        answers.append((any(here), not all(here)))
    return answers


def sheet(made: list[Made], faces: dict[str, Image.Image]) -> Image.Image:
    """The pictures with the planted face before each row of four."""
    rows = []
    for start in range(0, len(made), len(PROMPTS)):
        row = made[start : start + len(PROMPTS)]
        planted = Image.new("RGB", row[0].image.size, (128, 128, 128))
        box = row[0].box
        planted.paste(faces[row[0].face].resize((box.width, box.height)), (box.x, box.y))
        rows.append(side_by_side([planted, *(m.image for m in row)]))
    width, height = rows[0].size
    page = Image.new("RGB", (width * 2 + 12, (height + 4) * (len(rows) // 2)), (255, 255, 255))
    for number, picture in enumerate(rows):
        page.paste(picture, ((width + 12) * (number % 2), (height + 4) * (number // 2)))
    return page


def main() -> None:
    """Draws both sheets and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--examples", type=Path, default=Path("examples"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    pipe = load_pipeline("figures")
    judge = Judge.load()
    faces = {name: load_image(options.examples / f"{name}.png") for name in FACES}
    print("| start | pictures | head found where planted | head found elsewhere |")
    print("|---|---|---|---|")
    for name, settings in (
        ("contact-sheet", pipe.preset("normal")),
        ("contact-sheet-random-start", pipe.preset("normal").changed(seed_canvas="none")),
    ):
        made = make_pictures(pipe, faces, settings)
        sheet(made, faces).save(options.out / f"{name}.png", optimize=True)
        here, elsewhere = zip(*heads(made, judge), strict=True)
        print(f"| {name} | {len(made)} | {sum(here)} | {sum(elsewhere)} |")


if __name__ == "__main__":
    main()
