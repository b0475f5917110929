"""Holding back the remarks of libraries where this project says what matters itself.

Warnings, levels and progress bars belong to the whole process. Whoever is quiet first silences
them, whoever is quiet last gives them back as they were; nobody waits for anybody.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator

LIBRARIES = ("diffusers", "transformers")
MODEL_BUILD_LOCK = threading.RLock()
"""Held while networks are built: diffusers' low-memory loading patches torch for all threads, so a
network that another thread builds meanwhile (a face detector) would have no weights."""
PRELOAD_THREAD = "sow: loads a model"
"""The name of a thread that loads a model in the background."""


class _Shared:
    """Something that is switched off while anybody wants it off."""

    def __init__(self, off: Callable[[], Callable[[], None]]) -> None:
        """`off` switches it off and returns what switches it on again."""
        self._off, self._lock, self._users = off, threading.Lock(), 0

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        with self._lock:
            if self._users == 0:
                self._on = self._off()
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    self._on()


def _silence_warnings() -> Callable[[], None]:
    before = warnings.filters[:]
    warnings.simplefilter("ignore")

    def restore() -> None:
        warnings.filters[:] = before  # type: ignore[index]  # a list, whatever its type says
        warnings._filters_mutated()  # type: ignore[attr-defined]  # as catch_warnings does

    return restore


def _silence_libraries() -> Callable[[], None]:
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    loggers = [logging.getLogger(name) for name in LIBRARIES]
    levels = [logger.level for logger in loggers]
    bars = [b for b in (diffusers_logging, transformers_logging) if b.is_progress_bar_enabled()]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    if not sys.stderr.isatty():
        for bar in bars:
            bar.disable_progress_bar()

    def restore() -> None:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        for bar in bars:
            bar.enable_progress_bar()

    return restore


def _silence_c() -> Callable[[], None]:
    try:
        kept = os.dup(2)
    except OSError:  # no standard error, nobody to spare
        return lambda: None
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)

    def restore() -> None:
        os.dup2(kept, 2)
        os.close(kept)

    return restore


_WARNINGS, _REMARKS = _Shared(_silence_warnings), _Shared(_silence_libraries)
_LINES = _Shared(_silence_c)


@contextlib.contextmanager
def ignore_warnings() -> Iterator[None]:
    """Holds back Python's warnings."""
    with _WARNINGS.held():
        yield


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Holds back warnings, the remarks of the libraries and, away from a terminal, their bars."""
    with _WARNINGS.held(), _REMARKS.held():
        yield


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Holds back what a C library writes to standard error by itself, as libtiff does.

    It has no other door: what other threads say there meanwhile is lost, so this is for moments.
    """
    with _LINES.held():
        yield
