"""Silence other libraries, and the lock and thread name for building models.

Warning filters, log levels and progress bars are global to the process. The first user of a
context manager silences them and the last one restores them; users in other threads do not wait.
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
network that another thread builds meanwhile (a face detector) would have no weights. Both import
torchvision, which two threads cannot do at once: each would find half of it."""
PRELOAD_THREAD = "sow: loads a model"
"""The name of a thread that loads a model in the background."""


class _SharedSilencer:
    """A reference-counted silencer: on from its first user to its last."""

    def __init__(self, silence: Callable[[], Callable[[], None]]) -> None:
        """Take a function that silences and returns a function that restores."""
        self._silence, self._lock, self._users = silence, threading.Lock(), 0

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        with self._lock:
            if self._users == 0:
                self._restore = self._silence()
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    self._restore()


def _silence_warnings() -> Callable[[], None]:
    before = warnings.filters[:]
    warnings.simplefilter("ignore")

    def restore() -> None:
        warnings.filters[:] = before  # type: ignore[index]  # typed as a sequence, but a list
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


def _silence_stderr() -> Callable[[], None]:
    try:
        saved = os.dup(2)
    except OSError:  # there is no standard error
        return lambda: None
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)

    def restore() -> None:
        os.dup2(saved, 2)
        os.close(saved)

    return restore


_WARNINGS = _SharedSilencer(_silence_warnings)
_LIBRARIES = _SharedSilencer(_silence_libraries)
_STDERR = _SharedSilencer(_silence_stderr)


@contextlib.contextmanager
def ignore_warnings() -> Iterator[None]:
    """Ignore Python warnings."""
    with _WARNINGS.active():
        yield


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Silence warnings, library logs and, unless stderr is a terminal, library progress bars."""
    with _WARNINGS.active(), _LIBRARIES.active():
        yield


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Discard what C libraries such as libtiff write to standard error.

    Output of other threads is lost too, so keep the block short.
    """
    with _STDERR.active():
        yield
