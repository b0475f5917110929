"""What one browser works on. Nothing of it is on disk, and it ends with the page."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sow.errors import UsageError

if TYPE_CHECKING:
    from PIL import Image

    from sow.plan.box import Box
    from sow.plan.plan import Plan
    from sow.service.results import GenerationSpec, Picture

MAX_SESSIONS = 200
IDLE = 3600.0
"""Seconds without an event after which a session ends, if its browser did not say so."""


@dataclass
class Session:
    """What one browser works on.

    Attributes:
        key: Gradio's name of the browser's page.
        picture: the user's picture, RGB or RGBA.
        name: its file name, for the names of results.
        faces: the faces found in it, the largest first, in its pixels.
        face_index: the chosen face; None if something else is planted.
        whole: all of the picture is planted, without looking for a face.
        mask: what the user painted: white is planted. Grey, of the picture's size.
        plan: where it goes.
        planned_for: what the plan was made for; another wish needs another plan.
        spec: what was made last.
        results: what was made, the latest first.
        cancelled: set to end what is being made.
        used: when it was last used, on the monotonic clock.
    """

    key: str
    picture: Image.Image | None = None
    name: str = "picture"
    faces: tuple[Box, ...] = ()
    face_index: int | None = None
    whole: bool = False
    mask: Image.Image | None = None
    plan: Plan | None = None
    planned_for: tuple[object, ...] = ()
    spec: GenerationSpec | None = None
    results: list[Picture] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)
    used: float = field(default_factory=time.monotonic)


class Sessions:
    """The sessions of all browsers; threads may share it."""

    def __init__(self, limit: int = MAX_SESSIONS, idle: float = IDLE) -> None:
        self._limit, self._idle = limit, idle
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._sessions)

    def get(self, key: str) -> Session:
        """Return the session of a page, a new one if there is none.

        Raises:
            UsageError: if there are too many sessions.
        """
        with self._lock:
            self._end_idle()
            if key not in self._sessions:
                if len(self._sessions) >= self._limit:
                    raise UsageError("too many people are here", "try again later")
                self._sessions[key] = Session(key)
            session = self._sessions[key]
            session.used = time.monotonic()
            return session

    def end(self, key: str) -> None:
        """Forget everything of a page, and cancel what is being made for it."""
        with self._lock:
            session = self._sessions.pop(key, None)
        if session is not None:
            session.cancelled.set()

    def _end_idle(self) -> None:
        now = time.monotonic()
        for key in [k for k, s in self._sessions.items() if now - s.used > self._idle]:
            self._sessions.pop(key).cancelled.set()
