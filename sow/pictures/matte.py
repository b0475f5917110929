"""Mattes: the outline of what is planted, with its hair, as a soft mask; no weights needed.

GrabCut (Rother, Kolmogorov and Blake, 2004; OpenCV's) is told what is surely the condition, what
is surely not and what may be either, and separates them by colour and edges.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sow.errors import PictureError
from sow.plan.box import Box

Levels = NDArray[np.uint8]
Flags = NDArray[np.bool_]

NO, YES, RATHER_NOT, RATHER_YES = range(4)
"""What GrabCut is told, and answers, of every pixel."""
ROUNDS = 5
WORKING_SIDE = 384
"""Pixels of the longer side of what is looked at."""
BORDER = 0.02
"""Of that side: what touches the border is no part of it."""

# Shares of the width and height of the ellipse in which a head lies, with its hair.
CHIN = 0.4
"""How far below the centre the chin is."""
BELOW = 0.4
"""How much is looked at below the chin: neck, clothes, and hair that falls on them."""
NECK = 0.33
"""Half of a neck's width; wider, and hair beside it is lost."""
JAW = (0.40, 0.48)
"""Half the width and height of a face: what is below and outside may be hair, neck or clothes."""
# In the same ellipse's radii: what is surely head, where its hair may be, how far it may reach.
CORE, HAIR, REACH = 0.5, 1.9, 2.0
APART, EDGE = 30.0, 0.75
"""A thing's outline is believed where the colours beside it are so far apart (RGB distance) along
so much of it."""
GUESS = 0.7
"""The same for a head that is only supposed to be there."""
SMALLEST, LARGEST = 0.45, 2.2
"""A head's area as a share of the ellipse's, both as far as seen; another one was missed."""


def cut_out(image: Image.Image, head: Box | None = None, by: str = "grabcut") -> Image.Image | None:
    """The matte of a picture, 8-bit grey of its size, white being the condition; or None.

    Args:
        image: RGB.
        head: the box of the ellipse in which a head lies, in pixels of the picture; it may stick
            out of it. Without it, whatever stands in the middle before a background that reaches
            the borders.
        by: `grabcut`, or `rembg` if that is installed.

    Returns:
        None where nothing could be found that is likely to be it.

    Raises:
        PictureError: if the head lies outside the picture, or `rembg` is not installed.
    """
    whole = Box(x=0, y=0, width=image.width, height=image.height)
    around = whole if head is None else _around(head, whole)
    scale = min(1.0, WORKING_SIDE / max(around.width, around.height))
    size = (max(8, round(around.width * scale)), max(8, round(around.height * scale)))
    part = image.convert("RGB").resize(size, Image.Resampling.LANCZOS, box=around.corners)
    cut = _cut_out(part.tobytes(), size, around, head, by)
    if cut is None:
        return None
    matte = Image.new("L", image.size)
    soft = Image.fromarray(cut).resize((around.width, around.height), Image.Resampling.BICUBIC)
    matte.paste(soft, (around.x, around.y))
    return matte


def has_clear_outline(image: Image.Image, matte: Image.Image) -> bool:
    """Whether the colours differ along the outline of a matte: an edge there is, not a guess."""
    size = [max(8, round(side * min(1, WORKING_SIDE / max(image.size)))) for side in image.size]
    kept = np.asarray(matte.resize((size[0], size[1]))) > 127
    pixels = np.asarray(image.convert("RGB").resize((size[0], size[1])))
    return _edge(pixels, kept) >= GUESS


@lru_cache(maxsize=8)
def _cut_out(
    part: bytes, size: tuple[int, int], around: Box, head: Box | None, by: str
) -> Levels | None:
    """The matte of the part that is looked at; kept, because plan and condition both want it."""
    pixels = np.frombuffer(part, np.uint8).reshape(size[1], size[0], 3)
    found = None if by == "grabcut" else rembg_foreground(Image.fromarray(pixels))
    if head is None:
        cut = _thing(pixels, found)
    else:
        cut = _head(pixels, _Ellipse.of(head, around, size), found)
    return None if cut is None else _softened(cut)


def _around(head: Box, picture: Box) -> Box:
    """What is looked at: the head with room for all its hair, and a little below it."""
    x, y = head.centre
    wide = Box.around(x, y, 2 * head.width, 2 * head.height)
    left, top = max(0, wide.x), max(0, wide.y)
    right = min(picture.right, wide.right)
    bottom = min(picture.bottom, round(y + (CHIN + BELOW) * head.height))
    if right - left < 8 or bottom - top < 8:
        raise PictureError("the face lies outside the picture", "give a picture that shows it")
    return Box(x=left, y=top, width=right - left, height=bottom - top)


@dataclass(frozen=True)
class _Ellipse:
    """The ellipse in which a head lies, and every pixel seen from it.

    Attributes:
        across, down: of every pixel from the centre, in widths and heights of the ellipse.
    """

    across: NDArray[np.float64]
    down: NDArray[np.float64]

    @classmethod
    def of(cls, head: Box, around: Box, size: tuple[int, int]) -> _Ellipse:
        (x, y), wide, high = head.centre, size[0] / around.width, size[1] / around.height
        columns, rows = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
        return cls(
            (columns - (x - around.x) * wide) / (head.width * wide),
            (rows - (y - around.y) * high) / (head.height * high),
        )

    @property
    def radii(self) -> NDArray[np.float64]:
        """1 on the ellipse, less inside."""
        return 2 * np.hypot(self.across, self.down)

    @property
    def below_chin(self) -> NDArray[np.float64]:
        """Above 0 where a pixel is lower than the chin, in heights."""
        return self.down - CHIN


def _head(pixels: Levels, at: _Ellipse, person: Flags | None) -> Flags | None:
    """Somebody before a scene first, then a head on a body: each has colours of its own."""
    if person is None:
        person = _person(pixels, at)
    head = _one_piece(_without_body(pixels, at, person), at.radii <= CORE)
    share = head.sum() / (at.radii <= 1).sum()
    return head if SMALLEST <= share <= LARGEST else None


def _person(pixels: Levels, at: _Ellipse) -> Flags:
    below, aside = at.below_chin, np.abs(at.across)
    labels = np.full(below.shape, RATHER_NOT, np.uint8)
    shoulders = (below > 0) & (aside < 0.27 + 2 * below)
    labels[(at.radii <= HAIR) | shoulders] = RATHER_YES
    labels[((at.radii > REACH) | _border(below.shape)) & (below < 0)] = NO
    labels[(at.radii <= CORE) | ((below > 0) & (aside < 0.19))] = YES
    return _grab_cut(pixels, labels)


def _without_body(pixels: Levels, at: _Ellipse, person: Flags) -> Flags:
    """Of a person the head: what is beside and below the jaw is hair, or else neck and clothes."""
    below, (wide, high) = at.below_chin, JAW
    outside_face = (at.across / wide) ** 2 + ((at.down + high - CHIN - 0.02) / high) ** 2 > 1
    unsure = person & outside_face & (below > -0.2)
    labels = np.where(person & ~unsure, YES, NO).astype(np.uint8)
    labels[unsure] = np.where(below[unsure] < -0.1, RATHER_YES, RATHER_NOT)
    labels[unsure & (below > -0.02) & (np.abs(at.across) < NECK)] = NO
    sure = person & ~unsure
    return sure | (_grab_cut(pixels, labels) & unsure) if unsure.any() else sure


def _thing(pixels: Levels, found: Flags | None) -> Flags | None:
    """Whatever stands in the middle; None if it is part of something that reaches the border."""
    height, width = pixels.shape[:2]
    columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    radii = np.hypot((columns / width - 0.5) * 2, (rows / height - 0.5) * 2)
    core = radii <= 0.25
    if found is None:
        labels = np.full((height, width), RATHER_NOT, np.uint8)
        labels[radii <= 1.1] = RATHER_YES
        labels[core] = YES
        labels[_border(labels.shape)] = NO
        found = _grab_cut(pixels, labels)
    found = _one_piece(found, core)
    return found if 0.08 <= found.mean() <= 0.85 and _edge(pixels, found) >= EDGE else None


def _edge(pixels: Levels, found: Flags) -> float:
    """The share of an outline on whose two sides the colours differ: an edge, not a guess."""
    import cv2

    size = 2 * max(3, max(found.shape) // 60) + 1
    means = []
    for side in (found, ~found):
        weight = cv2.blur(side.astype(np.float32), (size, size))
        colours = cv2.blur(pixels.astype(np.float32) * side[..., None], (size, size))
        means.append(colours / np.maximum(weight, 1e-3)[..., None])
    apart = np.linalg.norm(means[0] - means[1], axis=-1) > APART
    outline = found & ~cv2.erode(found.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    return float(apart[outline].mean()) if outline.any() else 0.0


def _border(shape: tuple[int, ...]) -> Flags:
    width = max(2, round(BORDER * max(shape)))
    border = np.ones(shape, bool)
    border[width:-width, width:-width] = False
    return border


def _grab_cut(pixels: Levels, start: Levels) -> Flags:
    import cv2

    labels, behind, before = start.copy(), np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)  # the same picture, the same matte
    bgr = np.ascontiguousarray(pixels[:, :, ::-1])
    try:
        cv2.grabCut(bgr, labels, (0, 0, 1, 1), behind, before, ROUNDS, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # all of one kind: nothing to separate
        return np.zeros(start.shape, bool)
    return np.asarray((labels == YES) | (labels == RATHER_YES))


def _one_piece(found: Flags, core: Flags) -> Flags:
    """The pieces that hold a part of the core, without holes, fringes or the outermost pixel.

    That one holds something of both sides; a rim of the old background is what one sees first.
    """
    import cv2

    round_, cross = cv2.MORPH_ELLIPSE, cv2.MORPH_CROSS
    kernel = cv2.getStructuringElement(round_, (5, 5))
    clean = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, kernel).astype(bool) | core
    count, pieces = cv2.connectedComponents(clean.astype(np.uint8))
    held = np.zeros(count, bool)
    held[pieces[core]] = True
    held[0] = False  # what is between the pieces
    kept = held[pieces]
    outlines, _ = cv2.findContours(kept.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    whole = np.zeros(kept.shape, np.uint8)
    cv2.drawContours(whole, outlines, -1, 1, cv2.FILLED)
    return cv2.erode(whole, cv2.getStructuringElement(cross, (3, 3))).astype(bool)


def _softened(found: Flags) -> Levels:
    import cv2

    return np.asarray(cv2.GaussianBlur(found.astype(np.uint8) * 255, (0, 0), 1.0))


def rembg_foreground(image: Image.Image, cut: Callable[..., Any] | None = None) -> Flags:
    """What the network of `rembg` takes for the foreground, for those who have it.

    Raises:
        PictureError: if it is not installed.
    """
    made: Image.Image = (cut or _rembg())(image.convert("RGB"), only_mask=True)
    return np.asarray(made.convert("L")) >= 128


def _rembg() -> Callable[..., Any]:
    try:
        from rembg import remove
    except ImportError:
        raise PictureError("rembg is not installed", "pip install 'sow[rembg]'") from None
    found: Callable[..., Any] = remove
    return found
