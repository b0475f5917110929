"""One wish on its way: it waits in the line, is made, and can be given up."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sow.errors import SowError
from sow.studio.line import Line

if TYPE_CHECKING:
    from PIL import Image

    from sow.pipeline.calls import Progress
    from sow.service.results import Picture

LOG = logging.getLogger(__name__)
ENDS = ("done", "cancelled", "failed")
UNEXPECTED = "something went wrong; the server's log says what"
PAUSE = 0.25
"""Seconds between two moments that are told: each costs time, also in the browser."""
PREVIEW_SHARE = 0.05
"""The share of the time that previews may take; the first one is always shown."""
AGAIN = 1.0
"""Seconds after which a moment is told again."""
Work = Callable[[Callable[["Progress"], None]], tuple["Picture", ...]]
"""Makes pictures; what it is given is to be called with the progress."""


@dataclass(frozen=True)
class Moment:
    """Where a job is.

    Attributes:
        stage: `waiting` in the line, `making`, `done`, `cancelled` or `failed`.
        place: how many jobs are before it.
        done: the share of the UNet calls that were made, 0 to 1.
        preview: what the first picture looks like so far.
        message: what went wrong.
        pictures: the finished pictures.
    """

    stage: Literal["waiting", "making", "done", "cancelled", "failed"]
    place: int = 0
    done: float = 0.0
    preview: Image.Image | None = None
    message: str = ""
    pictures: tuple[Picture, ...] = ()


class Cancelled(Exception):
    """Raised inside of a call of the pipeline to end it."""


class Job:
    """Work that waits for its turn in a thread of its own, which starts at once.

    Args:
        line: the line that it stands in.
        owner: whose it is, for the line.
        make: what is done when it is its turn.
        count: how many pictures it makes.

    Raises:
        UsageError: if the line is too long.
    """

    def __init__(self, line: Line, owner: str, make: Work, count: int = 1) -> None:
        self._line, self._make, self._count = line, make, count
        self._finished = 0
        self._progress: Progress | None = None
        self._ticket = line.join(owner)
        self._cancelled = threading.Event()
        self._latest: Moment | None = None
        self._changed = threading.Condition()
        self._started, self._preview_seconds = 0.0, 0.0
        threading.Thread(target=self._run, daemon=True, name="sow: waits").start()

    def cancel(self) -> None:
        """Give it up: leave the line, or end what is being made after its current UNet call."""
        self._cancelled.set()
        if self._line.place(self._ticket) != 0:  # else its thread leaves, when it has stopped
            self._line.leave(self._ticket)

    @property
    def ended(self) -> bool:
        """Whether it is done, failed or given up."""
        return self._latest is not None and self._latest.stage in ENDS

    def moments(self) -> Iterator[Moment]:
        """Yield where it is, whenever that changes, until it has ended.

        Some moments are left out, and never the last one. If nothing changes for long, the latest
        one is told again: a generator can only be closed when it yields.
        """
        seen: Moment | None = None
        while seen is None or seen.stage not in ENDS:
            seen = self._after(seen)
            yield seen

    def _after(self, seen: Moment | None) -> Moment:
        """Return the latest moment, not too soon, and not long after it has changed."""
        with self._changed:
            if seen is not None:
                self._changed.wait_for(lambda: self.ended, PAUSE)
            self._changed.wait_for(
                lambda: self._latest is not seen, None if seen is None else AGAIN
            )
            assert self._latest is not None
            return self._latest

    def _tell(self, moment: Moment) -> None:
        with self._changed:
            self._latest = moment
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            moment = self._wait_and_make()
        except Cancelled:
            moment = Moment("cancelled")
        except SowError as error:
            moment = Moment("failed", message=str(error))
        except Exception:
            LOG.exception("a job of the page failed")
            moment = Moment("failed", message=UNEXPECTED)
        self._line.leave(self._ticket)
        self._tell(moment)

    def _wait_and_make(self) -> Moment:
        place = self._line.place(self._ticket)
        while place:
            self._tell(Moment("waiting", place))
            place = self._line.wait(self._ticket, place)
        if place is None or self._cancelled.is_set():
            raise Cancelled
        self._started = time.monotonic()
        self._tell(Moment("making"))
        return Moment("done", done=1.0, pictures=self._make(self._on_progress))

    def _seconds(self) -> float:
        """Return for how long it has been made."""
        return time.monotonic() - self._started

    def _on_progress(self, progress: Progress) -> None:
        if self._cancelled.is_set():
            raise Cancelled
        preview = self._latest.preview if self._latest else None
        if progress.preview and self._preview_seconds <= PREVIEW_SHARE * self._seconds():
            before = self._seconds()
            preview = progress.preview()[0]
            self._preview_seconds += self._seconds() - before
        self._tell(Moment("making", done=self._share(progress), preview=preview))

    def _share(self, progress: Progress) -> float:
        """Return what share is made: one call of the pipeline may make some of the pictures."""
        before, self._progress = self._progress, progress
        if before and (progress.calls, progress.cycles) < (before.calls, before.cycles):
            self._finished += before.pictures
        made = self._finished + progress.pictures * progress.calls / progress.total
        return min(made / self._count, 1.0)
