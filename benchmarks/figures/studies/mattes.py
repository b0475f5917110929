"""How well heads are cut out: the overlap with their true outline, which drawings know.

    python -m sow.benchmarks.figures.studies.mattes

On 200 people nobody tuned on, each a head before a wall as a user would crop it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from sow.benchmarks.figures.world.drawing import square_around
from sow.benchmarks.figures.world.paper import FACE, HAIR
from sow.benchmarks.figures.world.tv2i import MARGIN, Pair, fresh
from sow.benchmarks.statistics import mean, rate
from sow.pictures.condition import Condition
from sow.planners.base import MatteKind, PlanRequest
from sow.planners.offline.planner import OfflinePlanner

KINDS: tuple[MatteKind, ...] = ("auto", "ellipse")


def overlap(pair: Pair, matte: MatteKind) -> float:
    """Intersection over union of what is planted and the head with its hair, in the picture."""
    picture, head = pair.picture, pair.drawing.head
    assert head is not None
    square = square_around(head, MARGIN)
    outline = Image.fromarray(pair.drawing.mask(FACE, HAIR)).convert("L")
    true = outline.resize(picture.size, Image.Resampling.BILINEAR, box=square.corners)
    plan = OfflinePlanner().plan(
        PlanRequest(picture, pair.prompt, canvas=(128, 128), subject="face", matte=matte)
    )
    assert plan.crop is not None
    kept = Image.new("L", picture.size)
    mask = Condition.prepare(picture, plan).mask
    kept.paste(mask.resize((plan.crop.width, plan.crop.height)), (plan.crop.x, plan.crop.y))
    one, other = np.asarray(kept) > 127, np.asarray(true) > 127
    return float((one & other).sum() / (one | other).sum())


def lines(pairs: Sequence[Pair]) -> list[str]:
    """A table."""
    found = ["| `--matte` | overlap (IoU) | worst | below 0.8 |", "|---|---|---|---|"]
    for kind in KINDS:
        values = [overlap(pair, kind) for pair in tqdm(pairs, desc=kind, disable=None)]
        low = rate([value < 0.8 for value in values]).percent()
        found.append(f"| {kind} | {mean(values).number()} | {min(values):.2f} | {low} |")
    return found


def main() -> None:
    """Writes `mattes.md`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--count", type=int, default=200)
    options = parser.parse_args()
    text = [
        "# How well heads are cut out", "",
        f"`python -m sow.benchmarks.figures.studies.mattes`; {options.count} people nobody tuned "
        "on, 95 % intervals; the mask at the size of its box (56 px), so 1 is out of reach.", "",
        *lines(fresh(options.count)),
    ]  # fmt: skip
    (options.out / "mattes.md").write_text("\n".join(text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
