"""Reading the user's pictures safely, whatever they are.

Files of strangers reach a decoder through one door, `open_image`: only regular files of a bounded size,
only as much as they may unpack to, and whatever a decoder makes of them ends in one line.
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
from sow.pictures.file_checks import LimitedReader, check_binary_pixels, check_scans
from sow.pictures.formats import (
    DNG,
    HEAD,
    SUB_FILE,
    check_not_raw,
    openable_formats,
    raw_file_error,
    unsupported_format_error,
)
from sow.pictures.tags import check_tags
from sow.utils.libraries import ignore_warnings, quiet_stderr
from sow.utils.type_checks import as_path

# Pillow's own limit: 89 million pixels are 270 MB as RGB.
MAX_PIXELS = 89_478_485
MAX_BYTES = 256 * 2**20
# What a TIFF may hand to its decoder in one piece: as much as Pillow keeps of so many pixels.
MAX_DECODED_BYTES = 4 * MAX_PIXELS
# Longer than what any camera writes; a tag with millions of numbers is not worth unpacking.
MAX_EXIF = 2**20
MIN_SIDE = 16
GREY = (128, 128, 128)
TRANSPARENCY = "the picture's own transparency"
# Decoders written for pictures from strangers; no PostScript, no PDF, no fonts.
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
"""What EXIF's orientation asks for."""


def load_image(path: str | Path) -> Image.Image:
    """A picture as RGB, or RGBA where it is really transparent, upright.

    EXIF orientation is applied; 16-bit, CMYK and palette pictures become 8-bit RGB, and colours of
    another profile sRGB; of an animation the first frame is taken.

    Raises:
        PictureError: if there is no such file, or it is no picture, damaged, too large, too small.
    """
    return load_image_with_notes(path)[0]


def load_image_with_notes(path: str | Path) -> tuple[Image.Image, tuple[str, ...]]:
    """The same, and what to say of what is not taken from the file.

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
    """What a picture has that is not taken; to be asked before it is unpacked."""
    # An MPO is a photograph, and what a camera keeps beside it.
    if image.format != "MPO" and getattr(image, "is_animated", False):
        yield f"{name} holds several pictures: only the first is taken"


def display_name(path: Path) -> str:
    """What a picture is called in errors: by its name, and not by all the folders before it."""
    return repr(path.name[-80:] or str(path))


@contextmanager
def open_image(
    source: Path | BinaryIO,
    name: str,
    formats: Sequence[str] = FORMATS,
    most_bytes: int = MAX_BYTES,
) -> Iterator[Image.Image]:
    """A stranger's picture with its size checked and nothing unpacked yet.

    Whatever goes wrong while it is open is turned into one line. `source` may be read already.

    Raises:
        PictureError: if there is no such file, or it is no picture, damaged or too large.
    """
    file = open_regular(source, most_bytes) if isinstance(source, Path) else nullcontext(source)
    # Held back: remarks on large pictures, which are refused, on odd TIFF tags and cut EXIF.
    with file as whole, LimitedReader(whole, name) as data, ignore_warnings(), decoding_errors(name):
        known = [format for format in formats if format in openable_formats()]
        check_tags(data, name)
        check_scans(data, name)
        head = data.read(HEAD)
        check_not_raw(head, name)
        data.seek(0)
        try:
            image: Image.Image = Image.open(data, formats=known)
        except UnidentifiedImageError:
            known_as = unsupported_format_error(head, name) if formats is FORMATS else None
            raise known_as or PictureError(
                f"{name} is not a picture", f"give one of {', '.join(formats)}"
            ) from None
        with image:
            check_decoded_size(image, name)
            check_binary_pixels(image, name)
            yield image


def open_regular(path: Path, most_bytes: int) -> BinaryIO:
    """A file, opened; never a pipe or a device, which may keep somebody waiting for ever.

    Raises:
        PictureError: if there is none, it may not be read, is empty or too large.
    """
    name = display_name(path)
    try:
        found = path.stat()
        if stat.S_ISREG(found.st_mode) and 0 < found.st_size <= most_bytes:
            return path.open("rb")
    except FileNotFoundError:
        raise _nowhere(str(path)) from None
    except PermissionError:
        raise PictureError(f"{name} may not be read", "check its permissions") from None
    except (OSError, ValueError) as error:  # a name too long, or with a zero byte in it
        reason = getattr(error, "strerror", None) or error
        raise PictureError(f"{name} cannot be opened ({reason})", "check the path") from None
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "no file but a pipe or a device"
        raise PictureError(f"{name} is {what}", "give a picture file")
    if found.st_size == 0:
        raise PictureError(f"{name} is empty", "give a picture file")
    raise PictureError(f"{name} is larger than {most_bytes >> 20} MB", "make it smaller")


def _nowhere(path: str) -> PictureError:
    if path == "-":
        return PictureError("standard input is not read", "save the picture as a file first")
    if re.match(r"[A-Za-z][\w+.-]+:/", path):  # of two slashes, a path keeps one
        return PictureError(f"{path.replace(':/', '://', 1)!r} is no file", "download it first")
    return PictureError(f"no picture at {path!r}", "check the path")


@contextmanager
def decoding_errors(name: str) -> Iterator[None]:
    """Whatever a decoder raises, as one line: they raise anything on what they did not expect.

    Raises:
        PictureError: for every error that is not a `SowError` already.
    """
    try:
        yield
    except SowError:
        raise
    except Image.DecompressionBombError:
        raise _too_large(name) from None
    except MemoryError:
        raise PictureError(f"{name} needs more memory than there is", "make it smaller") from None
    except Exception as error:
        reason = str(error)[:200] or type(error).__name__
        raise PictureError(
            f"{name} is damaged or cut short ({reason})", "save or download it again"
        ) from None


def _too_large(name: str) -> PictureError:
    return PictureError(
        f"{name} has more than {MAX_PIXELS // 10**6} million pixels", "make it smaller"
    )


def check_size(size: tuple[int, int], name: str) -> None:
    """Whether a picture is neither too large nor too small to work with.

    Raises:
        PictureError: if it is.
    """
    if size[0] * size[1] > MAX_PIXELS:
        raise _too_large(name)
    if min(size) < MIN_SIDE:
        raise PictureError(
            f"{name} is only {size[0]}x{size[1]} pixels", f"at least {MIN_SIDE} a side are needed"
        )


def check_decoded_size(image: Image.Image, name: str) -> None:
    """Whether a picture unpacks to a bounded amount.

    libtiff unpacks strips and tiles whole, and they may be all of the picture or larger, with up to
    eight bytes a sample; other decoders go line by line.

    Raises:
        PictureError: if it does not.
    """
    if image.width * image.height > MAX_PIXELS:
        raise _too_large(name)
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        tags = image.tag_v2
        if DNG in tags or tags.get(SUB_FILE, 0) & 1:  # then its first picture is a thumbnail
            raise raw_file_error(name)
        tile = tags.get(TiffImagePlugin.TILEWIDTH, 0) * tags.get(TiffImagePlugin.TILELENGTH, 0)
        bits = max(tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,)))
        samples = tags.get(TiffImagePlugin.SAMPLESPERPIXEL, 1)
        if max(image.width * image.height, tile) * bits * samples > 8 * MAX_DECODED_BYTES:
            raise PictureError(
                f"{name} unpacks to more than {MAX_DECODED_BYTES // 10**6} MB", "make it smaller"
            )


def upright_rgb(image: Image.Image, name: str = "the picture") -> Image.Image:
    """Any Pillow picture as 8-bit RGB or RGBA in sRGB, upright, and nothing that it carried.

    Raises:
        PictureError: if it cannot be decoded.
    """
    with decoding_errors(name):
        decode(image)
        profile = image.info.get("icc_profile")
        image = _turned(image)
        if image.mode.startswith("I") or image.mode == "F":
            image = to_8bit(image)
        image = to_srgb(image, profile)
        plain = image.convert("RGBA" if image.has_transparency_data else "RGB")
        if plain.mode == "RGBA" and plain.getchannel("A").getextrema()[0] == 255:
            plain = plain.convert("RGB")
        plain.info = {}
        return plain


def decode(image: Image.Image) -> None:
    """Unpacks a picture that was only opened."""
    with quiet_stderr() if image.format == "TIFF" else nullcontext():
        image.load()


def _turned(image: Image.Image) -> Image.Image:
    """The picture as its EXIF says it is to be seen; as it lies where that is nonsense."""
    told = (image.info.get("exif"), image.info.get("Raw profile type exif"))
    if any(len(tags or "") > MAX_EXIF for tags in told):
        return image
    try:
        move = EXIF_TRANSPOSES.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # telephones write tags of any type and length; decoders raise as they like
        return image
    return image if move is None else image.transpose(move)


def over_grey(image: Image.Image) -> Image.Image:
    """The picture as RGB, with mid-grey behind what is transparent in it."""
    if image.mode != "RGBA":
        return image.convert("RGB")
    behind = Image.new("RGBA", image.size, (*GREY, 255))
    return Image.alpha_composite(behind, image).convert("RGB")


def fit_mask(mask: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A mask as 8-bit grey at the size of its picture: white, or opaque if it has alpha, is kept.

    Raises:
        PictureError: if it has another shape than the picture, or hardly any.
    """
    check_size(mask.size, "the mask")
    if abs(mask.width * size[1] / (mask.height * size[0]) - 1) > 0.02:
        raise PictureError(
            f"the mask is {mask.width}x{mask.height} but the picture {size[0]}x{size[1]}",
            "give a mask of the same shape",
        )
    return to_mask(mask).resize(size)


def to_mask(mask: Image.Image) -> Image.Image:
    """A picture as a mask, 8-bit grey: what is white is kept; what is opaque, if it has alpha."""
    mask = upright_rgb(mask) if mask.mode != "L" else mask
    return mask.getchannel("A") if mask.mode == "RGBA" else mask.convert("L")


def empty_mask_error(by: str) -> PictureError:
    """What is said where a mask, or what else says what is meant, leaves nothing."""
    return PictureError(f"{by} keeps nothing of the picture", "white or opaque is what is kept")


def load_mask(path: str | Path) -> Image.Image:
    """A mask as 8-bit grey: white (or opaque, if the file is transparent) is kept."""
    return to_mask(load_image(path))
