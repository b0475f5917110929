"""The clothes of the planted person, and features of a picture outside the condition.

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
from sow.benchmarks.figures.judge.judge import BATCH, Judge, Verdict, as_input
from sow.pictures.loading import GREY

LEAST = 200
"""Pixels of clothes that are needed to read a colour; drawn bodies have 1,000 and more."""
SIDE, CELLS = 128, 16


def clothes_of(verdict: Verdict) -> Mask:
    """Return the clothes of the first head as a mask, `[128, 128]`: all of class BODY, or with
    several heads the pixels nearest to it."""
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
    """Return the judge's features outside the condition, `[N, 96]`, without unit.

    It is what PictureNet has after its first block on the way up (`PictureNet.surroundings`: 96
    channels, 16 x 16 cells of 8 pixels), averaged over the cells of which at least half lies
    outside. The condition is greyed before it is read: cells see far round themselves, and a spot
    in a face would else move the whole by half as much as other clothes do.

    Of the network's seven levels this one weighs place and clothes most evenly: on 150 drawings
    for tuning another colour of clothes moves it 5.3, another place 7.8, both and other clothes
    9.8. The deeper ones hardly see the clothes' colour, those further up hardly the place.

    Args:
        images: of any size, read at 128 x 128.
        outside: 8-bit grey of any size, white outside the condition.
    """
    found = []
    for start in range(0, len(images), BATCH):
        batch, masks = images[start : start + BATCH], outside[start : start + BATCH]
        shown = np.stack([np.asarray(_small(image.convert("RGB"), SIDE)) for image in batch])
        kept = np.stack([np.asarray(_small(mask.convert("L"), SIDE)) for mask in masks]) >= 128
        grey = np.array(GREY, np.uint8)
        features_map = judge.picture_net.surroundings(
            as_input(np.where(kept[..., None], shown, grey))
        )
        cells = np.stack([np.asarray(_small(mask.convert("L"), CELLS)) for mask in masks]) >= 128
        counted = torch.from_numpy(cells).float()
        total = counted.sum((1, 2)).clamp(min=1)
        found.append((features_map * counted[:, None]).sum((2, 3)) / total[:, None])
    return np.asarray(torch.cat(found).numpy()) if found else np.empty((0, 96), np.float32)


def _small(image: Image.Image, side: int) -> Image.Image:
    return image.resize((side, side), Image.Resampling.BOX)
