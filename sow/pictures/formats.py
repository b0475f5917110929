"""What a file or a picture is by its looks: formats that are not read; photograph or drawing."""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

from sow.errors import PictureError

if TYPE_CHECKING:
    from PIL import Image

HEAD = 1024
"""Bytes of a file that say what it is."""
TO_JPEG = "convert it to JPEG"
RAW = rb"II\*\0.{4}CR|FUJIFILMCCD-RAW|IIR[OS]|MMOR|IIU\0|FOVb|\0MRM|.{4}ftypcrx"
FOREIGN = (
    (rb".{4}ftyp(hei[cmsx]|hev[cmsx]|mif1|msf1)", "a HEIC picture", TO_JPEG),
    (rb".{4}ftyp(?!avi[fs])", "a film", "save one picture of it as JPEG"),
    (rb"\0{3}\x0cjP  |\xff\x4f\xff\x51", "a JPEG 2000 picture", TO_JPEG),
    (rb"\0{3}\x0cJXL |\xff\x0a", "a JPEG XL picture", TO_JPEG),
    (rb"%PDF", "a PDF", TO_JPEG),
    (rb"%!PS", "PostScript", TO_JPEG),
    (rb"8BPS", "a Photoshop file", TO_JPEG),
    (rb"\s*<(!doctype html|html)", "a web page", "download the picture itself"),
    (rb"(\xef\xbb\xbf)?\s*<(.*<)?svg\b", "an SVG drawing", TO_JPEG),
)
"""What is recognised but not read: how it begins, what it is called, what is to be done."""
SUB_FILE, DNG = 0x00FE, 0xC612
"""Tags of a TIFF: what its first picture is of the others; which camera's raw format it has."""
PHOTOGRAPH = 0.3
"""The share of eight brightnesses below which a picture is a photograph.

Photographs have up to 0.27, blurred, as poor JPEGs and on white too; but not of the night sky. Of
565 pictures of the drawn world none was mistaken; of heads cut out of it, enlarged threefold, a
quarter.
"""


def openable_formats() -> Collection[str]:
    """The formats that Pillow can open, with those that are read imported, and no more.

    `Image.init` imports forty others too, which takes as long as a fifth of a refusal.
    """
    from PIL import Image

    Image.preinit()
    for name in ("Tiff", "WebP", "Avif"):
        with suppress(ImportError):  # not everything is everywhere
            import_module(f"PIL.{name}ImagePlugin")
    return Image.OPEN


def check_not_raw(head: bytes, name: str) -> None:
    """Whether a file is no camera's raw data, of which Pillow would read a thumbnail at most.

    Raises:
        PictureError: if it is.
    """
    if re.match(RAW, head, re.DOTALL):
        raise raw_file_error(name)


def raw_file_error(name: str) -> PictureError:
    """What is said of a camera's raw data."""
    return PictureError(f"{name} is the raw data of a camera", TO_JPEG)


def unsupported_format_error(head: bytes, name: str) -> PictureError | None:
    """What is said of a file in another format that is known by how it begins."""
    for begins, what, hint in FOREIGN:
        if re.match(begins, head, re.DOTALL | re.IGNORECASE):
            return PictureError(f"{name} is {what}, which is not read", hint)
    return None


def is_photograph(image: Image.Image) -> bool:
    """Whether a picture looks like a photograph: no few brightnesses make up most of it.

    The commonest is left out: it is the wall behind, or what a cut-out was put on.
    """
    counts = sorted(image.convert("L").histogram(), reverse=True)
    return sum(counts[1:9]) < PHOTOGRAPH * sum(counts[1:])
