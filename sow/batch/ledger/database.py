"""What the ledger of a folder says, and the one way to change it."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sow.batch.gallery.gallery import Failure
from sow.batch.ledger.schema import another, connect, telling
from sow.batch.ledger.stores import LocalStore, Store

STATES = ("waiting", "running", "done", "failed")
PASS = "(SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM meta WHERE name = 'pass')"
"""The number of the manifest that was taken in last."""


class Records:
    """The ledger's file, open; threads may share it.

    Attributes:
        folder: that of the ledger's own file, and of what is written before it is shown.
        store: where the pictures are; the same folder, unless another place is given.

    Raises:
        OutputError: wherever the file cannot be used, is damaged, or a newer SOW made it.
    """

    def __init__(self, folder: Path, store: Store | None = None) -> None:
        """Opens that of a folder of results, or begins it."""
        self.folder = folder
        self.store: Store = store or LocalStore(folder)
        self._database, self._lock = connect(folder), threading.RLock()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it happens, or nothing."""
        with self._lock, telling(self.folder):
            try:
                self._database.execute("BEGIN IMMEDIATE")
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    def ask(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a question that has few."""
        with self._lock, telling(self.folder):
            return self._database.execute(query, values).fetchall()

    def stream(self, query: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of one that may have many, as they were when it was asked.

        On a connection of its own: one that reads cannot write what others have changed since.
        """
        with telling(self.folder), closing(another(self.folder)) as database:
            yield from database.execute(query, values)

    def get(self, name: str) -> str | None:
        """What was noted under a name."""
        rows = self.ask("SELECT value FROM meta WHERE name = ?", (name,))
        return rows[0][0] if rows else None

    def note(self, name: str, value: str) -> None:
        """Notes something under a name."""
        with self.writing() as database:
            database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def counts(self) -> dict[str, int]:
        """How many jobs of the last manifest are in each state."""
        rows = self.ask(f"SELECT state, count(*) FROM jobs WHERE pass = {PASS} GROUP BY state")
        return dict.fromkeys(STATES, 0) | dict(rows)

    def pictures(self) -> int:
        """How many pictures the last manifest asks for."""
        rows = self.ask(f"SELECT coalesce(sum(pictures), 0) FROM jobs WHERE pass = {PASS}")
        return int(rows[0][0])

    def entries(self) -> Iterator[dict[str, Any]]:
        """What is said of every picture that was made, in the order of the manifest."""
        rows = self.stream(
            "SELECT told FROM pictures JOIN jobs ON jobs.id = pictures.job "
            "ORDER BY pass DESC, line, seed"
        )
        return (json.loads(told) for (told,) in rows)

    def failures(self) -> Iterator[Failure]:
        """The jobs of the last manifest that failed, in its order."""
        rows = self.stream("SELECT id, line, error, attempts FROM jobs WHERE state = 'failed' "
                           f"AND pass = {PASS} ORDER BY line")  # fmt: skip
        return (Failure(*row) for row in rows)
