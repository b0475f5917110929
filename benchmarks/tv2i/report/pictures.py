"""Pictures of a report: small, few, and only from the folder of results."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from sow.benchmarks.tv2i.outcomes import Outcome
from sow.benchmarks.tv2i.report.comparison_table import by_method
from sow.errors import PictureError
from sow.pictures.loading import load_image, over_grey

TILE, PIXEL_ART = 176, 200
"""Pixels of a picture's longer side; pictures below the second are stored without loss."""
ROWS, COLUMNS = 12, 16
"""Most pairs and most methods of a sheet."""
INK, QUIET = (24, 24, 22), (110, 108, 102)


@dataclass(frozen=True)
class Tile:
    """A picture, or the reason why there is none."""

    picture: bytes | None
    caption: str = ""


@dataclass(frozen=True)
class Strip:
    """A pair: prompt, condition, and the result of every method."""

    pair: str
    prompt: str
    condition: Tile
    results: tuple[Tile, ...]


@dataclass(frozen=True)
class Sheet:
    """A contact sheet: pairs in rows, methods in columns.

    Attributes:
        left_out: pairs that are not shown.
    """

    title: str
    methods: tuple[str, ...]
    strips: tuple[Strip, ...]
    left_out: int = 0


def read(folder: Path, name: str) -> Image.Image:
    """Read a picture of the folder of results as RGB, with grey behind transparency.

    Raises:
        PictureError: if it leads out of the folder by a link, or is none.
    """
    return over_grey(load_image(inside(folder, name)))


def inside(folder: Path, name: str) -> Path:
    """Return the path of a file in the folder of results.

    Raises:
        PictureError: if it leads out of the folder, by a link or otherwise.
    """
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise PictureError(f"{name!r} points outside the folder of results", "move it inside")
    return path


def small(picture: Image.Image, side: int = TILE) -> bytes:
    """Return a WebP no larger than the picture, without its metadata."""
    made = Image.new("RGB", picture.size)
    made.paste(picture)
    exact = max(made.size) < PIXEL_ART
    made.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    made.save(file, "WEBP", quality=80, lossless=exact and max(picture.size) <= side)
    return file.getvalue()


def data_uri(webp: bytes) -> str:
    """Return a picture as a data URI."""
    return f"data:image/webp;base64,{base64.b64encode(webp).decode()}"


def sheet(
    title: str,
    folder: Path,
    outcomes: Sequence[Outcome],
    methods: Sequence[str],
    metric: str | None = None,
) -> Sheet:
    """Return the first pairs by every method; `metric` is shown below each picture."""
    found = by_method(outcomes)
    keys = list(dict.fromkeys(one.key for one in outcomes if one.method in set(methods)))
    shown = tuple(methods[:COLUMNS])
    strips = tuple(_strip(folder, found, shown, key, metric) for key in keys[:ROWS])
    return Sheet(title, shown, strips, max(0, len(keys) - ROWS))


def _strip(
    folder: Path,
    found: dict[str, dict[tuple[str, int], Outcome]],
    methods: Sequence[str],
    key: tuple[str, int],
    metric: str | None,
) -> Strip:
    here = {method: found.get(method, {}).get(key) for method in methods}
    there = [outcome for outcome in here.values() if outcome is not None]
    some = there[0] if there else next(keyed[key] for keyed in found.values() if key in keyed)
    planted = next((outcome.condition for outcome in there if outcome.condition), None)
    tiles = tuple(_tile(folder, outcome, metric) for outcome in here.values())
    condition = _picture(folder, planted) if planted else Tile(None, "no file")
    return Strip(some.pair, some.prompt, condition, tiles)


def _tile(folder: Path, outcome: Outcome | None, metric: str | None) -> Tile:
    if outcome is None:
        return Tile(None, "not asked")
    if outcome.file is None:
        return Tile(None, outcome.error or "")
    tile = _picture(folder, outcome.file)
    if metric is None or tile.picture is None:
        return tile
    score = outcome.scores.get(metric)
    caption = f"{score:.3f}" if score is not None else outcome.missing.get(metric, "")
    return Tile(tile.picture, caption)


def _picture(folder: Path, name: str) -> Tile:
    try:
        return Tile(small(read(folder, name)))
    except PictureError as error:
        return Tile(None, error.what)


def drawn(made: Sheet, labels: Sequence[str]) -> Image.Image:
    """Return a sheet as one picture, for pages that cannot hold many."""
    gap, above, below = 6, 24, 40
    width = (len(made.methods) + 1) * (TILE + gap) + gap
    page = Image.new("RGB", (width, above + len(made.strips) * (TILE + below)), "white")
    pen = ImageDraw.Draw(page)
    for number, label in enumerate(("planted", *labels)):
        left = gap + number * (TILE + gap)
        pen.text((left, 4), _cut(pen, label, 13, TILE), fill=INK, font_size=13)
    for line, strip in enumerate(made.strips):
        top = above + line * (TILE + below) + 18
        heading = _cut(pen, f"{strip.pair}: {strip.prompt}", 12, width - 2 * gap)
        pen.text((gap, top - 16), heading, fill=INK, font_size=12)
        for number, tile in enumerate((strip.condition, *strip.results)):
            left = gap + number * (TILE + gap)
            if tile.picture:
                page.paste(_square(tile.picture), (left, top))
            else:
                pen.rectangle((left, top, left + TILE - 1, top + TILE - 1), outline=(215, 213, 207))
            caption = _cut(pen, tile.caption, 11, TILE)
            pen.text((left, top + TILE + 1), caption, fill=QUIET, font_size=11)
    return page


def _square(webp: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(webp)).convert("RGB")
    scale = TILE / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    square = Image.new("RGB", (TILE, TILE), "white")
    square.paste(picture.resize(size), ((TILE - size[0]) // 2, (TILE - size[1]) // 2))
    return square


def _cut(pen: ImageDraw.ImageDraw, text: str, size: int, width: int) -> str:
    """Return as much of a text as fits."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text[:300]).split())
    if pen.textlength(text, font_size=size) <= width:
        return text
    while text and pen.textlength(text + "…", font_size=size) > width:
        text = text[:-1]
    return text + "…"
