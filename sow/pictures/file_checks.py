"""Whether a picture is in few enough pieces to be read.

Pillow walks the segments, chunks and blocks of a file in Python, keeps many of them, and unpacks
some rare formats a pixel at a time: 96 MB of empty segments took 3 GB and a minute and a half.
All of it asks the file for a few bytes at a time, and that is what is counted.
"""

from __future__ import annotations

import io
import re
from typing import BinaryIO

from PIL import Image

from sow.errors import PictureError

MOST = 500_000
"""Times that a file may be read from; a recipe of 512 MB in chunks of 8 KB takes 200,000."""
MAX_SCANS = 50
"""Of a progressive JPEG, each as long as the whole picture to unpack; encoders write ten."""
SCAN, END = 0xDA, 0xD9
MARKER = re.compile(rb"\xff[\xc0-\xcf\xd8-\xfe]")
"""What starts a segment of a JPEG, for libjpeg too; others may stand between its pixels."""


class LimitedReader(io.BufferedReader):
    """A file that can be read from so many times."""

    def __init__(self, data: BinaryIO, name: str) -> None:
        super().__init__(data)  # type: ignore[arg-type]  # whatever has `readinto` will do
        self._name, self._left = name, MOST

    def read(self, size: int | None = -1, /) -> bytes:
        """Bytes of the file.

        Raises:
            PictureError: if it has been asked for too often.
        """
        self._left -= 1
        if self._left < 0:
            raise _too_many(self._name)
        return super().read(size)


def check_scans(data: BinaryIO, name: str) -> None:
    """Whether a JPEG has few enough scans; the position is left at the start.

    Raises:
        PictureError: if it has more than `MAX_SCANS`.
    """
    data.seek(0)
    if data.read(2) == b"\xff\xd8" and not _few_scans(data.read()):
        raise _too_many(name)
    data.seek(0)


def _few_scans(data: bytes) -> bool:
    at = scans = 0
    for _ in range(MOST):
        found = MARKER.search(data, at)
        if found is None or data[found.start() + 1] == END:
            return True
        scans += data[found.start() + 1] == SCAN
        if scans > MAX_SCANS:
            return False
        at = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")
    return False


def check_binary_pixels(image: Image.Image, name: str) -> None:
    """Whether pixels are numbers: a PPM may have them as text, and 4 MB of it can take minutes.

    Raises:
        PictureError: if they are text.
    """
    if any(tile[0] == "ppm_plain" for tile in getattr(image, "tile", ())):
        raise PictureError(f"{name} has its pixels as text", "save it as PNG")


def _too_many(name: str) -> PictureError:
    return PictureError(f"{name} is in too many pieces", "save it again as PNG")
