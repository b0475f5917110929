"""What one browser works on. Nothing of it is on disk, and it ends with the page."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sow.errors import UsageError
from sow.studio.placing import NOTHING_MOVED, Placing

if TYPE_CHECKING:
    from PIL import Image

    from sow.plan.box import Box
    from sow.plan.plan import Plan
    from sow.studio.job import Job
    from sow.studio.restoring import Kept

MAX_SESSIONS = 200
MAX_PAGES = 40
"""Sessions of one owner; a new one ends the one that was not used for longest."""
MAX_EVENTS = 12
"""Events of one owner that are at work on pictures at once; each holds a thread and its picture."""
LARGE = 16_000_000
"""Pixels of a picture that is worked on alone: it takes ten bytes each."""
AT_ONCE = 4
"""Smaller pictures that are worked on at once."""
MAX_PIXELS = 1_000_000_000
"""Pixels of the users' pictures in all sessions: three gigabytes."""
MAX_JOBS = 4
"""Jobs of a session at once."""
IDLE = 3600.0
"""Seconds without an event after which a session ends, if its browser did not say so."""
Stamp = tuple[int, int] | None


@dataclass
class Session:
    """What one browser works on.

    Attributes:
        key: the name of the browser's page; who knows it can use the session.
        owner: whose it is, for the line: a person may have several pages open.
        picture: the user's picture, RGB or RGBA.
        name: its file name, for the names of results.
        faces: the faces found in it, the largest first, in its pixels.
        face_index: the chosen face; None if something else is planted.
        whole: all of the picture is planted, without looking for a face.
        mask: what the user painted: white is planted. Grey, of the picture's size.
        plan: where it goes, as it was planned.
        kept: the finished picture that everything was taken from, if it was.
        placing: what the user moved since.
        version: counts the pieces and canvases; what was moved on an earlier one is not meant.
        planned_for: what the plan was made for; another wish needs another plan.
        picture_notes: what the user should know of the picture.
        notes: what the user should know of the plan.
        problem: what cannot be done with the picture, until something else is chosen.
        user: who signed in; empty if nobody has to.
        made: the names of the pictures that were made for it.
        query: what the pictures are searched for.
        shown: how many pictures its grid shows.
        jobs: what is waiting or being made.
        agreed_to: the hosts that may be sent the prompt and the planted part.
        files: of a program, what it sent and got, with their stamps; they end with the session.
        used: when it was last used, on the monotonic clock.
        lock: held while something of the picture or its plan changes.
    """

    key: str
    owner: str = ""
    picture: Image.Image | None = None
    name: str = "picture"
    faces: tuple[Box, ...] = ()
    face_index: int | None = None
    whole: bool = False
    mask: Image.Image | None = None
    plan: Plan | None = None
    kept: Kept | None = None
    placing: Placing = NOTHING_MOVED
    version: int = 0
    planned_for: tuple[object, ...] = ()
    picture_notes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = ""
    user: str = ""
    made: set[str] = field(default_factory=set)
    query: str = ""
    shown: int = 0
    jobs: list[Job] = field(default_factory=list)
    agreed_to: set[str] = field(default_factory=set)
    files: dict[Path, Stamp] = field(default_factory=dict)
    used: float = field(default_factory=time.monotonic)
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False, compare=False)

    def keep(self, file: Path) -> None:
        """Let a file end with the session."""
        self.files[file] = stamp_of(file)

    def start(self, job: Callable[[], Job]) -> Job:
        """Start a job, unless there are too many.

        Raises:
            UsageError: if there are.
        """
        with self.lock:
            self.jobs = [one for one in self.jobs if not one.ended]
            if len(self.jobs) >= MAX_JOBS:
                raise UsageError("your other pictures are waiting", "wait for them, or cancel them")
            self.jobs.append(started := job())
            return started

    def cancel(self) -> None:
        """Give up all jobs."""
        for job in self.jobs:
            job.cancel()

    @property
    def at_work(self) -> bool:
        """Whether something is waiting or being made."""
        return any(not job.ended for job in self.jobs)


class Sessions:
    """The sessions of all browsers; threads may share it."""

    def __init__(self, limit: int = MAX_SESSIONS, idle: float = IDLE) -> None:
        self._limit, self._idle = limit, idle
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()
        self._events: Counter[str] = Counter()
        self._small, self._large = threading.Semaphore(AT_ONCE), threading.Semaphore(1)

    def __len__(self) -> int:
        return len(self._sessions)

    def get(self, key: str, owner: str = "") -> Session:
        """Return the session of a page, a new one if there is none.

        Raises:
            UsageError: if there are too many sessions.
        """
        self.end_idle()
        if owner and key not in self._sessions:
            self._make_room(owner)
        with self._lock:
            if key not in self._sessions:
                if len(self._sessions) >= self._limit:
                    raise UsageError("too many people are here", "try again later")
                self._sessions[key] = Session(key, owner)
            session = self._sessions[key]
            session.used = time.monotonic()
            return session

    def _make_room(self, owner: str) -> None:
        """End the session of an owner that was not used for longest, if there are many."""
        with self._lock:
            theirs = [one for one in self._sessions.values() if one.owner == owner]
        idle = [one for one in theirs if not one.at_work]
        if len(theirs) >= MAX_PAGES and idle:
            self.end(min(idle, key=lambda one: one.used).key)

    @contextmanager
    def event_of(self, session: Session) -> Iterator[None]:
        """Have a session to oneself in the block, after the events that came before.

        Raises:
            UsageError: if too many events of its owner wait.
        """
        with self._lock:
            if self._events[session.owner] >= MAX_EVENTS:
                raise UsageError("too much is being done for you at once", "wait a moment")
            self._events[session.owner] += 1
        try:
            with session.lock:
                yield
        finally:
            with self._lock:
                self._events[session.owner] -= 1
                self._events += Counter()  # forgets those who have none

    @contextmanager
    def work_on(self, size: tuple[int, int]) -> Iterator[None]:
        """Work on a picture of a size in the block when there is memory for that."""
        with self._large if size[0] * size[1] > LARGE else self._small:
            yield

    def check_room(self, session: Session, size: tuple[int, int]) -> None:
        """Check that a session may take a picture of a size.

        Raises:
            UsageError: if all sessions together would hold too much.
        """
        with self._lock:
            others = [one.picture for one in self._sessions.values() if one is not session]
        held = sum(one.width * one.height for one in others if one is not None)
        if held + size[0] * size[1] > MAX_PIXELS:
            raise UsageError("too many pictures are here", "try again later, or a smaller one")

    def end(self, key: str) -> None:
        """Forget everything of a page, and give up what is being made for it."""
        with self._lock:
            session = self._sessions.pop(key, None)
        if session is not None:
            session.cancel()
            for file, stamp in session.files.items():
                if stamp_of(file) == stamp:  # else it is another's, who sent the same picture
                    file.unlink(missing_ok=True)

    def end_idle(self) -> None:
        """End the sessions that nobody has used for long."""
        now = time.monotonic()
        with self._lock:
            idle = [
                session.key
                for session in self._sessions.values()
                if now - session.used > self._idle and not session.at_work
            ]
        for key in idle:
            self.end(key)

    def end_all(self) -> None:
        """End all of them."""
        for key in list(self._sessions):
            self.end(key)


def stamp_of(file: Path) -> Stamp:
    """Return what tells a file from another of its name; None if there is none."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns
