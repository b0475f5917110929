"""Mattes: a soft mask of a head with its hair, or of an object; no weights needed.

GrabCut (Rother, Kolmogorov and Blake, 2004; OpenCV's) is initialised with what is surely the
condition, surely not, and what may be either, and separates them by colour and edges.
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

BACKGROUND, FOREGROUND, PROBABLY_BACKGROUND, PROBABLY_FOREGROUND = range(4)
"""The labels of GrabCut, in OpenCV's order."""
ITERATIONS = 5
WORKING_SIDE = 384
"""The longer side of the search area is reduced to this many pixels."""
BORDER = 0.02
"""Width of the border, as a share of that side; it is always background."""

# Shares of the width and height of the ellipse around a head with its hair.
CHIN = 0.4
"""Distance of the chin below the centre."""
BELOW_CHIN = 0.4
"""Height of the search area below the chin: neck, clothes, and hair that falls on them."""
HALF_NECK = 0.33
"""Half the width of a neck; if larger, hair beside it is lost."""
JAW = (0.40, 0.48)
"""Half the width and height of a face; below and outside may be hair, neck or clothes."""
# In radii of the same ellipse: what is surely head, where its hair may be, how far it may reach.
CORE, HAIR, REACH = 0.5, 1.9, 2.0
MIN_DISTANCE, MIN_OBJECT_EDGE = 30.0, 0.75
"""An object is accepted if the colours on the two sides of its outline differ by this distance
(RGB) along this share of it."""
MIN_HEAD_EDGE = 0.7
"""That share for a head that is only assumed to be there."""
MIN_FREE_BORDER = 0.5
"""The least share of the borders above the chin that must lie outside the ellipse."""
MIN_HEAD_AREA, MAX_HEAD_AREA = 0.45, 2.2
"""Limits of a head's area as a share of the ellipse's, both inside the picture."""


def extract_matte(
    image: Image.Image,
    head: Box | None = None,
    by: str = "grabcut",
    within: Box | None = None,
) -> Image.Image | None:
    """Return the matte of a picture: 8-bit grey of its size, white is the condition.

    Args:
        image: RGB.
        head: the box of the ellipse around a head, in pixels of the picture; it may extend beyond
            it. Without it, the object in the middle is cut out, whose background must reach the
            borders.
        by: `grabcut`, or `rembg` if that is installed.
        within: the part of the picture that is searched, in its pixels; nothing outside is kept.

    Returns:
        None if no plausible head or object was found.

    Raises:
        PictureError: if the head or `within` lies outside the picture, or `rembg` is not installed.
    """
    area = _area(image.size, head, within)
    size = _working_size(area)
    part = image.convert("RGB").resize(size, Image.Resampling.LANCZOS, box=area.corners)
    cut = _matte_of(part.tobytes(), size, area, head, by)
    if cut is None:
        return None
    matte = Image.new("L", image.size)
    soft = Image.fromarray(cut).resize((area.width, area.height), Image.Resampling.BICUBIC)
    matte.paste(soft, (area.x, area.y))
    return matte


def has_background(size: tuple[int, int], head: Box, within: Box | None = None) -> bool:
    """Return whether enough is to be seen around a head for GrabCut to know the background.

    If the head fills the picture, what is at the borders is its hair, which would be cut off.

    Args:
        size: `(width, height)` of the picture.
        head: as in `extract_matte`.
        within: as in `extract_matte`.
    """
    area = _area(size, head, within)
    at = _Ellipse.of(head, area, _working_size(area))
    border = _border_mask(at.radii.shape) & (at.below_chin < 0)
    return bool((at.radii[border] > 1).mean() >= MIN_FREE_BORDER)


def has_clear_outline(image: Image.Image, matte: Image.Image) -> bool:
    """Return whether colours differ along a matte's outline, so that it follows a real edge."""
    size = [max(8, round(side * min(1, WORKING_SIDE / max(image.size)))) for side in image.size]
    kept = np.asarray(matte.resize((size[0], size[1]))) > 127
    pixels = np.asarray(image.convert("RGB").resize((size[0], size[1])))
    return _edge_share(pixels, kept) >= MIN_HEAD_EDGE


@lru_cache(maxsize=8)
def _matte_of(
    part: bytes, size: tuple[int, int], area: Box, head: Box | None, by: str
) -> Levels | None:
    """Return the matte of the search area; cached, because plan and condition both need it."""
    pixels = np.frombuffer(part, np.uint8).reshape(size[1], size[0], 3)
    found = None if by == "grabcut" else rembg_foreground(Image.fromarray(pixels))
    if head is None:
        cut = _cut_object(pixels, found)
    else:
        cut = _cut_head(pixels, _Ellipse.of(head, area, size), found)
    return None if cut is None else _feather(cut)


def _area(size: tuple[int, int], head: Box | None, within: Box | None) -> Box:
    """Return the part of a picture that is searched."""
    if within is not None and not within.is_inside(size):
        raise PictureError(
            "the part of the picture to search is outside it", "make the plan for this picture"
        )
    whole = within or Box(x=0, y=0, width=size[0], height=size[1])
    return whole if head is None else _search_box(head, whole)


def _working_size(area: Box) -> tuple[int, int]:
    scale = min(1.0, WORKING_SIDE / max(area.width, area.height))
    return max(8, round(area.width * scale)), max(8, round(area.height * scale))


def _search_box(head: Box, picture: Box) -> Box:
    """Return the search area: the head with room for its hair, and a little below it.

    picture: all of it, or the part that is searched.
    """
    x, y = head.centre
    wide = Box.around(x, y, 2 * head.width, 2 * head.height)
    left, top = max(picture.x, wide.x), max(picture.y, wide.y)
    right = min(picture.right, wide.right)
    bottom = min(picture.bottom, round(y + (CHIN + BELOW_CHIN) * head.height))
    if right - left < 8 or bottom - top < 8:
        raise PictureError("the face is outside the picture", "give a picture that shows it")
    return Box(x=left, y=top, width=right - left, height=bottom - top)


@dataclass(frozen=True)
class _Ellipse:
    """Coordinates of every pixel relative to the ellipse around a head.

    Attributes:
        across, down: offset from the centre, in widths and heights of the ellipse, `[h, w]`.
    """

    across: NDArray[np.float64]
    down: NDArray[np.float64]

    @classmethod
    def of(cls, head: Box, area: Box, size: tuple[int, int]) -> _Ellipse:
        (x, y), wide, high = head.centre, size[0] / area.width, size[1] / area.height
        columns, rows = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
        return cls(
            (columns - (x - area.x) * wide) / (head.width * wide),
            (rows - (y - area.y) * high) / (head.height * high),
        )

    @property
    def radii(self) -> NDArray[np.float64]:
        """Distance from the centre: 1 on the ellipse, less inside."""
        return 2 * np.hypot(self.across, self.down)

    @property
    def below_chin(self) -> NDArray[np.float64]:
        """Distance below the chin, in heights of the ellipse; negative above it."""
        return self.down - CHIN


def _cut_head(pixels: Levels, at: _Ellipse, person: Flags | None) -> Flags | None:
    """Cut the person out of the scene, then the head off the body; None if of implausible area."""
    if person is None:
        person = _cut_person(pixels, at)
    head = _clean_up(_without_body(pixels, at, person), at.radii <= CORE)
    share = head.sum() / (at.radii <= 1).sum()
    return head if MIN_HEAD_AREA <= share <= MAX_HEAD_AREA else None


def _cut_person(pixels: Levels, at: _Ellipse) -> Flags:
    below, beside = at.below_chin, np.abs(at.across)
    labels = np.full(below.shape, PROBABLY_BACKGROUND, np.uint8)
    shoulders = (below > 0) & (beside < 0.27 + 2 * below)
    labels[(at.radii <= HAIR) | shoulders] = PROBABLY_FOREGROUND
    labels[((at.radii > REACH) | _border_mask(below.shape)) & (below < 0)] = BACKGROUND
    labels[(at.radii <= CORE) | ((below > 0) & (beside < 0.19))] = FOREGROUND
    return _grab_cut(pixels, labels)


def _without_body(pixels: Levels, at: _Ellipse, person: Flags) -> Flags:
    """Return a person's head: beside and below the jaw, hair is kept, neck and clothes are not."""
    below, (wide, high) = at.below_chin, JAW
    outside_face = (at.across / wide) ** 2 + ((at.down + high - CHIN - 0.02) / high) ** 2 > 1
    unsure = person & outside_face & (below > -0.2)
    labels = np.where(person & ~unsure, FOREGROUND, BACKGROUND).astype(np.uint8)
    labels[unsure] = np.where(below[unsure] < -0.1, PROBABLY_FOREGROUND, PROBABLY_BACKGROUND)
    labels[unsure & (below > -0.02) & (np.abs(at.across) < HALF_NECK)] = BACKGROUND
    sure = person & ~unsure
    return sure | (_grab_cut(pixels, labels) & unsure) if unsure.any() else sure


def _cut_object(pixels: Levels, found: Flags | None) -> Flags | None:
    """Return the object in the middle; None if it has no clear outline or reaches the border."""
    height, width = pixels.shape[:2]
    columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    radii = np.hypot((columns / width - 0.5) * 2, (rows / height - 0.5) * 2)
    core = radii <= 0.25
    if found is None:
        if _is_flat(pixels):  # GrabCut takes minutes where all colours are one
            return None
        labels = np.full((height, width), PROBABLY_BACKGROUND, np.uint8)
        labels[radii <= 1.1] = PROBABLY_FOREGROUND
        labels[core] = FOREGROUND
        labels[_border_mask(labels.shape)] = BACKGROUND
        found = _grab_cut(pixels, labels)
    found = _clean_up(found, core)
    return (
        found
        if 0.08 <= found.mean() <= 0.85 and _edge_share(pixels, found) >= MIN_OBJECT_EDGE
        else None
    )


def _is_flat(pixels: Levels) -> bool:
    """Return whether too few pixels differ from the rest to be an object."""
    usual = np.median(pixels, axis=(0, 1))
    return bool((np.abs(pixels - usual).max(-1) > 4).mean() < 0.01)


def _edge_share(pixels: Levels, found: Flags) -> float:
    """Return the share of an outline on whose two sides the colours differ."""
    import cv2

    size = 2 * max(3, max(found.shape) // 60) + 1
    means = []
    for side in (found, ~found):
        weight = cv2.blur(side.astype(np.float32), (size, size))
        colours = cv2.blur(pixels.astype(np.float32) * side[..., None], (size, size))
        means.append(colours / np.maximum(weight, 1e-3)[..., None])
    apart = np.linalg.norm(means[0] - means[1], axis=-1) > MIN_DISTANCE
    outline = found & ~cv2.erode(found.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    return float(apart[outline].mean()) if outline.any() else 0.0


def _border_mask(shape: tuple[int, ...]) -> Flags:
    width = max(2, round(BORDER * max(shape)))
    border = np.ones(shape, bool)
    border[width:-width, width:-width] = False
    return border


def _grab_cut(pixels: Levels, start: Levels) -> Flags:
    import cv2

    labels, background, foreground = start.copy(), np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)  # reproducible mattes
    bgr = np.ascontiguousarray(pixels[:, :, ::-1])
    try:
        cv2.grabCut(
            bgr, labels, (0, 0, 1, 1), background, foreground, ITERATIONS, cv2.GC_INIT_WITH_MASK
        )
    except cv2.error:  # a single label: nothing to separate
        return np.zeros(start.shape, bool)
    return np.asarray((labels == FOREGROUND) | (labels == PROBABLY_FOREGROUND))


def _clean_up(found: Flags, core: Flags) -> Flags:
    """Return the pieces that touch the core, without holes, fringes or the outermost pixel.

    The outermost pixel mixes both sides, and a rim of the old background is conspicuous.
    """
    import cv2

    round_, cross = cv2.MORPH_ELLIPSE, cv2.MORPH_CROSS
    kernel = cv2.getStructuringElement(round_, (5, 5))
    clean = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, kernel).astype(bool) | core
    count, pieces = cv2.connectedComponents(clean.astype(np.uint8))
    in_core = np.zeros(count, bool)
    in_core[pieces[core]] = True
    in_core[0] = False  # the background
    kept = in_core[pieces]
    outlines, _ = cv2.findContours(kept.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    whole = np.zeros(kept.shape, np.uint8)
    cv2.drawContours(whole, outlines, -1, 1, cv2.FILLED)
    return cv2.erode(whole, cv2.getStructuringElement(cross, (3, 3))).astype(bool)


def _feather(found: Flags) -> Levels:
    import cv2

    return np.asarray(cv2.GaussianBlur(found.astype(np.uint8) * 255, (0, 0), 1.0))


def rembg_foreground(image: Image.Image, cut: Callable[..., Any] | None = None) -> Flags:
    """Return the foreground as `rembg` finds it.

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
