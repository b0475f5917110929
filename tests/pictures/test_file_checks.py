"""Pictures in millions of pieces: small files that took minutes and gigabytes in Pillow."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image

from sow.errors import PictureError
from sow.pictures import file_checks
from sow.pictures.loading import load_image
from sow.pictures.recipe import read_recipe

MANY = 1000
"""Pieces, where the tests allow a few hundred."""


def written(kind: str, **options: object) -> bytes:
    """A picture of noise."""
    file = io.BytesIO()
    Image.effect_noise((64, 64), 60).convert("P").convert("L").save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    """A PNG's chunk."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def between(data: bytes, place: int, more: bytes) -> bytes:
    """Data with a thousand pieces more at a place."""
    return data[:place] + more * MANY + data[place:]


def run_lengths() -> bytes:
    """A BMP of runs of one pixel."""
    data = bytearray(written("BMP"))
    start = int.from_bytes(data[10:14], "little")
    data[30:34] = (1).to_bytes(4, "little")
    return bytes(data[:start]) + (b"\1\5" * 64 + b"\0\0") * 64 + b"\0\1"


JPEG, PNG, GIF = written("JPEG"), written("PNG"), written("GIF")
SCANS = written("JPEG", progressive=True)
FRAME = GIF.index(b",\0\0\0\0\x40")
PIXELS = bytes(range(250)) * 17

CRUMBS = {
    "segments": between(JPEG, 2, b"\xff\xec\0\2"),
    "filling of a JPEG": between(JPEG, 2, b"\xff"),
    "private chunks": between(PNG, 33, chunk(b"prVt")),
    "texts at the end": between(PNG, len(PNG) - 12, chunk(b"tEXt")),
    "data of no length": between(PNG, 33, chunk(b"IDAT")),
    "comments": between(GIF, FRAME, b"!\xfe\1x\0"),
    "blocks": GIF[:FRAME] + b"!\xfe" + b"\1x" * MANY + b"\0" + GIF[FRAME:],
    "a comment of a PPM": between(b"P5\n#\n64 64 255\n" + PIXELS, 4, b"x"),
    "single pixels of a PPM": b"P5\n64 64 254\n" + PIXELS,
    "single pixels of a BMP": run_lengths(),
}


@pytest.mark.parametrize("name", CRUMBS)
def test_what_is_read_in_crumbs_is_refused(tmp_path, monkeypatch, name):
    (tmp_path / "a").write_bytes(CRUMBS[name])
    assert load_image(tmp_path / "a").size == (64, 64)  # the same, of few enough
    monkeypatch.setattr(file_checks, "MAX_READS", 300)
    with pytest.raises(PictureError, match="too many segments"):
        load_image(tmp_path / "a")


@pytest.mark.parametrize("data", [JPEG, SCANS, PNG, GIF, written("BMP"), written("TIFF"),
                                  written("PPM"), written("WEBP")])  # fmt: skip
def test_honest_pictures_are_read_in_a_hundredth_of_what_is_allowed(tmp_path, monkeypatch, data):
    (tmp_path / "a").write_bytes(data)
    monkeypatch.setattr(file_checks, "MAX_READS", 100)
    assert load_image(tmp_path / "a").size == (64, 64)


def test_recipes_too_are_in_few_pieces(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(CRUMBS["private chunks"])
    monkeypatch.setattr(file_checks, "MAX_READS", 300)
    with pytest.raises(PictureError, match="too many segments"):
        read_recipe(tmp_path / "a.png")


def test_scans_are_counted_where_they_are_scans(tmp_path):
    scan = SCANS[SCANS.rindex(b"\xff\xda") : -2]
    often = SCANS[:-2] + scan * file_checks.MAX_SCANS + b"\xff\xd9"
    # Behind a marker that stands between pixels and claims a length: libjpeg steps over its name.
    hidden = SCANS[:-2] + b"\xff\x02\xff\xff" + scan * file_checks.MAX_SCANS + b"\xff\xd9"
    for data in (often, hidden):
        (tmp_path / "a.jpg").write_bytes(data)
        with pytest.raises(PictureError, match="too many segments"):
            load_image(tmp_path / "a.jpg")
    inside = SCANS[:2] + b"\xff\xec\xff\xff" + (b"\xff\xda\0\2" * 2**14)[:65533]
    for data in (inside + SCANS[2:], SCANS + b"\xff\xda\0\2" * MANY):  # a film behind a photograph
        (tmp_path / "a.jpg").write_bytes(data)
        assert load_image(tmp_path / "a.jpg").tobytes() == decoded(SCANS)


def decoded(data: bytes) -> bytes:
    """The pixels of a good picture."""
    return Image.open(io.BytesIO(data)).convert("RGB").tobytes()


@pytest.mark.parametrize("kind", [b"P1", b"P2", b"P3"])
def test_pixels_as_text_are_refused(tmp_path, kind):
    """2 MB of comments between them took a minute and a half."""
    (tmp_path / "a").write_bytes(kind + b"\n64 64 1\n" + b"#\n0 " * 64 * 64 * 3)
    with pytest.raises(PictureError, match="as text; save it as PNG"):
        load_image(tmp_path / "a")
