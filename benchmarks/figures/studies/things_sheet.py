"""Photographs of subjects other than faces: what is cut out, and what grows.

    sow bench study things-sheet

The photographs are scikit-image's: a cat that fills the picture, a cup, a motorcycle, a
rocket. The bundled model draws cartoons, so what grows says little about photographs; what is cut
out of them, and when nothing is, is the same with every model.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from sow.benchmarks.figures.studies.picture_cache import PictureSpec, generate
from sow.benchmarks.figures.studies.trials import service
from sow.benchmarks.output import StudyOutput
from sow.pictures.drawing import draw_plan, labelled_grid
from sow.service.request import Request

PHOTOGRAPHS = {
    "cat": ("chelsea.png", "a cat in the snow", "a cat on a sofa in the house"),
    "cup": ("coffee.png", "a cup on a table in the forest", "a red cup on the beach"),
    "car": ("motorcycle_left.png", "a red car in the city", "a red car in the desert"),
    "rocket": ("rocket.jpg", "a rocket in the night", "a rocket on the beach"),
}


def study(output: StudyOutput, *, count: int) -> None:
    """Draw the sheet. count: how many of the photographs."""
    output.check_output_path("things.png")
    from skimage import data  # photographs that come with it

    made, folder = service(), Path(data.__file__).parent
    rows = []
    for subject, (name, *prompts) in list(PHOTOGRAPHS.items())[:count]:
        picture = Image.open(folder / name).convert("RGB")
        square = picture.copy()
        square.thumbnail((256, 256))
        canvas = Image.new("RGB", (256, 256), "white")
        canvas.paste(square)
        tiles = [(name, canvas)]
        specs = [made.resolve(Request(picture, prompt, subject=subject)) for prompt in prompts]
        for prompt, spec in zip(prompts, specs, strict=True):
            (image,) = generate(made.pipe, [PictureSpec.of(spec, 1)], output.pictures).images
            tiles += [("the plan", draw_plan(spec.plan, spec.condition)), (prompt, image)]
        notes = " ".join(specs[-1].plan.notes)
        rows.append(labelled_grid(f"--subject {subject}  {notes}", tiles, 5, 256))
    output.write_sheet("things.png", rows, 6, colours=255)
