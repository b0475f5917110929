"""What somebody wants, as they say it, and the same read and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from sow.errors import UsageError
from sow.pictures.inputs import as_mask, with_notes
from sow.pictures.loading import TRANSPARENCY
from sow.plan.box import Box
from sow.plan.plan import Plan, Region
from sow.planners.base import check_about_picture, check_choices
from sow.planners.graph_spec import GraphSource, GraphSpec, Triple, as_graph, as_triples
from sow.settings.inputs import PlanLike, as_box, as_canvas, as_plan, as_regions, check_prompt

if TYPE_CHECKING:
    from sow.pictures.inputs import PictureLike
    from sow.planners.graph_spec import GraphLike

NO_PICTURE = "give image=picture.png, or something to lay out without one: triples="


@dataclass(frozen=True)
class Request:
    """A picture and a sentence, and whatever else is decided already.

    Attributes:
        image: a file, a PIL picture, or an array.
        prompt: what to grow around it; may be empty with a plan.
        mask: the same, of the image's shape: white is kept.
        subject: what it is, if it is no face.
        face_index: which face, the largest being 0.
        setting: `normal`, `attribute` or `style`; None reads it from the prompt.
        box: where it goes, `[x, y, width, height]` in canvas pixels.
        related: the regions that belong to it: names and boxes.
        canvas: a side or `(width, height)` in pixels; None takes the model's own.
        matte: how it is cut out: `auto`, `rembg`, `ellipse`, `box` or `none`; see `PlanRequest`.
            None is `auto`, and leaves a given plan as it is.
        plan: a plan, the file of one, or what is in it, to carry out instead of making one.
        graph: a scene graph to lay out: a file, what is in it, `prompt` or `planner`.
        triples: more of it, "person,holding,red balloon"; with either of them, or a plan that
            plants nothing, there may be no image.
    """

    image: PictureLike | None = None
    prompt: str | None = None
    mask: PictureLike | None = None
    subject: str | None = None
    face_index: int | None = None
    setting: str | None = None
    box: Box | Sequence[int] | None = None
    related: Mapping[str, Box | Sequence[int]] | Sequence[Region] | None = None
    canvas: int | tuple[int, int] | None = None
    matte: str | None = None
    plan: PlanLike | None = None
    graph: GraphLike | None = None
    triples: str | Sequence[str | Sequence[str]] | None = None

    @property
    def decided(self) -> list[str]:
        """The names of what was given."""
        return [name for name, value in vars(self).items() if value is not None]

    @property
    def has_graph(self) -> bool:
        """Whether there is anything to lay out."""
        return self.graph is not None or self.triples is not None

    def check(self) -> None:
        """Refuses what makes no sense, before any file is opened.

        Raises:
            UsageError: for no picture, no prompt, or two things that exclude each other.
        """
        if self.image is None and self.plan is None and not self.has_graph:
            raise UsageError("no picture", NO_PICTURE)
        check_about_picture(self)
        check_choices(self.subject, self.face_index, self.setting, self.matte)
        if self.prompt or self.plan is None:
            check_prompt(self.prompt or "")
        if self.plan is not None and (self.subject or self.face_index is not None):
            raise UsageError(
                "subject= and face_index= are for making a plan", "leave them out with plan="
            )
        if self.plan is not None and self.has_graph:
            raise UsageError(
                "graph= and triples= are for making a plan", "leave them out with plan="
            )
        if self.matte and self.mask is not None:
            raise UsageError("the mask already cuts it out", "leave out matte= or mask=")
        if self.plan is not None and self.matte not in (None, "ellipse", "box"):
            raise UsageError(
                f"matte={self.matte} is for making a plan", "with plan=, it is ellipse or box"
            )

    def read(self) -> ResolvedRequest:
        """The same with its files read.

        Raises:
            SowError: for what cannot be read or makes no sense.
        """
        self.check()
        plan = None if self.plan is None else as_plan(self.plan)
        image, notes = (None, ()) if self.image is None else with_notes(self.image)
        if image is None and plan is not None and not plan.bare:
            raise UsageError("no picture", NO_PICTURE)
        if image is not None and image.mode == "RGBA" and self.matte is not None:
            notes = (*notes, f"{TRANSPARENCY} says what is planted, not the matte")
        return ResolvedRequest(
            image=image,
            mask=None if self.mask is None else as_mask(self.mask),
            prompt=self.prompt or "",
            subject=self.subject,
            face_index=self.face_index,
            setting=self.setting,
            box=None if self.box is None else as_box(self.box),
            related=None if self.related is None else as_regions(self.related),
            canvas=None if self.canvas is None else as_canvas(self.canvas),
            matte=self.matte,
            plan=plan,
            graph=None if self.graph is None else as_graph(self.graph),
            triples=None if self.triples is None else as_triples(self.triples),
            name=Path(self.image).stem if isinstance(self.image, (str, Path)) else "sow",
            notes=notes,
        )


@dataclass(frozen=True)
class ResolvedRequest:
    """A request whose files have been read; the fields are those of `Request`.

    Attributes:
        name: the picture's, without folder and ending.
        notes: what of the picture or of the request does not count.
    """

    image: Image.Image | None
    mask: Image.Image | None
    prompt: str
    subject: str | None
    face_index: int | None
    setting: Any
    box: Box | None
    related: tuple[Region, ...] | None
    canvas: tuple[int, int] | None
    matte: Any
    plan: Plan | None
    graph: GraphSpec | GraphSource | None
    triples: tuple[Triple, ...] | None
    name: str
    notes: tuple[str, ...] = ()
