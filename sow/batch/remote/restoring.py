"""Restoring a ledger from a snapshot that may be hostile: every row is checked.

Rows are copied into a new ledger; a name that leaves the folder, an invalid job or an unknown table
ends that with an error. Running jobs become waiting, and the manifest is checked again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from sow.batch.ledger.checks import (
    check_integrity,
    ledger_errors,
    read_jobs,
    read_notes,
    read_pictures,
    read_retired,
)
from sow.batch.ledger.schema import (
    check_tables,
    connect,
    damaged_ledger,
    distrust,
    sqlite_errors,
)

MAX_SNAPSHOT_BYTES = 8 * 2**30
"""The largest snapshot that is read: some millions of jobs."""


def restore(file: Path, folder: Path, origin: str) -> None:
    """Create the ledger of a folder that has none, from a snapshot.

    Args:
        origin: where the snapshot came from, for messages.

    Raises:
        OutputError: if it is damaged, not a ledger, or holds invalid rows.
    """
    with (
        open_snapshot(file, origin) as snapshot,
        closing(connect(folder)) as ledger,
        sqlite_errors(folder),
    ):
        ledger.execute("BEGIN IMMEDIATE")
        ledger.executemany("INSERT INTO meta VALUES (?, ?)", read_notes(snapshot))
        ledger.executemany(
            "INSERT INTO jobs (id, line, folder, job, digest, pictures, pass, state, attempts, "
            "error, seconds) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", read_jobs(snapshot),
        )  # fmt: skip
        ledger.executemany(
            "INSERT INTO pictures VALUES (?, ?, ?, ?, ?)", read_pictures(snapshot, ledger)
        )
        ledger.executemany("INSERT INTO retired VALUES (?)", read_retired(snapshot))
        ledger.execute("INSERT OR REPLACE INTO meta VALUES ('stale', '1')")
        ledger.execute("COMMIT")


def snapshot_token(file: Path, origin: str) -> str:
    """Return the token of a snapshot.

    Raises:
        OutputError: if it is damaged or not a ledger.
    """
    with open_snapshot(file, origin) as snapshot:
        known_tokens = dict(read_notes(snapshot)).get("snapshots", "").split()
        return known_tokens[-1] if known_tokens else ""


@contextmanager
def open_snapshot(file: Path, origin: str) -> Iterator[sqlite3.Connection]:
    """Open a snapshot for reading, after checking that it has exactly the tables of a ledger.

    Raises:
        OutputError: if it is damaged or not a ledger, also when that is found while reading.
    """
    address = f"file:{quote(str(file.absolute()))}?mode=ro&immutable=1"
    with ledger_errors(origin), closing(sqlite3.connect(address, uri=True)) as snapshot:
        distrust(snapshot)
        foreign = damaged_ledger(origin, "a file of another program")
        check_tables(snapshot, origin, foreign.what)
        check_integrity(snapshot)
        yield snapshot
