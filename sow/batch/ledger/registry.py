"""Who is at work on a folder, and who has died there: their jobs go back.

A runner holds a lock on a file of its own as long as it lives; the system lets go of it however
the runner ends. On another host, where that lock may mean nothing, it is its last sign of life
that counts.
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

BEAT, SILENT = 10.0, 120.0
"""Seconds between signs of life, and without one after which a runner elsewhere counts as dead."""
DEATHS = 10
"""As many runners may die over a job, without a picture in between; then it is not tried again."""


class Runner:
    """One of those at work, alive until `leave` or the end of its process."""

    def __init__(self, database: sqlite3.Connection, folder: Path) -> None:
        """Signs in; called inside a transaction."""
        self._folder, self._host = folder, socket.gethostname()
        (self.number,) = database.execute(
            "INSERT INTO runners (host, beat) VALUES (?, ?) RETURNING number",
            (self._host, time.time()),
        ).fetchone()
        self._lock = FileLock(lock_of(folder, self.number))
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise OutputError(
                f"the ledger in {str(folder)!r} was taken away while a runner was at work",
                "wait for it, or stop it",
            ) from None
        self._beaten = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether it is time for a sign of life."""
        return time.monotonic() - self._beaten > BEAT

    def known(self, database: sqlite3.Connection) -> bool:
        """Whether others take it for alive; one that was paused for long may not be."""
        row = database.execute("SELECT 1 FROM runners WHERE number = ?", (self.number,))
        return row.fetchone() is not None

    def beat(self, database: sqlite3.Connection) -> None:
        """Gives one; called inside a transaction."""
        database.execute("UPDATE runners SET beat = ? WHERE number = ?", (time.time(), self.number))
        self._beaten = time.monotonic()

    def leave(self, database: sqlite3.Connection) -> None:
        """Signs out, and gives back what it has not done; called inside a transaction."""
        database.execute(
            "UPDATE jobs SET attempts = 0 WHERE state = 'running' AND owner = ?", (self.number,)
        )
        give_back(database, self.number)

    def end(self) -> None:
        """Lets go of its lock."""
        self._lock.release()
        with suppress(OSError):
            Path(self._lock.lock_file).unlink()

    def free_dead(self, database: sqlite3.Connection) -> None:
        """Gives back what belongs to those that have died; called inside a transaction."""
        database.execute(
            "UPDATE jobs SET state = 'waiting', owner = NULL WHERE state = 'running' "
            "AND owner NOT IN (SELECT number FROM runners)"
        )
        rows = database.execute("SELECT number, host, beat FROM runners WHERE number <> ?",
                                (self.number,)).fetchall()  # fmt: skip
        for number, host, beat in rows:
            if self._is_dead(number, host, beat):
                database.execute(
                    "UPDATE jobs SET state = 'failed', error = ? "
                    "WHERE state = 'running' AND owner = ? AND attempts >= ?",
                    (f"{DEATHS} runners died while they made it", number, DEATHS),
                )
                give_back(database, number)

    def _is_dead(self, number: int, host: str, beat: float) -> bool:
        lock = FileLock(lock_of(self._folder, number))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        lock.release()
        # Between hosts a lock that is free may mean nothing.
        if host != self._host and time.time() - beat <= SILENT:
            return False
        with suppress(OSError):
            Path(lock.lock_file).unlink()
        return True


def lock_of(folder: Path, number: int) -> Path:
    """The file that a runner holds."""
    return folder / OWN_FOLDER / f"runner-{number}.lock"


def give_back(database: sqlite3.Connection, number: int) -> None:
    """What a runner had taken waits for another one."""
    database.execute(
        "UPDATE jobs SET state = 'waiting', owner = NULL WHERE state = 'running' AND owner = ?",
        (number,),
    )
    database.execute("DELETE FROM runners WHERE number = ?", (number,))
