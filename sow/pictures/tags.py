"""Whether the tags of a picture are few enough to be looked at.

Pillow makes a Python object of every number in a tag that it asks for, fifty times its bytes and
before anything about the picture is known: 240 MB of them took 12 GB.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from PIL import TiffImagePlugin, TiffTags

from sow.errors import PictureError

MOST = 8 * 2**20
"""Bytes of numbers in tags; the strips of the largest picture take a tenth of it."""
MOST_AVIF = 32 * 2**20
"""Bytes of an AVIF, whose EXIF may be all of it; 89 million pixels take less."""
EXIF, SEGMENT = b"Exif\0\0", 2**16
TEXTS = (TiffTags.BYTE, TiffTags.ASCII, TiffTags.UNDEFINED)
"""Types of tags that stay bytes."""
GROUPS = (0x8769, 0x8825, 0xA005)
"""Tags that point to more tags: of EXIF, of places on earth, of what else reads them."""


def check_tags(data: BinaryIO, name: str) -> None:
    """Whether a file's tags hold no more than `MOST`; its position is left at the start.

    Raises:
        PictureError: if they hold more.
    """
    data.seek(0)
    head = data.read(16)
    if head[:4] in TiffImagePlugin.PREFIXES:
        too_many = _in_tiff(data, head) > MOST
    elif head[:2] == b"\xff\xd8":  # of a JPEG's segments of EXIF, Pillow makes one
        too_many = data.read().count(EXIF) * SEGMENT > MOST
    else:
        too_many = head[4:8] == b"ftyp" and data.seek(0, 2) > MOST_AVIF
    data.seek(0)
    if too_many:
        raise PictureError(f"{name} has too many numbers in its tags", "save it again without them")


def _in_tiff(data: BinaryIO, head: bytes) -> int:
    """Bytes of numbers in the first directory of a TIFF and in those it points to."""
    tags = _directory(data, head)
    order = "<" if head[:2] == b"II" else ">"
    found = _numbers(tags)
    for group in GROUPS:
        pointer = tags.tagdata.get(group, b"")
        if len(pointer) in (4, 8):
            (offset,) = struct.unpack(order + ("I" if len(pointer) == 4 else "Q"), pointer)
            found += _numbers(_directory(data, head, offset))
    return found


def _directory(
    data: BinaryIO, head: bytes, offset: int | None = None
) -> TiffImagePlugin.ImageFileDirectory_v1:
    """The tags of one directory as bytes, of which nothing has been made yet."""
    tags = TiffImagePlugin.ImageFileDirectory_v1(head if head[2] == 43 else head[:8])  # BigTIFF
    data.seek(tags.next if offset is None else offset)
    tags.load(data)
    return tags


def _numbers(tags: TiffImagePlugin.ImageFileDirectory_v1) -> int:
    return sum(len(held) for tag, held in tags.tagdata.items() if tags.tagtype[tag] not in TEXTS)
