"""Photographs of other things than faces through the whole path: what is cut out, and what grows.

    python -m sow.benchmarks.figures.studies.things_sheet

The photographs are scikit-image's: a cat that fills the picture, a cup, a motorcycle, a
rocket. The bundled model draws cartoons, so what grows says little about photographs; what is cut
out of them, and when nothing is, is the same with every model.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image
from skimage import data

from sow.pictures.drawing import draw_plan, labelled_row, stacked
from sow.service.asking import PlannerChoice
from sow.service.request import Request
from sow.service.service import Service

PHOTOGRAPHS = {
    "cat": ("chelsea.png", "a cat in the snow", "a cat on a sofa in the house"),
    "cup": ("coffee.png", "a cup on a table in the forest", "a red cup on the beach"),
    "car": ("motorcycle_left.png", "a red car in the city", "a red car in the desert"),
    "rocket": ("rocket.jpg", "a rocket in the night", "a rocket on the beach"),
}


def main() -> None:
    """Draws the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    service = Service("figures", planner=PlannerChoice("offline"))
    folder = Path(data.__file__).parent
    rows = []
    for subject, (name, *prompts) in PHOTOGRAPHS.items():
        picture = Image.open(folder / name).convert("RGB")
        square = picture.copy()
        square.thumbnail((256, 256))
        canvas = Image.new("RGB", (256, 256), "white")
        canvas.paste(square)
        tiles = [(name, canvas)]
        said: tuple[str, ...] = ()
        for prompt in prompts:
            result = service.generate(Request(picture, prompt, subject=subject), seed=1)
            work = service.work(Request(picture, prompt, subject=subject))
            tiles += [("the plan", draw_plan(work.plan, work.condition)), (prompt, result.image)]
            said = work.plan.notes
        rows.append(labelled_row(f"--subject {subject}  {' '.join(said)}", tiles, 5, 256))
    page = stacked(rows, 6)
    page.quantize(255, dither=Image.Dither.NONE).save(options.out / "things.png", optimize=True)


if __name__ == "__main__":
    main()
