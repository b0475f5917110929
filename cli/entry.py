"""The first thing that runs: what happens on an interrupt or a closed pipe, before any import."""

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
    """Runs the command line and leaves with its exit code."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, leave)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
    # None are wanted, and to look for some pydantic reads what every installed package says.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    sys.stdout = cast(TextIO, Results(sys.stdout))
    sys.stderr = cast(TextIO, Outlet(sys.stderr))

    # Imports make much that stays and next to nothing that goes: with Python's own numbers a sixth
    # of their time is spent on looking for garbage.
    gc.set_threshold(100_000, 10, 10)

    from sow.cli.main import main

    try:
        main()
    except SystemExit as end:
        unless_loading(end)
        raise


def unless_loading(end: SystemExit) -> None:
    """Ends the program now if a model is being loaded that nobody needs any more."""
    from sow.utils.libraries import PRELOAD_THREAD

    if not any(thread.name == PRELOAD_THREAD for thread in threading.enumerate()):
        return
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(end.code if isinstance(end.code, int) else 1)


def leave(number: int, frame: FrameType | None) -> None:
    """Ends the program at once; nothing half-written stays.

    Raised as an exception, an interrupt would end somewhere in the C++ of an import, or as a
    traceback out of a library that did not expect it.
    """
    files = sys.modules.get("sow.utils.files")
    if files is not None and hasattr(files, "remove_unfinished"):  # not while it is being imported
        files.remove_unfinished()
    line = b"\nsow: interrupted\n" if os.isatty(2) else b"sow: interrupted\n"
    os.write(2, line)
    os._exit(INTERRUPTED)


class Outlet:
    """A standard stream whose reader may go away: the work goes on, nobody is told of the rest.

    `sow show a.png --json | head -1` is no failure.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """See `io.TextIOBase`."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._lost(error)
            return len(text)

    def flush(self) -> None:
        """See `io.TextIOBase`."""
        try:
            self._stream.flush()
        except OSError as error:
            self._lost(error)

    def _lost(self, error: OSError) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Results(Outlet):
    """Standard output: a disk that is full is a failure, other than a reader that has seen enough.

    Raises:
        OutputError: if what was to be said is lost.
    """

    _error: OutputError | None = None

    def write(self, text: str) -> int:
        """See `io.TextIOBase`."""
        if self._error is not None:  # whoever only tried whether it can be written to hid it
            raise self._error
        return super().write(text)

    def _lost(self, error: OSError) -> None:
        super()._lost(error)
        if not isinstance(error, BrokenPipeError):
            what = f"the result cannot be printed ({error.strerror})"
            self._error = OutputError(what, "print it elsewhere")
            raise self._error
