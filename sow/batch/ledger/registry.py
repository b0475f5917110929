"""The registry of runners: heartbeats, and jobs of dead runners that are requeued.

A runner holds a file lock as long as it lives; the system releases it however the process ends.
For a runner on another host, where the lock may not be visible, the last heartbeat decides.
"""

from __future__ import annotations

import socket
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from sow.batch.ledger.schema import OWN_FOLDER
from sow.errors import OutputError

HEARTBEAT_INTERVAL, DEAD_AFTER = 10.0, 120.0
"""Seconds between heartbeats, and without one before a runner on another host counts as dead."""
MAX_DEATHS = 10
"""A job fails after this many runners died on it without finishing a picture."""


class RunnerRecord:
    """The registration of a runner, valid until `deregister` or the end of its process."""

    def __init__(self, database: sqlite3.Connection, folder: Path) -> None:
        """Register; called inside a transaction.

        Raises:
            OutputError: if another runner has the number, so the ledger was replaced.
        """
        self._folder, self._host = folder, socket.gethostname()
        (self.number,) = database.execute(
            "INSERT INTO runners (host, beat) VALUES (?, ?) RETURNING number",
            (self._host, time.time()),
        ).fetchone()
        self._lock = FileLock(lock_path(folder, self.number))
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise OutputError(
                f"the ledger in {str(folder)!r} was removed while a runner was using it",
                "wait for that runner, or stop it",
            ) from None
        self._last_heartbeat = time.monotonic()
        self._heard: dict[int, tuple[float, float]] = {}
        """The heartbeats of runners on other hosts, and when this one first saw them."""

    @property
    def heartbeat_due(self) -> bool:
        """True if the next heartbeat is due."""
        return time.monotonic() - self._last_heartbeat > HEARTBEAT_INTERVAL

    def is_registered(self, database: sqlite3.Connection) -> bool:
        """Return whether the runner is still registered; others may have declared it dead."""
        row = database.execute("SELECT 1 FROM runners WHERE number = ?", (self.number,))
        return row.fetchone() is not None

    def heartbeat(self, database: sqlite3.Connection) -> None:
        """Record a heartbeat; called inside a transaction."""
        database.execute("UPDATE runners SET beat = ? WHERE number = ?", (time.time(), self.number))
        self._last_heartbeat = time.monotonic()

    def deregister(self, database: sqlite3.Connection) -> None:
        """Deregister and requeue unfinished jobs; called inside a transaction."""
        database.execute(
            "UPDATE jobs SET attempts = 0 WHERE state = 'running' AND owner = ?", (self.number,)
        )
        release_jobs(database, self.number)

    def release(self) -> None:
        """Release the lock and remove its file."""
        self._lock.release()
        with suppress(OSError):
            Path(self._lock.lock_file).unlink()

    def requeue_dead(self, database: sqlite3.Connection) -> None:
        """Requeue the jobs of dead runners; called inside a transaction."""
        database.execute(
            "UPDATE jobs SET state = 'waiting', owner = NULL WHERE state = 'running' "
            "AND owner NOT IN (SELECT number FROM runners)"
        )
        rows = database.execute("SELECT number, host, beat FROM runners WHERE number <> ?",
                                (self.number,)).fetchall()  # fmt: skip
        for number, host, heartbeat in rows:
            if self._is_dead(number, host, heartbeat):
                database.execute(
                    "UPDATE jobs SET state = 'failed', error = ? "
                    "WHERE state = 'running' AND owner = ? AND attempts >= ?",
                    (f"{MAX_DEATHS} runners died while they made it", number, MAX_DEATHS),
                )
                release_jobs(database, number)

    def _is_dead(self, number: int, host: str, heartbeat: float) -> bool:
        lock = FileLock(lock_path(self._folder, number))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        lock.release()
        # A free lock proves nothing if the runner is on another host.
        if host != self._host and self._may_live(number, heartbeat):
            return False
        with suppress(OSError):
            Path(lock.lock_file).unlink()
        return True

    def _may_live(self, number: int, heartbeat: float) -> bool:
        """Return whether a runner on another host may live, whatever its clock says.

        A clock that is ahead would let a dead runner live on: it also has to be heard of again.
        """
        if time.time() - heartbeat > DEAD_AFTER:
            return False
        before, since = self._heard.get(number, (None, 0.0))
        if before != heartbeat:
            self._heard[number] = heartbeat, time.monotonic()
            return True
        return time.monotonic() - since <= DEAD_AFTER


def lock_path(folder: Path, number: int) -> Path:
    """Return the lock file of a runner."""
    return folder / OWN_FOLDER / f"runner-{number}.lock"


def release_jobs(database: sqlite3.Connection, number: int) -> None:
    """Requeue the jobs of a runner and remove it from the registry."""
    database.execute(
        "UPDATE jobs SET state = 'waiting', owner = NULL WHERE state = 'running' AND owner = ?",
        (number,),
    )
    database.execute("DELETE FROM runners WHERE number = ?", (number,))
