"""What a planner is asked, and what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import NoneType
from typing import Any, Literal, Protocol, get_args

from PIL import Image

from sow.box import Box
from sow.errors import UsageError
from sow.given import as_box, as_canvas, as_regions, check_prompt
from sow.kinds import WHOLE, check_kind
from sow.pictures.given import as_mask, as_picture
from sow.plan import NOTHING, USUAL_CANVAS, Plan, Region, Setting
from sow.planners.scenes import GivenGraph, Source, Triple, as_graph, as_triples

MatteKind = Literal["auto", "rembg", "ellipse", "box", "none"]
SETTINGS: tuple[str, ...] = get_args(Setting)
MATTES: tuple[str, ...] = get_args(MatteKind)
READERS: dict[str, Callable[[Any], Any]] = {
    "mask": as_mask,
    "canvas": as_canvas,
    "box": as_box,
    "related": as_regions,
    "graph": as_graph,
    "triples": as_triples,
}
ABOUT_PICTURES = ("mask", "subject", "face_index", "box", "related")
"""What says something of a picture, and nothing where there is none."""


@dataclass(frozen=True)
class PlanRequest:
    """A picture and a sentence, and what the user has already decided.

    Attributes:
        image: the user's picture; files are read, and arrays taken. None plants nothing, where
            `graph` or `triples` say what else to lay out.
        prompt: the user's words.
        canvas: `(width, height)` of the picture to make, in pixels. None leaves it to the model
            that carries the plan out, which takes its own size; beside a box or regions it is
            512x512, because they are in its pixels.
        stride: boxes fall on a grid of this many pixels (one latent).
        subject: what the condition is; None looks for a face.
        setting: which preset; None reads it from the prompt.
        box: where the condition goes; None leaves it to the planner.
        related: the regions that belong to it; None leaves them to the planner.
        face_index: which face, the largest being 0; None takes the largest and says so.
        mask: the user's mask of the picture; it says what the condition is.
        matte: how it is cut out without a mask: `auto` looks for its outline and takes an
            `ellipse` round a face, or the whole picture, where it finds none; `rembg` looks with
            that package; `box` keeps what is round a face too, `none` the whole picture.
        graph: a scene graph to lay out: a file, what is in it, `prompt` to read it from there, or
            `planner` to take what a model answers. Only `sow.GraphPlanner` lays out.
        triples: more of it: "person,holding,red balloon".

    Raises:
        SowError: for what cannot be read or makes no sense.
    """

    image: Image.Image | None
    prompt: str
    canvas: tuple[int, int] | None = None
    stride: int = 8
    subject: str | None = None
    setting: Setting | None = None
    box: Box | None = None
    related: tuple[Region, ...] | None = None
    face_index: int | None = None
    mask: Image.Image | None = None
    matte: MatteKind = "auto"
    graph: GivenGraph | Source | None = None
    triples: tuple[Triple, ...] | None = None

    def __post_init__(self) -> None:
        """Every planner is asked with one of these, so slips end here, and no planner meets them.

        What is given in another shape, such as four numbers for a box, is kept in its own.
        """
        check_prompt(self.prompt)
        check_said(self.subject, self.face_index, self.setting, self.matte)
        check_kind("stride", self.stride, WHOLE, "the pixels per latent, 8 for Stable Diffusion")
        if self.stride < 1:
            raise UsageError(f"stride={self.stride} is too small", "use 1 or more")
        if self.image is not None or not self.has_graph:
            self._keep("image", as_picture(self.image))
        check_about_picture(self)
        self._keep("matte", self.matte or "auto")
        for name, reader in READERS.items():
            if getattr(self, name) is not None:
                self._keep(name, reader(getattr(self, name)))
        given = self.graph.boxes if isinstance(self.graph, GivenGraph) else []
        if self.canvas is None and (self.box is not None or self.related is not None or given):
            self._keep("canvas", USUAL_CANVAS)  # they are in its pixels

    def _keep(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)  # as dataclasses themselves do where they are frozen

    @property
    def has_graph(self) -> bool:
        """Whether there is anything to lay out."""
        return self.graph is not None or self.triples is not None

    @property
    def picture(self) -> Image.Image:
        """The user's picture.

        Raises:
            UsageError: if there is none, or a graph that somebody else has to lay out.
        """
        if self.has_graph:
            raise UsageError("this planner does not lay out scene graphs", "use sow.GraphPlanner, "
                             "or leave out graph= and triples=")  # fmt: skip
        assert self.image is not None
        return self.image

    @property
    def size(self) -> tuple[int, int]:
        """The canvas to plan on; one that is left open is planned as Stable Diffusion's own."""
        return self.canvas or USUAL_CANVAS


def check_about_picture(request: Any) -> None:
    """Refuses what is said of a picture that is not there.

    Raises:
        UsageError: if anything is.
    """
    said = [name for name in ABOUT_PICTURES if getattr(request, name) is not None]
    if request.image is None and said:
        raise UsageError(f"{said[0]}= needs a picture", "give image=")


def check_said(subject: object, face_index: object, setting: object, matte: object) -> None:
    """Refuses what nobody can plan by; None leaves it to the planner.

    Raises:
        UsageError: if it is that.
    """
    for name, word in (("subject", subject), ("setting", setting), ("matte", matte)):
        check_kind(name, word, (str, NoneType), "text")
    for name, choice, allowed in (("setting", setting, SETTINGS), ("matte", matte, MATTES)):
        if choice not in (None, *allowed):
            raise UsageError(f"unknown {name} {choice!r}", f"choose one of {', '.join(allowed)}")
    if isinstance(subject, str) and not (subject.isprintable() and len(subject) <= 200):
        raise UsageError("the subject is too long or not valid text", "use at most 200 characters")
    if subject == NOTHING:
        raise UsageError(f"subject={NOTHING} is reserved", "leave out image= to plant nothing")
    check_kind("face_index", face_index, (*WHOLE, NoneType), "a whole number")
    if isinstance(face_index, int) and face_index < 0:
        raise UsageError(f"no face number {face_index}", "count from 0")


class Planner(Protocol):
    """Anything that turns a request into a legal plan."""

    def plan(self, request: PlanRequest) -> Plan:
        """The plan; raises `SowError` if there is none."""
