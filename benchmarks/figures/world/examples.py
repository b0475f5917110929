"""The drawn faces in `examples/`: new people, larger than the model's canvas, as users have them.

python -m sow.benchmarks.figures.world.examples --out examples
"""

from __future__ import annotations

import argparse
from pathlib import Path
from random import Random

from PIL import Image

from sow.benchmarks.figures.world.drawing import UNSEEN, draw, identity_of, make, square_around
from sow.benchmarks.figures.world.layout import sample

SIZE = 256
FACES = {
    "drawn-long-hair": UNSEEN + 2_000_021,
    "drawn-curls": UNSEEN + 2_000_119,
    "drawn-beard": UNSEEN + 2_000_330,
}
"""Names and seeds of the identities. A detector made for photographs finds these three."""


def large_face(seed: int) -> Image.Image:
    """The head of an identity, 256 x 256, drawn four times as large as the model sees it."""
    wishes = {"identity": identity_of(seed), "things": (), "style": "none", "scene": "plain"}
    wishes |= {"width": 50, "expression": "neutral"}
    head = make(seed, **wishes).head
    assert head is not None
    random = Random(seed)
    image, _ = draw(sample(random, **wishes), random, size=512)
    square = square_around(head, 0.12).scaled(4, 4)
    return image.crop(square.corners).resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def main() -> None:
    """Writes them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("examples"))
    options = parser.parse_args()
    for name, seed in FACES.items():
        large_face(seed).save(options.out / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
