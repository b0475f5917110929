"""`Plan`: the contract between planner and engine.

Planners never import the engine, and the engine never imports a planner. Boxes are validated,
scaled and clamped here. A box is `[x, y, width, height]` in canvas pixels, as in the paper
(Sec. IV-A, stage 2).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from sow.errors import PlanError
from sow.plan.box import Box
from sow.plan.canvas import MAX_SIDE, MIN_SIDE
from sow.plan.placement import Placement, Region
from sow.plan.scene_graph import CONDITION, Relation, SceneObject, scene_from_triples
from sow.utils.files import read_regular
from sow.utils.representation import represent
from sow.utils.type_checks import as_path
from sow.utils.validation import (
    UPDATE,
    StrictModel,
    check_version,
    first_problem,
    newer_version,
    without_default,
)

__all__ = [
    "Box", "Canvas", "Matte", "Placement", "Plan", "Region", "Relation", "SceneObject", "Setting",
    "check_canvas",
]  # fmt: skip

PLAN_VERSION: Literal[2] = 2
MAX_RELATIONS = 100
MAX_NOTES = 200
MAX_PLAN_BYTES = 2**20
"""Bytes of a plan as JSON, a hundred times a usual one."""
Setting = Literal["normal", "attribute", "style"]
NOTHING = "nothing"
"""The subject of a text-only plan, which plants nothing; its box is the whole canvas."""
DEFAULT_CANVAS, CANVAS_MULTIPLE = (512, 512), 64
"""Stable Diffusion's: `(width, height)` in pixels, and what both are multiples of."""
Side = Annotated[int, Field(ge=MIN_SIDE, le=MAX_SIDE)]
Canvas = tuple[Side, Side]


class Matte(StrictModel):
    """How to cut the condition out of the user's picture (`sow.pictures.matte`)."""

    head: Box | None = Field(
        default=None,
        description="the box of the ellipse around a head with its hair, in pixels of the picture; "
        "without it, the object in the middle is cut out",
    )
    by: Literal["grabcut", "rembg"] = Field(
        default="grabcut", description="what finds the outline: `grabcut` or `rembg`"
    )
    within: Box | None = Field(
        default=None,
        description="the part of the picture that is searched, in its pixels, if somebody else is "
        "beside the head",
    )

    @model_serializer(mode="wrap")
    def _omit_default_within(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out `within` if there is none: older plans do not have it."""
        return without_default(self, handler(self), "within")


class Plan(StrictModel):
    """Where the condition goes, and what is generated around it (Sec. IV-A).

    All boxes except `crop` and `matte.head` are in canvas pixels. Use `parse` or `read` to get
    `PlanError` for invalid data.
    """

    version: Literal[2] = Field(default=PLAN_VERSION, description="the version of this format")
    canvas: Canvas = Field(
        default=DEFAULT_CANVAS,
        description="(width, height) of the picture to make, in pixels; without it, the model's "
        "own size, to which the plan is scaled",
    )
    prompt: str = Field(min_length=1, max_length=4000, description="what the picture shows")
    box: Box = Field(description="where the condition is planted")
    related: tuple[Region, ...] = Field(
        default=(), max_length=200, description="the regions that interact with the condition"
    )
    setting: Setting = Field(
        default="normal", description="the preset of settings: `normal`, `attribute` or `style`"
    )
    subject: str = Field(
        default="face",
        min_length=1,
        max_length=200,
        description="what the condition is: `face`, `cat`, …; `nothing` plants nothing",
    )
    suppress: str = Field(
        default="human face",
        max_length=200,
        description="the noun to suppress outside the condition, so that it does not appear twice",
    )
    negative: str = Field(
        default="",
        max_length=4000,
        description="what the picture must not show: it precedes the settings' negative_prompt",
    )
    turn: Literal[0, 90, 180, 270] = Field(
        default=0,
        description="how many degrees the user's picture is turned clockwise before anything "
        "else; `crop` and `matte` are in pixels of the turned picture",
    )
    crop: Box | None = Field(
        default=None, description="the part of the user's picture that is planted, in its pixels"
    )
    ellipse: Box | None = Field(
        default=None,
        description="the box of the ellipse that is the condition; without it, the whole box is",
    )
    matte: Matte | None = Field(
        default=None,
        description="how to cut the condition out of the picture; precedes the ellipse",
    )
    objects: tuple[SceneObject, ...] = Field(
        default=(),
        max_length=200,
        description="the other objects of the picture: the nodes of a scene graph",
    )
    relations: tuple[Relation, ...] = Field(
        default=(),
        max_length=MAX_RELATIONS,
        description="their relations: the edges of the scene graph",
    )
    made_for: Placement | None = Field(
        default=None,
        description="what `box`, `ellipse` and `related` were when the plan was written. If you "
        "edit `box`, those that you did not edit move along",
    )
    planner: str = Field(default="user", max_length=200, description="who made the plan")
    notes: tuple[Annotated[str, Field(max_length=2000)], ...] = Field(
        default=(), max_length=MAX_NOTES, description="notes for the user"
    )

    def __repr__(self) -> str:
        """Return the composition: the condition's box, regions and objects."""
        return represent(
            self, prompt=self.prompt, setting=self.setting, subject=self.subject,
            canvas=self.canvas, box=self.box, related=[r.label for r in self.related] or None,
            objects=[thing.label for thing in self.objects] or None, planner=self.planner,
        )  # fmt: skip

    @model_validator(mode="before")
    @classmethod
    def _from_older(cls, value: Any) -> Any:
        """Convert version 1, whose relations had names of objects instead of ids."""
        check_version("plan", value, PLAN_VERSION)
        if not isinstance(value, dict) or value.get("version") != 1:
            return value
        relations = value.get("relations")
        triples = [
            (str(edge.get("subject")), str(edge.get("relation")), str(edge.get("object")))
            for edge in (relations[:MAX_RELATIONS] if isinstance(relations, (list, tuple)) else ())
            if isinstance(edge, dict)
        ]
        objects, edges = scene_from_triples(triples, condition=[str(value.get("subject", "face"))])
        return {**value, "version": PLAN_VERSION, "objects": objects, "relations": edges}

    @model_validator(mode="before")
    @classmethod
    def _follow_box(cls, value: Any) -> Any:
        """Move what hangs on a box that somebody edited; then the plan is as if made for it."""
        if not isinstance(value, Mapping) or value.get("made_for") is None:
            return value
        try:
            made = Placement.model_validate(value["made_for"])
            now = _Placed.model_validate(
                {name: value[name] for name in _Placed.model_fields if name in value}
            )
        except ValidationError:
            return value  # the validation of the fields names what is wrong
        moved = {name: part for name, part in value.items() if name != "made_for"}
        if now.box == made.box:
            return moved
        ellipse = made.moved_ellipse(now.ellipse, now.box)
        related = made.moved_regions(now.related, now.box, now.canvas)
        if (ellipse, related) != (now.ellipse, now.related):
            note = (
                f"the box was changed from {made.box.model_dump()} to {now.box.model_dump()}: what "
                "hangs on it moved along"
            )
            moved["notes"] = [*now.notes[: MAX_NOTES - 1], note]
        return {**moved, "ellipse": ellipse, "related": related}

    @model_validator(mode="after")
    def _validate_consistency(self) -> Plan:
        if not self.prompt.strip():
            raise ValueError("the prompt is empty")
        for name, box in [
            ("box", self.box),
            *((f"related region {r.label!r}", r.box) for r in self.related),
            *((f"object {o.id!r}", o.box) for o in self.objects if o.box is not None),
        ]:
            if not box.is_inside(self.canvas):
                width, height = self.canvas
                raise ValueError(
                    f"{name} {box.model_dump()} is not inside the canvas {width}x{height}"
                )
        if self.ellipse is not None and not self.ellipse.is_inside_box(self.box, slack=1):
            raise ValueError(
                f"ellipse {self.ellipse.model_dump()} is not inside the box {self.box.model_dump()}"
            )
        if self.crop is not None and (self.crop.x < 0 or self.crop.y < 0):
            raise ValueError(f"crop {self.crop.model_dump()} is not inside the picture")
        if self.text_only and self.placement_fields:
            raise ValueError(f"a plan that plants nothing cannot have {self.placement_fields[0]}")
        self._check_graph()
        return self

    def _check_graph(self) -> None:
        ids = [item.id for item in self.objects]
        duplicates = {name for name in ids if ids.count(name) > 1}
        if duplicates:
            raise ValueError(f"two objects have the id {sorted(duplicates)[0]!r}")
        known = {CONDITION, *ids}
        for relation in self.relations:
            for name in (relation.subject, relation.object):
                if name not in known:
                    raise ValueError(f"a relation names {name!r}, which is not the id of an object")

    @classmethod
    def parse(cls, data: str | bytes | Mapping[str, Any]) -> Plan:
        """Return the plan in JSON text or a mapping.

        Raises:
            PlanError: if it is invalid; names the field.
        """
        try:
            if isinstance(data, (str, bytes)):
                return cls.model_validate_json(data)
            return cls.model_validate(data)
        except ValidationError as error:
            newer = newer_version(error)
            if newer:
                raise PlanError(f"the plan was made by a newer SOW: {newer}", UPDATE) from None
            raise PlanError(
                f"invalid plan: {first_problem(error)}",
                "start from a plan that `sow plan` prints",
            ) from None

    @classmethod
    def read(cls, path: str | Path) -> Plan:
        """Read a plan from a JSON file, as `sow plan` writes it.

        Raises:
            PlanError: if the file cannot be read, or the plan is invalid.
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
        """True if nothing is planted: the picture is made from the prompt alone."""
        return self.subject == NOTHING

    @property
    def preset(self) -> str:
        """The name of the plan's preset."""
        return "text" if self.text_only else self.setting

    @property
    def placement_fields(self) -> list[str]:
        """The names of the fields that describe a planted condition; none for a text-only plan."""
        fields = {
            "box": self.box.corners != (0, 0, *self.canvas),
            "related": self.related,
            "suppress": self.suppress,
            "crop": self.crop,
            "ellipse": self.ellipse,
            "matte": self.matte,
        }
        return [name for name, value in fields.items() if value]

    @property
    def has_canvas(self) -> bool:
        """True if the plan has a canvas; if not, the model's is used (`CheckpointSpec`)."""
        return "canvas" in self.model_fields_set

    @model_serializer(mode="wrap")
    def _omit_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out a canvas that was not given, so that it stays open, and what is new."""
        data: dict[str, Any] = handler(self)
        for field in ("negative", "turn", "made_for"):
            data = without_default(self, data, field)
        if not self.has_canvas:
            data.pop("canvas", None)
        return data

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON data in which somebody may edit the box (`made_for`)."""
        data = self.model_dump(mode="json")
        if self.ellipse is not None or self.related:
            data["made_for"] = self._placement().model_dump(mode="json")
        return data

    def _placement(self, without: Collection[str] = ()) -> Placement:
        """Return the box and what hangs on it, without some fields."""
        return Placement(
            box=self.box,
            ellipse=None if "ellipse" in without else self.ellipse,
            related=() if "related" in without else tuple(r.box for r in self.related),
        )

    def to_json(self) -> str:
        """Return the plan as indented JSON; see `to_dict`."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def changed(self, **fields: Any) -> Plan:
        """Return a copy with some fields changed, validated like a new plan.

        If `box` changes, `ellipse` and `related` move along, unless they are changed too.
        """
        made_for = self._placement(without=fields)
        return Plan.parse({**self.model_dump(), "made_for": made_for, **fields})

    def scaled(self, canvas: tuple[int, int]) -> Plan:
        """Return the same composition on a canvas of another size.

        On a canvas of another shape the box keeps its own, and what hangs on it moves along.
        """
        if canvas == self.canvas:
            return self if self.has_canvas else self.changed(canvas=canvas)
        across, down = canvas[0] / self.canvas[0], canvas[1] / self.canvas[1]
        box = stretched = self.box.scaled(across, down).clamped(canvas)
        if across != down and not self.text_only:
            scale, (x, y) = min(across, down), self.box.centre
            size = (self.box.width * scale, self.box.height * scale)
            box = Box.around(x * across, y * down, *size).clamped(canvas)
        related = [
            r.model_copy(update={"box": r.box.scaled(across, down).clamped(canvas)})
            for r in self.related
        ]
        placed = Placement(box=stretched, related=tuple(r.box for r in related))
        return self.changed(
            canvas=canvas,
            box=box,
            ellipse=self.ellipse and self.ellipse.mapped(self.box, box),
            related=placed.moved_regions(related, box, canvas),
            objects=[
                o.model_copy(update={"box": o.box and o.box.scaled(across, down).clamped(canvas)})
                for o in self.objects
            ],
        )

    def aligned(self, grid: int) -> Plan:
        """Return the plan with its box on the latent grid (`grid` pixels, 8 for SD)."""
        return self.with_box(self.box.aligned(grid, self.canvas))

    def with_box(self, box: Box) -> Plan:
        """Return the plan with another box; the ellipse is mapped with it."""
        if box == self.box:
            return self
        ellipse = self.ellipse and self.ellipse.mapped(self.box, box)
        return self.changed(box=box, ellipse=ellipse, related=self.related)


class _Placed(StrictModel):
    """The fields of a plan that depend on its box, and the canvas."""

    canvas: Canvas = DEFAULT_CANVAS
    box: Box
    ellipse: Box | None = None
    related: tuple[Region, ...] = ()
    notes: tuple[str, ...] = ()


def check_canvas(canvas: tuple[int, int], multiple: int) -> None:
    """Check that both sides of a canvas are multiples of `multiple` pixels, which the UNet needs.

    Raises:
        PlanError: if they are not.
    """
    if canvas[0] % multiple or canvas[1] % multiple:
        raise PlanError(
            f"a canvas of {canvas[0]}x{canvas[1]} does not fit this model",
            f"width and height must be multiples of {multiple}",
        )


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or "not UTF-8 text"
