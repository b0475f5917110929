"""Truncated outlines in photographs: an automatic stand-in for the paper's failure rate.

The paper counts pictures "where visual conditions appear significantly disconnected from the
background" (Sec. V-B), by eye. What can be seen without eyes: a head that stands on a body goes
over into a neck of its own colour, if darker, so its outline is open below; a cut-out has a line
all along. Measured is the share of the condition's lower outline along which the colours on both
sides differ, their lightness left out.

It is a stand-in: a scarf or a beard closes an outline that is right, a grey wall opens one that is
wrong. On 50 drawn people it calls 78 % of the heads truncated that stand on no body, and 16 % of
the others (`results/proxies.md`); on photographs nobody has measured it yet. Believe your eyes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sow.benchmarks.tv2i.metrics.base import HEAD, Case, Inside, Mask, Metric, Missing

LOWER = 0.6
"""From this share of the condition's height on, its outline is the lower one."""
BAND = 16
"""A side's colour is the mean over a square of a `BAND`th of the box round a point of the outline,
as far as it lies on that side."""
APART = 16.0
"""RGB distance, of colours less their means, between sides that differ."""
CLOSED = 0.85
"""From this share of the lower outline on, it is closed: truncated."""


def closed_share(inside: Inside) -> float:
    """Return the share of the condition's lower outline that is an edge in the result, 0 to 1.

    Raises:
        Missing: if the outline ends at the canvas's border, where a body would be outside it.
    """
    mask = np.zeros(inside.canvas.shape[:2], bool)
    left, top, right, bottom = inside.box.corners
    mask[top:bottom, left:right] = inside.mask
    rows = np.nonzero(mask.any(1))[0]
    size = 2 * max(1, max(inside.mask.shape) // BAND) + 1
    outline = _outline(mask)
    outline[: round(rows[0] + LOWER * (rows[-1] + 1 - rows[0]))] = False
    outline[len(mask) - size :] = False
    if outline.sum() < size:
        raise Missing("the lower outline lies at the border")
    pixels = inside.canvas - inside.canvas.mean(-1, keepdims=True)
    sides = [_mean_colour(pixels, side, size) for side in (mask, ~mask)]
    apart = np.linalg.norm(sides[0] - sides[1], axis=-1) > APART
    return float(apart[outline].mean())


def _outline(mask: Mask) -> Mask:
    """Return the outermost pixels of a mask."""
    around = np.pad(mask, 1)
    inner = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    return np.asarray(mask & ~inner)


def _mean_colour(pixels: NDArray[np.float64], side: Mask, size: int) -> NDArray[np.float64]:
    """Return the mean colour within a square round every pixel, of what lies on one side, `[H, W,
    3]`."""
    weight = _box_sum(side[..., None].astype(float), size)
    return _box_sum(pixels * side[..., None], size) / np.maximum(weight, 1)


def _box_sum(values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Return sums over squares, by cumulated sums; zero outside."""
    reach = size // 2
    padded = np.pad(values, ((reach + 1, reach), (reach + 1, reach), (0, 0)))
    total = padded.cumsum(0).cumsum(1)
    return np.asarray(
        total[size:, size:] - total[:-size, size:] - total[size:, :-size] + total[:-size, :-size]
    )


class OutlineTruncated(Metric):
    """Failure rate (Sec. V-B) by the stand-in of this module: the lower outline is closed."""

    name, label, better, unit, rate = "truncated", "Truncated (stand-in)", "lower", "%", True
    note = "the planted face's lower outline is an edge (stand-in of this project, not by eye)"
    group, main = HEAD, True

    def value(self, case: Case) -> float:
        """Return 1 or 0."""
        return float(closed_share(case.inside) >= CLOSED)


class OutlineClosed(Metric):
    """The share of the lower outline that is an edge, which the stand-in decides by."""

    name, label, better, unit = "outline_closed", "Lower outline closed", "lower", "%"
    note = "share of the planted face's lower outline that is an edge"
    group = HEAD

    def value(self, case: Case) -> float:
        """Return a share, 0 to 1."""
        return closed_share(case.inside)
