"""Reading the user's pictures safely, whatever they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from sow.errors import PictureError
from sow.quiet import without_warnings

# Pillow's own limit: 89 million pixels are 270 MB as RGB.
MAX_PIXELS = 89_478_485
MAX_BYTES = 256 * 2**20
MIN_SIDE = 16
GREY = (128, 128, 128)
# Decoders written for pictures from strangers; no PostScript, no PDF, no fonts.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")


def load_image(path: str | Path) -> Image.Image:
    """A picture as RGB, or RGBA where it is really transparent, upright.

    EXIF orientation is applied; 16-bit, CMYK and palette pictures become 8-bit RGB; of an
    animation the first frame is taken.

    Raises:
        PictureError: if there is no such file, or it is no picture, damaged, too large, too small.
    """
    path = Path(path)
    name = repr(path.name or str(path))
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise PictureError(f"{name} is a folder", "give a picture file")
        if size == 0:
            raise PictureError(f"{name} is empty", "give a picture file")
        if size > MAX_BYTES:
            raise PictureError(f"{name} is larger than {MAX_BYTES >> 20} MB", "make it smaller")
        with without_warnings():  # of large pictures, which are refused, odd TIFF tags, cut EXIF
            Image.init()
            known = [name for name in FORMATS if name in Image.OPEN]  # AVIF is not everywhere
            with Image.open(path, formats=known) as image:
                check_size(image.size, name)
                image.seek(0)
                image.load()
                return upright_rgb(image)
    except FileNotFoundError:
        raise PictureError(f"no picture at {str(path)!r}", "check the path") from None
    except PermissionError:
        raise PictureError(f"{name} may not be read", "check its permissions") from None
    except UnidentifiedImageError:
        raise PictureError(
            f"{name} is not a picture", f"give one of {', '.join(FORMATS)}"
        ) from None
    except Image.DecompressionBombError:
        raise PictureError(
            f"{name} has more than {MAX_PIXELS // 10**6} million pixels", "make it smaller"
        ) from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, MemoryError) as error:
        raise PictureError(
            f"{name} is damaged or cut short ({error})", "save or download it again"
        ) from None


def check_size(size: tuple[int, int], name: str) -> None:
    """Whether a picture is neither too large nor too small to work with.

    Raises:
        PictureError: if it is.
    """
    if size[0] * size[1] > MAX_PIXELS:
        raise PictureError(
            f"{name} has more than {MAX_PIXELS // 10**6} million pixels", "make it smaller"
        )
    if min(size) < MIN_SIDE:
        raise PictureError(
            f"{name} is only {size[0]}x{size[1]} pixels", f"at least {MIN_SIDE} a side are needed"
        )


def upright_rgb(image: Image.Image) -> Image.Image:
    """Any Pillow picture as 8-bit RGB or RGBA with its EXIF orientation applied."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bits(image)
    transparent = "A" in image.getbands() or "transparency" in image.info
    if transparent:
        image = image.convert("RGBA")
        if np.asarray(image.getchannel("A")).min() < 255:
            return image
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit, 32-bit and floating-point grey as 8-bit grey."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float64), posinf=0, neginf=0)
    if image.mode == "F" and values.max() <= 1:
        values = values * 255
    elif values.max() > 255:
        values = values * (255 / max(65535, values.max()))
    return Image.fromarray(np.clip(values.round(), 0, 255).astype(np.uint8))


def over_grey(image: Image.Image) -> Image.Image:
    """The picture as RGB, with mid-grey behind what is transparent in it."""
    if image.mode != "RGBA":
        return image.convert("RGB")
    behind = Image.new("RGBA", image.size, (*GREY, 255))
    return Image.alpha_composite(behind, image).convert("RGB")


def fit_mask(mask: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A mask as 8-bit grey at the size of its picture: white, or opaque if it has alpha, is kept.

    Raises:
        PictureError: if it has another shape than the picture.
    """
    if abs(mask.width * size[1] / (mask.height * size[0]) - 1) > 0.02:
        raise PictureError(
            f"the mask is {mask.width}x{mask.height} but the picture {size[0]}x{size[1]}",
            "give a mask of the same shape",
        )
    return kept_by(mask).resize(size)


def kept_by(mask: Image.Image) -> Image.Image:
    """A picture as a mask, 8-bit grey: what is white is kept; what is opaque, if it has alpha."""
    mask = upright_rgb(mask) if mask.mode != "L" else mask
    return mask.getchannel("A") if mask.mode == "RGBA" else mask.convert("L")


def load_mask(path: str | Path) -> Image.Image:
    """A mask as 8-bit grey: white (or opaque, if the file is transparent) is kept."""
    return kept_by(load_image(path))
