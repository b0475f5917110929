"""File formats: which are read, which are recognised and refused; photograph or drawing."""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

from sow.errors import PictureError

if TYPE_CHECKING:
    from PIL import Image

HEAD_BYTES = 1024
"""Bytes at the start of a file by which its format is recognised."""
TO_JPEG = "convert it to JPEG"
RAW = rb"II\*\0.{4}CR|FUJIFILMCCD-RAW|IIR[OS]|MMOR|IIU\0|FOVb|\0MRM|.{4}ftypcrx"
UNSUPPORTED = (
    (rb".{4}ftyp(hei[cmsx]|hev[cmsx]|mif1|msf1)", "a HEIC picture", TO_JPEG),
    (rb".{4}ftyp(?!avi[fs])", "a video", "save one frame as JPEG"),
    (rb"\0{3}\x0cjP  |\xff\x4f\xff\x51", "a JPEG 2000 picture", TO_JPEG),
    (rb"\0{3}\x0cJXL |\xff\x0a", "a JPEG XL picture", TO_JPEG),
    (rb"%PDF", "a PDF", TO_JPEG),
    (rb"%!PS", "PostScript", TO_JPEG),
    (rb"8BPS", "a Photoshop file", TO_JPEG),
    (rb"\s*<(!doctype html|html)", "a web page", "download the picture itself"),
    (rb"(\xef\xbb\xbf)?\s*<(.*<)?svg\b", "an SVG drawing", TO_JPEG),
)
"""Formats that are recognised but not read: pattern of the first bytes, name, hint."""
SUBFILE_TYPE, DNG_VERSION = 0x00FE, 0xC612
"""TIFF tags: whether the first picture is a thumbnail; the version of a DNG, a raw format."""
PHOTOGRAPH_SHARE = 0.3
"""A picture is a photograph if its eight commonest brightnesses make up less than this share.

Photographs have up to 0.27, also blurred, as poor JPEGs and on white; but not of the night sky. Of
565 pictures of the drawn world none was mistaken; of heads cut out of it, enlarged threefold, a
quarter.
"""


def openable_formats() -> Collection[str]:
    """Return the formats that Pillow can open, having imported only the plugins that are needed.

    `Image.init` would import forty others, a fifth of the time that a refusal takes.
    """
    from PIL import Image

    Image.preinit()
    for name in ("Tiff", "WebP", "Avif"):
        with suppress(ImportError):  # some builds of Pillow lack one
            import_module(f"PIL.{name}ImagePlugin")
    return Image.OPEN


def check_not_raw(head: bytes, name: str) -> None:
    """Check that a file is not a camera's raw data, of which Pillow would read a thumbnail at most.

    Raises:
        PictureError: if it is.
    """
    if re.match(RAW, head, re.DOTALL):
        raise raw_file_error(name)


def raw_file_error(name: str) -> PictureError:
    """Return the error for a camera's raw data."""
    return PictureError(f"{name} is the raw data of a camera", TO_JPEG)


def unsupported_format_error(head: bytes, name: str) -> PictureError | None:
    """Return the error for a file in a format that is recognised but not read, or None."""
    for pattern, what, hint in UNSUPPORTED:
        if re.match(pattern, head, re.DOTALL | re.IGNORECASE):
            return PictureError(f"{name} is {what}, which is not supported", hint)
    return None


def is_photograph(image: Image.Image) -> bool:
    """Return whether a picture looks like a photograph: no few brightnesses make up most of it.

    The commonest brightness is left out: it is the wall behind, or the ground of a cut-out.
    """
    counts = sorted(image.convert("L").histogram(), reverse=True)
    return sum(counts[1:9]) < PHOTOGRAPH_SHARE * sum(counts[1:])
