"""`Plan`: what a planner decides and the engine carries out; the contract between the two.

Planners never import the engine and the engine never imports a planner. Sizes, clamps and
overlaps of boxes are decided here, once. A box is `[x, y, width, height]` in canvas pixels,
as in the paper (Sec. IV-A, stage 2).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_serializer,
    model_validator,
)

from sow.errors import PlanError

Setting = Literal["normal", "attribute", "style"]
Canvas = tuple[Annotated[int, Field(ge=8, le=8192)], Annotated[int, Field(ge=8, le=8192)]]

# The paper keeps the condition between 180 and 256 px on its 512 px canvas (Sec. V).
SMALLEST, LARGEST = 180 / 512, 256 / 512


class Box(BaseModel):
    """A rectangle `[x, y, width, height]` in pixels; `x, y` is its top left corner."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    x: int
    y: int
    width: int = Field(ge=1)
    height: int = Field(ge=1)

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

    def inside(self, canvas: tuple[int, int]) -> bool:
        """Whether no part of the box leaves a canvas of this `(width, height)`."""
        return self.x >= 0 and self.y >= 0 and self.right <= canvas[0] and self.bottom <= canvas[1]

    def inside_of(self, other: Box, slack: int = 0) -> bool:
        """Whether no part of the box leaves another by more than `slack` pixels."""
        return (
            self.x >= other.x - slack
            and self.y >= other.y - slack
            and self.right <= other.right + slack
            and self.bottom <= other.bottom + slack
        )

    def carried(self, start: Box, end: Box) -> Box:
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


class Region(BaseModel):
    """A part of the canvas that belongs to the condition, such as the body below a face."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str = Field(min_length=1, max_length=200)
    box: Box


class Relation(BaseModel):
    """An edge of a scene graph: man - holding - umbrella."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str = Field(max_length=200)
    relation: str = Field(max_length=200)
    object: str = Field(max_length=200)


class Plan(BaseModel):
    """Where the condition goes, what grows around it and how (Sec. IV-A).

    All boxes but `crop` are in canvas pixels. `PlanError` is raised for anything illegal.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    canvas: Canvas = Field(description="(width, height) of the picture to make, in pixels")
    prompt: str = Field(min_length=1, max_length=4000, description="what the picture shows")
    box: Box = Field(description="where the condition is planted")
    related: tuple[Region, ...] = Field(
        default=(), description="the regions that interact with the condition"
    )
    setting: Setting = Field(default="normal", description="which preset the engine takes")
    subject: str = Field(default="face", min_length=1, max_length=200)
    suppress: str = Field(
        default="human face",
        max_length=200,
        description="the noun that shall not appear a second time outside the condition",
    )
    crop: Box | None = Field(
        default=None, description="the part of the user's picture that is planted, in its pixels"
    )
    ellipse: Box | None = Field(
        default=None,
        description="the condition is the ellipse in this box; without it, the whole box",
    )
    relations: tuple[Relation, ...] = Field(
        default=(), max_length=100, description="who does what with what: a scene graph's edges"
    )
    planner: str = Field(default="user", max_length=200, description="who made the plan")
    notes: tuple[str, ...] = Field(default=(), description="what the user should know about it")

    @model_validator(mode="after")
    def _legal(self) -> Plan:
        if not self.prompt.strip():
            raise ValueError("the prompt is empty")
        for name, box in [
            ("box", self.box),
            *((f"related region {r.label!r}", r.box) for r in self.related),
        ]:
            if not box.inside(self.canvas):
                width, height = self.canvas
                raise ValueError(f"{name} {box.model_dump()} leaves the canvas {width}x{height}")
        if self.ellipse is not None and not self.ellipse.inside_of(self.box, slack=1):
            raise ValueError(
                f"ellipse {self.ellipse.model_dump()} leaves the box {self.box.model_dump()}"
            )
        if self.crop is not None and (self.crop.x < 0 or self.crop.y < 0):
            raise ValueError(f"crop {self.crop.model_dump()} starts outside the picture")
        return self

    @classmethod
    def parse(cls, data: str | bytes | Mapping[str, Any]) -> Plan:
        """A plan from JSON text or a mapping.

        Raises:
            PlanError: if it is not a legal plan; says which field is wrong.
        """
        try:
            if isinstance(data, (str, bytes)):
                return cls.model_validate_json(data)
            return cls.model_validate(data)
        except ValidationError as error:
            raise PlanError(
                f"not a legal plan: {first_problem(error)}",
                "`sow plan` prints a legal one to start from",
            ) from None

    @classmethod
    def read(cls, path: str | Path) -> Plan:
        """A plan from a JSON file, as `sow plan` writes it."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise PlanError(
                f"cannot read the plan {str(path)!r}: {_reason(error)}", "check --plan"
            ) from None
        return cls.parse(text)

    def to_json(self) -> str:
        """The plan as indented JSON."""
        return json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False)

    def changed(self, **fields: Any) -> Plan:
        """A copy with other values in some fields, checked like a new plan."""
        return Plan.parse({**self.model_dump(), **fields})

    def scaled(self, canvas: tuple[int, int]) -> Plan:
        """The same composition on a canvas of another size."""
        if canvas == self.canvas:
            return self
        across, down = canvas[0] / self.canvas[0], canvas[1] / self.canvas[1]
        box = self.box.scaled(across, down).clamped(canvas)
        return self.changed(
            canvas=canvas,
            box=box,
            ellipse=self.ellipse and self.ellipse.carried(self.box, box),
            related=[
                Region(label=r.label, box=r.box.scaled(across, down).clamped(canvas))
                for r in self.related
            ],
        )

    def aligned(self, stride: int) -> Plan:
        """The plan with its box on the grid of the latents (`stride` pixels, 8 for SD)."""
        return self.with_box(self.box.aligned(stride, self.canvas))

    def with_box(self, box: Box) -> Plan:
        """The plan with its box elsewhere; the ellipse keeps its place in the condition."""
        if box == self.box:
            return self
        return self.changed(box=box, ellipse=self.ellipse and self.ellipse.carried(self.box, box))


def check_inside(name: str, box: Box, canvas: tuple[int, int]) -> None:
    """Whether a box lies on the canvas.

    Raises:
        PlanError: if a part of it does not.
    """
    if not box.inside(canvas):
        raise PlanError(
            f"{name} {box.model_dump()} leaves the canvas {canvas[0]}x{canvas[1]}",
            "boxes are x,y,width,height in canvas pixels",
        )


def check_canvas(canvas: tuple[int, int], stride: int) -> None:
    """Whether a UNet of this total stride can make a picture of this size.

    Raises:
        PlanError: if it cannot.
    """
    if canvas[0] % stride or canvas[1] % stride:
        raise PlanError(
            f"a canvas of {canvas[0]}x{canvas[1]} does not fit this model",
            f"width and height must be multiples of {stride}",
        )


def first_problem(error: ValidationError) -> str:
    """The first complaint of pydantic as one short phrase."""
    problem = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in problem["loc"])
    what = str(problem["msg"]).removeprefix("Value error, ")
    return f"{where}: {what}" if where else what


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or "it is not UTF-8 text"
