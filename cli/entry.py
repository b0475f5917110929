"""The first thing that runs: what happens on an interrupt or a closed pipe, before any import."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Any, TextIO, cast

from sow.errors import INTERRUPTED


def run() -> None:
    """Runs the command line and leaves with its exit code."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, leave)
    sys.stdout, sys.stderr = (cast(TextIO, Outlet(s)) for s in (sys.stdout, sys.stderr))

    from sow.cli.main import main

    main()


def leave(number: int, frame: FrameType | None) -> None:
    """Ends the program at once; nothing half-written stays.

    Raised as an exception, an interrupt would end somewhere in the C++ of an import, or as a
    traceback out of a library that did not expect it.
    """
    files = sys.modules.get("sow.files")
    if files is not None and hasattr(files, "abandon"):  # not while it is being imported
        files.abandon()
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
        except BrokenPipeError:
            self._close()
            return len(text)

    def flush(self) -> None:
        """See `io.TextIOBase`."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._close()

    def _close(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
