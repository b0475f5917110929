"""Snapshots of a ledger beside results in object storage, from which any machine can resume.

Every snapshot has its own token, which is known to the ledger that it was made from and to those
restored from it. An unknown token means that another machine has continued meanwhile.
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

from sow.batch.ledger.schema import (
    LEDGER_NAME,
    LOCK_TIMEOUT,
    OWN_FOLDER,
    PASS,
    ledger_path,
    new_connection,
    sqlite_errors,
)
from sow.batch.remote.restoring import MAX_SNAPSHOT_BYTES, restore, snapshot_token
from sow.errors import OutputError
from sow.storage.storage import Storage

SNAPSHOT = f"{OWN_FOLDER}/{LEDGER_NAME}"
MAX_TIME_SHARE, MIN_INTERVAL = 0.05, 30.0
"""The share of the time that may go into snapshots, and the minimum seconds between two."""


def download_snapshot(storage: Storage, folder: Path) -> Path | None:
    """Download the snapshot into a folder; return None if there is none.

    Raises:
        OutputError: if it is too large or unreadable.
    """
    if storage.size_of(SNAPSHOT) is None:
        return None
    file = folder / LEDGER_NAME
    storage.download(SNAPSHOT, MAX_SNAPSHOT_BYTES, file)
    return file


def sync_ledger(storage: Storage, folder: Path) -> None:
    """Bring the ledger of a working folder up to date; no process may be using it.

    Raises:
        OutputError: if the snapshot cannot be read or trusted.
    """
    with tempfile.TemporaryDirectory(prefix="sow-") as name:
        file = download_snapshot(storage, Path(name))
        known = known_tokens(folder)
        if file is None:
            if known:  # the results were removed: start over, as in a local folder
                delete_ledger(folder)
            return
        if snapshot_token(file, storage.address) not in known:
            delete_ledger(folder)
            restore(file, folder, storage.address)


def known_tokens(folder: Path) -> list[str]:
    """Return the tokens that the ledger of a working folder knows; none if it cannot be read."""
    if not ledger_path(folder).is_file():
        return []
    with suppress(sqlite3.Error), closing(new_connection(folder)) as database:
        return _read_note(database, "snapshots").split()
    return []


def delete_ledger(folder: Path) -> None:
    """Delete the ledger of a working folder; pictures in no snapshot are made again."""
    for ending in ("-wal", "-shm", ""):
        ledger_path(folder).with_name(f"{LEDGER_NAME}{ending}").unlink(missing_ok=True)


class SnapshotUploader:
    """Uploads snapshots beside the results from time to time, in its own thread."""

    def __init__(self, storage: Storage, folder: Path, check_lease: Callable[[], object]) -> None:
        """Prepare uploads; `check_lease` raises OutputError once the lease is lost."""
        self._storage, self._folder, self._check_lease = storage, folder, check_lease
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._upload_periodically, daemon=True)

    def start(self) -> None:
        """Upload a snapshot now, before any results, and then whenever one is due.

        Raises:
            OutputError: if it cannot be written.
        """
        self.upload()
        self._thread.start()

    def stop(self) -> None:
        """Stop the periodic uploads."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def upload(self) -> None:
        """Upload a snapshot, unless the last one is up to date.

        Raises:
            OutputError: if it cannot be written.
        """
        with (
            sqlite_errors(self._folder),
            self._exclusive(),
            closing(new_connection(self._folder)) as database,
        ):
            fingerprint = _fingerprint(database)
            if _read_note(database, "shown") == fingerprint:
                return
            self._check_lease()
            token = secrets.token_hex(16)
            # Noted before the upload, so that a process killed in between still recognises it.
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
            with suppress(OutputError):  # retried; the last upload raises
                self.upload()
            pause = max(MIN_INTERVAL, (time.monotonic() - started) / MAX_TIME_SHARE)

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Keep other runners of this machine out: an older snapshot never replaces a newer one."""
        try:
            with FileLock(self._folder / OWN_FOLDER / "snapshot.lock", timeout=10 * LOCK_TIMEOUT):
                yield
        except Timeout:
            raise OutputError(
                f"another runner is uploading the ledger to {self._storage.address!r}", "try again"
            ) from None


def _fingerprint(database: sqlite3.Connection) -> str:
    """Return what changes with every result; heartbeats do not change it."""
    (last,) = database.execute("SELECT coalesce(max(rowid), 0) FROM pictures").fetchone()
    ended = database.execute(
        "SELECT state, count(*) FROM jobs INDEXED BY jobs_by_state "
        f"WHERE pass = {PASS} AND state IN ('done', 'failed') GROUP BY state ORDER BY state"
    ).fetchall()
    return repr(
        (last, ended, *(_read_note(database, name) for name in ("pass", "options", "model")))
    )


def _strip_machine_state(file: Path, token: str) -> None:
    """Remove from a snapshot what concerns this machine only."""
    with closing(sqlite3.connect(file, isolation_level=None)) as snapshot:
        snapshot.execute("BEGIN")
        snapshot.execute("UPDATE jobs SET state = 'waiting', owner = NULL WHERE state = 'running'")
        # Where the manifest lies here is nobody else's business; it is checked again elsewhere.
        snapshot.execute("UPDATE jobs SET folder = '' WHERE folder NOT LIKE '%://%'")
        snapshot.execute("DELETE FROM runners")
        snapshot.execute("DELETE FROM meta WHERE name IN ('shown', 'checked')")
        _write_note(snapshot, "snapshots", token)
        snapshot.execute("COMMIT")


def _read_note(database: sqlite3.Connection, name: str) -> str:
    row = database.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return row[0] if row else ""


def _write_note(database: sqlite3.Connection, name: str, value: str) -> None:
    database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))
