"""The visual condition: the pixels that are planted, at the size of their box."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from sow.box import Box
from sow.errors import PictureError, PlanError
from sow.pictures.reading import GREY, fit_mask, over_grey, upright_rgb
from sow.plan import Plan


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
    def prepare(cls, image: Image.Image, plan: Plan, mask: Image.Image | None = None) -> Condition:
        """The condition out of the user's picture, as the plan says.

        The mask is `mask` (of the picture's shape), else the picture's own transparency, else the
        plan's ellipse, else the whole box. What a mask or transparency leaves out becomes grey;
        around an ellipse the picture's own surroundings are planted too, but not kept.

        Raises:
            PictureError: if the mask is empty there.
            PlanError: if the plan's crop does not lie in the picture.
        """
        image = upright_rgb(image)
        crop = plan.crop or Box(x=0, y=0, width=image.width, height=image.height)
        if not crop.inside(image.size):
            raise PlanError(
                f"the crop {crop.model_dump()} leaves the picture of {image.width}x{image.height}",
                "make the plan for this picture",
            )
        size = (plan.box.width, plan.box.height)
        picture = _fit(over_grey(image), crop, size)
        if mask is not None:
            kept = _fit(fit_mask(mask, image.size), crop, size)
            picture = Image.composite(picture, Image.new("RGB", size, GREY), kept)
        elif image.mode == "RGBA":
            kept = _fit(image.getchannel("A"), crop, size)
        elif plan.ellipse is not None:
            kept = _ellipse(plan.ellipse, plan.box)
        else:
            kept = Image.new("L", size, 255)
        if np.asarray(kept).max() < 128:
            raise PictureError(
                "the mask keeps nothing of the picture", "white or opaque is what is kept"
            )
        return cls(picture, kept)

    def to_png(self) -> bytes:
        """Both as one PNG, the mask as its alpha channel."""
        both = self.picture.copy()
        both.putalpha(self.mask)
        buffer = io.BytesIO()
        both.save(buffer, "PNG")
        return buffer.getvalue()

    @classmethod
    def from_png(cls, data: bytes, size: tuple[int, int]) -> Condition:
        """The reverse of `to_png`; `size` is looked at before anything is unpacked.

        Raises:
            PictureError: if it is not a condition of this size.
        """
        with Image.open(io.BytesIO(data), formats=("PNG",)) as both:
            if both.mode != "RGBA" or both.size != size:
                raise PictureError("the condition does not fit its box")
            return cls(both.convert("RGB"), both.getchannel("A"))


def _fit(image: Image.Image, crop: Box, size: tuple[int, int]) -> Image.Image:
    return image.resize(size, Image.Resampling.LANCZOS, box=crop.corners)


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
