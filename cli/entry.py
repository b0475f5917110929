"""The entry point of `sow`: handle interrupts and closed pipes before anything slow is imported."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any, TextIO, cast

from sow.errors import INTERRUPTED, OutputError


def run() -> None:
    """Run the command line and exit with its code."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, exit_on_interrupt)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by the parent process
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
    # No plugins are wanted; to look for some, pydantic reads the metadata of every package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    sys.stdout = cast(TextIO, StandardOutput(sys.stdout))
    sys.stderr = cast(TextIO, PipeSafeStream(sys.stderr))

    # Imports create many objects and hardly any garbage: with Python's default thresholds they
    # spend a sixth of their time in the garbage collector.
    gc.set_threshold(100_000, 10, 10)

    from sow.cli.main import main

    try:
        main()
    except SystemExit as end:
        exit_if_loading(end)
        raise


def exit_if_loading(end: SystemExit) -> None:
    """Exit at once if a model is still being loaded ahead, which nothing needs any more."""
    from sow.utils.libraries import PRELOAD_THREAD

    if not any(thread.name == PRELOAD_THREAD for thread in threading.enumerate()):
        return
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(end.code if isinstance(end.code, int) else 1)


def exit_on_interrupt(number: int, frame: FrameType | None) -> None:
    """Handle SIGINT: delete unfinished files and exit at once.

    Raised as an exception, an interrupt could be lost in the C++ of an import, or end as a
    traceback from a library that did not expect it.
    """
    files = sys.modules.get("sow.utils.output_folder")
    if files is not None and hasattr(files, "remove_unfinished"):  # not while it is being imported
        files.remove_unfinished()
    line = b"\nsow: interrupted\n" if os.isatty(2) else b"sow: interrupted\n"
    os.write(2, line)
    os._exit(INTERRUPTED)


class PipeSafeStream:
    """A standard stream whose reader may go away: the rest is discarded, and the command goes on.

    `sow show a.png --json | head -1` is not an error.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text, or discard it if the reader is gone."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._redirect(error)
            return len(text)

    def flush(self) -> None:
        """Flush the stream, if the reader is still there."""
        try:
            self._stream.flush()
        except OSError as error:
            self._redirect(error)

    def _redirect(self, error: OSError) -> None:
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, self._stream.fileno())
        os.close(devnull)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class StandardOutput(PipeSafeStream):
    """Standard output: a reader that goes away is not an error, but a full disk is.

    Raises:
        OutputError: if output is lost.
    """

    _error: OutputError | None = None

    def write(self, text: str) -> int:
        """Write a text, or raise the error of an earlier write."""
        if self._error is not None:  # the caller of the earlier write may have swallowed it
            raise self._error
        return super().write(text)

    def _redirect(self, error: OSError) -> None:
        super()._redirect(error)
        if not isinstance(error, BrokenPipeError):
            what = f"standard output cannot be written ({error.strerror})"
            self._error = OutputError(what, "redirect it to another place")
            raise self._error
