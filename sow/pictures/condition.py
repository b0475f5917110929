"""The visual condition: the pixels to plant and their mask, at the size of the plan's box."""

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
    turned,
)  # fmt: skip
from sow.plan.box import Box
from sow.plan.plan import Matte, Plan

if TYPE_CHECKING:
    from sow.pictures.inputs import PictureLike


@dataclass(frozen=True)
class Condition:
    """The visual condition; both pictures have the size of the plan's box.

    Attributes:
        picture: the pixels, RGB; all of the box is pasted into the seed canvas.
        mask: which pixels belong to the condition, 8-bit grey, white is kept.
    """

    picture: Image.Image
    mask: Image.Image

    @classmethod
    def empty(cls, canvas: tuple[int, int]) -> Condition:
        """Return the condition of a text-only plan: a grey canvas and an empty mask."""
        return cls(Image.new("RGB", canvas, GREY), Image.new("L", canvas, 0))

    @classmethod
    def prepare(
        cls,
        image: PictureLike | None,
        plan: Plan,
        mask: PictureLike | None = None,
        resample: Image.Resampling = Image.Resampling.LANCZOS,
    ) -> Condition:
        """Return the condition: the plan's crop of the user's picture, resized to the plan's box.

        The mask is the first of: `mask`, the picture's transparency, the plan's matte, the plan's
        ellipse, the whole box.

        Args:
            image: the user's picture.
            plan: its turn, crop, box, matte and ellipse are used.
            mask: of the picture's shape; white, or opaque if it has alpha, is kept.
            resample: the filter for resizing.

        Raises:
            UsageError: if there is no picture.
            PictureError: if the mask is empty inside the crop.
            PlanError: if the plan's crop or matte does not fit the picture.
        """
        image = turned(as_picture(image), plan.turn)
        crop = plan.crop or Box(x=0, y=0, width=image.width, height=image.height)
        if not crop.is_inside(image.size):
            raise PlanError(
                f"crop {crop.model_dump()} is not inside the {image.width}x{image.height} picture",
                "make the plan for this picture",
            )
        size = (plan.box.width, plan.box.height)
        if mask is not None:
            image = over_grey(image)
            image.putalpha(fit_mask(turned(as_mask(mask), plan.turn), image.size))
        if image.mode == "RGBA":
            picture, kept = _split_alpha(image.resize(size, resample, box=crop.corners))
        else:
            picture = image.resize(size, resample, box=crop.corners)
            if plan.matte is not None:
                matte = _extract_matte(image, plan.matte)
                kept = matte.resize(size, resample, box=crop.corners)
            elif plan.ellipse is not None:
                kept = _draw_ellipse(plan.ellipse, plan.box)
            else:
                kept = Image.new("L", size, 255)
        if kept.point(lambda level: 255 * (level >= 128)).getbbox() is None:
            mask_name = TRANSPARENCY if image.mode == "RGBA" else "the plan's outline"
            raise empty_mask_error("the mask" if mask is not None else mask_name)
        return cls(picture, kept)

    def to_rgba(self) -> Image.Image:
        """Return picture and mask as one RGBA picture."""
        rgba = _without_metadata(self.picture)
        rgba.putalpha(self.mask)
        return rgba

    def to_png(self) -> bytes:
        """Return picture and mask as an RGBA PNG."""
        buffer = io.BytesIO()
        self.to_rgba().save(buffer, "PNG")
        return buffer.getvalue()

    @classmethod
    def from_png(cls, data: bytes, size: tuple[int, int]) -> Condition:
        """Read what `to_png` wrote; the size is checked before anything is decoded.

        Raises:
            PictureError: if it is not a condition of this size.
        """
        with open_image(io.BytesIO(data), "the condition", ("PNG",)) as rgba:
            if rgba.mode != "RGBA" or rgba.size != size:
                raise PictureError("the condition does not fit its box")
            return cls(
                _without_metadata(rgba.convert("RGB")), _without_metadata(rgba.getchannel("A"))
            )


def _without_metadata(image: Image.Image) -> Image.Image:
    """Return a copy without text, colour profile or other metadata."""
    pixels = image.copy()
    pixels.info = {}
    return pixels


def _split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image]:
    """Return colours and alpha; fully transparent pixels become grey, so they reveal nothing."""
    alpha = image.getchannel("A")
    background = Image.new("RGB", image.size, GREY)
    visible = alpha.point(lambda level: 255 * (level > 0))
    return Image.composite(image.convert("RGB"), background, visible), alpha


def _extract_matte(image: Image.Image, matte: Matte) -> Image.Image:
    from sow.pictures.matte import extract_matte

    found = extract_matte(image, matte.head, matte.by, matte.within)
    if found is None:
        raise PlanError(
            "the subject of the plan's matte was not found in this picture",
            "make the plan for this picture, or use matte=ellipse",
        )
    return found


def _draw_ellipse(ellipse: Box, box: Box) -> Image.Image:
    fine = 4  # drawn at four times the size for a smooth edge
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
