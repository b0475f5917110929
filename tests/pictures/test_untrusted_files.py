"""Files of strangers: what they carry, what they unpack to, and what is no file at all."""

from __future__ import annotations

import io
import os
import socket
import struct
import tracemalloc
import zlib
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image, ImageCms

from sow.errors import PictureError
from sow.pictures import colour_conversion, loading
from sow.pictures.condition import Condition
from sow.pictures.loading import load_image, load_mask, upright_rgb
from sow.pictures.recipe import read_recipe
from sow.plan.plan import Plan

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
D50 = struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D)
PLAN = Plan.parse({"canvas": [64, 64], "prompt": "x", "box": [8, 8, 24, 24]})


def profile(space: bytes, tags: dict[bytes, bytes], pcs: bytes = b"Lab ") -> bytes:
    """An ICC profile of these tags."""
    table, body, at = b"", b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        table += struct.pack(">4sII", name, at + len(body), len(data))
        body += data
    head = struct.pack(">I4sI4s4s4s12x4s28x12s48x", at + len(body), b"lcms", 0x02100000, b"prtr",
                       space, pcs, b"acsp", D50)  # fmt: skip
    return head + struct.pack(">I", len(tags)) + table + body


def only_black_ink() -> bytes:
    """A profile of a printer that has run out of all colours but black."""
    ramp, matrix = bytes(range(256)), struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    white, black = bytes((255, 128, 128)), bytes((0, 128, 128))
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + matrix
    return profile(b"CMYK", {b"A2B0": table + ramp * 4 + (white + black) * 8 + ramp * 3})


def linear_grey() -> bytes:
    """A profile of greys that count light, not lightness."""
    curve = b"curv" + bytes(4) + struct.pack(">I", 0)
    return profile(b"GRAY", {b"kTRC": curve, b"wtpt": b"XYZ " + bytes(4) + D50}, pcs=b"XYZ ")


def red_for_blue() -> bytes:
    """sRGB with the names of red and blue exchanged."""
    return SRGB.replace(b"rXYZ", b"xxxx").replace(b"bXYZ", b"rXYZ").replace(b"xxxx", b"bXYZ")


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("PNG", "RGB"),
        ("PNG", "RGBA"),
        ("PNG", "P"),
        ("JPEG", "RGB"),
        ("WEBP", "RGB"),
        ("TIFF", "RGB"),
    ],
)
def test_another_profile_becomes_srgb_and_is_left_behind(tmp_path, kind, mode):
    image = Image.new("RGB", (32, 32), (250, 10, 20))
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize((32, 32)))
    image = image.quantize(4) if mode == "P" else image
    for name, given in (("plain", None), ("other", red_for_blue())):
        image.save(tmp_path / name, kind, icc_profile=given, comment="text", dpi=(300, 300))
    plain, other = (load_image(tmp_path / name) for name in ("plain", "other"))
    assert plain.info == other.info == {}
    red, _, blue = other.convert("RGB").getpixel((5, 5))
    assert blue > 230 > 40 > red
    assert plain.mode == other.mode
    if mode == "RGBA":
        assert other.getchannel("A").tobytes() == plain.getchannel("A").tobytes()


def test_cmyk_and_grey_are_converted_through_their_profile(tmp_path):
    cyan, grey = Image.new("CMYK", (32, 32), (255, 0, 0, 0)), Image.new("L", (32, 32), 55)
    cyan.save(tmp_path / "c.tif", icc_profile=only_black_ink())
    assert load_image(tmp_path / "c.tif").getpixel((3, 3)) == pytest.approx((255,) * 3, abs=2)
    cyan.save(tmp_path / "c.tif")
    assert load_image(tmp_path / "c.tif").getpixel((3, 3)) == (0, 255, 255)
    grey.save(tmp_path / "g.png", icc_profile=linear_grey())
    assert load_image(tmp_path / "g.png").getpixel((3, 3)) == pytest.approx((128,) * 3, abs=2)


@pytest.mark.parametrize("given", [b"", b"nonsense", SRGB[:200], only_black_ink(), linear_grey()])
def test_a_profile_that_makes_no_sense_says_nothing(tmp_path, given):
    image = Image.effect_noise((32, 32), 90).convert("RGB")
    image.save(tmp_path / "a.png", icc_profile=given)
    assert load_image(tmp_path / "a.png").tobytes() == image.tobytes()


def test_what_the_user_opened_is_left_as_it_was(tmp_path):
    image = Image.new("RGB", (32, 32), (250, 10, 20))
    image.info["icc_profile"] = red_for_blue()
    assert upright_rgb(image).info == {}
    assert image.info == {"icc_profile": red_for_blue()}
    assert image.getpixel((0, 0)) == (250, 10, 20)


def test_nothing_is_carried_into_the_condition():
    """A profile of 1.2 MB was written into results that could not be read again."""
    picture = Image.new("RGB", (24, 24))
    picture.info |= {"icc_profile": os.urandom(1_200_000), "exif": b"Exif\0\0secret"}
    written = Condition(picture, Image.new("L", (24, 24), 255)).to_png()
    assert len(written) < 1000
    assert Condition.from_png(written, (24, 24)).picture.tobytes() == picture.tobytes()
    assert Condition.prepare(picture, PLAN).picture.info == {}


@pytest.mark.parametrize("kind", range(20))
@pytest.mark.parametrize("count", [0, 1, 2, 4, 1000])
def test_a_malformed_orientation_means_as_it_lies(tmp_path, kind, count):
    """Telephones write it as text, as fractions, twice, or not at all."""
    image = Image.new("RGB", (40, 32))
    tag = struct.pack("<HHII", 0x0112, kind, count, 7)
    for start in (b"Exif\0\0II*\0\x08\0\0\0\x01\0", b"Exif\0\0MM\0*\0\0\0\x08\0\x01", b"Exif\0\0"):
        image.save(tmp_path / "a.jpg", exif=start + tag + bytes(4))
        assert load_image(tmp_path / "a.jpg").size in (image.size, image.size[::-1])
    image.info["exif"] = b"Exif\0\0" + tag
    assert upright_rgb(image).size == image.size


@pytest.mark.skipif(
    ".avif" not in Image.registered_extensions(), reason="this Pillow does not write it"
)
def test_what_pillow_raises_on_avif_is_one_line(tmp_path):
    Image.effect_noise((32, 32), 90).convert("RGB").save(tmp_path / "a.avif")
    good = (tmp_path / "a.avif").read_bytes()
    for place in range(0, len(good), 3):
        (tmp_path / "a.avif").write_bytes(good[:place] + b"\xf1" + good[place + 1 :])
        with suppress(PictureError):
            load_image(tmp_path / "a.avif")


def tiff(tags: dict[int, tuple[int, int, int]], data: bytes) -> bytes:
    """A little-endian TIFF: tags by number with type, count and value; its data at 512."""
    body = b"".join(struct.pack("<HHII", tag, *tags[tag]) for tag in sorted(tags))
    return (b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + body).ljust(512, b"\0") + data


def sixteen_bit_cmyk(width: int, tile: int | None = None) -> bytes:
    """Black, in one strip or tile of eight bytes a pixel, deflated a thousandfold."""
    side = tile or width
    data = struct.pack("<4H", *[16] * 4) + zlib.compress(bytes(side * side * 8), 1)
    place = {322: (4, 1, side), 323: (4, 1, side), 324: (4, 1, 520), 325: (4, 1, len(data) - 8)}
    strip = {278: (4, 1, side), 273: (4, 1, 520), 279: (4, 1, len(data) - 8)}
    return tiff({256: (4, 1, width), 257: (4, 1, width), 258: (3, 4, 512), 259: (3, 1, 8),
                 262: (3, 1, 5), 277: (3, 1, 4), **(place if tile else strip)}, data)  # fmt: skip


@pytest.mark.parametrize(("width", "tile"), [(600, None), (16, 600)])
def test_what_a_tiff_unpacks_to_is_bounded(tmp_path, monkeypatch, width, tile):
    (tmp_path / "a.tif").write_bytes(sixteen_bit_cmyk(width, tile))
    assert load_image(tmp_path / "a.tif").size == (width, width)
    monkeypatch.setattr(loading, "MAX_DECODED_BYTES", 600 * 600 * 8 - 1)
    with pytest.raises(PictureError, match="decodes to more than"):
        load_image(tmp_path / "a.tif")


@pytest.mark.parametrize("where", ["tiff", "exif of a tiff", "jpeg"])
def test_tags_of_millions_of_numbers_are_not_made_objects_of(tmp_path, where):
    many, size = b"\x90" * (9 * 2**20), {256: (4, 1, 64), 257: (4, 1, 64), 262: (3, 1, 1)}
    if where == "tiff":
        data = tiff({**size, 258: (6, len(many), 512)}, many)
    elif where == "jpeg":
        written = io.BytesIO()
        Image.new("RGB", (64, 64)).save(written, "JPEG")
        segment = b"\xff\xe1" + struct.pack(">H", 65008) + b"Exif\0\0" + bytes(65000)
        data = written.getvalue()[:2] + segment * 145 + written.getvalue()[2:]
    else:
        inner = struct.pack("<H", 1) + struct.pack("<HHII", 0x9000, 6, len(many), 600)
        data = tiff({**size, 0x8769: (4, 1, 512)}, inner.ljust(88, b"\0") + many)
    (tmp_path / "a").write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(PictureError, match=r"metadata of .* is too large"):
            load_image(tmp_path / "a")
        assert tracemalloc.get_traced_memory()[1] < 4 * len(data)
    finally:
        tracemalloc.stop()


def test_deep_greys_are_made_eight_bits_in_strips(monkeypatch):
    values = np.linspace(0, 65535, 1500 * 1000).reshape(1500, 1000).astype(np.float32)
    image, whole = Image.fromarray(values), values.astype(np.float64)
    monkeypatch.setattr(colour_conversion, "STRIP_PIXELS", 50_000)
    tracemalloc.start()
    try:
        grey = colour_conversion.to_8bit(image)
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20  # whole, it takes 12 MB a copy
    finally:
        tracemalloc.stop()
    assert np.array_equal(np.asarray(grey), (whole * (255 / 65535)).round())


def test_libtiff_does_not_speak_to_the_terminal(tmp_path, capfd):
    Image.effect_noise((64, 64), 90).save(tmp_path / "a.tif", compression="tiff_lzw")
    data = bytearray((tmp_path / "a.tif").read_bytes())
    data[200:300] = b"\xff" * 100
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(PictureError, match="damaged"):
        load_image(tmp_path / "a.tif")
    with Image.open(tmp_path / "a.tif") as image, pytest.raises(PictureError, match="damaged"):
        upright_rgb(image)
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"


@pytest.mark.parametrize("read", [load_image, load_mask, read_recipe])
def test_what_is_no_regular_file_is_not_waited_for(tmp_path, monkeypatch, read):
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    os.mkfifo("pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "link.png").symlink_to("pipe.png")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.png")
        for name in ("pipe.png", "link.png", "socket.png", "/dev/zero", "/dev/null"):
            with pytest.raises(PictureError, match="a pipe or a device, not a file"):
                read(tmp_path / name)
    with pytest.raises(PictureError, match="is a folder"):
        read(tmp_path / "folder.png")
    for name in ("x" * 300, "a\0b"):
        with pytest.raises(PictureError, match="cannot be opened"):
            read(tmp_path / name)
