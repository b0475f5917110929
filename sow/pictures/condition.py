"""The visual condition: the pixels that are planted, at the size of their box."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from sow.errors import PictureError, PlanError
from sow.pictures.inputs import as_mask, as_picture
from sow.pictures.loading import (
    GREY,
    TRANSPARENCY,
    empty_mask_error,
    fit_mask,
    open_image,
    over_grey,
)  # fmt: skip
from sow.plan.box import Box
from sow.plan.plan import Matte, Plan

if TYPE_CHECKING:
    from sow.pictures.inputs import PictureLike


@dataclass(frozen=True)
class Condition:
    """What is planted: both pictures have the size of the plan's box.

    Attributes:
        picture: the condition's pixels, RGB; all of the box is pasted into the seed canvas.
        mask: which of them are to stay recognisable, 8-bit grey, white is kept.
    """

    picture: Image.Image
    mask: Image.Image

    @classmethod
    def nothing(cls, canvas: tuple[int, int]) -> Condition:
        """What is planted where nothing is: for plans that are `text_only`."""
        return cls(Image.new("RGB", canvas, GREY), Image.new("L", canvas, 0))

    @classmethod
    def prepare(
        cls,
        image: PictureLike | None,
        plan: Plan,
        mask: PictureLike | None = None,
        resample: Image.Resampling = Image.Resampling.LANCZOS,
    ) -> Condition:
        """The condition out of the user's picture, as the plan says.

        The mask is `mask` (of the picture's shape), else the picture's own transparency, else the
        plan's matte, else its ellipse, else the whole box. resample: how the size is changed.

        Raises:
            UsageError: if there is no picture.
            PictureError: if the mask is empty there.
            PlanError: if the plan's crop or matte does not fit the picture.
        """
        image = as_picture(image)
        crop = plan.crop or Box(x=0, y=0, width=image.width, height=image.height)
        if not crop.is_inside(image.size):
            raise PlanError(
                f"the crop {crop.model_dump()} leaves the picture of {image.width}x{image.height}",
                "make the plan for this picture",
            )
        size = (plan.box.width, plan.box.height)
        if mask is not None:
            image = over_grey(image)
            image.putalpha(fit_mask(as_mask(mask), image.size))
        if image.mode == "RGBA":
            picture, kept = _cut_out(image.resize(size, resample, box=crop.corners))
        else:
            picture = image.resize(size, resample, box=crop.corners)
            if plan.matte is not None:
                whole = _matte(image, plan.matte)
                kept = whole.resize(size, resample, box=crop.corners)
            elif plan.ellipse is not None:
                kept = _ellipse(plan.ellipse, plan.box)
            else:
                kept = Image.new("L", size, 255)
        if kept.point(lambda level: 255 * (level >= 128)).getbbox() is None:
            outline = TRANSPARENCY if image.mode == "RGBA" else "the plan's outline"
            raise empty_mask_error("the mask" if mask is not None else outline)
        return cls(picture, kept)

    def cut_out(self) -> Image.Image:
        """Both as one picture, the mask as its alpha channel."""
        both = _bare(self.picture)
        both.putalpha(self.mask)
        return both

    def to_png(self) -> bytes:
        """The same as a PNG."""
        buffer = io.BytesIO()
        self.cut_out().save(buffer, "PNG")
        return buffer.getvalue()

    @classmethod
    def from_png(cls, data: bytes, size: tuple[int, int]) -> Condition:
        """The reverse of `to_png`; `size` is looked at before anything is unpacked.

        Raises:
            PictureError: if it is not a condition of this size.
        """
        with open_image(io.BytesIO(data), "the condition", ("PNG",)) as both:
            if both.mode != "RGBA" or both.size != size:
                raise PictureError("the condition does not fit its box")
            return cls(_bare(both.convert("RGB")), _bare(both.getchannel("A")))


def _bare(image: Image.Image) -> Image.Image:
    """The same pixels without the text, profile or whatever else a picture carries along."""
    pixels = image.copy()
    pixels.info = {}
    return pixels


def _cut_out(image: Image.Image) -> tuple[Image.Image, Image.Image]:
    """Colours and mask of a picture with alpha; where nothing is kept, nothing is told: grey."""
    kept = image.getchannel("A")
    ground = Image.new("RGB", image.size, GREY)
    seen = kept.point(lambda level: 255 * (level > 0))
    return Image.composite(image.convert("RGB"), ground, seen), kept


def _matte(image: Image.Image, matte: Matte) -> Image.Image:
    from sow.pictures.matte import cut_out

    found = cut_out(image, matte.head, matte.by)
    if found is None:
        raise PlanError(
            "what the plan cuts out is not in this picture",
            "make the plan for this picture, or give matte=ellipse",
        )
    return found


def _ellipse(ellipse: Box, box: Box) -> Image.Image:
    fine = 4  # drawn at four times the size, so that its edge is smooth
    mask = Image.new("L", (box.width * fine, box.height * fine))
    left, top, right, bottom = ellipse.corners
    ImageDraw.Draw(mask).ellipse(
        [
            (left - box.x) * fine,
            (top - box.y) * fine,
            (right - box.x) * fine - 1,
            (bottom - box.y) * fine - 1,
        ],
        fill=255,
    )
    return mask.resize((box.width, box.height), Image.Resampling.BOX)
