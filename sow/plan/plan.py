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
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from sow.errors import PlanError
from sow.plan.box import Box
from sow.plan.scene_graph import CONDITION, Relation, SceneObject, scene_from_triples
from sow.utils.files import read_regular
from sow.utils.type_checks import as_path
from sow.utils.validation import (
    UPDATE,
    check_version,
    first_problem,
    newer_version,
    without_default,
)

__all__ = [
    "Box", "Canvas", "Matte", "Plan", "Region", "Relation", "SceneObject", "Setting",
    "check_canvas",
]  # fmt: skip

PLAN_VERSION: Literal[2] = 2
MAX_RELATIONS = 100
MAX_PLAN_BYTES = 2**20
"""Bytes of a plan as JSON: a hundred times what one takes, and read in a moment."""
Setting = Literal["normal", "attribute", "style"]
NOTHING = "nothing"
"""The subject of a plan by which nothing is planted: its box is the whole canvas."""
DEFAULT_CANVAS = (512, 512)
Canvas = tuple[Annotated[int, Field(ge=8, le=8192)], Annotated[int, Field(ge=8, le=8192)]]


class Region(BaseModel):
    """A part of the canvas that belongs to the condition, such as the body below a face."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str = Field(min_length=1, max_length=200)
    box: Box
    weight: float = Field(
        default=1.0, gt=0, le=1, description="how much of the enhancement its tokens get"
    )

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Plans without weights read and look as they did before there were any."""
        return without_default(self, handler(self), "weight")


class Matte(BaseModel):
    """How the condition is cut out of the user's picture; see `sow.pictures.matte`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    head: Box | None = Field(
        default=None,
        description="the ellipse in which a head lies with its hair, in pixels of the picture; "
        "without it, what stands in the middle is cut out",
    )
    by: Literal["grabcut", "rembg"] = "grabcut"


class Plan(BaseModel):
    """Where the condition goes, what grows around it and how (Sec. IV-A).

    All boxes but `crop` are in canvas pixels. `PlanError` is raised for anything illegal.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[2] = PLAN_VERSION
    canvas: Canvas = Field(
        default=DEFAULT_CANVAS,
        description="(width, height) of the picture to make, in pixels; a plan that does not say "
        "is a composition for whichever size is its model's own",
    )
    prompt: str = Field(min_length=1, max_length=4000, description="what the picture shows")
    box: Box = Field(description="where the condition is planted")
    related: tuple[Region, ...] = Field(
        default=(), max_length=200, description="the regions that interact with the condition"
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
    matte: Matte | None = Field(
        default=None, description="the condition is cut out of the picture; before the ellipse"
    )
    objects: tuple[SceneObject, ...] = Field(
        default=(), max_length=200, description="what else the picture shows: a graph's nodes"
    )
    relations: tuple[Relation, ...] = Field(
        default=(),
        max_length=MAX_RELATIONS,
        description="who does what with what: a scene graph's edges",
    )
    planner: str = Field(default="user", max_length=200, description="who made the plan")
    notes: tuple[Annotated[str, Field(max_length=2000)], ...] = Field(
        default=(), max_length=200, description="what the user should know about it"
    )

    @model_validator(mode="before")
    @classmethod
    def _from_older(cls, value: Any) -> Any:
        """Version 1 named what its relations are between, and had no objects."""
        check_version("plan", value, PLAN_VERSION)
        if not isinstance(value, dict) or value.get("version") != 1:
            return value
        given = value.get("relations")
        triples = [
            (str(edge.get("subject")), str(edge.get("relation")), str(edge.get("object")))
            for edge in (given[:MAX_RELATIONS] if isinstance(given, (list, tuple)) else ())
            if isinstance(edge, dict)
        ]
        objects, relations = scene_from_triples(triples, condition=[str(value.get("subject", "face"))])
        return {**value, "version": PLAN_VERSION, "objects": objects, "relations": relations}

    @model_validator(mode="after")
    def _legal(self) -> Plan:
        if not self.prompt.strip():
            raise ValueError("the prompt is empty")
        for name, box in [
            ("box", self.box),
            *((f"related region {r.label!r}", r.box) for r in self.related),
            *((f"object {o.id!r}", o.box) for o in self.objects if o.box is not None),
        ]:
            if not box.is_inside(self.canvas):
                width, height = self.canvas
                raise ValueError(f"{name} {box.model_dump()} leaves the canvas {width}x{height}")
        if self.ellipse is not None and not self.ellipse.is_inside_box(self.box, slack=1):
            raise ValueError(
                f"ellipse {self.ellipse.model_dump()} leaves the box {self.box.model_dump()}"
            )
        if self.crop is not None and (self.crop.x < 0 or self.crop.y < 0):
            raise ValueError(f"crop {self.crop.model_dump()} starts outside the picture")
        if self.text_only and self.placement_fields:
            raise ValueError(f"nothing is planted, so there is no {self.placement_fields[0]} to say")
        self._check_graph()
        return self

    def _check_graph(self) -> None:
        ids = [thing.id for thing in self.objects]
        twice = {name for name in ids if ids.count(name) > 1}
        if twice:
            raise ValueError(f"two objects have the id {sorted(twice)[0]!r}")
        known = {CONDITION, *ids}
        for relation in self.relations:
            for name in (relation.subject, relation.object):
                if name not in known:
                    raise ValueError(f"a relation speaks of {name!r}, which is no object's id")

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
            newer = newer_version(error)
            if newer:
                raise PlanError(f"a newer SOW made this plan: {newer}", UPDATE) from None
            raise PlanError(
                f"not a legal plan: {first_problem(error)}",
                "`sow plan` prints a legal one to start from",
            ) from None

    @classmethod
    def read(cls, path: str | Path) -> Plan:
        """A plan from a JSON file, as `sow plan` writes it.

        Raises:
            PlanError: if it cannot be read, or is no legal plan.
        """
        path = as_path("plan", path)
        try:
            text = read_regular(path, MAX_PLAN_BYTES).decode("utf-8")
        except (OSError, ValueError) as error:
            raise PlanError(
                f"cannot read the plan {str(path)!r}: {_reason(error)}", "check plan="
            ) from None
        return cls.parse(text)

    @property
    def text_only(self) -> bool:
        """Whether nothing is planted: the picture is made of the sentence alone."""
        return self.subject == NOTHING

    @property
    def preset(self) -> str:
        """The name of the preset that goes with it."""
        return "text" if self.text_only else self.setting

    @property
    def placement_fields(self) -> list[str]:
        """The names of what says how something is planted, other than on the whole canvas."""
        said = {"box": self.box.corners != (0, 0, *self.canvas), "related": self.related,
                "suppress": self.suppress, "crop": self.crop, "ellipse": self.ellipse,
                "matte": self.matte}  # fmt: skip
        return [name for name, value in said.items() if value]

    @property
    def has_canvas(self) -> bool:
        """Whether the canvas was decided; otherwise it is the model's to say (`CheckpointSpec.fit_plan`)."""
        return "canvas" in self.model_fields_set

    @model_serializer(mode="wrap")
    def _as_decided(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What nobody decided is not written down as if somebody had: it stays open."""
        data: dict[str, Any] = handler(self)
        if not self.has_canvas:
            data.pop("canvas", None)
        return data

    def to_json(self) -> str:
        """The plan as indented JSON."""
        return json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False)

    def changed(self, **fields: Any) -> Plan:
        """A copy with other values in some fields, checked like a new plan."""
        return Plan.parse({**self.model_dump(), **fields})

    def scaled(self, canvas: tuple[int, int]) -> Plan:
        """The same composition on a canvas of another size."""
        if canvas == self.canvas:
            return self if self.has_canvas else self.changed(canvas=canvas)
        across, down = canvas[0] / self.canvas[0], canvas[1] / self.canvas[1]
        box = self.box.scaled(across, down).clamped(canvas)
        return self.changed(
            canvas=canvas,
            box=box,
            ellipse=self.ellipse and self.ellipse.mapped(self.box, box),
            related=[
                r.model_copy(update={"box": r.box.scaled(across, down).clamped(canvas)})
                for r in self.related
            ],
            objects=[
                o.model_copy(update={"box": o.box and o.box.scaled(across, down).clamped(canvas)})
                for o in self.objects
            ],
        )

    def aligned(self, stride: int) -> Plan:
        """The plan with its box on the grid of the latents (`stride` pixels, 8 for SD)."""
        return self.with_box(self.box.aligned(stride, self.canvas))

    def with_box(self, box: Box) -> Plan:
        """The plan with its box elsewhere; the ellipse keeps its place in the condition."""
        if box == self.box:
            return self
        return self.changed(box=box, ellipse=self.ellipse and self.ellipse.mapped(self.box, box))


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


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or "it is not UTF-8 text"
