"""The drawn pictures in `examples/`: larger than the model's canvas, as users have theirs.

python -m sow.benchmarks.figures.world.examples --out examples
"""

from __future__ import annotations

import argparse
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sow.benchmarks.figures.world.drawing import UNSEEN, draw, identity_of, make, square_around
from sow.benchmarks.figures.world.layout import sample
from sow.benchmarks.figures.world.paper import FACE, HAIR, THING, Colour, Paper
from sow.benchmarks.figures.world.scenes import WALLS, draw_scene
from sow.benchmarks.figures.world.things import Thing, draw_thing
from sow.plan.box import Box

SIZE = 256
LARGE = 4
"""How many times as large as the model sees it everything is drawn, before it is cut out."""
FACES = {
    "drawn-long-hair": UNSEEN + 2_000_021,
    "drawn-curls": UNSEEN + 2_000_119,
    "drawn-beard": UNSEEN + 2_000_330,
}
"""Names and seeds of the identities. A detector made for photographs finds these three."""
CAT = (Thing("cat", "orange", 64, 64, 56), Box(x=28, y=24, width=80, height=80))
CAR_PART = (Thing("car", "red", 64, 64, 90), Box(x=64, y=24, width=60, height=60))
"""Things, and what of the paper is shown: of the car its front."""
GAP = 64
"""Between two people, who would else stand shoulder in shoulder."""


def large_face(seed: int) -> Image.Image:
    """Return the head of an identity, 256 x 256, drawn four times as large as the model sees it."""
    return _portrait(seed)[0]


def outline(seed: int, *parts: int) -> Image.Image:
    """Return the mask of these parts in the same picture."""
    return _portrait(seed, *parts)[1]


def _portrait(seed: int, *parts: int) -> tuple[Image.Image, Image.Image]:
    wishes = {"identity": identity_of(seed), "things": (), "style": "none", "scene": "plain"}
    wishes |= {"width": 50, "expression": "neutral"}
    head = make(seed, **wishes).head
    assert head is not None
    random = Random(seed)
    image, shown = draw(sample(random, **wishes), random, size=LARGE * 128)
    return _cut(image, square_around(head, 0.12)), _mask(shown, square_around(head, 0.12), *parts)


def _cut(image: Image.Image, square: Box) -> Image.Image:
    part = image.crop(square.scaled(LARGE, LARGE).corners)
    return part.resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def _mask(shown: NDArray[np.uint8], square: Box, *parts: int) -> Image.Image:
    mask = Image.fromarray(np.isin(shown, parts)).convert("L")
    return mask.resize((SIZE, SIZE), Image.Resampling.BICUBIC, box=square.corners)


def before_a_wall(thing: Thing, square: Box) -> tuple[Image.Image, Image.Image]:
    """Return a thing before a plain wall, and its mask."""
    paper = Paper()
    draw_scene(paper, "plain", Random(1))
    with paper.drawing(THING):
        draw_thing(paper, thing)
    image, shown = paper.finish(LARGE * 128)
    return _cut(image, square), _mask(shown, square, THING)


def cut_out(image: Image.Image, mask: Image.Image) -> Image.Image:
    """Return the picture with the mask as its alpha channel."""
    image.putalpha(mask)
    return image


def side_by_side(left: Image.Image, right: Image.Image, between: Colour | int) -> Image.Image:
    """Join two pictures with a coloured gap."""
    page = Image.new(left.mode, (2 * SIZE + GAP, SIZE), between)
    page.paste(left, (0, 0))
    page.paste(right, (SIZE + GAP, 0))
    return page


def examples() -> dict[str, Image.Image]:
    """Return all example pictures by name."""
    one, other = FACES["drawn-long-hair"], FACES["drawn-beard"]
    return {
        **{name: large_face(seed) for name, seed in FACES.items()},
        "drawn-curls-face": outline(FACES["drawn-curls"], FACE),
        "drawn-two": side_by_side(large_face(one), large_face(other), WALLS[-1]),
        "drawn-two-heads": side_by_side(outline(one, FACE, HAIR), outline(other, FACE, HAIR), 0),
        "drawn-cat": before_a_wall(*CAT)[0],
        "drawn-car-part": cut_out(*before_a_wall(*CAR_PART)),
    }


def main() -> None:
    """Write the example pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("examples"))
    options = parser.parse_args()
    for name, picture in examples().items():
        picture.save(options.out / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
