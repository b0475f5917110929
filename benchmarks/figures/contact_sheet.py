"""Three drawn identities x four prompts x two boxes: does a body grow under the planted face?

    python -m sow.benchmarks.figures.contact_sheet --out benchmarks/results

Writes a sheet with the seed canvas and one that starts from random noise instead (Sec. V-B,
ablation of Seed Initialization: without it a second head appears), and prints how often MTCNN
finds a face where it was planted and elsewhere.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from sow.drawing import side_by_side
from sow.images import load_image
from sow.models import load_pipeline
from sow.pipeline import SowPipeline
from sow.plan import Box, Plan
from sow.planners.faces import find_faces
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
    pipe: SowPipeline, faces: dict[str, Image.Image], settings: Settings, seed: int = 0
) -> list[Made]:
    """All pictures of a sheet, face by face, box by box; the seed counts up."""
    made: list[Made] = []
    for name, face in faces.items():
        jobs = [(box, prompt) for box in BOXES for prompt in PROMPTS]
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


def heads(made: Made, face: Image.Image) -> tuple[bool, bool]:
    """Whether MTCNN finds a face where one was planted, and whether it finds one elsewhere.

    "Where it was planted" is an overlap (intersection over union) of at least 0.4 with the place
    of the planted face, as MTCNN sees it in the condition itself.
    """
    scale = 4  # the detector is made for larger pictures
    width, height = made.image.size
    planted = find_faces(face)[0]
    expected = planted.scaled(
        made.box.width * scale / face.width, made.box.height * scale / face.height
    )
    expected = expected.model_copy(
        update={"x": expected.x + made.box.x * scale, "y": expected.y + made.box.y * scale}
    )
    found = find_faces(made.image.resize((width * scale, height * scale), Image.Resampling.BICUBIC))
    here = [overlap(box, expected) >= 0.4 for box in found]
    return any(here), not all(here)


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    across = min(one.right, other.right) - max(one.x, other.x)
    down = min(one.bottom, other.bottom) - max(one.y, other.y)
    both = max(0, across) * max(0, down)
    return both / (one.width * one.height + other.width * other.height - both)


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
    parser.add_argument("--out", type=Path, default=Path())
    parser.add_argument("--examples", type=Path, default=Path("examples"))
    options = parser.parse_args()
    pipe = load_pipeline("figures")
    faces = {name: load_image(options.examples / f"{name}.png") for name in FACES}
    print("| start | pictures | face found where planted | face found elsewhere |")
    print("|---|---|---|---|")
    for name, settings in (
        ("seed-canvas", pipe.preset("normal")),
        ("random-start", pipe.preset("normal").changed(seed_canvas="none")),
    ):
        made = make_pictures(pipe, faces, settings)
        sheet(made, faces).save(options.out / f"figures-{name}.png", optimize=True)
        here, elsewhere = zip(*(heads(m, faces[m.face]) for m in made), strict=True)
        print(f"| {name} | {len(made)} | {sum(here)} | {sum(elsewhere)} |")


if __name__ == "__main__":
    main()
