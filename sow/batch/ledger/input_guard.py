"""Check that no result of a batch would replace one of its inputs."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from sow.batch.gallery.gallery import ASSETS, PAGE
from sow.batch.ledger.schema import METADATA, OWN_FOLDER, THUMBNAILS
from sow.batch.ledger.stores import FolderSnapshot, Store
from sow.batch.manifest.job import TV2IJob
from sow.errors import SowError, UsageError
from sow.storage.addresses import folder_of, is_address
from sow.storage.identity import identity_of

RESERVED_NAMES = (METADATA, PAGE)
"""The files that a batch writes beside its pictures."""
OWN_FOLDERS = (OWN_FOLDER, THUMBNAILS, ASSETS)
"""The folders in which a batch writes under names of its own."""
TABLES = """
CREATE TABLE present (name TEXT PRIMARY KEY, identity TEXT NOT NULL) STRICT;
CREATE INDEX present_by_identity ON present (identity);
CREATE TABLE threatened (name TEXT PRIMARY KEY, identity TEXT NOT NULL, file TEXT NOT NULL) STRICT;
"""
"""The files in the results folder, and those of them that are inputs."""


class InputGuard:
    """Compares every input with every result: files are compared, not names.

    Everything is kept in a staging database, so memory does not grow with the number of files.
    """

    def __init__(
        self,
        staging: sqlite3.Connection,
        store: Store,
        snapshot: FolderSnapshot,
        find_archived: Callable[[str], Iterable[tuple[str, str]]],
    ) -> None:
        """Note which files are in the results folder.

        Args:
            staging: a database with a table `staged` of the ids and the JSON of all jobs.
            snapshot: the contents of the store.
            find_archived: returns the old pictures of a name, whatever its case, that are to be
                archived, and whose they are.
        """
        self._staging, self._store, self._find_archived = staging, store, find_archived
        self._empty = snapshot.is_empty()
        staging.executescript(TABLES)
        if not self._empty:
            staging.executemany("INSERT OR IGNORE INTO present VALUES (?, ?)",
                                snapshot.identities())  # fmt: skip
        self._own = {identity_of(store.address(folder)) for folder in OWN_FOLDERS} - {None}
        self._folder_identity = lru_cache(4096)(identity_of)

    def add(self, file: str) -> None:
        """Add an input: a path or an address.

        Raises:
            UsageError: if it is in a folder in which a batch writes under names of its own.
        """
        folder = identity = None
        with suppress(SowError):  # its storage cannot be used, which is told elsewhere
            parent = folder_of(file) if is_address(file) else str(Path(file).parent)
            folder = self._folder_identity(parent)
            identity = None if self._empty else identity_of(file)
        if folder in self._own:
            raise UsageError(
                f"the input {file!r} is in the batch's own folder", "move it to another folder"
            )
        if identity is not None:
            shown = file.encode(errors="replace").decode()
            self._staging.execute(
                "INSERT OR IGNORE INTO threatened SELECT name, identity, ? FROM present "
                "WHERE identity = ?", (shown, identity),
            )  # fmt: skip

    def check(self) -> None:
        """Check the inputs that lie in the results folder, now that all jobs are staged.

        Raises:
            UsageError: if a result would replace one, or one is an old result to be archived.
        """
        rows = self._staging.execute("SELECT name, identity, file FROM threatened")
        for name, identity, file in rows:
            for output, writer in self._outputs_like(name):
                if identity_of(self._store.address(output)) == identity:
                    raise UsageError(
                        f"{output!r}{writer} would replace the input {file!r}",
                        "give another out=",
                    )
            for output, job in self._find_archived(name):
                if identity_of(self._store.address(output)) == identity:
                    raise UsageError(
                        f"{output!r}, an old picture of job {job!r}, would be archived, but is "
                        f"the input {file!r}",
                        "move it and name it where it is then, or give another out=",
                    )

    def _outputs_like(self, name: str) -> Iterator[tuple[str, str]]:
        """Yield the results whose names are this one but for case, and whose they are."""
        lower = name.lower()
        yield from ((reserved, "") for reserved in RESERVED_NAMES if reserved == lower)
        stem = name.removesuffix(name[-4:]) if lower.endswith(".png") else ""
        query = "SELECT job FROM staged WHERE id = ?"
        for (text,) in self._staging.execute(query, (stem.partition("@")[0],)):
            job = TV2IJob.from_json(text)
            yield from (
                (file, f" of job {job.id!r}") for file in job.files if file.lower() == lower
            )
