"""What a planner is asked, and what it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from sow.box import Box
from sow.plan import Plan, Region, Setting

if TYPE_CHECKING:
    from PIL import Image


MatteKind = Literal["auto", "rembg", "ellipse", "box", "none"]


@dataclass(frozen=True)
class PlanRequest:
    """A picture and a sentence, and what the user has already decided.

    Attributes:
        image: the user's picture, upright.
        prompt: the user's words.
        canvas: `(width, height)` of the picture to make, in pixels.
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
    """

    image: Image.Image
    prompt: str
    canvas: tuple[int, int] = (512, 512)
    stride: int = 8
    subject: str | None = None
    setting: Setting | None = None
    box: Box | None = None
    related: tuple[Region, ...] | None = None
    face_index: int | None = None
    mask: Image.Image | None = None
    matte: MatteKind = "auto"


class Planner(Protocol):
    """Anything that turns a request into a legal plan."""

    def plan(self, request: PlanRequest) -> Plan:
        """The plan; raises `SowError` if there is none."""
        ...
