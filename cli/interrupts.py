"""End a command at once on an interrupt, with a line about what is kept."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from sow.cli.output import printable
from sow.errors import INTERRUPTED
from sow.utils.output_folder import remove_unfinished


@contextmanager
def stop_on_interrupt(summary: Callable[[], str]) -> Iterator[None]:
    """End the program at once on an interrupt, with a line about what is saved.

    Like `sow.cli.entry.exit_on_interrupt`: an exception would surface in a library as a traceback.
    Saved results are complete on the disk.
    """
    before = signal.getsignal(signal.SIGINT)

    def stop(number: int, frame: FrameType | None) -> None:
        remove_unfinished()
        end = "\n" if os.isatty(2) else ""  # below a bar
        os.write(2, f"{end}sow: interrupted; {printable(summary())}\n".encode(errors="replace"))
        os._exit(INTERRUPTED)

    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
