"""Pictures as programs have them: the name of a file, a PIL picture, an array."""

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
    """A picture as `load_image` gives it.

    Raises:
        PictureError: if it cannot be read or used.
        UsageError: if it is no picture.
    """
    return as_picture_with_notes(value)[0]


def as_picture_with_notes(value: Any) -> tuple[Image.Image, tuple[str, ...]]:
    """The same, and what to say of what is not taken from it.

    Raises:
        SowError: as `as_picture`.
    """
    if isinstance(value, PATH):
        return load_image_with_notes(Path(value))
    image = _pil("image", value, "the picture")
    if type(image) is Image.Image and image.mode == "RGB" and not image.info:
        return image, ()  # it has been through here, and large ones are not copied again
    notes = tuple(ignored_content(image))
    return upright_rgb(image), notes


def as_mask(value: Any) -> Image.Image:
    """A mask as 8-bit grey: white is kept.

    Raises:
        PictureError: if it cannot be read or used.
        UsageError: if it is no picture.
    """
    if isinstance(value, PATH):
        return load_mask(Path(value))
    with decoding_errors("the mask"):
        return to_mask(_pil("mask", value, "the mask"))


def _pil(name: str, value: Any, called: str) -> Image.Image:
    if not isinstance(value, Image.Image):
        import numpy as np

        check_type(name, value, (np.ndarray,), "a file, a PIL picture or a numpy array")
        return Image.fromarray(_levels(name, value, called))
    check_size(value.size, called)
    return value


def _levels(name: str, array: NDArray[Any], called: str) -> NDArray[Any]:
    """An array as 8-bit levels: numbers from 0 to 1 are meant as in diffusers, black to white."""
    if array.ndim > 1 and array.shape[2:] in ((), (1,), (3,), (4,)):
        check_size((array.shape[1], array.shape[0]), called)
        flat = array[..., 0] if array.shape[2:] == (1,) else array
        if flat.dtype == "uint8":
            return flat
        if flat.dtype.kind in "bf" and flat.min() >= 0 and flat.max() <= 1:  # false where nan is
            levels: NDArray[Any] = (flat * 255.0).round().astype("uint8")
            return levels
    raise UsageError(
        f"{name}= is an array of {array.dtype} in the shape {array.shape}",
        "give height, width and 3 colours, as uint8 or as numbers from 0 to 1",
    )
