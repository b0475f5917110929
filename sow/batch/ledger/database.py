"""Queries and transactions on the database of a ledger."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sow.batch.gallery.gallery import Failure
from sow.batch.ledger.checks import check_ledger
from sow.batch.ledger.schema import PASS, connect, new_connection, sqlite_errors
from sow.batch.ledger.stores import LocalStore, Store
from sow.utils.output_folder import OutputFolder

STATES = ("waiting", "running", "done", "failed")


class LedgerDatabase:
    """The open database of a ledger; threads may share it.

    Attributes:
        folder: the local folder of the database and of files that are not published yet.
        outputs: the same, held open.
        store: where the pictures are; by default the same folder.

    Raises:
        OutputError: from any method, if the database cannot be used, is damaged, or is from a
            newer version of SOW.
    """

    def __init__(self, folder: Path, store: Store | None = None, checked: bool = False) -> None:
        """Open the ledger of a results folder; create it if there is none.

        checked: another process of this user has checked it.
        """
        self.folder, self.outputs = folder, OutputFolder(folder, create=True)
        self.store: Store = store or LocalStore(folder)
        self._database, self._lock = connect(folder), threading.RLock()
        if not checked:
            try:
                with sqlite_errors(folder):
                    check_ledger(self._database, folder, self.store.label)
            except BaseException:
                self._database.close()
                raise

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run a transaction; roll it back if an error is raised."""
        with self._lock, sqlite_errors(self.folder):
            try:
                self._database.execute("BEGIN IMMEDIATE")
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    def fetch_all(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query that has few."""
        with self._lock, sqlite_errors(self.folder):
            return self._database.execute(query, values).fetchall()

    def stream(self, query: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query that may have many, from one snapshot of the database.

        It uses its own connection: one with an open read transaction cannot write after others
        have written.
        """
        with sqlite_errors(self.folder), closing(new_connection(self.folder)) as database:
            yield from database.execute(query, values)

    def get_meta(self, name: str) -> str | None:
        """Return the value of a `meta` entry, None if it is not set."""
        rows = self.fetch_all("SELECT value FROM meta WHERE name = ?", (name,))
        return rows[0][0] if rows else None

    def set_meta(self, name: str, value: str) -> None:
        """Set a `meta` entry."""
        with self.transaction() as database:
            database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def counts(self) -> dict[str, int]:
        """Return the number of jobs of the current manifest in each state."""
        rows = self.fetch_all(
            f"SELECT state, count(*) FROM jobs WHERE pass = {PASS} GROUP BY state"
        )
        return dict.fromkeys(STATES, 0) | dict(rows)

    def num_pictures(self) -> int:
        """Return how many pictures the current manifest asks for."""
        rows = self.fetch_all(f"SELECT coalesce(sum(pictures), 0) FROM jobs WHERE pass = {PASS}")
        return int(rows[0][0])

    def num_saved_pictures(self) -> int:
        """Return how many pictures of the current manifest are saved."""
        rows = self.fetch_all(
            f"SELECT count(*) FROM pictures JOIN jobs ON jobs.id = pictures.job WHERE pass = {PASS}"
        )
        return int(rows[0][0])

    def picture_metadata(self) -> Iterator[dict[str, Any]]:
        """Yield the metadata of every picture, in the order of the manifest."""
        rows = self.stream(
            "SELECT told FROM pictures JOIN jobs ON jobs.id = pictures.job "
            "ORDER BY pass DESC, line, seed"
        )
        return (json.loads(metadata) for (metadata,) in rows)

    def failures(self) -> Iterator[Failure]:
        """Yield the failed jobs of the current manifest, in its order."""
        rows = self.stream("SELECT id, line, error, attempts FROM jobs WHERE state = 'failed' "
                           f"AND pass = {PASS} ORDER BY line")  # fmt: skip
        return (Failure(*row) for row in rows)
