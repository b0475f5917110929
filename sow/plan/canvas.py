"""The size of the picture to make: as somebody asks for it, and as a model can make it."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

MIN_SIDE, MAX_SIDE = 8, 8192
"""Pixels of a canvas's width and height."""
MAX_RATIO = 8
"""How many times as long as the other a side may be, where only a shape is given."""


@dataclass(frozen=True)
class CanvasShape:
    """A canvas of which only the shape is given, such as 9:16; the model chooses the size."""

    across: int
    down: int

    def __str__(self) -> str:
        return f"{self.across}:{self.down}"

    def size(self, own: tuple[int, int], multiple: int) -> tuple[int, int]:
        """Return the `(width, height)` that comes closest to this shape and to a model's own area.

        Args:
            own: the model's own canvas, in pixels.
            multiple: width and height must be multiples of this many pixels.
        """
        area, ratio = own[0] * own[1], self.across / self.down
        width, height = ((area * ratio) ** 0.5, (area / ratio) ** 0.5)

        def distance(size: tuple[int, int]) -> float:
            shape = abs(log(size[0] / size[1] / ratio))
            return shape + abs(log(size[0] * size[1] / area)) / 2

        sizes = [
            (max(1, across) * multiple, max(1, down) * multiple)
            for across in range(int(width // multiple) - 1, int(width // multiple) + 3)
            for down in range(int(height // multiple) - 1, int(height // multiple) + 3)
        ]
        return min(sizes, key=distance)


def nearest_size(size: tuple[int, int], multiple: int) -> tuple[int, int]:
    """Return the nearest `(width, height)` whose sides are multiples of `multiple` pixels."""
    width, height = (max(1, int(side / multiple + 0.5)) * multiple for side in size)
    return width, height
