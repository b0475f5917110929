"""Pictures in: whatever the user has, upright 8-bit RGB comes out, or one clear line."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from sow.errors import PictureError
from sow.pictures import loading
from sow.pictures.loading import load_image, load_mask, over_grey


@pytest.fixture
def scene():
    """Left half red, right half blue, a green stripe on top."""
    image = Image.new("RGB", (60, 40), (200, 30, 30))
    image.paste((30, 30, 200), (30, 0, 60, 40))
    image.paste((30, 200, 30), (0, 0, 60, 8))
    return image


def near(pixel, colour, within=24) -> bool:
    return all(abs(a - b) <= within for a, b in zip(pixel, colour, strict=True))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(scene, tmp_path, orientation):
    """A camera stores the picture turned and notes how to turn it back."""
    back = {
        1: [],
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }[orientation]
    stored = scene
    for move in back:
        stored = stored.transpose(move)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.jpg", exif=exif, quality=95, subsampling=0)
    image = load_image(tmp_path / "a.jpg")
    assert image.size == (60, 40)
    assert near(image.getpixel((5, 30)), (200, 30, 30))
    assert near(image.getpixel((55, 30)), (30, 30, 200))
    assert near(image.getpixel((5, 2)), (30, 200, 30))


def test_transparent_pictures_keep_their_alpha_and_opaque_ones_lose_it(scene, tmp_path):
    scene.putalpha(255)
    scene.save(tmp_path / "opaque.png")
    assert load_image(tmp_path / "opaque.png").mode == "RGB"
    scene.paste((0, 0, 0, 0), (0, 0, 10, 40))
    scene.save(tmp_path / "cut.png")
    cut = load_image(tmp_path / "cut.png")
    assert cut.mode == "RGBA"
    assert over_grey(cut).getpixel((3, 30)) == (128, 128, 128)
    assert np.asarray(load_mask(tmp_path / "cut.png"))[30, 3] == 0


def test_sixteen_bits_become_eight(tmp_path):
    values = np.linspace(0, 65535, 60 * 40).reshape(40, 60)
    Image.fromarray(values.astype(np.uint16)).save(tmp_path / "deep.png")
    image = np.asarray(load_image(tmp_path / "deep.png"), float)
    assert image.shape == (40, 60, 3)
    assert np.abs(image[..., 0] - values / 257).max() <= 1.5


def test_sixteen_bit_colour(tmp_path):
    """Pillow cannot write it, cameras can: the chunks are made here."""
    row = b"\x00" + b"".join(struct.pack(">HHH", 0xC800, 0x1E00, 0x0080) for _ in range(20))

    def chunk(kind: bytes, data: bytes) -> bytes:
        tail = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", tail)

    header = struct.pack(">IIBBBBB", 20, 20, 16, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    data += chunk(b"IDAT", zlib.compress(row * 20)) + chunk(b"IEND", b"")
    (tmp_path / "deep.png").write_bytes(data)
    assert near(load_image(tmp_path / "deep.png").getpixel((3, 3)), (200, 30, 0), 2)


def test_floating_point_and_cmyk_and_palette(scene, tmp_path):
    Image.fromarray(np.full((20, 20), 0.5, np.float32)).save(tmp_path / "f.tiff")
    assert near(load_image(tmp_path / "f.tiff").getpixel((1, 1)), (128, 128, 128), 1)
    scene.convert("CMYK").save(tmp_path / "c.jpg", quality=95)
    assert near(load_image(tmp_path / "c.jpg").getpixel((5, 30)), (200, 30, 30))
    scene.quantize(16).save(tmp_path / "p.png")
    assert near(load_image(tmp_path / "p.png").getpixel((5, 30)), (200, 30, 30))
    scene.convert("L").save(tmp_path / "l.png")
    assert load_image(tmp_path / "l.png").mode == "RGB"
    scene.convert("1").save(tmp_path / "1.png")
    assert load_image(tmp_path / "1.png").mode == "RGB"


@pytest.mark.parametrize("kind", ["gif", "webp", "png"])
def test_of_an_animation_the_first_frame_is_taken(scene, tmp_path, kind):
    other = Image.new("RGB", scene.size, (255, 255, 0))
    scene.save(tmp_path / f"a.{kind}", save_all=True, append_images=[other, other], lossless=True)
    assert near(load_image(tmp_path / f"a.{kind}").getpixel((55, 30)), (30, 30, 200), 40)


def bomb(path):
    """A small file that claims to be 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        tail = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", tail)

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(10**6)))
        + chunk(b"IEND", b"")
    )


def cut_short(path):
    Image.effect_noise((200, 200), 90).save(path, "PNG")
    path.write_bytes(path.read_bytes()[:5000])


def cut_jpeg(path):
    Image.effect_noise((200, 200), 90).save(path, "JPEG")
    path.write_bytes(path.read_bytes()[:3000])


def flipped(path):
    Image.effect_noise((200, 200), 90).save(path, "PNG")
    data = bytearray(path.read_bytes())
    data[2000:2100] = bytes(100)
    path.write_bytes(data)


BAD = {
    "bomb": (bomb, "million pixels"),
    "cut short": (cut_short, "damaged or truncated"),
    "cut jpeg": (cut_jpeg, "damaged or truncated"),
    "flipped": (flipped, "damaged or truncated"),
    "text": (lambda p: p.write_text("hello"), "not a picture"),
    "svg": (
        lambda p: p.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>"),
        "is an SVG drawing",
    ),
    "postscript": (lambda p: p.write_text("%!PS-Adobe-3.0 EPSF-3.0\n"), "is PostScript"),
    "empty": (lambda p: p.write_bytes(b""), "is empty"),
    "folder": (lambda p: p.mkdir(), "is a folder"),
    "missing": (lambda p: None, "no picture at"),
    "too small": (lambda p: Image.new("RGB", (9, 300)).save(p, "PNG"), "only 9x300"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_usable_picture_gets_one_line(tmp_path, name):
    make, says = BAD[name]
    path = tmp_path / "face.png"
    make(path)
    with pytest.raises(PictureError) as caught:
        load_image(path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_large_but_honest_pictures_are_refused_by_their_pixels(tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "MAX_PIXELS", 1000)
    Image.new("RGB", (60, 40)).save(tmp_path / "a.png")
    with pytest.raises(PictureError, match="million pixels"):
        load_image(tmp_path / "a.png")
