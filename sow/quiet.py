"""Holding back the remarks of libraries where this project says what matters itself."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import warnings
from collections.abc import Iterator

LIBRARIES = ("diffusers", "transformers")
# Warnings, levels and progress bars belong to the process: whoever is quiet is so alone.
_ALONE = threading.RLock()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Holds back the remarks of the libraries and, away from a terminal, their progress bars.

    At the end everything is as the user had it.
    """
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    bars = (diffusers_logging, transformers_logging)
    loggers = [logging.getLogger(name) for name in LIBRARIES]
    with _ALONE, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        levels = [logger.level for logger in loggers]
        shown = [bar.is_progress_bar_enabled() for bar in bars]
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        if not sys.stderr.isatty():
            for bar in bars:
                bar.disable_progress_bar()
        try:
            yield
        finally:
            for bar, on in zip(bars, shown, strict=True):
                if on:
                    bar.enable_progress_bar()
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
