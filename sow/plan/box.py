"""`Box`: a rectangle `[x, y, width, height]` in pixels, as the paper writes it (Sec. IV-A)."""

from __future__ import annotations

from math import hypot
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_serializer, model_validator

from sow.errors import PlanError

# The paper keeps the condition between 180 and 256 px on its 512 px canvas (Sec. V).
MIN_CONDITION_SHARE, MAX_CONDITION_SHARE = 180 / 512, 256 / 512
MAX_COORDINATE = 10**7
"""Pixels: no picture that can be read is wider."""
Corners = tuple[float, float, float, float]
"""Left, top, right and bottom."""


class Box(BaseModel):
    """A rectangle `[x, y, width, height]` in pixels; `x, y` is its top left corner."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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
        """The box of this size whose centre is at `x, y`."""
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
        """`left, top, right, bottom`, as Pillow wants them."""
        return self.x, self.y, self.right, self.bottom

    def is_inside(self, canvas: tuple[int, int]) -> bool:
        """Whether no part of the box leaves a canvas of this `(width, height)`."""
        return self.x >= 0 and self.y >= 0 and self.right <= canvas[0] and self.bottom <= canvas[1]

    def is_inside_box(self, other: Box, slack: int = 0) -> bool:
        """Whether no part of the box leaves another by more than `slack` pixels."""
        return (
            self.x >= other.x - slack
            and self.y >= other.y - slack
            and self.right <= other.right + slack
            and self.bottom <= other.bottom + slack
        )

    def mapped(self, start: Box, end: Box) -> Box:
        """Where a part of box `start` lands when that box becomes box `end`."""
        moved = self.model_copy(update={"x": self.x - start.x, "y": self.y - start.y})
        moved = moved.scaled(end.width / start.width, end.height / start.height)
        inside = moved.clamped((end.width, end.height))
        return inside.model_copy(update={"x": inside.x + end.x, "y": inside.y + end.y})

    def clamped(self, canvas: tuple[int, int]) -> Box:
        """The box moved, and if need be cut, so that it lies inside the canvas."""
        width, height = min(self.width, canvas[0]), min(self.height, canvas[1])
        return Box(
            x=min(max(self.x, 0), canvas[0] - width),
            y=min(max(self.y, 0), canvas[1] - height),
            width=width,
            height=height,
        )

    def scaled(self, across: float, down: float) -> Box:
        """The box on a canvas `across` times as wide and `down` times as high."""
        x, y = round(self.x * across), round(self.y * down)
        return Box(
            x=x,
            y=y,
            width=max(1, round(self.right * across) - x),
            height=max(1, round(self.bottom * down) - y),
        )

    def aligned(self, stride: int, canvas: tuple[int, int]) -> Box:
        """The nearest box inside the canvas whose four numbers are multiples of `stride`."""

        def nearest(value: float, least: int, most: int) -> int:
            return min(max(round(value / stride) * stride, least), most // stride * stride)

        width = nearest(self.width, stride, canvas[0])
        height = nearest(self.height, stride, canvas[1])
        return Box(
            x=nearest(self.x, 0, canvas[0] - width),
            y=nearest(self.y, 0, canvas[1] - height),
            width=width,
            height=height,
        )


def check_inside(name: str, box: Box, canvas: tuple[int, int]) -> None:
    """Whether a box lies on the canvas.

    Raises:
        PlanError: if a part of it does not.
    """
    if not box.is_inside(canvas):
        raise PlanError(
            f"{name} {box.model_dump()} leaves the canvas {canvas[0]}x{canvas[1]}",
            "boxes are x,y,width,height in canvas pixels",
        )


def iou(one: Corners, other: Corners) -> float:
    """How much of two rectangles is common: intersection over union, 0 to 1."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    both = max(0.0, across) * max(0.0, down)
    areas = ((right - left) * (bottom - top) for left, top, right, bottom in (one, other))
    return both / (sum(areas) - both)


def gap(one: Box, other: Box) -> float:
    """Pixels between two boxes, 0 where they touch or overlap."""
    across = max(one.x, other.x) - min(one.right, other.right)
    down = max(one.y, other.y) - min(one.bottom, other.bottom)
    return hypot(max(0, across), max(0, down))


def parse_box(text: str, name: str = "box") -> Box:
    """A box from `x,y,width,height`.

    Raises:
        PlanError: if it is not four whole numbers.
    """
    parts = text.replace("[", "").replace("]", "").split(",")
    try:
        numbers = [int(part) for part in parts]
    except ValueError:
        numbers = []
    legal = len(numbers) == 4 and max(map(abs, numbers)) <= MAX_COORDINATE and min(numbers[2:]) >= 1
    if not legal:
        raise PlanError(f"{name} {text!r} is no box", "write x,y,width,height in canvas pixels")
    return Box(x=numbers[0], y=numbers[1], width=numbers[2], height=numbers[3])
