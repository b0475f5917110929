"""Load pictures from untrusted files.

All files are decoded through `open_image`: only regular files of a bounded size, only a bounded
amount of decoded data, and every decoder failure as a one-line error.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from sow.errors import PictureError, SowError
from sow.pictures.colour_conversion import to_8bit, to_srgb
from sow.pictures.file_checks import (
    LimitedReader,
    check_binary_pixels,
    check_scans,
    check_tags,
)
from sow.pictures.formats import (
    DNG_VERSION,
    HEAD_BYTES,
    SUBFILE_TYPE,
    check_not_raw,
    openable_formats,
    raw_file_error,
    unsupported_format_error,
)
from sow.utils.libraries import ignore_warnings, quiet_stderr
from sow.utils.type_checks import as_path

# Pillow's own limit: 89 million pixels are 270 MB as RGB.
MAX_PIXELS = 89_478_485
MAX_BYTES = 256 * 2**20
# What a TIFF may decode in one piece: as much as Pillow holds for `MAX_PIXELS`.
MAX_DECODED_BYTES = 4 * MAX_PIXELS
# Longer than any camera writes; parsing a tag with millions of numbers is not worth it.
MAX_EXIF = 2**20
MIN_SIDE = 16
GREY = (128, 128, 128)
TRANSPARENCY = "the picture's own transparency"
# Formats whose decoders are made for untrusted files; no PostScript, no PDF, no fonts.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
ORIENTATION = 0x0112
EXIF_TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The transposition for each EXIF orientation."""
TURNS = {
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}
"""The transposition for each turn clockwise, in degrees."""
BLANK_LEVELS = 8
"""Levels of 255 that the brightest and the darkest pixel of a blank picture may differ by."""


def load_image(path: str | Path) -> Image.Image:
    """Load a picture as upright RGB, or RGBA if any of it is transparent.

    EXIF orientation is applied; 16-bit, CMYK and palette pictures become 8-bit RGB; other colour
    profiles are converted to sRGB; of an animation the first frame is taken.

    Raises:
        PictureError: if the file does not exist or is not a picture, is damaged, too large or too
            small.
    """
    return load_image_with_notes(path)[0]


def load_image_with_notes(path: str | Path) -> tuple[Image.Image, tuple[str, ...]]:
    """Load a picture, with notes on what is ignored of the file.

    Raises:
        PictureError: as `load_image`.
    """
    path = as_path("image", path)
    name = display_name(path)
    with open_image(path, name) as image:
        check_size(image.size, name)
        notes = tuple(ignored_content(image, name))
        return upright_rgb(image, name), notes


def ignored_content(image: Image.Image, name: str = "the picture") -> Iterator[str]:
    """Yield notes on what is ignored of a picture; call it before the picture is decoded."""
    # An MPO is a photograph with what the camera stores beside it.
    if image.format != "MPO" and getattr(image, "is_animated", False):
        yield f"{name} holds several pictures: only the first is used"


def display_name(path: Path) -> str:
    """Return a file's name for error messages, without its folders."""
    return repr(path.name[-80:] or str(path))


@contextmanager
def open_image(
    source: Path | BinaryIO,
    name: str,
    formats: Sequence[str] = FORMATS,
    max_bytes: int = MAX_BYTES,
) -> Iterator[Image.Image]:
    """Open an untrusted picture with its size checked and nothing decoded yet.

    Every error in the block becomes a one-line `PictureError`.

    Raises:
        PictureError: if the file does not exist or is not a picture, is damaged or too large.
    """
    file = open_regular(source, max_bytes) if isinstance(source, Path) else nullcontext(source)
    # Ignored: warnings of large pictures, which are refused, odd TIFF tags and truncated EXIF.
    with (
        file as opened,
        LimitedReader(opened, name) as data,
        ignore_warnings(),
        decoding_errors(name),
    ):
        known = [format for format in formats if format in openable_formats()]
        check_tags(data, name)
        check_scans(data, name)
        head = data.read(HEAD_BYTES)
        check_not_raw(head, name)
        data.seek(0)
        try:
            image: Image.Image = Image.open(data, formats=known)
        except UnidentifiedImageError:
            unsupported = unsupported_format_error(head, name) if formats is FORMATS else None
            raise unsupported or PictureError(
                f"{name} is not a picture", f"give one of {', '.join(formats)}"
            ) from None
        with image:
            check_decoded_size(image, name)
            check_binary_pixels(image, name)
            yield image


def open_regular(path: Path, max_bytes: int) -> BinaryIO:
    """Open a regular file; never a pipe or a device, which may block for ever.

    Raises:
        PictureError: if it does not exist, is not readable, is empty or too large.
    """
    name = display_name(path)
    try:
        found = path.stat()
        if stat.S_ISREG(found.st_mode) and 0 < found.st_size <= max_bytes:
            return path.open("rb")
    except FileNotFoundError:
        raise _not_found_error(str(path)) from None
    except PermissionError:
        raise PictureError(f"{name} is not readable", "check its permissions") from None
    except (OSError, ValueError) as error:  # a name too long, or with a zero byte in it
        reason = getattr(error, "strerror", None) or error
        raise PictureError(f"{name} cannot be opened ({reason})", "check the path") from None
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe or a device, not a file"
        raise PictureError(f"{name} is {what}", "give a picture file")
    if found.st_size == 0:
        raise PictureError(f"{name} is empty", "give a picture file")
    raise PictureError(f"{name} is larger than {max_bytes >> 20} MB", "make it smaller")


def _not_found_error(path: str) -> PictureError:
    if path == "-":
        return PictureError("standard input is not supported", "save the picture as a file first")
    if re.match(r"[A-Za-z][\w+.-]+:/", path):  # a path keeps one of two slashes
        url = path.replace(":/", "://", 1)
        return PictureError(f"{url!r} is a URL, not a file", "download it first")
    return PictureError(f"no picture at {path!r}", "check the path")


@contextmanager
def decoding_errors(name: str) -> Iterator[None]:
    """Turn whatever a decoder raises into a one-line error; decoders raise anything on bad data.

    Raises:
        PictureError: for every error that is not a `SowError` already.
    """
    try:
        yield
    except SowError:
        raise
    except Image.DecompressionBombError:
        raise _too_large_error(name) from None
    except MemoryError:
        raise PictureError(f"{name} needs too much memory", "make it smaller") from None
    except Exception as error:
        reason = str(error)[:200] or type(error).__name__
        raise PictureError(
            f"{name} is damaged or truncated ({reason})", "save or download it again"
        ) from None


def _too_large_error(name: str) -> PictureError:
    return PictureError(
        f"{name} has more than {MAX_PIXELS // 10**6} million pixels", "make it smaller"
    )


def check_size(size: tuple[int, int], name: str) -> None:
    """Check that a picture is neither too large nor too small.

    Raises:
        PictureError: if it is.
    """
    if size[0] * size[1] > MAX_PIXELS:
        raise _too_large_error(name)
    if min(size) < MIN_SIDE:
        raise PictureError(
            f"{name} is only {size[0]}x{size[1]} pixels", f"each side needs at least {MIN_SIDE}"
        )


def check_decoded_size(image: Image.Image, name: str) -> None:
    """Check that a picture decodes to a bounded amount of data.

    libtiff decodes strips and tiles whole, and they may be all of the picture or larger, with up to
    eight bytes a sample; other decoders go line by line.

    Raises:
        PictureError: if it does not.
    """
    if image.width * image.height > MAX_PIXELS:
        raise _too_large_error(name)
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        tags = image.tag_v2
        if DNG_VERSION in tags or tags.get(SUBFILE_TYPE, 0) & 1:  # the first is a thumbnail
            raise raw_file_error(name)
        tile = tags.get(TiffImagePlugin.TILEWIDTH, 0) * tags.get(TiffImagePlugin.TILELENGTH, 0)
        bits = max(tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,)))
        samples = tags.get(TiffImagePlugin.SAMPLESPERPIXEL, 1)
        if max(image.width * image.height, tile) * bits * samples > 8 * MAX_DECODED_BYTES:
            raise PictureError(
                f"{name} decodes to more than {MAX_DECODED_BYTES // 10**6} MB", "make it smaller"
            )


def upright_rgb(image: Image.Image, name: str = "the picture") -> Image.Image:
    """Convert any Pillow picture to upright 8-bit RGB or RGBA in sRGB, without metadata.

    Raises:
        PictureError: if it cannot be decoded.
    """
    with decoding_errors(name):
        decode(image)
        profile = image.info.get("icc_profile")
        image = _exif_transposed(image)
        if image.mode.startswith("I") or image.mode == "F":
            image = to_8bit(image)
        image = to_srgb(image, profile)
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
        if image.mode == "RGBA" and image.getchannel("A").getextrema()[0] == 255:
            image = image.convert("RGB")
        image.info = {}
        return image


def decode(image: Image.Image) -> None:
    """Decode a picture that was only opened."""
    with quiet_stderr() if image.format == "TIFF" else nullcontext():
        image.load()


def _exif_transposed(image: Image.Image) -> Image.Image:
    """Return the picture in its EXIF orientation; unchanged if that is invalid."""
    exifs = (image.info.get("exif"), image.info.get("Raw profile type exif"))
    if any(len(exif or "") > MAX_EXIF for exif in exifs):
        return image
    try:
        method = EXIF_TRANSPOSES.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # phones write tags of any type and length, and parsing may raise anything
        return image
    return image if method is None else image.transpose(method)


def over_grey(image: Image.Image) -> Image.Image:
    """Return the picture as RGB, its transparent parts over mid-grey."""
    if image.mode != "RGBA":
        return image.convert("RGB")
    behind = Image.new("RGBA", image.size, (*GREY, 255))
    return Image.alpha_composite(behind, image).convert("RGB")


def turned(image: Image.Image, degrees: int) -> Image.Image:
    """Return a picture turned clockwise by 0, 90, 180 or 270 degrees."""
    return image.transpose(TURNS[degrees]) if degrees else image


def check_not_blank(image: Image.Image) -> None:
    """Check that a picture shows something.

    Raises:
        PictureError: if it is of one colour, or almost.
    """
    histogram = image.convert("RGB").histogram()
    bands = (histogram[start : start + 256] for start in range(0, 3 * 256, 256))
    levels = [[level for level, count in enumerate(band) if count] for band in bands]
    if all(max(used) - min(used) <= BLANK_LEVELS for used in levels):
        raise PictureError(
            "the picture is blank: all of it has one colour",
            "give one that shows something; to plant the colour itself, give mask= or matte=none",
        )


def fit_mask(mask: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return a mask as 8-bit grey at the size of its picture; see `to_mask`.

    Raises:
        PictureError: if its aspect ratio is not the picture's, or it is too small.
    """
    check_size(mask.size, "the mask")
    if abs(mask.width * size[1] / (mask.height * size[0]) - 1) > 0.02:
        raise PictureError(
            f"the mask is {mask.width}x{mask.height} but the picture {size[0]}x{size[1]}",
            "give a mask with the same aspect ratio",
        )
    return to_mask(mask).resize(size)


def to_mask(mask: Image.Image) -> Image.Image:
    """Return a picture as a mask, 8-bit grey: its alpha if it has any, else its brightness."""
    mask = upright_rgb(mask) if mask.mode != "L" else mask
    return mask.getchannel("A") if mask.mode == "RGBA" else mask.convert("L")


def empty_mask_error(mask_name: str) -> PictureError:
    """Return the error for a mask that keeps nothing."""
    return PictureError(
        f"{mask_name} keeps nothing of the picture", "white or opaque parts of it are kept"
    )


def load_mask(path: str | Path) -> Image.Image:
    """Load a mask as 8-bit grey: white, or opaque if the file has alpha, is kept."""
    return to_mask(load_image(path))
