"""What became of a planted head: which parts are kept, what surrounds it, whether it is pasted.

Asked for by where the head was planted, which a benchmark knows: `planted` below is the picture's
pixels under the head, 128 x 128 as all that the judge reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from sow.benchmarks.figures.judge.anatomy import Mask, grown, shrunk
from sow.benchmarks.figures.judge.classes import BACKGROUND, HAIR
from sow.benchmarks.figures.judge.judge import Verdict
from sow.benchmarks.figures.world.drawing import box_of
from sow.benchmarks.figures.world.people import Identity
from sow.plan.box import Box

NEAR, FAR = 3, 9
"""The ring round a head: from so many pixels off it to so many."""
ALIKE = 32
"""Colours nearer than this in every channel are of the same scene."""
MASS = 0.05
"""Of the scene at that height so much must be alike: a moon is no reason for a pale wall."""
OWN_HAIR = 70
"""Hair nearer than this to the planted head's is its own, grown on."""
INK = 70
"""Outlines are darker than this in every channel, and say nothing."""
HALO = 0.25
"""From this share of the ring on, what surrounds a head is a halo."""
NOTHING_MENTIONED: Mapping[str, str] = MappingProxyType({})
STUCK = 9.0
"""Levels: a head whose pixels differ less from the planted ones on average was copied. The
autoencoder alone moves them by 4 to 7."""


@dataclass(frozen=True)
class Planted:
    """A head as it was planted.

    Attributes:
        pixels: the canvas with it, uint8 `[128, 128, 3]`; only what is under the mask counts.
        mask: the head with its hair, `[128, 128]`.
        box: where it was planted.
        who: whose it is.
    """

    pixels: NDArray[np.uint8]
    mask: Mask
    box: Box
    who: Identity


def halo_share(verdict: Verdict, planted: Planted) -> float | None:
    """Return the share of the head's surroundings that does not look like the scene at that height.

    Left out are the person's own parts, objects, outlines, and hair like the planted head's.
    None where there is too little of either to tell.
    """
    classes, pixels = verdict.classes, verdict.pixels.astype(int)
    head = box_of(planted.mask)
    assert head is not None
    ring = grown(planted.mask, FAR)
    ring &= ~grown(planted.mask, NEAR)
    ring[head.y + round(0.75 * head.height) :] = False
    ring &= np.isin(classes, (BACKGROUND, HAIR)) & (pixels.max(-1) > INK)
    ring &= ~(_own_hair(pixels, planted) & (classes == HAIR))
    scene = classes == BACKGROUND
    box, slack = planted.box, 4
    scene[max(0, box.y - slack) : box.bottom + slack, max(0, box.x - slack) : box.right + slack] = (
        False
    )
    rows, columns = np.nonzero(ring)
    scene_rows, scene_columns = np.nonzero(scene)
    if len(rows) < 40 or len(scene_rows) < 200:
        return None
    colours = pixels[scene_rows, scene_columns]
    strange = 0
    for row in np.unique(rows):
        nearby_scene = colours[np.abs(scene_rows - row) <= 14]
        if len(nearby_scene) < 20:
            nearby_scene = colours
        ring_row = pixels[row, columns[rows == row]]
        alike = (np.abs(ring_row[:, None] - nearby_scene[None]).max(-1) <= ALIKE).mean(1)
        strange += int((alike < MASS).sum())
    return strange / len(rows)


def _own_hair(pixels: NDArray[np.int_], planted: Planted) -> Mask:
    """Return which pixels have the colour of the planted hair, taken from its top."""
    none = np.zeros(planted.mask.shape, bool)
    if planted.who.hair_style == "bald":
        return none
    head = box_of(planted.mask)
    assert head is not None
    top = planted.mask.copy()
    top[head.y + max(2, head.height // 6) :] = False
    colours = planted.pixels[top].astype(int)
    colours = colours[colours.max(1) > INK] if (colours.max(1) > INK).any() else colours
    away = np.abs(pixels - np.median(colours, axis=0)).max(-1)
    return np.asarray(away <= OWN_HAIR)


def has_halo(verdict: Verdict, planted: Planted) -> bool:
    """Return whether the head's surroundings do not look like the scene."""
    share = halo_share(verdict, planted)
    return share is not None and share > HALO


def moved(verdict: Verdict, planted: Planted) -> float:
    """Return the mean change of the head's pixels, in levels, without its rim."""
    inner = shrunk(planted.mask, 2)
    away = np.abs(verdict.pixels[inner].astype(int) - planted.pixels[inner])
    return float(away.mean())


def is_sticker(verdict: Verdict, planted: Planted) -> bool:
    """Return whether the planted pixels are unchanged and do not fit their surroundings.

    That is: on no neck, on one of plainly other skin, or with the old background round them.
    """
    fits = not verdict.unjoined and not has_halo(verdict, planted)
    return moved(verdict, planted) < STUCK and not fits


def kept_parts(
    looks: Mapping[str, str], who: Identity, mentioned: Mapping[str, str] = NOTHING_MENTIONED
) -> dict[str, bool]:
    """Return which of the head's glasses, beard and hair style are kept.

    said: by a sentence; what it wants otherwise is left out, since it is not to be kept.
    """
    had = {"hair_style": who.hair_style}
    had |= {name: "yes" for name in ("glasses", "beard") if getattr(who, name)}
    return {
        name.replace("_", " "): looks.get(name) == value
        for name, value in had.items()
        if mentioned.get(name, value) == value
    }
