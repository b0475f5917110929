"""What somebody wants, as they say it, and the same read and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from PIL import Image
from pydantic import ValidationError

from sow.box import Box
from sow.errors import PlanError, UsageError
from sow.kinds import check_kind
from sow.pictures.reading import (
    TRANSPARENCY,
    check_size,
    left_out,
    load_mask,
    load_with_notes,
    upright_rgb,
)  # fmt: skip
from sow.plan import Plan, Region, Setting
from sow.planners.base import MatteKind
from sow.records import first_problem

LONGEST_PROMPT = 4000
SETTINGS: tuple[str, ...] = get_args(Setting)
MATTES: tuple[str, ...] = get_args(MatteKind)


@dataclass(frozen=True)
class Request:
    """A picture and a sentence, and whatever else is decided already.

    Attributes:
        image: a file, or a PIL picture.
        prompt: what to grow around it; may be empty with a plan.
        mask: a file or a picture of the image's shape: white is kept.
        subject: what it is, if it is no face.
        face_index: which face, the largest being 0.
        setting: `normal`, `attribute` or `style`; None reads it from the prompt.
        box: where it goes, `[x, y, width, height]` in canvas pixels.
        related: the regions that belong to it: names and boxes.
        canvas: a side or `(width, height)` in pixels; None takes the model's own.
        matte: how it is cut out: `auto`, `rembg`, `ellipse`, `box` or `none`; see `PlanRequest`.
            None is `auto`, and leaves a given plan as it is.
        plan: a plan, or the file of one, to carry out instead of making one.
    """

    image: str | Path | Image.Image | None = None
    prompt: str | None = None
    mask: str | Path | Image.Image | None = None
    subject: str | None = None
    face_index: int | None = None
    setting: str | None = None
    box: Box | Sequence[int] | None = None
    related: Mapping[str, Box | Sequence[int]] | Sequence[Region] | None = None
    canvas: int | tuple[int, int] | None = None
    matte: str | None = None
    plan: Plan | str | Path | None = None

    @property
    def decided(self) -> list[str]:
        """The names of what was given."""
        return [name for name, value in vars(self).items() if value is not None]

    def check(self) -> None:
        """Refuses what makes no sense, before any file is opened.

        Raises:
            UsageError: for no picture, no prompt, or two things that exclude each other.
        """
        if self.image is None:
            raise UsageError("no picture", "give image=picture.png")
        for name, kind in (
            ("prompt", str),
            ("subject", str),
            ("setting", str),
            ("matte", str),
            ("face_index", int),
        ):
            value = getattr(self, name)
            if value is not None and not isinstance(value, kind):
                raise UsageError(f"the {name} is a {type(value).__name__}", f"give {name}=…")
        if self.subject is not None and not (
            self.subject.isprintable() and len(self.subject) <= 200
        ):
            raise UsageError("the subject is too long or not valid text", "200 letters at most")
        if self.face_index is not None and self.face_index < 0:
            raise UsageError(f"no face number {self.face_index}", "they are counted from 0")
        prompt = self.prompt or ""
        if self.plan is None and not prompt.strip():
            raise UsageError("no prompt", 'give prompt="an old person"')
        if len(prompt) > LONGEST_PROMPT or any("\ud800" <= c <= "\udfff" for c in prompt):
            raise UsageError(
                "the prompt is too long or not valid text", f"{LONGEST_PROMPT} letters at most"
            )
        if self.plan is not None and (self.subject or self.face_index is not None):
            raise UsageError(
                "subject= and face_index= are for making a plan", "leave them out with plan="
            )
        if self.matte not in (None, *MATTES):
            raise UsageError(f"no matte {self.matte!r}", f"choose one of {', '.join(MATTES)}")
        if self.matte and self.mask is not None:
            raise UsageError("the mask already cuts it out", "leave out matte= or mask=")
        if self.plan is not None and self.matte not in (None, "ellipse", "box"):
            raise UsageError(
                f"matte={self.matte} is for making a plan", "with plan=, it is ellipse or box"
            )
        if self.setting not in (None, *SETTINGS):
            raise UsageError(f"no setting {self.setting!r}", f"choose one of {', '.join(SETTINGS)}")

    def read(self) -> Asked:
        """The same with its files read.

        Raises:
            SowError: for what cannot be read or makes no sense.
        """
        self.check()
        image, notes = _picture(self.image)
        if image.mode == "RGBA" and self.matte is not None:
            notes = (*notes, f"{TRANSPARENCY} says what is planted, not the matte")
        return Asked(
            image=image,
            mask=None if self.mask is None else _mask(self.mask),
            prompt=self.prompt or "",
            subject=self.subject,
            face_index=self.face_index,
            setting=self.setting,
            box=None if self.box is None else as_box(self.box),
            related=None if self.related is None else as_regions(self.related),
            canvas=None if self.canvas is None else as_canvas(self.canvas),
            matte=self.matte,
            plan=None if self.plan is None else _plan(self.plan),
            name=Path(self.image).stem if isinstance(self.image, (str, Path)) else "sow",
            notes=notes,
        )


@dataclass(frozen=True)
class Asked:
    """A request whose files have been read; the fields are those of `Request`.

    Attributes:
        name: the picture's, without folder and ending.
        notes: what of the picture or of the request does not count.
    """

    image: Image.Image
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
    name: str
    notes: tuple[str, ...] = ()


def _picture(value: Any) -> tuple[Image.Image, tuple[str, ...]]:
    if isinstance(value, Image.Image):
        check_size(value.size, "the picture")
        notes = tuple(left_out(value))
        return upright_rgb(value), notes
    if isinstance(value, (str, Path)):
        return load_with_notes(value)
    raise UsageError(f"image= is a {type(value).__name__}", "give a file or a PIL picture")


def _plan(value: Any) -> Plan:
    if isinstance(value, Plan):
        return value
    return Plan.read(value) if isinstance(value, (str, Path)) else Plan.parse(value)


def _mask(value: Any) -> Image.Image:
    if isinstance(value, Image.Image):
        return value
    if isinstance(value, (str, Path)):
        return load_mask(value)
    raise UsageError(f"mask= is a {type(value).__name__}", "give a file or a PIL picture")


def as_box(value: Any, name: str = "box") -> Box:
    """A box from a `Box` or four whole numbers.

    Raises:
        PlanError: if it is neither.
    """
    try:
        return Box.model_validate(value)
    except ValidationError as error:
        raise PlanError(
            f"{name} {value!r} is no box: {first_problem(error)}",
            "give x, y, width, height in canvas pixels",
        ) from None


def as_regions(value: Any) -> tuple[Region, ...]:
    """Regions from a mapping of names to boxes, or from regions.

    Raises:
        PlanError: if one of them is none.
    """
    check_kind("related", value, (Mapping, Sequence), "names and boxes, or Regions")
    if not isinstance(value, Mapping):
        if not all(isinstance(region, Region) for region in value):
            raise PlanError("related= holds something else", "give names and boxes, or Regions")
        return tuple(value)
    regions = []
    for label, box in value.items():
        if not isinstance(label, str) or not label.strip():
            raise PlanError("a related region has no name", "give related= as name and box")
        if len(label) > 200 or not label.isprintable():
            raise PlanError("the name of a region is too long or no text", "200 letters at most")
        regions.append(Region(label=label.strip(), box=as_box(box, "related region")))
    return tuple(regions)


def as_canvas(value: Any) -> tuple[int, int]:
    """`(width, height)` from a side or a pair.

    Raises:
        UsageError: if it is neither, or out of range.
    """
    pair = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(pair) != 2 or not all(isinstance(side, int) and 8 <= side <= 8192 for side in pair):
        raise UsageError(f"{value!r} is no canvas", "give a side or (width, height), in pixels")
    return pair
