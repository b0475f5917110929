"""What studies share that are made class by class, in several processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from PIL import Image
from tqdm import tqdm

from sow.pictures.drawing import stacked

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Given = TypeVar("Given")
Made = TypeVar("Made")
Record = TypeVar("Record", bound="DataclassInstance")


def by_processes(
    work: Callable[[Given], Made], classes: Sequence[Given], workers: int
) -> Iterator[Made]:
    """What comes of each class, in their order; `work` can be sent to another process."""
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        yield from tqdm(pool.map(work, classes), total=len(classes), disable=None)


def joined(cells: Iterable[Record]) -> Record:
    """Several records of one kind as one: what is told of every picture, one after another, and
    sums of what is told of all of them."""
    some = list(cells)
    values: dict[str, Any] = {}
    for field in fields(some[0]):
        parts = [getattr(cell, field.name) for cell in some]
        values[field.name] = sum(parts, start=type(parts[0])())
    return type(some[0])(**values)


def save_sheet(rows: Sequence[Image.Image], path: Path) -> None:
    """Rows of pictures on a page, in few colours."""
    sheet = stacked(rows, 4).quantize(255, dither=Image.Dither.NONE)
    sheet.save(path, optimize=True)
