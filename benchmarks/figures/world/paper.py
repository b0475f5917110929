"""Draw a picture and its truth at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SIZE = 128
"""Width and height of every picture in pixels; all coordinates are in these pixels."""

FINE = 4
"""Shapes are drawn this many times larger and averaged down, so that edges are smooth."""

Colour = tuple[int, int, int]
Point = tuple[float, float]

INK: Colour = (40, 30, 35)
"""The colour of outlines."""

BACKGROUND, HAIR, FACE, NECK, BODY, HAND, THING, OTHER_THING = range(8)
"""What a pixel shows. THING is the first of a picture's objects, OTHER_THING the second."""


def shade(colour: Colour, factor: float) -> Colour:
    """Return a colour made darker (below 1) or lighter (above 1)."""
    red, green, blue = (round(min(255.0, channel * factor)) for channel in colour)
    return red, green, blue


def blend(one: Colour, other: Colour, share: float) -> Colour:
    """Return a mixture of two colours, `share` of it (0 to 1) the second."""
    red, green, blue = (round(a * (1 - share) + b * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


class Paper:
    """A picture of 128 x 128 pixels and, for every pixel, the part it shows.

    Every shape goes to both, so the masks are exactly what was drawn.
    """

    def __init__(self) -> None:
        size = (SIZE * FINE, SIZE * FINE)
        self._picture = Image.new("RGB", size)
        self._parts = Image.new("L", size, BACKGROUND)
        self._colours = ImageDraw.Draw(self._picture)
        self._labels = ImageDraw.Draw(self._parts)
        self._part = BACKGROUND

    @contextmanager
    def drawing(self, part: int) -> Iterator[None]:
        """Assign everything drawn while open to this part."""
        before, self._part = self._part, part
        yield
        self._part = before

    def ellipse(
        self,
        centre: Point,
        radius: Point,
        fill: Colour | None,
        outline: Colour | None = INK,
        width: float = 1.0,
    ) -> None:
        """Draw an ellipse; without a fill only its outline."""
        (x, y), (across, down) = centre, radius
        self._box((x - across, y - down, x + across, y + down), "ellipse", fill, outline, width)

    def rectangle(
        self,
        corners: tuple[float, float, float, float],
        fill: Colour | None,
        outline: Colour | None = INK,
        width: float = 1.0,
        rounded: float = 0.0,
    ) -> None:
        """Draw a rectangle (left, top, right, bottom) with rounded corners of this radius."""
        left, top, right, bottom = corners
        corners = (left, top, max(left, right), max(top, bottom))
        kind = "rounded_rectangle" if rounded else "rectangle"
        more = {"radius": rounded * FINE} if rounded else {}
        self._box(corners, kind, fill, outline, width, **more)

    def polygon(
        self,
        points: Sequence[Point],
        fill: Colour | None,
        outline: Colour | None = INK,
        width: float = 1.0,
    ) -> None:
        """Draw a closed shape through the points."""
        fine = [(x * FINE, y * FINE) for x, y in points]
        if fill is not None:
            self._colours.polygon(fine, fill=fill)
            self._labels.polygon(fine, fill=self._part)
        if outline is not None:
            self.line([*points, points[0], points[1]], outline, width)

    def line(self, points: Sequence[Point], colour: Colour = INK, width: float = 1.0) -> None:
        """Draw a line through the points."""
        fine = [(x * FINE, y * FINE) for x, y in points]
        thick = max(1, round(width * FINE))
        self._colours.line(fine, fill=colour, width=thick, joint="curve")
        self._labels.line(fine, fill=self._part, width=thick, joint="curve")

    def arc(
        self,
        centre: Point,
        radius: Point,
        start: float,
        end: float,
        colour: Colour = INK,
        width: float = 1.0,
    ) -> None:
        """Draw part of an ellipse's outline; angles in degrees, 0 to the right, 90 downwards."""
        self.line(curve(centre, radius, start, end), colour, width)

    def finish(self, size: int = SIZE) -> tuple[Image.Image, NDArray[np.uint8]]:
        """Return the picture, `size` pixels wide, and the parts as an array of shape (128, 128)."""
        image = self._picture.resize((size, size), Image.Resampling.BOX)
        middle = FINE // 2
        return image, np.asarray(self._parts)[middle::FINE, middle::FINE].copy()

    def _box(
        self,
        corners: tuple[float, float, float, float],
        kind: str,
        fill: Colour | None,
        outline: Colour | None,
        width: float,
        **more: float,
    ) -> None:
        fine = tuple(value * FINE for value in corners)
        thick = max(1, round(width * FINE)) if outline is not None else 0
        label = self._part if fill is not None else None
        edge = self._part if outline is not None else None
        draw = getattr(self._colours, kind), getattr(self._labels, kind)
        draw[0](fine, fill=fill, outline=outline, width=thick, **more)
        draw[1](fine, fill=label, outline=edge, width=thick, **more)


def curve(centre: Point, radius: Point, start: float, end: float, steps: int = 14) -> list[Point]:
    """Return points on an ellipse between two angles in degrees (0 to the right, 90 downwards)."""
    angles = [math.radians(start + (end - start) * n / steps) for n in range(steps + 1)]
    return [
        (centre[0] + radius[0] * math.cos(angle), centre[1] + radius[1] * math.sin(angle))
        for angle in angles
    ]
