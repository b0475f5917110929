"""The ledger's file: where it is, how it is laid out, and what is said when it is no use."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from sow.errors import OutputError
from sow.utils.validation import UPDATE

OWN_FOLDER = ".sow"
"""Ours in a folder of results; hidden, so that whoever reads the pictures does not see it."""
NAME = "ledger.sqlite"
VERSION = 1
APPLICATION = 0x50_57_1E_D6
"""Tells a ledger from any other database."""
PATIENCE = 60.0
"""Seconds to wait for another runner to finish writing."""

TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE jobs (
    id TEXT PRIMARY KEY COLLATE NOCASE,
    line INTEGER NOT NULL,
    folder TEXT NOT NULL,
    job TEXT NOT NULL,
    digest TEXT NOT NULL,
    pictures INTEGER NOT NULL,
    pass INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    owner INTEGER,
    error TEXT,
    seconds REAL NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX jobs_by_state ON jobs (pass, state, line);
CREATE TABLE pictures (
    file TEXT PRIMARY KEY COLLATE NOCASE,
    job TEXT NOT NULL COLLATE NOCASE,
    seed INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    told TEXT NOT NULL
) STRICT;
CREATE INDEX pictures_by_job ON pictures (job);
CREATE TABLE retired (file TEXT PRIMARY KEY) STRICT;
CREATE TABLE runners (
    number INTEGER PRIMARY KEY AUTOINCREMENT, host TEXT NOT NULL, beat REAL NOT NULL
) STRICT;
CREATE TRIGGER picture_made AFTER INSERT ON pictures BEGIN
    INSERT OR REPLACE INTO meta VALUES ('stale', '1'); END;
CREATE TRIGGER picture_gone AFTER DELETE ON pictures BEGIN
    INSERT OR REPLACE INTO meta VALUES ('stale', '1'); END;
CREATE TRIGGER job_failed AFTER UPDATE OF state ON jobs
WHEN (NEW.state = 'failed') <> (OLD.state = 'failed') BEGIN
    INSERT OR REPLACE INTO meta VALUES ('stale', '1'); END;
"""
"""`stale` says that the list and the page of the folder do not show what the ledger has."""


def ledger_path(folder: Path) -> Path:
    """Where the ledger of a folder of results is."""
    return folder / OWN_FOLDER / NAME


def connect(folder: Path) -> sqlite3.Connection:
    """The ledger of a folder of results, made if there is none.

    Raises:
        OutputError: if it cannot be read or written, is damaged, or a newer SOW made it.
    """
    path = ledger_path(folder)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the folder {str(folder)!r} cannot be written to ({error.strerror})",
            "give another out=",
        ) from None
    with telling(folder):
        database = another(folder)
        try:
            # One at a time: what is waited for elsewhere is not while a file begins.
            with FileLock(path.with_name("begin.lock"), timeout=PATIENCE):
                _lay_out(database, folder)
            database.execute("PRAGMA synchronous = NORMAL")
        except Timeout:
            database.close()
            raise OutputError(
                f"the ledger in {str(folder)!r} is being begun", "try again"
            ) from None
        except BaseException:
            database.close()
            raise
    return database


def another(folder: Path) -> sqlite3.Connection:
    """A connection to the ledger of a folder; who reads for long has one of their own."""
    return sqlite3.connect(
        ledger_path(folder), timeout=PATIENCE, isolation_level=None, check_same_thread=False
    )


def _lay_out(database: sqlite3.Connection, folder: Path) -> None:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application != APPLICATION:
        raise OutputError(f"{str(ledger_path(folder))!r} is no ledger", "give another out=")
    if version > VERSION:
        raise OutputError(
            f"the ledger in {str(folder)!r} has version {version}, and only {VERSION} is known "
            "here: a newer SOW made it",
            UPDATE,
        )
    if not tables:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(
            f"BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {VERSION}; "
            f"PRAGMA application_id = {APPLICATION}; COMMIT;"
        )


@contextmanager
def telling(folder: Path) -> Iterator[None]:
    """What SQLite raises, as one line.

    Raises:
        OutputError: for whatever goes wrong with the file.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _said(error, folder) from None


def _said(error: sqlite3.Error, folder: Path) -> OutputError:
    name, text = repr(str(folder)), str(error)
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return OutputError(
            f"the ledger in {name} is damaged ({text})",
            f"move its {OWN_FOLDER}/{NAME} away and give force=True: all jobs are done anew",
        )
    if primary == sqlite3.SQLITE_FULL:
        return OutputError(
            f"the disk of {name} is full", "free some room; the same command then goes on"
        )
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return OutputError(
            f"the ledger in {name} was locked for {PATIENCE:.0f} seconds",
            "is a runner stopped? The same command then goes on",
        )
    if primary in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return OutputError(f"the folder {name} may not be written to", "give another out=")
    return OutputError(f"the ledger in {name} cannot be used ({text})", "give another out=")
