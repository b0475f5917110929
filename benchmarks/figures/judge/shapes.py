"""Masks made larger and smaller, and told into the pieces that hang together.

Neighbours are those above, below, left and right; outside a picture there is nothing.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


def labelled(mask: Mask) -> NDArray[np.int32]:
    """The number of the piece that each pixel is in, from 1 on in the order of reading; 0: none."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4, ltype=cv2.CV_32S)
    return labels.astype(np.int32)


def grown(mask: Mask, pixels: int) -> Mask:
    """A mask with all that is at most so many steps from it."""
    return cv2.dilate(mask.astype(np.uint8), CROSS, iterations=pixels) > 0


def shrunk(mask: Mask, pixels: int) -> Mask:
    """A mask without all that is at most so many steps from what is not in it."""
    return ~grown(np.pad(~mask, pixels, constant_values=True), pixels)[
        pixels:-pixels, pixels:-pixels
    ]
