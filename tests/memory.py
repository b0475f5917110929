"""The memory that a piece of work takes, measured in a process of its own.

tracemalloc counts what every thread of a process allocates: a server that an earlier test has left
to end by itself would be counted too.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path


def peak_of(work: Callable[[Path], object], folder: Path) -> int:
    """Return the most bytes that `work` had allocated at once.

    work: a function of a test module; it is called with a new folder. Before it is measured, it
    runs once in another folder, so that what it imports does not count.
    """
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak, (work, folder))


def _peak(work: Callable[[Path], object], folder: Path) -> int:
    for name in ("unmeasured", "measured"):
        (folder / name).mkdir(parents=True)
    work(folder / "unmeasured")
    gc.collect()
    tracemalloc.start()
    work(folder / "measured")
    return tracemalloc.get_traced_memory()[1]
