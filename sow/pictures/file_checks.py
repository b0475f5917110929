"""Checks of untrusted picture files: small files that would cost Pillow gigabytes or minutes.

- Reads. Pillow walks segments, chunks and blocks in Python, keeps many of them, and decodes some
  rare formats a pixel at a time: 96 MB of empty segments took 3 GB and a minute and a half. It
  reads a few bytes for each, so reads are counted.
- Scans. Each scan of a progressive JPEG takes as long to decode as the whole picture.
- Tags. Pillow makes a Python object of every number in a tag, fifty times its size, before
  anything about the picture is known: 240 MB of them took 12 GB.
- Text. A PPM may store its pixels as text, and 4 MB of it can take minutes.
"""

from __future__ import annotations

import io
import re
import struct
from typing import BinaryIO

from PIL import Image, TiffImagePlugin, TiffTags

from sow.errors import PictureError

MAX_READS = 500_000
"""Reads from one file; a recipe of 512 MB in chunks of 8 KB takes 200,000."""
MAX_SCANS = 50
"""Scans of a progressive JPEG; encoders write ten."""
SCAN, END = 0xDA, 0xD9
MARKER = re.compile(rb"\xff[\xc0-\xcf\xd8-\xfe]")
"""The start of a JPEG segment, for libjpeg too; other markers may stand between pixels."""

MAX_TAG_BYTES = 8 * 2**20
"""Bytes of numbers in tags; the strips of the largest picture take a tenth of it."""
MAX_AVIF_BYTES = 32 * 2**20
"""Bytes of an AVIF, whose EXIF may be all of it; 89 million pixels take less."""
EXIF, SEGMENT_BYTES = b"Exif\0\0", 2**16
BYTE_TYPES = (TiffTags.BYTE, TiffTags.ASCII, TiffTags.UNDEFINED)
"""Tag types that Pillow keeps as bytes."""
SUB_DIRECTORIES = (0x8769, 0x8825, 0xA005)
"""Tags that point to more tags: EXIF, GPS, interoperability."""


class LimitedReader(io.BufferedReader):
    """A file that can be read from at most `MAX_READS` times."""

    def __init__(self, data: BinaryIO, name: str) -> None:
        super().__init__(data)  # type: ignore[arg-type]  # anything with `readinto` will do
        self._name, self._left = name, MAX_READS

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes of the file.

        Raises:
            PictureError: if it was read too often.
        """
        self._left -= 1
        if self._left < 0:
            raise _fragmented_error(self._name)
        return super().read(size)


def check_scans(data: BinaryIO, name: str) -> None:
    """Check that a JPEG has at most `MAX_SCANS` scans; leave the position at the start.

    Raises:
        PictureError: if it has more.
    """
    data.seek(0)
    if data.read(2) == b"\xff\xd8" and not _has_few_scans(data.read()):
        raise _fragmented_error(name)
    data.seek(0)


def _has_few_scans(data: bytes) -> bool:
    position = scans = 0
    for _ in range(MAX_READS):
        found = MARKER.search(data, position)
        if found is None or data[found.start() + 1] == END:
            return True
        scans += data[found.start() + 1] == SCAN
        if scans > MAX_SCANS:
            return False
        position = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")
    return False


def check_binary_pixels(image: Image.Image, name: str) -> None:
    """Check that pixels are stored in binary.

    Raises:
        PictureError: if they are text.
    """
    if any(tile[0] == "ppm_plain" for tile in getattr(image, "tile", ())):
        raise PictureError(f"{name} stores its pixels as text", "save it as PNG")


def check_tags(data: BinaryIO, name: str) -> None:
    """Check that a file's tags hold at most `MAX_TAG_BYTES`; leave the position at the start.

    Raises:
        PictureError: if they hold more.
    """
    data.seek(0)
    head = data.read(16)
    if head[:4] in TiffImagePlugin.PREFIXES:
        too_many = _tiff_tag_bytes(data, head) > MAX_TAG_BYTES
    elif head[:2] == b"\xff\xd8":  # Pillow joins all EXIF segments of a JPEG
        too_many = data.read().count(EXIF) * SEGMENT_BYTES > MAX_TAG_BYTES
    else:
        too_many = head[4:8] == b"ftyp" and data.seek(0, 2) > MAX_AVIF_BYTES
    data.seek(0)
    if too_many:
        raise PictureError(f"the metadata of {name} is too large", "save it again without metadata")


def _tiff_tag_bytes(data: BinaryIO, head: bytes) -> int:
    """Return the bytes of numbers in the first directory of a TIFF and its sub-directories."""
    tags = _directory(data, head)
    order = "<" if head[:2] == b"II" else ">"
    total = _number_bytes(tags)
    for tag in SUB_DIRECTORIES:
        pointer = tags.tagdata.get(tag, b"")
        if len(pointer) in (4, 8):
            (offset,) = struct.unpack(order + ("I" if len(pointer) == 4 else "Q"), pointer)
            total += _number_bytes(_directory(data, head, offset))
    return total


def _directory(
    data: BinaryIO, head: bytes, offset: int | None = None
) -> TiffImagePlugin.ImageFileDirectory_v1:
    """Return the tags of one directory as bytes, not yet parsed."""
    tags = TiffImagePlugin.ImageFileDirectory_v1(head if head[2] == 43 else head[:8])  # BigTIFF
    data.seek(tags.next if offset is None else offset)
    tags.load(data)
    return tags


def _number_bytes(tags: TiffImagePlugin.ImageFileDirectory_v1) -> int:
    return sum(
        len(value) for tag, value in tags.tagdata.items() if tags.tagtype[tag] not in BYTE_TYPES
    )


def _fragmented_error(name: str) -> PictureError:
    return PictureError(f"{name} has too many segments", "save it again as PNG")
