"""Restoring a ledger from a snapshot that may be hostile: every row is checked.

Rows are copied into a new ledger; a name that leaves the folder, an invalid job or an unknown table
ends that with an error. Running jobs become waiting, and the manifest is checked again.
"""

from __future__ import annotations

import json
import math
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sow.batch.ledger.schema import (
    APPLICATION_ID,
    LEDGER_NAME,
    OWN_FOLDER,
    TABLES,
    VERSION,
    connect,
    sqlite_errors,
)
from sow.batch.manifest.job import TV2IJob, check_id
from sow.errors import OutputError
from sow.utils.validation import UPDATE

MAX_SNAPSHOT_BYTES = 8 * 2**30
"""The largest snapshot that is read: some millions of jobs."""
MAX_ROW_BYTES = 2**23
"""The largest row; a manifest's line has at most an eighth of it."""
FILE = re.compile(r"(.+?)(@\d{1,20})?\.png", re.ASCII)
TOKENS = re.compile(r"[0-9a-f]{32}( [0-9a-f]{32})*", re.ASCII)
NUMBER = re.compile(r"\d{1,9}", re.ASCII)


class _InvalidSnapshot(Exception):
    """A snapshot that no batch would write."""


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
        ledger.executemany("INSERT INTO meta VALUES (?, ?)", _read_notes(snapshot))
        ledger.executemany(
            "INSERT INTO jobs (id, line, folder, job, digest, pictures, pass, state, attempts, "
            "error, seconds) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _read_jobs(snapshot),
        )  # fmt: skip
        ledger.executemany(
            "INSERT INTO pictures VALUES (?, ?, ?, ?, ?)", _read_pictures(snapshot, ledger)
        )
        ledger.executemany("INSERT INTO retired VALUES (?)", _read_retired(snapshot))
        ledger.execute("INSERT OR REPLACE INTO meta VALUES ('stale', '1')")
        ledger.execute("COMMIT")


def snapshot_token(file: Path, origin: str) -> str:
    """Return the token of a snapshot.

    Raises:
        OutputError: if it is damaged or not a ledger.
    """
    with open_snapshot(file, origin) as snapshot:
        known_tokens = dict(_read_notes(snapshot)).get("snapshots", "").split()
        return known_tokens[-1] if known_tokens else ""


@contextmanager
def open_snapshot(file: Path, origin: str) -> Iterator[sqlite3.Connection]:
    """Open a snapshot for reading, after checking that it has exactly the tables of a ledger.

    Raises:
        OutputError: if it is damaged or not a ledger, also when that is found while reading.
    """
    address = f"file:{quote(str(file.absolute()))}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True)) as snapshot:
            snapshot.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_ROW_BYTES)
            snapshot.execute("PRAGMA trusted_schema = OFF")
            snapshot.execute("PRAGMA cell_size_check = ON")
            _check_schema(snapshot, origin)
            yield snapshot
    except (sqlite3.Error, _InvalidSnapshot, ValueError, RecursionError) as error:
        what = str(error) if isinstance(error, _InvalidSnapshot) else type(error).__name__
        raise OutputError(
            f"the ledger in {origin!r} is damaged, or not a ledger ({what})",
            f"move its {OWN_FOLDER}/{LEDGER_NAME} away and give force=True; all jobs run again",
        ) from None


def _check_schema(snapshot: sqlite3.Connection, origin: str) -> None:
    (application,) = snapshot.execute("PRAGMA application_id").fetchone()
    (version,) = snapshot.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise _InvalidSnapshot("a file of another program")
    if version > VERSION:
        raise OutputError(
            f"the ledger in {origin!r} has version {version}; this SOW reads up to {VERSION}",
            UPDATE,
        )
    with closing(sqlite3.connect(":memory:")) as reference:
        reference.executescript(TABLES)
        if _layout(snapshot) != _layout(reference):
            raise _InvalidSnapshot("unexpected tables")
    if snapshot.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        raise _InvalidSnapshot("failed its integrity check")


def _layout(database: sqlite3.Connection) -> list[tuple[Any, ...]]:
    return sorted(
        database.execute("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master")
    )


def _read_notes(snapshot: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """Yield the notes, except for the manifest's, which this machine has to check itself."""
    notes = dict(snapshot.execute("SELECT name, value FROM meta LIMIT 100"))
    validators: dict[str, Callable[[str], object]] = {
        "pass": NUMBER.fullmatch,
        "snapshots": TOKENS.fullmatch,
        "options": lambda text: isinstance(json.loads(text), dict),
        "model": lambda text: isinstance(text, str),
    }
    for name, validate in validators.items():
        if name in notes:
            _expect(isinstance(notes[name], str) and validate(notes[name]), f"note {name}")
            yield name, notes[name]


def _read_jobs(snapshot: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    rows = snapshot.execute(
        "SELECT id, line, folder, job, digest, pictures, pass, "
        "iif(state = 'running', 'waiting', state), attempts, error, seconds FROM jobs"
    )
    for row in rows:
        name, text, digest, pictures = row[0], row[3], row[4], row[5]
        job = TV2IJob.from_json(text)
        _expect((job.id, job.digest, job.count) == (name, digest, pictures), "a job")
        _expect(isinstance(row[2], str) and "\0" not in row[2], "a folder")
        yield row


def _read_pictures(
    snapshot: sqlite3.Connection, ledger: sqlite3.Connection
) -> Iterator[tuple[Any, ...]]:
    for file, job, seed, digest, text in snapshot.execute(
        "SELECT file, job, seed, sha256, told FROM pictures"
    ):
        known = ledger.execute("SELECT id, pictures FROM jobs WHERE id = ?", (job,)).fetchone()
        _expect(known is not None and known[0] == job and isinstance(seed, int), "a picture")
        name = f"{job}.png" if known[1] == 1 else f"{job}@{seed}.png"
        _expect(file == name, "the name of a picture")
        _expect(_is_metadata(json.loads(text), file, job, seed), "the metadata of a picture")
        yield file, job, seed, digest, text


def _is_metadata(metadata: Any, file: str, job: str, seed: int) -> bool:
    """Return whether this has what `metadata.jsonl` and the page are written from."""
    if not isinstance(metadata, dict):
        return False
    seconds, notes = metadata.get("seconds"), metadata.get("notes")
    return (
        (metadata.get("file_name"), metadata.get("id"), metadata.get("seed")) == (file, job, seed)
        and isinstance(metadata.get("prompt"), str)
        and isinstance(seconds, (int, float))
        and math.isfinite(seconds)
        and isinstance(notes, list)
        and all(isinstance(note, str) for note in notes)
        and isinstance(metadata.get("box"), (dict, list, type(None)))
    )


def _read_retired(snapshot: sqlite3.Connection) -> Iterator[tuple[str]]:
    for (file,) in snapshot.execute("SELECT file FROM retired"):
        found = FILE.fullmatch(file)
        _expect(found is not None, "the name of a picture")
        check_id(found[1] if found else "")
        yield (file,)


def _expect(is_so: object, what: str) -> None:
    if not is_so:
        raise _InvalidSnapshot(f"{what} is invalid")
