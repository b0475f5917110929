"""Check a ledger that may come from a stranger: every row, whether it lies here or in storage.

A name that leaves the folder, an invalid job or unexpected content ends that with an error. What a
ledger says about the check of a manifest is not believed. A ledger that has been checked where it
lies, or was created there, is marked with a key that only this user has, and not checked again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import os
import re
import secrets
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any

from sow.batch.ledger.schema import PASS, damaged_ledger, ledger_path
from sow.batch.manifest.job import MAX_NUM, check_id
from sow.utils.files import cache_folder, local_identity, read_regular

FILE = re.compile(r"(.+?)(@\d{1,20})?\.png", re.ASCII)
TOKENS = re.compile(r"[0-9a-f]{32}( [0-9a-f]{32})*", re.ASCII)
HASHES = re.compile(r"[0-9a-f]{64}( [0-9a-f]{64})*", re.ASCII)
NUMBER = re.compile(r"\d{1,9}", re.ASCII)
MAX_SECONDS, MAX_COUNT = 1e9, 2**31
"""More than any picture takes, and more than there are attempts or runners."""
MAX_RUNNERS = 10_000
"""Runners of one ledger, each of which is looked for."""
KEY_NAME, KEY_BYTES = "ledgers.key", 32
"""The file of the key in the cache folder, and its size."""
CHECKED, MAX_MARKS = "checked", 8
"""The note with the marks of those who have checked the ledger, and how many are kept."""


class InvalidLedger(Exception):
    """A ledger that no batch would write."""


@contextmanager
def ledger_errors(label: str) -> Iterator[None]:
    """Turn everything that is wrong with the content of a ledger into an OutputError.

    Raises:
        OutputError: for a damaged database or an invalid row.
    """
    try:
        yield
    except (sqlite3.Error, InvalidLedger, ValueError, RecursionError) as error:
        what = str(error) if isinstance(error, InvalidLedger) else type(error).__name__
        raise damaged_ledger(label, what) from None


def check_ledger(database: sqlite3.Connection, folder: Path, label: str) -> None:
    """Check all rows of a ledger that is not marked as checked; mark it.

    Args:
        folder: the folder of the ledger.
        label: how the user calls it, for messages.

    Raises:
        OutputError: if a row is invalid.
        sqlite3.Error: if the mark cannot be written.
    """
    mark = _mark_of(folder)
    marks = _read_marks(database)
    if mark is not None and mark in marks:
        return
    with ledger_errors(label):
        database.execute("BEGIN")
        try:
            check_integrity(database)
            _check_runners(database)
            rows = (read_notes(database), read_jobs(database), read_pictures(database, database),
                    read_retired(database))  # fmt: skip
            deque(chain.from_iterable(rows), maxlen=0)  # reading checks each row
        finally:
            database.execute("ROLLBACK")
    # A ledger that is locked or cannot be written to is not damaged.
    database.execute("BEGIN IMMEDIATE")
    # Its claim that a manifest was checked is not believed, nor that its lists are up to date.
    database.execute("DELETE FROM meta WHERE name = 'manifest'")
    database.execute("INSERT OR REPLACE INTO meta VALUES ('stale', '1')")
    if mark is not None:
        kept = " ".join([*_read_marks(database), mark][-MAX_MARKS:])
        database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (CHECKED, kept))
    database.execute("COMMIT")


def check_integrity(database: sqlite3.Connection) -> None:
    """Check pages, types and constraints.

    Raises:
        InvalidLedger: if they are not those of a sound database.
    """
    _expect(database.execute("PRAGMA quick_check(1)").fetchone() == ("ok",), "its integrity")


def _check_runners(database: sqlite3.Connection) -> None:
    """Check that more runners can be registered, and that those who are can be looked for."""
    (registered,) = database.execute("SELECT count(*) FROM runners").fetchone()
    numbers = (
        "SELECT count(*) FROM (SELECT seq AS n FROM sqlite_sequence UNION ALL SELECT number "
        "FROM runners) WHERE typeof(n) <> 'integer' OR n NOT BETWEEN 0 AND ?"
    )
    (wrong,) = database.execute(numbers, (MAX_COUNT,)).fetchone()
    _expect(registered <= MAX_RUNNERS and not wrong, "a runner")


def read_notes(database: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """Yield the notes, except for the manifest's, which this machine has to check itself."""
    notes = dict(database.execute("SELECT name, value FROM meta LIMIT 100"))
    validators: dict[str, Callable[[str], object]] = {
        "pass": NUMBER.fullmatch,
        "snapshots": lambda text: text == "" or TOKENS.fullmatch(text),
        "options": lambda text: isinstance(json.loads(text), dict),
        "lists": HASHES.fullmatch,
        "model": lambda text: isinstance(text, str),
    }
    for name, validate in validators.items():
        if name in notes:
            _expect(isinstance(notes[name], str) and validate(notes[name]), f"note {name}")
            yield name, notes[name]


def read_jobs(database: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of the jobs; running ones become waiting.

    A job is compared with its id and its digest; it is read when the manifest asks for it. One
    whose manifest is still to come would be carried out with the next.
    """
    (latest,) = database.execute(f"SELECT {PASS}").fetchone()
    rows = database.execute(
        "SELECT id, line, folder, job, digest, pictures, pass, "
        "iif(state = 'running', 'waiting', state), attempts, error, seconds FROM jobs"
    )
    for row in rows:
        name, folder, text, digest, pictures = row[0], row[2], row[3], row[4], row[5]
        _expect(_is_id(name), "the id of a job")
        _expect(hashlib.sha256(text.encode()).hexdigest() == digest, "a job")
        job = json.loads(text)
        _expect(isinstance(job, dict) and job.get("id") == name, "a job")
        _expect(job.get("count", 1) == pictures and 1 <= pictures <= MAX_NUM, "a job")
        _expect("\0" not in folder and 0 <= row[10] < math.inf, "a job")
        _expect(row[6] <= latest and 0 <= row[8] <= MAX_COUNT, "a job")
        yield row


def read_pictures(
    database: sqlite3.Connection, jobs: sqlite3.Connection
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of the pictures. jobs: a database with the jobs that were read before."""
    for file, job, seed, digest, text in database.execute(
        "SELECT file, job, seed, sha256, told FROM pictures"
    ):
        known = jobs.execute("SELECT id, pictures FROM jobs WHERE id = ?", (job,)).fetchone()
        _expect(known is not None and known[0] == job and isinstance(seed, int), "a picture")
        name = f"{job}.png" if known[1] == 1 else f"{job}@{seed}.png"
        _expect(file == name, "the name of a picture")
        _expect(_is_metadata(json.loads(text), file, job, seed), "the metadata of a picture")
        yield file, job, seed, digest, text


def read_retired(database: sqlite3.Connection) -> Iterator[tuple[str]]:
    """Yield the names of the pictures that are to be archived."""
    for (file,) in database.execute("SELECT file FROM retired"):
        found = FILE.fullmatch(file)
        _expect(found is not None and _is_id(found[1]), "the name of a picture")
        yield (file,)


def _is_id(name: str) -> bool:
    try:
        check_id(name)
    except ValueError:
        return False
    return True


def _is_metadata(metadata: Any, file: str, job: str, seed: int) -> bool:
    """Return whether this has what `metadata.jsonl` and the page are written from."""
    if not isinstance(metadata, dict):
        return False
    seconds, notes = metadata.get("seconds"), metadata.get("notes")
    counts = (metadata.get("unet_calls", 0), metadata.get("unet_samples", 0))
    return (
        (metadata.get("file_name"), metadata.get("id"), metadata.get("seed")) == (file, job, seed)
        and isinstance(metadata.get("prompt"), str)
        and isinstance(seconds, (int, float))
        and 0 <= seconds <= MAX_SECONDS
        and all(type(count) is int and 0 <= count <= 2**53 for count in counts)
        and isinstance(notes, list)
        and all(isinstance(note, str) for note in notes)
        and isinstance(metadata.get("box"), (dict, list, type(None)))
    )


def _read_marks(database: sqlite3.Connection) -> list[str]:
    row = database.execute("SELECT value FROM meta WHERE name = ?", (CHECKED,)).fetchone()
    return row[0].split() if row and TOKENS.fullmatch(row[0]) else []


def _mark_of(folder: Path) -> str | None:
    """Return the mark of this user for the file of a ledger; None if there is no key.

    A copy is another file, so it is checked again.
    """
    key, identity = _read_key(), local_identity(ledger_path(folder))
    if key is None or identity is None:
        return None
    return hmac.digest(key, identity.encode(), "sha256").hex()[:32]


def _read_key() -> bytes | None:
    """Return this user's key, which is created once; None if the cache folder cannot be used."""
    file = cache_folder() / KEY_NAME
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as opened:
                opened.write(secrets.token_bytes(KEY_BYTES))
        key = read_regular(file)
        return key if len(key) == KEY_BYTES else None
    return None


def _expect(is_so: object, what: str) -> None:
    if not is_so:
        raise InvalidLedger(f"{what} is invalid")
