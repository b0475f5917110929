"""Measure how well heads are cut out: the overlap with their true outline.

    sow bench study mattes

On 200 people not used for tuning, each a head before a wall as a user would crop it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from sow.benchmarks.figures.world.tv2i import Pair, fresh
from sow.benchmarks.output import StudyOutput, bar
from sow.benchmarks.statistics import mean, rate
from sow.benchmarks.tv2i.figures import true_mask
from sow.pictures.condition import Condition
from sow.planners.base import MatteKind, PlanRequest
from sow.planners.offline.planner import OfflinePlanner

KINDS: tuple[MatteKind, ...] = ("auto", "ellipse")


def overlap(pair: Pair, matte: MatteKind) -> float:
    """Return the intersection over union of what is planted and the true head with its hair."""
    picture, true = pair.picture, true_mask(pair)
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
    """Return the table."""
    found = ["| `--matte` | overlap (IoU) | worst | below 0.8 |", "|---|---|---|---|"]
    for kind in KINDS:
        values = [overlap(pair, kind) for pair in bar(pairs, kind)]
        low = rate([value < 0.8 for value in values]).percent()
        found.append(f"| {kind} | {mean(values).number()} | {min(values):.2f} | {low} |")
    return found


def study(output: StudyOutput, *, count: int) -> None:
    """Write `mattes.md`."""
    output.check_output_path("mattes.md")
    output.write_page(
        "mattes.md",
        [
            "# How well heads are cut out",
            "",
            f"`{output.command}`; {count} people nobody tuned "
            "on, 95 % intervals; the mask at the size of its box (56 px), so 1 is out of reach.",
            "",
            *lines(fresh(count)),
        ],
    )
