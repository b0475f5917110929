"""How much of the condition was pasted pixel by pixel, which ID-Distance mistakes for likeness.

In the paper's Table I inpainting has the best ID-Distance, 0.408, because it keeps the pixels, and
7.21 % of the votes for consistency and 1.25 % of those for fidelity. So beside the distance stand
how much was copied, and the ceiling: how far two real pictures of one person are
(`IdDistance.ceiling`).

A pixel counts as copied if, in the mean of the 5 x 5 pixels round it, no channel is more than
`TOLERANCE` levels off, after the best shift of the whole by at most a 64th of the box. The mean
takes away what an autoencoder does to single pixels. Only pixels count where the condition has
contrast: a plain cheek is nearly the same in any picture of the same skin, features and their
places are not. No distance of identities is asked besides: a picture of which most features lie
where they were, in the same colours, is a copy whatever a network says of it; the two columns are
to be read together. How well this tells copies from others: `results/proxies.md`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sow.benchmarks.tv2i.metrics.base import LIKENESS, Case, Inside, Mask, Metric, Missing, Pixels

TOLERANCE = 16
"""Levels; see the module."""
CONTRAST = 24
"""Levels between the lightest and the darkest of 5 x 5 pixels, in some channel."""
LEAST = 40
"""Pixels with contrast; with fewer there is nothing to tell by."""
HALF = 0.5
"""A picture of whose condition as much was copied counts as a paste."""
SHIFT, WINDOW = 64, 5


def copied_share(inside: Inside) -> float:
    """Return the share of the condition's detailed pixels that are unchanged, 0 to 1.

    Raises:
        Missing: if too few of them have contrast.
    """
    planted = _mean(inside.planted)
    counted = _eroded(inside.mask) & (_range(inside.planted) >= CONTRAST)
    if counted.sum() < LEAST:
        raise Missing("the condition has too little contrast to tell a copy")
    reach = max(1, round(max(inside.box.width, inside.box.height) / SHIFT))
    padded = np.pad(_mean(inside.canvas), ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    best = 0.0
    for down in range(2 * reach + 1):
        for across in range(2 * reach + 1):
            top, left = inside.box.y + down, inside.box.x + across
            there = padded[top : top + inside.box.height, left : left + inside.box.width]
            off = np.abs(there - planted).max(-1)
            best = max(best, float((off[counted] <= TOLERANCE).mean()))
    return best


def _windows(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the 5 x 5 pixels round each pixel, edges repeated: `[25, H, W, C]`."""
    height, width = pixels.shape[:2]
    reach, steps = WINDOW // 2, range(WINDOW)
    padded = np.pad(pixels, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    return np.stack([padded[y : y + height, x : x + width] for y in steps for x in steps])


def _mean(pixels: Pixels) -> NDArray[np.float64]:
    return np.asarray(_windows(pixels.astype(float)).mean(0))


def _range(pixels: Pixels) -> NDArray[np.float64]:
    around = _windows(pixels.astype(float))
    return np.asarray((around.max(0) - around.min(0)).max(-1))


def _eroded(mask: Mask) -> Mask:
    """Return the pixels whose window lies inside the mask; others would include the scene."""
    height, width = mask.shape
    around = np.pad(mask, WINDOW // 2)
    steps = range(WINDOW)
    windows = [around[y : y + height, x : x + width] for y in steps for x in steps]
    return np.asarray(np.logical_and.reduce(windows))


class Copied(Metric):
    """How much of the condition was pasted: this project's definition, see the module."""

    name, label, better, unit = "copied", "Condition copied", "", "%"
    note = "share of the condition's detailed pixels that are unchanged (this project's definition)"
    group = LIKENESS

    def value(self, case: Case) -> float:
        """Return a share, 0 to 1."""
        return copied_share(case.inside)


class CopyPaste(Metric):
    """1 if at least half of the condition was pasted, else 0; see the module for the definition.

    A copy is a fault only if it does not fit its surroundings.
    """

    name, label, better, unit, rate = "copy_paste", "Copy-paste rate", "lower", "%", True
    note = "half of the condition's detailed pixels are unchanged (this project's definition)"
    group, main = LIKENESS, True

    def value(self, case: Case) -> float:
        """Return 1 or 0."""
        return float(copied_share(case.inside) >= HALF)
