"""Convert pictures of other bit depths and colour spaces to 8-bit sRGB."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from PIL import Image, ImageCms

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_PROFILE_BYTES = 16 * 2**20
PROFILE_SPACES = {"RGB": "RGB", "RGBA": "RGB", "CMYK": "CMYK", "L": "GRAY"}
"""The colour space that a profile must have, for each mode that it can be applied to."""
STRIP_PIXELS = 2**22
"""Pixels converted at a time: as 64-bit floats they take 32 MB."""


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert a picture to sRGB by its ICC profile.

    A profile that is broken or of another colour space is ignored.
    """
    if not profile or len(profile) > MAX_PROFILE_BYTES:
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        image = _expand_mode(image)
        if source.profile.xcolor_space.strip() != PROFILE_SPACES.get(image.mode):
            return image
        converted = ImageCms.profileToProfile(
            image,
            source,
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGBA" if image.mode == "RGBA" else "RGB",
        )
    except Exception:  # a broken profile raises anything; the picture can do without it
        return image
    return image if converted is None else converted


def _expand_mode(image: Image.Image) -> Image.Image:
    """Convert to a mode that a profile can be applied to: no palette, transparency as a channel."""
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode in ("P", "YCbCr", "RGBX"):
        return image.convert("RGB")
    return image.convert("L") if image.mode == "1" else image


def to_8bit(image: Image.Image) -> Image.Image:
    """Convert 16-bit, 32-bit or floating-point grey to 8-bit grey."""
    import numpy as np  # takes a third of the time of a refusal, and few pictures need it

    maximum = max(float(values.max()) for _, values in _strips(image))
    scale = 1.0
    if image.mode == "F" and maximum <= 1:
        scale = 255
    elif maximum > 255:
        scale = 255 / max(65535, maximum)
    grey = Image.new("L", image.size)
    for top, values in _strips(image):
        levels = np.clip((values * scale).round(), 0, 255).astype(np.uint8)
        grey.paste(Image.fromarray(levels), (0, top))
    return grey


def _strips(image: Image.Image) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield the values of a few rows at a time, with their first row; nan and infinity are 0."""
    import numpy as np

    rows = max(1, STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(image.height, top + rows)))
        yield top, np.nan_to_num(np.asarray(strip, dtype=np.float64), posinf=0, neginf=0)
