"""Pictures as strangers send them: of every format and mode, with EXIF and profiles, mangled."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from functools import lru_cache
from random import Random

from PIL import Image, ImageCms

SIZE = (40, 32)
SIGNATURE = b"\x89PNG\r\n\x1a\n"
MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "I;16", "F")
TIFFS = ("raw", "tiff_lzw", "tiff_deflate", "jpeg", "packbits", "group4", "zstd", "lzma", "webp")
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
NUMBERS = (0, 1, 255, 9000, 60_000, 2**31 - 1, 2**31, 2**32 - 1)
# Of EXIF and TIFF: those that decide something, that point somewhere, and any.
TAGS = (0x0100, 0x0101, 0x0102, 0x0103, 0x0106, 0x0111, 0x0112, 0x0115, 0x0116, 0x0117, 0x011A,
        0x011B, 0x0128, 0x0142, 0x0143, 0x0144, 0x0152, 0x0153, 0x8769, 0x8773, 0x8825, 0xA005,
        0x9286, 0x02BC)  # fmt: skip

WRITABLE = {"jpeg": ("L", "RGB", "CMYK", "YCbCr"), "group4": ("1",), "webp": ()}
"""The modes that a TIFF takes with these. With others, Pillow 12.3 does not refuse: it crashes."""


@lru_cache(maxsize=1)
def seeds() -> dict[str, bytes]:
    """Honest pictures by what they are: whatever Pillow can write here, accepted or not."""
    Image.init()
    exif = Image.Exif()
    exif[0x0112] = 6
    made: dict[str, bytes] = {}
    colours = Image.effect_noise(SIZE, 90).convert("RGB")
    for mode in MODES:
        try:
            image = colours.convert("L").convert(mode) if len(mode) > 4 else _in(mode, colours)
        except ValueError:
            continue
        ways = [(kind, {}) for kind in Image.SAVE] + [("TIFF", {"compression": c}) for c in TIFFS]
        ways += [(kind, {"save_all": True, "append_images": [image.rotate(90)]}) for kind in
                 ("GIF", "PNG", "WEBP", "AVIF", "TIFF")]  # fmt: skip
        for number, (kind, options) in enumerate(ways):
            if mode not in WRITABLE.get(options.get("compression"), MODES):
                continue
            written = io.BytesIO()
            try:
                image.save(written, kind, exif=exif, icc_profile=SRGB, **options)
            except Exception:  # not every format takes every mode
                continue
            if 0 < len(written.getvalue()) < 10**5:
                made[f"{kind} {mode} {number}"] = written.getvalue()
    return made


def _in(mode: str, colours: Image.Image) -> Image.Image:
    if mode == "LAB":
        return ImageCms.profileToProfile(
            colours, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
        )
    return (
        colours.convert("L").convert(mode) if mode in ("I;16", "I", "F") else colours.convert(mode)
    )


def mangled(data: bytes, dice: Random) -> bytes:
    """The same file after a few accidents; a PNG's checksums are right again in half of them."""
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        data = dice.choice(ACCIDENTS)(data, dice)
    return with_right_checksums(data) if dice.random() < 0.5 else data


def _flip(data: bytes, dice: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(dice.choice((1, 2, 8, 40))):
        if changed:
            changed[_place(len(changed), dice)] = dice.randrange(256)
    return bytes(changed)


def _number(data: bytes, dice: Random) -> bytes:
    """A size, a length or an offset somewhere becomes another."""
    form = dice.choice((">I", "<I", ">H", "<H"))
    number = dice.choice(NUMBERS) % (2 ** (8 * struct.calcsize(form)))
    at = _place(len(data), dice)
    return data[:at] + struct.pack(form, number) + data[at + struct.calcsize(form) :]


def _cut(data: bytes, dice: Random) -> bytes:
    return data[: dice.randrange(len(data) + 1)]


def _append(data: bytes, dice: Random) -> bytes:
    return data + dice.choice((data, dice.randbytes(200), bytes(5000), b"\xff\xd9" * 9))


def _twice(data: bytes, dice: Random) -> bytes:
    start, end = sorted(dice.randrange(len(data) + 1) for _ in range(2))
    return data[:end] + data[start:end] * dice.choice((1, 1, 3)) + data[end:]


def _tag(data: bytes, dice: Random) -> bytes:
    """An entry of a directory of TIFF or EXIF says something else."""
    order = "<" if b"II*\0" in data else ">"
    start = data.find(b"II*\0" if order == "<" else b"MM\0*")
    if start < 0 or len(data) < start + 8:
        return _flip(data, dice)
    (first,) = struct.unpack_from(order + "I", data, start + 4)
    at = start + first + 2 + 12 * dice.randrange(12)
    return data[:at] + entry(dice, order) + data[at + 12 :]


def _place(length: int, dice: Random) -> int:
    """Somewhere, and more often in the head of a file than elsewhere."""
    return dice.randrange(min(length, 120) + 1 if dice.random() < 0.6 else length + 1) % max(
        length, 1
    )


ACCIDENTS: tuple[Callable[[bytes, Random], bytes], ...] = (
    _flip, _flip, _number, _number, _cut, _append, _twice, _tag, _tag,
)  # fmt: skip


def entry(dice: Random, order: str = "<") -> bytes:
    """An entry of a directory, of any type and length."""
    tag = dice.choice(TAGS) if dice.random() < 0.8 else dice.randrange(2**16)
    count = dice.choice((0, 1, 1, 2, 3, 7, 1000, 2**31, 2**32 - 1))
    value = dice.choice((6, 8, 26, dice.choice(NUMBERS), dice.randrange(2**32)))
    return struct.pack(order + "HHII", tag, dice.randrange(20), count, value)


def bad_exif(dice: Random) -> bytes:
    """EXIF as real telephones write it, and worse."""
    entries = b"".join(entry(dice) for _ in range(dice.choice((1, 2, 5))))
    if dice.random() < 0.6:  # the one that is read, of any type and length
        entries += struct.pack("<HHII", 0x0112, dice.randrange(20), dice.choice((0, 1, 2, 4)), 6)
    count = dice.choice((len(entries) // 12, len(entries) // 12, 40, 65535))
    tail = dice.choice((bytes(4), struct.pack("<I", 8), b"", dice.randbytes(40)))
    body = b"II*\0\x08\0\0\0" + struct.pack("<H", count) + entries + tail
    return dice.choice((b"Exif\0\0", b"Exif\0\0", b"", b"Exif\0")) + body


def bad_profile(dice: Random) -> bytes:
    """A profile of another space, cut, or with other numbers in it."""
    profile = bytearray(SRGB)
    if dice.random() < 0.5:
        profile[16:20] = dice.choice((b"CMYK", b"GRAY", b"Lab ", b"XYZ ", b"\0\xff\n\0"))
    for _ in range(dice.choice((0, 3, 60))):
        profile[dice.randrange(len(profile))] = dice.randrange(256)
    return bytes(profile[: dice.choice((len(profile), 128, 7, dice.randrange(len(profile))))])


def carrying(dice: Random) -> bytes:
    """A whole picture with bad EXIF and a bad profile."""
    kind, mode = dice.choice((("JPEG", "RGB"), ("JPEG", "CMYK"), ("JPEG", "L"), ("PNG", "RGBA"),
                              ("PNG", "P"), ("PNG", "LA"), ("WEBP", "RGB"), ("TIFF", "RGB"),
                              ("AVIF", "RGB")))  # fmt: skip
    image = Image.effect_noise(SIZE, 90).convert("RGB").convert(mode)
    written = io.BytesIO()
    extra = {} if kind in ("TIFF", "AVIF") else {"exif": bad_exif(dice)}
    image.save(written, kind, icc_profile=bad_profile(dice), **extra)
    return written.getvalue()


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """The chunks of a PNG, as far as it can be followed."""
    found, at = [], len(SIGNATURE)
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        found.append((kind, data[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def png(parts: list[tuple[bytes, bytes]]) -> bytes:
    """A PNG of these chunks."""
    return SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )


def with_right_checksums(data: bytes) -> bytes:
    """A mangled PNG whose checksums do not tell; other formats as they are."""
    return png(chunks(data)) if data.startswith(SIGNATURE) else data
