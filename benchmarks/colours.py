"""Saturation, greyness and hue of pixels, by hue, saturation and value (HSV).

What is grey is decided by the drawn world's own colours (`figures.world.things.COLOURS`): its gray
has a saturation of 0.07, the palest colour that is none of black, white and gray, pink, has 0.41.
Black (value 0.18) and white (0.96) are no grey: a grey canvas that shines through is in between.
How often this errs: `judge/results/colour.md`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Histogram = NDArray[np.float64]

PALE = 0.2
"""The saturation below which a pixel has no colour. On 600 drawings for tuning gray clothes have
0.06 to 0.11 on average, pink ones 0.34 to 0.41."""
DARK, LIGHT = 0.3, 0.85
"""Values between which a pixel without colour is grey, neither near black nor near white."""
HALF = 0.5
"""From this share of grey pixels on a picture is grey."""
BINS = 12
"""Of hue, 30 degrees each; the first begins at red."""


def saturations(pixels: Pixels) -> NDArray[np.float64]:
    """Return the saturation of every pixel `[n, 3]`, 0 to 1: `[n]`; black has 0."""
    most, least = _most_least(pixels)
    return np.asarray((most - least) / np.where(most > 0, most, 1.0))


def mean_saturation(pixels: Pixels) -> float:
    """Return the mean saturation of pixels `[n, 3]`, 0 to 1; nan for none."""
    return float(saturations(pixels).mean()) if len(pixels) else float("nan")


def grey_share(pixels: Pixels) -> float:
    """Return the share of pixels `[n, 3]` that are grey, 0 to 1; nan for none."""
    if not len(pixels):
        return float("nan")
    value = _most_least(pixels)[0] / 255
    return float(((saturations(pixels) < PALE) & (value > DARK) & (value < LIGHT)).mean())


def is_grey(pixels: Pixels) -> bool:
    """Return whether at least half of the pixels `[n, 3]` are grey; False for none."""
    return grey_share(pixels) >= HALF


def hues(pixels: Pixels) -> Histogram:
    """Return the histogram of hues, `[BINS]`; its sum is the mean chroma, at most 1.

    A pixel counts by its chroma (saturation times value, 0 to 1), so that black, white and grey,
    whose hue is chance, hardly count; the sum is the mean chroma.
    """
    most, least = _most_least(pixels)
    chroma = most - least
    red, green, blue = (np.asarray(pixels[:, n], float) for n in range(3))
    safe = np.where(chroma > 0, chroma, 1.0)
    hue = np.select(
        [most == red, most == green],
        [(green - blue) / safe % 6, (blue - red) / safe + 2],
        (red - green) / safe + 4,
    )
    # Centred, so that red, at 0 degrees, lies within a bin and not on its border.
    places = np.floor(hue * BINS / 6 + 0.5).astype(int) % BINS
    counted = np.bincount(places, weights=chroma / 255, minlength=BINS)
    return np.asarray(counted / max(1, len(pixels)))


def total_variation(one: Histogram, other: Histogram) -> float:
    """Return the total variation distance of two histograms, each normalised to a sum of 1: 0 (the
    same) to 1 (nothing in common); nan where one is empty."""
    if not (one.sum() > 0 and other.sum() > 0):
        return float("nan")
    return float(np.abs(one / one.sum() - other / other.sum()).sum() / 2)


def _most_least(pixels: Pixels) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the largest and the smallest channel of every pixel, 0 to 255."""
    values = np.asarray(pixels, float)
    return values.max(-1), values.min(-1)
