"""How long many pictures will take: told once the first is there, and again as methods begin."""

from __future__ import annotations

import time
from collections.abc import Callable

from sow.utils.durations import duration_text


class Forecast:
    """Foresees the end of a run from the time of the pictures that it has made.

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

        Pictures that took no time were there before, and foretell nothing.
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
