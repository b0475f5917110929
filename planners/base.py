"""The request that every planner takes, and the protocol of planners."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from types import NoneType
from typing import Any, Literal, Protocol, get_args

from PIL import Image

from sow.errors import UsageError
from sow.pictures.inputs import as_mask, as_picture
from sow.plan.box import Box
from sow.plan.canvas import CanvasShape
from sow.plan.plan import CANVAS_MULTIPLE, DEFAULT_CANVAS, NOTHING, Plan, Region, Setting
from sow.planners.argument_names import with_other_names
from sow.planners.graph_spec import GraphSource, GraphSpec, Triple, as_graph, as_triples
from sow.planners.request import RequestFields
from sow.settings.inputs import as_box, as_canvas, as_regions, check_prompt
from sow.utils.type_checks import INTEGERS, check_type

MatteKind = Literal["auto", "rembg", "ellipse", "box", "none"]
SETTINGS: tuple[str, ...] = get_args(Setting)
MATTES: tuple[str, ...] = get_args(MatteKind)
CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "mask": as_mask,
    "canvas": as_canvas,
    "box": as_box,
    "related": as_regions,
    "graph": as_graph,
    "triples": as_triples,
}
PICTURE_FIELDS = ("mask", "subject", "face_index", "box", "related")
"""Fields that describe the picture, and make no sense without one."""


@dataclass(frozen=True, repr=False)
class ReadFields(RequestFields):
    """The fields of a request after files are read and shorthands converted."""

    image: Image.Image | None = None
    prompt: str = ""
    canvas: tuple[int, int] | CanvasShape | None = None
    _: KW_ONLY
    mask: Image.Image | None = None
    setting: Setting | None = None
    box: Box | None = None
    related: tuple[Region, ...] | None = None
    graph: GraphSpec | GraphSource | None = None
    triples: tuple[Triple, ...] | None = None


@with_other_names
@dataclass(frozen=True, repr=False)
class PlanRequest(ReadFields):
    """A picture, a prompt, and what the user has decided already, for a planner.

    All fields but `vae_scale_factor` are fields of `sow.Request`. Without `image` nothing is
    planted; then `graph` or `triples` are required, which only `sow.GraphPlanner` lays out.
    `canvas` None uses the model's own size; with a box or regions, which are in canvas pixels, it
    is 512x512. Of a shape, such as 9:16, it is the size that suits Stable Diffusion.

    Attributes:
        vae_scale_factor: boxes are aligned to a grid of this many pixels (one latent).
        matte: how the condition is cut out without a mask. `auto` finds its outline, or else uses
            an `ellipse` around a face, or the whole picture; `rembg` finds the outline with that
            package; `box` keeps the square around a face; `none` keeps the whole picture.

    Raises:
        SowError: if a value cannot be read or makes no sense.
    """

    canvas: tuple[int, int] | None = None
    _: KW_ONLY
    vae_scale_factor: int = 8
    matte: MatteKind = "auto"

    def __post_init__(self) -> None:
        """Check all fields, and convert shorthands such as four numbers for a box."""
        check_prompt(self.prompt)
        check_choices(self.subject, self.face_index, self.setting, self.matte)
        check_type(
            "vae_scale_factor", self.vae_scale_factor, INTEGERS, "the pixels per latent, 8 for SD"
        )
        if self.vae_scale_factor < 1:
            raise UsageError(
                f"vae_scale_factor={self.vae_scale_factor} is too small", "use 1 or more"
            )
        if self.image is not None or not self.has_graph:
            self._set("image", as_picture(self.image))
        check_about_picture(self)
        self._set("matte", self.matte or "auto")
        for name, convert in CONVERTERS.items():
            if getattr(self, name) is not None:
                self._set(name, convert(getattr(self, name)))
        if isinstance(self.canvas, CanvasShape):
            self._set("canvas", self.canvas.size(DEFAULT_CANVAS, CANVAS_MULTIPLE))
        graph_boxes = self.graph.boxes if isinstance(self.graph, GraphSpec) else []
        has_boxes = self.box is not None or self.related is not None or bool(graph_boxes)
        if self.canvas is None and has_boxes:
            self._set("canvas", DEFAULT_CANVAS)  # boxes are in canvas pixels

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)  # the dataclass is frozen

    @property
    def picture(self) -> Image.Image:
        """The user's picture.

        Raises:
            UsageError: if there is a scene graph, which only `sow.GraphPlanner` lays out.
        """
        if self.has_graph:
            raise UsageError("this planner does not lay out scene graphs", "use sow.GraphPlanner, "
                             "or leave out graph= and triples=")  # fmt: skip
        assert self.image is not None
        return self.image

    @property
    def size(self) -> tuple[int, int]:
        """The canvas to plan on, in pixels: 512x512 if it is left to the model."""
        return self.canvas or DEFAULT_CANVAS


def check_about_picture(request: Any) -> None:
    """Check that fields about a picture come with one.

    Raises:
        UsageError: if they do not.
    """
    present = [name for name in PICTURE_FIELDS if getattr(request, name) is not None]
    if request.image is None and present:
        raise UsageError(f"{present[0]}= needs a picture", "give image=")


def check_choices(subject: object, face_index: object, setting: object, matte: object) -> None:
    """Check the choices of a request; None leaves a choice to the planner.

    Raises:
        UsageError: if a value is unknown or of another type.
    """
    for name, word in (("subject", subject), ("setting", setting), ("matte", matte)):
        check_type(name, word, (str, NoneType), "text")
    for name, choice, allowed in (("setting", setting, SETTINGS), ("matte", matte, MATTES)):
        if choice not in (None, *allowed):
            raise UsageError(f"unknown {name} {choice!r}", f"choose one of {', '.join(allowed)}")
    if isinstance(subject, str) and not (subject.isprintable() and len(subject) <= 200):
        raise UsageError("the subject is too long or not valid text", "use at most 200 characters")
    if subject == NOTHING:
        raise UsageError(f"subject={NOTHING} is reserved", "leave out image= to plant nothing")
    check_type("face_index", face_index, (*INTEGERS, NoneType), "a whole number")
    if isinstance(face_index, int) and face_index < 0:
        raise UsageError(f"no face number {face_index}", "count from 0")


class Planner(Protocol):
    """Turns a request into a legal plan."""

    def plan(self, request: PlanRequest) -> Plan:
        """Return the plan.

        Raises:
            SowError: if no plan can be made.
        """
