"""Which thread computes.

GNU's OpenMP, which torch computes with, keeps helper threads for each thread that has computed, as
long as that thread lives. Once there are more of them than cores, they sleep between two operations
instead of looking for the next one: pictures of small models take half as long again. So one thread
makes all pictures, and what else is computed is computed in threads that end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

Result = TypeVar("Result")


class Maker:
    """A thread that does what it is given in turn; it does not keep a program alive."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = SimpleQueue()
        threading.Thread(target=self._run, daemon=True, name="sow: makes pictures").start()

    def do(self, work: Callable[[], Result]) -> Result:
        """Wait until it is done, and return or raise what it returned or raised."""
        done: Future[Result] = Future()
        self._queue.put((work, done))
        return done.result()

    def _run(self) -> None:
        while True:
            _do(*self._queue.get())


def aside(work: Callable[[], Result]) -> Result:
    """Do something else that computes, in a thread that ends, and return or raise what it did."""
    done: Future[Result] = Future()
    threading.Thread(target=_do, args=(work, done), daemon=True, name="sow: plans").start()
    return done.result()


def _do(work: Callable[[], Result], done: Future[Result]) -> None:
    try:
        done.set_result(work())
    except BaseException as error:
        done.set_exception(error)
