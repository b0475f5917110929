"""Snapshots of a ledger, put beside results that are elsewhere; any machine goes on from one.

Every snapshot has a token of its own, and the ledger that it was made of, or that was made of it,
knows that token: whoever finds another one there knows that others have gone on meanwhile.
"""

from __future__ import annotations

import secrets
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from sow.batch.ledger.database import PASS
from sow.batch.ledger.schema import (
    LEDGER_NAME,
    LOCK_TIMEOUT,
    OWN_FOLDER,
    ledger_path,
    new_connection,
    sqlite_errors,
)
from sow.batch.remote.restoring import MAX_SNAPSHOT_BYTES, restore, snapshot_token
from sow.errors import OutputError
from sow.storage.storage import Storage

SNAPSHOT = f"{OWN_FOLDER}/{LEDGER_NAME}"
MAX_TIME_SHARE, MIN_INTERVAL = 0.05, 30.0
"""The share of the time that may go into snapshots, and the least seconds between two."""


def download_snapshot(storage: Storage, folder: Path) -> Path | None:
    """The snapshot that is there, brought into a folder; None if there is none.

    Raises:
        OutputError: if it cannot be had, or is too large.
    """
    if storage.size_of(SNAPSHOT) is None:
        return None
    file = folder / LEDGER_NAME
    storage.download(SNAPSHOT, MAX_SNAPSHOT_BYTES, file)
    return file


def sync_ledger(storage: Storage, folder: Path) -> None:
    """Sees to it that a working folder has the newest ledger there is; nobody may be at work.

    Raises:
        OutputError: if what is there cannot be had or trusted.
    """
    with tempfile.TemporaryDirectory(prefix="sow-") as name:
        file = download_snapshot(storage, Path(name))
        known = known_tokens(folder)
        if file is None:
            if known:  # somebody has removed the results: they begin anew, as a folder here would
                delete_ledger(folder)
            return
        if snapshot_token(file, storage.address) not in known:
            delete_ledger(folder)
            restore(file, folder, storage.address)


def known_tokens(folder: Path) -> list[str]:
    """Of the snapshots that the ledger of a working folder knows; none, if it cannot be read."""
    if not ledger_path(folder).is_file():
        return []
    with suppress(sqlite3.Error), closing(new_connection(folder)) as database:
        return _read_note(database, "snapshots").split()
    return []


def delete_ledger(folder: Path) -> None:
    """Removes the ledger of a working folder; what it knew and no snapshot has is made again."""
    for ending in ("-wal", "-shm", ""):
        ledger_path(folder).with_name(f"{LEDGER_NAME}{ending}").unlink(missing_ok=True)


class SnapshotUploader:
    """Puts snapshots where the results are, seldom, in a thread of its own."""

    def __init__(self, storage: Storage, folder: Path, check_lease: Callable[[], object]) -> None:
        """check: raises OutputError if nothing may be written any more."""
        self._storage, self._folder, self._check_lease = storage, folder, check_lease
        self._stopped, self._thread = threading.Event(), threading.Thread(target=self._upload_periodically)
        self._thread.daemon = True

    def start(self) -> None:
        """Puts one before anything else is put, and from now on whenever it is due.

        Raises:
            OutputError: if it cannot be written.
        """
        self.upload()
        self._thread.start()

    def stop(self) -> None:
        """No more by itself."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def upload(self) -> None:
        """Puts one, unless the last one shows what the ledger has.

        Raises:
            OutputError: if it cannot be written.
        """
        with self._exclusive(), sqlite_errors(self._folder), closing(new_connection(self._folder)) as database:
            fingerprint = _fingerprint(database)
            if _read_note(database, "shown") == fingerprint:
                return
            self._check_lease()
            token = secrets.token_hex(16)
            # Known before it is there: whoever is killed in between finds it, and is not lost.
            earlier = _read_note(database, "snapshots").split()[-20:]
            _write_note(database, "snapshots", " ".join([*earlier, token]))
            with tempfile.TemporaryDirectory(prefix="sow-") as name:
                file = Path(name) / LEDGER_NAME
                database.execute("VACUUM INTO ?", (str(file),))
                _strip_machine_state(file, token)
                self._check_lease()
                self._storage.put_file(file, SNAPSHOT)
            _write_note(database, "snapshots", token)
            _write_note(database, "shown", fingerprint)

    def _upload_periodically(self) -> None:
        pause = MIN_INTERVAL
        while not self._stopped.wait(pause):
            started = time.monotonic()
            with suppress(OutputError):  # tried again; the last one says so
                self.upload()
            pause = max(MIN_INTERVAL, (time.monotonic() - started) / MAX_TIME_SHARE)

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """One at a time of all runners here: an older one is never put over a newer one."""
        try:
            with FileLock(self._folder / OWN_FOLDER / "snapshot.lock", timeout=10 * LOCK_TIMEOUT):
                yield
        except Timeout:
            raise OutputError(
                f"another runner writes the ledger to {self._storage.address!r}", "try again"
            ) from None


def _fingerprint(database: sqlite3.Connection) -> str:
    """What changes whenever somebody else would want to know; signs of life are nobody's."""
    (last,) = database.execute("SELECT coalesce(max(rowid), 0) FROM pictures").fetchone()
    ended = database.execute(
        "SELECT state, count(*) FROM jobs INDEXED BY jobs_by_state "
        f"WHERE pass = {PASS} AND state IN ('done', 'failed') GROUP BY state ORDER BY state"
    ).fetchall()
    return repr((last, ended, *(_read_note(database, name) for name in ("pass", "options", "model"))))


def _strip_machine_state(file: Path, token: str) -> None:
    """A snapshot without what is this machine's only."""
    with closing(sqlite3.connect(file, isolation_level=None)) as snapshot:
        snapshot.execute("BEGIN")
        snapshot.execute("UPDATE jobs SET state = 'waiting', owner = NULL WHERE state = 'running'")
        snapshot.execute("DELETE FROM runners")
        snapshot.execute("DELETE FROM meta WHERE name = 'shown'")
        _write_note(snapshot, "snapshots", token)
        snapshot.execute("COMMIT")


def _read_note(database: sqlite3.Connection, name: str) -> str:
    row = database.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return row[0] if row else ""


def _write_note(database: sqlite3.Connection, name: str, value: str) -> None:
    database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))
