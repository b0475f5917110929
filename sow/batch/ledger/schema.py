"""The database file of a ledger: its path, tables, connections and errors."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from stat import S_ISDIR, S_ISLNK, S_ISREG
from typing import Any

from filelock import FileLock, Timeout

from sow.errors import OutputError
from sow.utils.output_folder import TEMPORARY, OutputFolder
from sow.utils.validation import UPDATE

OWN_FOLDER = ".sow"
"""The hidden folder inside a results folder for everything that is not a result."""
THUMBNAILS = f"{OWN_FOLDER}/thumbs"
METADATA = "metadata.jsonl"
"""The list of all pictures of a results folder."""
LEDGER_NAME = "ledger.sqlite"
VERSION = 1
APPLICATION_ID = 0x50_57_1E_D6
"""Identifies the database as a ledger."""
LOCK_TIMEOUT = 60.0
"""Seconds to wait while another runner is writing."""
MAX_ROW_BYTES = 2**23
"""The largest row; a manifest's line has at most an eighth of it."""
SUPER_JOURNAL = bytes.fromhex("d9d505f920a163d7")
"""The end of a journal that names a further file, which SQLite would delete."""

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
"""`stale` is set while `metadata.jsonl` and `index.html` are behind the ledger."""
PASS = "(SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM meta WHERE name = 'pass')"
"""SQL: the number of the latest admission; jobs of the current manifest have it."""


def ledger_path(folder: Path) -> Path:
    """Return the path of the ledger of a results folder."""
    return folder / OWN_FOLDER / LEDGER_NAME


def connect(folder: Path) -> sqlite3.Connection:
    """Connect to the ledger of a results folder; create it if there is none.

    Raises:
        OutputError: if it cannot be read or written, is damaged, or is from a newer version; if a
            file of it is a link.
    """
    try:
        with OutputFolder(folder, create=True) as outputs:
            check_own_folder(outputs, str(folder))
    except OSError as error:
        raise OutputError(
            f"the folder {str(folder)!r} cannot be written to ({error.strerror})",
            "give another out=",
        ) from None
    path = ledger_path(folder)
    with sqlite_errors(folder):
        database = new_connection(folder)
        try:
            # SQLite's own timeout does not cover the creation of a database.
            with FileLock(path.with_name("begin.lock"), timeout=LOCK_TIMEOUT):
                _create_tables(database, folder)
            database.execute("PRAGMA synchronous = NORMAL")
        except Timeout:
            database.close()
            raise OutputError(
                f"another process is creating the ledger in {str(folder)!r}", "try again"
            ) from None
        except BaseException:
            database.close()
            raise
    return database


def check_own_folder(outputs: OutputFolder, label: str) -> None:
    """Create a batch's hidden folder; check that the files in it lead nowhere else.

    SQLite and locks open them by name, and would follow links.

    Raises:
        OutputError: if one is a link, a pipe or a device, or has another name elsewhere.
        OSError: if the folder cannot be created or read.
    """
    outputs.make_folder(OWN_FOLDER)
    for name, status in outputs.entries(OWN_FOLDER).items():
        where = f"{OWN_FOLDER}/{name}"
        if not (S_ISREG(status.st_mode) or S_ISDIR(status.st_mode)):
            kind = "a link" if S_ISLNK(status.st_mode) else "not a regular file"
            raise OutputError(f"{where!r} in {label!r} is {kind}", "remove it")
        is_shared = S_ISREG(status.st_mode) and status.st_nlink > 1
        # A file that is being written has two names for a moment; an empty lock loses nothing.
        if is_shared and not TEMPORARY.fullmatch(name) and (status.st_size or name == LEDGER_NAME):
            raise OutputError(
                f"{where!r} in {label!r} has another name elsewhere (a hard link), and would be "
                "changed there too",
                "replace it by a copy",
            )
    if _names_a_super_journal(outputs):
        raise OutputError(
            f"the ledger in {label!r} has a journal of several databases, which no batch writes",
            f"move its {OWN_FOLDER} away and give force=True to redo all jobs",
        )


def _names_a_super_journal(outputs: OutputFolder) -> bool:
    name = f"{OWN_FOLDER}/{LEDGER_NAME}-journal"
    try:
        with outputs.open(name) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - len(SUPER_JOURNAL)))
            return file.read() == SUPER_JOURNAL
    except FileNotFoundError:
        return False


def new_connection(folder: Path) -> sqlite3.Connection:
    """Return a new connection to the ledger of a results folder."""
    database = sqlite3.connect(
        ledger_path(folder), timeout=LOCK_TIMEOUT, isolation_level=None, check_same_thread=False
    )
    distrust(database)
    return database


def distrust(database: sqlite3.Connection) -> None:
    """Keep the contents of a database from doing harm: a ledger may come from a stranger."""
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_ROW_BYTES)
    database.execute("PRAGMA trusted_schema = OFF")
    database.execute("PRAGMA cell_size_check = ON")


def _create_tables(database: sqlite3.Connection, folder: Path) -> None:
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables:
        check_tables(database, str(folder), f"{str(ledger_path(folder))!r} is not a ledger")
        return
    database.execute("PRAGMA journal_mode = WAL")
    database.executescript(
        f"BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {VERSION}; "
        f"PRAGMA application_id = {APPLICATION_ID}; COMMIT;"
    )


def check_tables(database: sqlite3.Connection, label: str, foreign: str) -> None:
    """Check that a database has exactly the tables and triggers of a ledger.

    Args:
        label: the path or address of the results, for messages.
        foreign: the message for a database of another program.

    Raises:
        OutputError: if it has not, or is from a newer version.
    """
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise OutputError(foreign, "give another out=")
    if version > VERSION:
        raise OutputError(
            f"the ledger in {label!r} has version {version}; this SOW reads up to {VERSION}",
            UPDATE,
        )
    with closing(sqlite3.connect(":memory:")) as reference:
        reference.executescript(TABLES)
        if layout(database) != layout(reference):
            raise damaged_ledger(label, "unexpected tables")


def layout(database: sqlite3.Connection) -> list[tuple[Any, ...]]:
    """Return the definitions of all tables, indices, views and triggers."""
    return sorted(
        database.execute("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master")
    )


def damaged_ledger(label: str, what: str) -> OutputError:
    """Return the error for a ledger that no batch would write."""
    return OutputError(
        f"the ledger in {label!r} is damaged, or not a ledger ({what})",
        f"move its {OWN_FOLDER}/{LEDGER_NAME} away and give force=True; all jobs run again",
    )


@contextmanager
def sqlite_errors(folder: Path) -> Iterator[None]:
    """Turn errors of SQLite and of lock files into an OutputError with one line.

    Raises:
        OutputError: for any error of SQLite or of the system.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _as_output_error(error, folder) from None
    except OSError as error:
        raise unusable_folder(error, folder, "give another out=") from None


def unusable_folder(error: OSError, folder: Path, hint: str) -> OutputError:
    """Return the error for a folder in which a file cannot be opened or written."""
    why = error.strerror or str(error)
    file = f": {Path(error.filename).name}" if isinstance(error.filename, str) else ""
    return OutputError(f"the folder {str(folder)!r} cannot be written to ({why}{file})", hint)


def _as_output_error(error: sqlite3.Error, folder: Path) -> OutputError:
    name, text = repr(str(folder)), str(error)
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return OutputError(
            f"the ledger in {name} is damaged ({text})",
            f"move its {OWN_FOLDER}/{LEDGER_NAME} away and give force=True to redo all jobs",
        )
    if primary == sqlite3.SQLITE_FULL:
        return OutputError(
            f"the disk of {name} is full", "free some space, then run the same command to continue"
        )
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return OutputError(
            f"the ledger in {name} was locked for {LOCK_TIMEOUT:.0f} seconds",
            "if a runner hangs, stop it; then run the same command to continue",
        )
    if primary in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return OutputError(f"the folder {name} is not writable", "give another out=")
    return OutputError(f"the ledger in {name} cannot be used ({text})", "give another out=")
