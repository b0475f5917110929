"""What studies share: classes in several processes, what is mended, sheets to check by eye."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, TypeVar

from PIL import Image, ImageDraw, ImageFont

from sow.benchmarks.desk import bar, quieten
from sow.benchmarks.statistics import sign_test, turned
from sow.pictures.drawing import side_by_side

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Given = TypeVar("Given")
Made = TypeVar("Made")
Record = TypeVar("Record", bound="DataclassInstance")


def by_processes(
    work: Callable[[Given], Made], classes: Sequence[Given], workers: int
) -> Iterator[Made]:
    """What comes of each class, in their order; `work` can be sent to another process."""
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=quieten) as pool:
        yield from bar(pool.map(work, classes), "classes", len(classes))


def joined(cells: Iterable[Record]) -> Record:
    """Several records of one kind as one: what is told of every picture, one after another, and
    sums of what is told of all of them."""
    some = list(cells)
    values: dict[str, Any] = {}
    for field in fields(some[0]):
        parts = [getattr(cell, field.name) for cell in some]
        values[field.name] = sum(parts, start=type(parts[0])())
    return type(some[0])(**values)


def mended(before: Sequence[bool], after: Sequence[bool]) -> str:
    """Of pairs, how many became better and worse, and whether that may be chance."""
    up, down = turned(before, after)
    return f"{up} better, {down} worse (sign test, p {sign_test(up, down):.2g})"


def told_apart(
    tiles: Iterable[tuple[Image.Image, Sequence[str]]], side: int = 156, columns: int = 10
) -> list[Image.Image]:
    """Rows of pictures of one shape, numbered, each with lines below it, to be checked by eye."""
    font, made = ImageFont.load_default(size=11), list[Image.Image]()
    for number, (picture, lines) in enumerate(tiles):
        height = side * picture.height // picture.width
        tile = Image.new("RGB", (side, height + 14 * len(lines) + 6), "white")
        tile.paste(picture.resize((side, height), Image.Resampling.BICUBIC), (0, 0))
        pen = ImageDraw.Draw(tile)
        for line, text in enumerate([f"{number}: {lines[0]}", *lines[1:]]):
            pen.text((2, height + 1 + 14 * line), text, fill="black", font=font)
        made.append(tile)
    return [side_by_side(made[n : n + columns]) for n in range(0, len(made), columns)]
