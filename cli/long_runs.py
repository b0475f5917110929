"""Commands that take long: say how long, and stop at once with a line about what is kept."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from sow.errors import INTERRUPTED
from sow.utils.output_folder import remove_unfinished
from sow.utils.representation import duration_text, printable


class Forecast:
    """Estimates when a run ends, from the time of the pictures that it has made.

    Attributes:
        left: pictures that are not there yet.
    """

    def __init__(
        self,
        left: int,
        say: Callable[[str], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with the number of missing pictures; `say` is given lines for the user."""
        self.left, self._say, self._clock = left, say, clock
        self._made, self._seconds = 0, 0.0
        self._from: float | None = None

    def begin(self) -> None:
        """Begin a batch; say what the pictures that are left will take, if it is known."""
        self._from = self._clock()
        if self._made and self.left:
            self._say(f"{duration_text(self.left * self._each)} left, for {self.left} pictures")

    def add(self, pictures: int, seconds: float) -> None:
        """Count pictures that took `seconds` together; after the first, say what all will take.

        Pictures that took no time were there before and say nothing about the rest.
        """
        if not seconds:
            self.left = max(0, self.left - pictures)
            return
        first = not self._made
        now = self._clock()
        # The first pictures wait for the model; later, what is between them counts too.
        passed = seconds if first or self._from is None else now - self._from
        self._from, self.left = now, max(0, self.left - pictures)
        self._made, self._seconds = self._made + pictures, self._seconds + passed
        if first and self.left:
            takes = duration_text(self.left * self._each)
            self._say(
                f"{takes} for {self.left} more pictures, if all are like the first; Ctrl-C keeps "
                "what is there"
            )

    @property
    def _each(self) -> float:
        return self._seconds / max(1, self._made)


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
