"""Pictures that people bring, made of the examples."""

from __future__ import annotations

import base64
import io

from PIL import Image

from sow.studio.examples import EXAMPLES, FOLDER


def heads() -> list[Image.Image]:
    return [Image.open(FOLDER / example.name).convert("RGB") for example in EXAMPLES]


def side_by_side(count: int) -> Image.Image:
    """A picture with this many heads, in rows of three."""
    picture = Image.new("RGB", (256 * min(count, 3), 256 * -(-count // 3)), (220, 220, 230))
    for index in range(count):
        picture.paste(heads()[index % 3], (index % 3 * 256, index // 3 * 256))
    return picture


def shapes() -> Image.Image:
    """A picture without a face."""
    return Image.effect_mandelbrot((200, 160), (-2, -1, 1, 1), 50).convert("RGB")


def as_bytes(image: Image.Image, format: str = "PNG", **how) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **how)
    return buffer.getvalue()


def as_url(image: Image.Image) -> str:
    return "data:image/png;base64," + base64.b64encode(as_bytes(image)).decode()


def from_url(url: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
