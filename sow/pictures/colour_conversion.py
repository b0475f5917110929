"""Numbers of other depths and colour spaces as 8-bit sRGB."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from PIL import Image, ImageCms

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_PROFILE_BYTES = 16 * 2**20
SPACES = {"RGB": "RGB", "RGBA": "RGB", "CMYK": "CMYK", "L": "GRAY"}
"""The colour space that a profile must be of, for each mode it can be applied to."""
STRIP = 2**22
"""Pixels that are looked at together: as 64-bit floats they take 32 MB."""


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The picture in sRGB, if it comes with a profile that says what else it is in.

    A broken profile, or one of another colour space, says nothing: the numbers are taken for sRGB.
    """
    if not profile or len(profile) > MAX_PROFILE_BYTES:
        return image
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        image = _plain_mode(image)
        if given.profile.xcolor_space.strip() != SPACES.get(image.mode):
            return image
        changed = ImageCms.profileToProfile(
            image,
            given,
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGBA" if image.mode == "RGBA" else "RGB",
        )
    except Exception:  # whatever is in it: a picture without a profile is a picture
        return image
    return image if changed is None else changed


def _plain_mode(image: Image.Image) -> Image.Image:
    """Palettes as colours, and transparency as a channel: what a profile can be applied to."""
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode in ("P", "YCbCr", "RGBX"):
        return image.convert("RGB")
    return image.convert("L") if image.mode == "1" else image


def to_8bit(image: Image.Image) -> Image.Image:
    """16-bit, 32-bit and floating-point grey as 8-bit grey."""
    import numpy as np  # costs a third of a refusal, and few pictures need it

    most = max(float(values.max()) for _, values in _strips(image))
    scale = 1.0
    if image.mode == "F" and most <= 1:
        scale = 255
    elif most > 255:
        scale = 255 / max(65535, most)
    grey = Image.new("L", image.size)
    for top, values in _strips(image):
        levels = np.clip((values * scale).round(), 0, 255).astype(np.uint8)
        grey.paste(Image.fromarray(levels), (0, top))
    return grey


def _strips(image: Image.Image) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """The values of a few rows after the other, with the row they start at; infinity is 0."""
    import numpy as np

    rows = max(1, STRIP // image.width)
    for top in range(0, image.height, rows):
        part = image.crop((0, top, image.width, min(image.height, top + rows)))
        yield top, np.nan_to_num(np.asarray(part, dtype=np.float64), posinf=0, neginf=0)
