"""Work that is shared by all cores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def shared_by_cores(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Yield a function's results for all items, in their order; a single item is worked on here.

    The processes are new ones: a fork of a process with threads, as OpenCV and PyTorch start them,
    may wait for ever.
    """
    if len(items) <= 1:
        yield from map(function, items)
        return
    with get_context("spawn").Pool() as pool:
        yield from pool.imap(function, items)
