"""`Box`: a rectangle `[x, y, width, height]` in pixels, as in the paper (Sec. IV-A)."""

from __future__ import annotations

from math import hypot
from typing import Any

from pydantic import Field, model_serializer, model_validator

from sow.errors import PlanError
from sow.utils.validation import StrictModel

# The paper keeps the condition between 180 and 256 px on its 512 px canvas (Sec. V).
MIN_CONDITION_SHARE, MAX_CONDITION_SHARE = 180 / 512, 256 / 512
MIN_FACE_LATENTS = 6
"""The width and height in latents below which few faces survive, as measured on `figures`.

Of three drawn faces with six seeds each, none was the same person to the judge when planted 2 to 5
latents wide (16 to 40 px), on canvases of 128 and of 192 px; 6 latents wide all were, on both. Of
25 others planted 5 wide, four were (benchmarks/figures/studies/results/finding.md).
"""
MAX_COORDINATE = 10**7
"""Pixels; no picture that can be loaded is wider."""
Corners = tuple[float, float, float, float]
"""Left, top, right and bottom."""


class Box(StrictModel):
    """A rectangle `[x, y, width, height]` in pixels; `x, y` is its top left corner."""

    x: int = Field(ge=-MAX_COORDINATE, le=MAX_COORDINATE)
    y: int = Field(ge=-MAX_COORDINATE, le=MAX_COORDINATE)
    width: int = Field(ge=1, le=MAX_COORDINATE)
    height: int = Field(ge=1, le=MAX_COORDINATE)

    @model_validator(mode="before")
    @classmethod
    def _from_sequence(cls, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            if len(value) != 4:
                raise ValueError("a box has four numbers: [x, y, width, height]")
            return dict(zip(("x", "y", "width", "height"), value, strict=True))
        return value

    @model_serializer
    def _as_list(self) -> list[int]:
        return [self.x, self.y, self.width, self.height]

    @classmethod
    def around(cls, x: float, y: float, width: float, height: float) -> Box:
        """Return the box of this size centred at `x, y`."""
        w, h = max(1, round(width)), max(1, round(height))
        return cls(x=round(x - w / 2), y=round(y - h / 2), width=w, height=h)

    @property
    def right(self) -> int:
        """The first column right of the box."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """The first row below the box."""
        return self.y + self.height

    @property
    def centre(self) -> tuple[float, float]:
        """The centre as `x, y`."""
        return self.x + self.width / 2, self.y + self.height / 2

    @property
    def corners(self) -> tuple[int, int, int, int]:
        """`left, top, right, bottom`, as Pillow takes them."""
        return self.x, self.y, self.right, self.bottom

    def is_inside(self, canvas: tuple[int, int]) -> bool:
        """Return whether the box is inside a canvas of this `(width, height)`."""
        return self.x >= 0 and self.y >= 0 and self.right <= canvas[0] and self.bottom <= canvas[1]

    def is_inside_box(self, other: Box, slack: int = 0) -> bool:
        """Return whether the box is inside another, or sticks out by at most `slack` pixels."""
        return (
            self.x >= other.x - slack
            and self.y >= other.y - slack
            and self.right <= other.right + slack
            and self.bottom <= other.bottom + slack
        )

    def mapped(self, start: Box, end: Box) -> Box:
        """Map the box by the transform that takes box `start` to box `end`; clamp it to `end`."""
        moved = self.model_copy(update={"x": self.x - start.x, "y": self.y - start.y})
        moved = moved.scaled(end.width / start.width, end.height / start.height)
        inside = moved.clamped((end.width, end.height))
        return inside.model_copy(update={"x": inside.x + end.x, "y": inside.y + end.y})

    def following(self, start: Box, end: Box, canvas: tuple[int, int]) -> Box | None:
        """Return the box after box `start` became `end`, to which it keeps its place.

        What leaves the canvas is cut off; an edge that lay on the canvas's edge stays there.

        Returns:
            None if nothing of it is left.
        """

        def edges(low: int, high: int, axis: int) -> tuple[int, int]:
            (origin, side), (to, new) = (
                (box.corners[axis], (box.width, box.height)[axis]) for box in (start, end)
            )
            moved = (to + round((value - origin) * new / side) for value in (low, high))
            first, last = (min(max(value, 0), canvas[axis]) for value in moved)
            return (0 if low <= 0 else first), (canvas[axis] if high >= canvas[axis] else last)

        (left, right), (top, bottom) = edges(self.x, self.right, 0), edges(self.y, self.bottom, 1)
        if right <= left or bottom <= top:
            return None
        return Box(x=left, y=top, width=right - left, height=bottom - top)

    def clamped(self, canvas: tuple[int, int]) -> Box:
        """Return the box moved, and if necessary shrunk, so that it is inside the canvas."""
        width, height = min(self.width, canvas[0]), min(self.height, canvas[1])
        return Box(
            x=min(max(self.x, 0), canvas[0] - width),
            y=min(max(self.y, 0), canvas[1] - height),
            width=width,
            height=height,
        )

    def fitted(self, canvas: tuple[int, int]) -> Box:
        """Return the box moved, and if necessary shrunk in its own shape, into the canvas."""
        scale = min(1.0, canvas[0] / self.width, canvas[1] / self.height)
        width, height = max(1, int(self.width * scale)), max(1, int(self.height * scale))
        return Box(x=self.x, y=self.y, width=width, height=height).clamped(canvas)

    def cut(self, canvas: tuple[int, int]) -> Box | None:
        """Return what of the box is inside the canvas, or None."""
        return self.intersection(Box(x=0, y=0, width=canvas[0], height=canvas[1]))

    def intersection(self, other: Box) -> Box | None:
        """Return what the box and another have in common, or None."""
        left, top = max(self.x, other.x), max(self.y, other.y)
        right, bottom = min(self.right, other.right), min(self.bottom, other.bottom)
        if right <= left or bottom <= top:
            return None
        return Box(x=left, y=top, width=right - left, height=bottom - top)

    def scaled(self, across: float, down: float) -> Box:
        """Return the box on a canvas `across` times as wide and `down` times as high."""
        x, y = round(self.x * across), round(self.y * down)
        return Box(
            x=x,
            y=y,
            width=max(1, round(self.right * across) - x),
            height=max(1, round(self.bottom * down) - y),
        )

    def aligned(self, grid: int, canvas: tuple[int, int]) -> Box:
        """Return the nearest box inside the canvas with all four numbers multiples of `grid`."""

        def nearest(value: float, minimum: int, maximum: int) -> int:
            return min(max(round(value / grid) * grid, minimum), maximum // grid * grid)

        width = nearest(self.width, grid, canvas[0])
        height = nearest(self.height, grid, canvas[1])
        return Box(
            x=nearest(self.x, 0, canvas[0] - width),
            y=nearest(self.y, 0, canvas[1] - height),
            width=width,
            height=height,
        )


def check_inside(name: str, box: Box, canvas: tuple[int, int]) -> None:
    """Check that a box is inside the canvas.

    Raises:
        PlanError: if it is not.
    """
    if not box.is_inside(canvas):
        raise PlanError(
            f"{name} {box.model_dump()} is not inside the canvas {canvas[0]}x{canvas[1]}",
            "boxes are x,y,width,height in canvas pixels",
        )


def iou(a: Corners, b: Corners) -> float:
    """Return the intersection over union of two rectangles, 0 to 1."""
    across = min(a[2], b[2]) - max(a[0], b[0])
    down = min(a[3], b[3]) - max(a[1], b[1])
    intersection = max(0.0, across) * max(0.0, down)
    areas = ((right - left) * (bottom - top) for left, top, right, bottom in (a, b))
    return intersection / (sum(areas) - intersection)


def gap(a: Box, b: Box) -> float:
    """Return the distance of two boxes in pixels; 0 if they touch or overlap."""
    across = max(a.x, b.x) - min(a.right, b.right)
    down = max(a.y, b.y) - min(a.bottom, b.bottom)
    return hypot(max(0, across), max(0, down))


def parse_box(text: str, name: str = "box") -> Box:
    """Parse a box from `x,y,width,height`.

    Raises:
        PlanError: if the text is not four whole numbers, or a number is out of range.
    """
    parts = text.replace("[", "").replace("]", "").split(",")
    try:
        numbers = [int(part) for part in parts]
    except ValueError:
        numbers = []
    valid = len(numbers) == 4 and max(map(abs, numbers)) <= MAX_COORDINATE and min(numbers[2:]) >= 1
    if not valid:
        raise PlanError(f"{name} {text!r} is not a box", "write x,y,width,height in canvas pixels")
    return Box(x=numbers[0], y=numbers[1], width=numbers[2], height=numbers[3])
