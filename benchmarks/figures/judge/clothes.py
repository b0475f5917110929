"""The clothes of the person planted, and what a picture is like outside the condition.

How far both can be trusted: `results/colour.md`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from sow.benchmarks.figures.judge.anatomy import Mask
from sow.benchmarks.figures.judge.classes import BODY
from sow.benchmarks.figures.judge.reading import BATCH, Judge, Verdict, as_input

LEAST = 200
"""Pixels; of fewer clothes no colour is told. Drawn bodies have 1,000 and more."""
SIDE = 128


def clothes_of(verdict: Verdict) -> Mask:
    """Which pixels are the clothes of the first head, `[128, 128]`: all of class BODY, and where
    there are several heads those that are nearest to it across the picture."""
    clothes = verdict.classes == BODY
    if len(verdict.heads) < 2:
        return np.asarray(clothes)
    middles = np.array([head.box.centre[0] for head in verdict.heads])
    away = np.abs(np.arange(SIDE)[:, None] - middles)
    return np.asarray(clothes & (away.argmin(1) == 0))


@torch.no_grad()
def features(
    judge: Judge, images: Sequence[Image.Image], outside: Sequence[Image.Image]
) -> NDArray[np.float32]:
    """What the judge sees outside the condition: `[N, 96]`, without unit.

    It is what PictureNet has after its first block on the way up (`PictureNet.surroundings`: 96
    channels, 16 x 16 cells of 8 pixels), averaged over the cells of which at least half lies
    outside. Cells see round themselves, so that the rim of the condition is a little in it.

    Of the network's seven levels this one weighs place and clothes most evenly: on 150 drawings
    for tuning another colour of clothes moves it 5.0, another place 7.4, both and other clothes
    9.5. The deeper ones hardly see the clothes' colour, those further up hardly the place.

    Args:
        images: of any size, read at 128 x 128.
        outside: 8-bit grey of any size, white outside the condition.
    """
    found = []
    for start in range(0, len(images), BATCH):
        some = [image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
                for image in images[start : start + BATCH]]  # fmt: skip
        seen = judge.picture_net.surroundings(as_input(np.stack([np.asarray(i) for i in some])))
        cells = [mask.convert("L").resize(seen.shape[:1:-1], Image.Resampling.BOX)
                 for mask in outside[start : start + BATCH]]  # fmt: skip
        counted = torch.from_numpy(np.stack([np.asarray(one) >= 128 for one in cells])).float()
        total = counted.sum((1, 2)).clamp(min=1)
        found.append((seen * counted[:, None]).sum((2, 3)) / total[:, None])
    return np.asarray(torch.cat(found).numpy()) if found else np.empty((0, 96), np.float32)
