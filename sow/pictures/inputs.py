"""Pictures as arguments: a file name, a PIL picture or an array."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from sow.errors import UsageError
from sow.pictures.loading import (
    check_size,
    decoding_errors,
    ignored_content,
    load_image_with_notes,
    load_mask,
    to_mask,
    upright_rgb,
)
from sow.utils.type_checks import PATH, check_type

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    PictureLike = str | os.PathLike[str] | Image.Image | NDArray[Any]


def as_picture(value: Any) -> Image.Image:
    """Return a picture as `load_image` does.

    Raises:
        PictureError: if it cannot be read or used.
        UsageError: if it is not a picture.
    """
    return as_picture_with_notes(value)[0]


def as_picture_with_notes(value: Any) -> tuple[Image.Image, tuple[str, ...]]:
    """Return a picture, with notes on what is ignored of it.

    Raises:
        SowError: as `as_picture`.
    """
    if isinstance(value, PATH):
        return load_image_with_notes(Path(value))
    image = _to_pil("image", value, "the picture")
    if type(image) is Image.Image and image.mode == "RGB" and not image.info:
        return image, ()  # converted already; do not copy a large picture again
    notes = tuple(ignored_content(image))
    return upright_rgb(image), notes


def as_mask(value: Any) -> Image.Image:
    """Return a mask as 8-bit grey: white is kept.

    Raises:
        PictureError: if it cannot be read or used.
        UsageError: if it is not a picture.
    """
    if isinstance(value, PATH):
        return load_mask(Path(value))
    with decoding_errors("the mask"):
        return to_mask(_to_pil("mask", value, "the mask"))


def _to_pil(name: str, value: Any, title: str) -> Image.Image:
    """Return a PIL picture or an array as a PIL picture of checked size.

    name: the argument's, for `UsageError`; title: for `PictureError`.
    """
    if not isinstance(value, Image.Image):
        import numpy as np

        check_type(name, value, (np.ndarray,), "a file, a PIL picture or a numpy array")
        return Image.fromarray(_to_uint8(name, value, title))
    check_size(value.size, title)
    return value


def _to_uint8(name: str, array: NDArray[Any], title: str) -> NDArray[Any]:
    """Return an array as uint8; numbers from 0 to 1 are black to white, as in diffusers."""
    if array.ndim > 1 and array.shape[2:] in ((), (1,), (3,), (4,)):
        check_size((array.shape[1], array.shape[0]), title)
        pixels = array[..., 0] if array.shape[2:] == (1,) else array
        if pixels.dtype == "uint8":
            return pixels
        if pixels.dtype.kind in "bf" and pixels.min() >= 0 and pixels.max() <= 1:  # nan: false
            levels: NDArray[Any] = (pixels * 255.0).round().astype("uint8")
            return levels
    raise UsageError(
        f"{name}= is an array of {array.dtype} with shape {array.shape}",
        "give shape (height, width, 3), as uint8 or as numbers from 0 to 1",
    )
