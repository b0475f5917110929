"""Check the jobs of a manifest in a staging table, then commit them to the ledger at once.

The ledger is not locked during the check, which takes a minute for a million lines.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from sow.batch.ledger.input_guard import InputGuard
from sow.batch.ledger.ledger import Ledger
from sow.batch.ledger.private_paths import relative_folder
from sow.batch.manifest.input_checks import InputFileChecker
from sow.batch.manifest.input_files import locate_files
from sow.batch.manifest.job import TV2IJob
from sow.errors import SowError

MAX_PROBLEMS = 50
"""Problems that are kept; the others are only counted."""
CHUNK = 1000
STAGED = """CREATE TABLE staged (id TEXT PRIMARY KEY COLLATE NOCASE, line INTEGER, job TEXT,
digest TEXT, pictures INTEGER) STRICT"""


@dataclass(frozen=True)
class JobSource:
    """A source of jobs.

    Attributes:
        jobs: returns line numbers with the job, or with the error of an invalid line.
        folder: what their file names are relative to.
        name: its name in messages, such as the manifest's file name.
        fingerprint: changes whenever a line does; None if that cannot be known.
        inputs: the files that list the jobs: paths or addresses.
    """

    jobs: Callable[[], Iterable[tuple[int, TV2IJob | SowError]]]
    folder: str
    name: str
    fingerprint: str | None = None
    inputs: tuple[str, ...] = ()


@dataclass
class AdmissionReport:
    """The result of a manifest's check.

    Attributes:
        lines, new, changed: the number of valid jobs, and how many of them are new or changed.
        problems: the first invalid lines: line numbers and messages.
        num_problems: how many lines are invalid.
    """

    lines: int = 0
    new: int = 0
    changed: int = 0
    problems: list[tuple[int, str]] = field(default_factory=list)
    num_problems: int = 0

    def add(self, line: int, problem: str) -> None:
        """Add an invalid line."""
        self.num_problems += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append((line, problem))


class ManifestCheck:
    """The check of one manifest, in a staging table on disk, and its commit to the ledger."""

    def __init__(self, ledger: Ledger, source: JobSource, redo_all: bool, force: bool) -> None:
        """Prepare the check.

        Args:
            redo_all: redo known jobs whether they have changed or not.
            force: allow files that are in the way: they are set aside later.
        """
        self._ledger, self._source, self._redo_all, self._force = ledger, source, redo_all, force
        self._found = AdmissionReport()
        self._folder = relative_folder(source.folder, ledger.folder)
        # In an empty folder no file can be in the way, so none is looked up.
        self._snapshot = ledger.store.snapshot()
        self._empty = self._snapshot.is_empty()
        self._files = InputFileChecker(source.folder, self._needs_work)

    def __enter__(self) -> ManifestCheck:
        self._staging = sqlite3.connect("")  # a temporary file, removed with the connection
        try:
            self._staging.execute(STAGED)
            self._guard = InputGuard(
                self._staging, self._ledger.store, self._snapshot, self._find_archived
            )
        except BaseException:
            self._staging.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._staging.close()
        self._files.close()

    def check_all(self, on_progress: Callable[[int], object]) -> AdmissionReport:
        """Check every line, and stage the valid ones.

        Raises:
            UsageError: if a result would replace an input.
        """
        for file in self._source.inputs:
            self._guard.add(file)
        for number, (line, job) in enumerate(self._files.prefetched(self._source.jobs()), 1):
            problem = str(job) if isinstance(job, SowError) else self._check_job(line, job)
            if problem is not None:
                self._found.add(line, problem)
            if number % CHUNK == 0:
                on_progress(number)
        self._guard.check()
        return self._found

    def _check_job(self, line: int, job: TV2IJob) -> str | None:
        """Return what is wrong with a job; stage it and return None if it is valid."""
        other = self._staging.execute("SELECT line, id FROM staged WHERE id = ?", (job.id,))
        if (row := other.fetchone()) is not None:
            twin = "" if row[1] == job.id else f" as {row[1]!r} (ids ignore case)"
            return f"duplicate id {job.id!r}: line {row[0]} has it{twin}"
        known = bool(self._ledger.fetch_all("SELECT 1 FROM jobs WHERE id = ?", (job.id,)))
        changed = known and self._needs_work(job)
        if not known or changed:
            problem = self._files.find_problem(job) or self._find_conflict(job)
            if problem is not None:
                return problem
        files: Iterable[str] = ()
        with suppress(SowError):  # of a known job, whose addresses were checked before
            files = locate_files(job, self._source.folder).values()
        for file in files:
            self._guard.add(file)
        self._found.lines += 1
        self._found.new += not known
        self._found.changed += changed
        self._staging.execute(
            "INSERT INTO staged VALUES (?, ?, ?, ?, ?)",
            (job.id, line, job.as_json(), job.digest, len(job.seeds)),
        )
        return None

    def _needs_work(self, job: TV2IJob) -> bool:
        """Return whether a job is new or changed, or all are redone."""
        return self._redo_all or not self._is_known(job)

    def _find_conflict(self, job: TV2IJob) -> str | None:
        """Return which file of a job exists already and is not of this batch."""
        if self._empty:
            return None
        for name in job.files:
            if self._snapshot.is_folder(name):
                return f"{name} is a folder"
            if self._force or not self._snapshot.exists(name):
                continue
            recorded = self._ledger.fetch_all("SELECT 1 FROM pictures WHERE file = ?", (name,))
            if not recorded and not self._is_known(job):
                return f"{name} exists and is not from this batch"
        return None

    def _find_archived(self, name: str) -> Iterator[tuple[str, str]]:
        """Yield the old pictures of a name that are going to be archived, and their jobs."""
        pictures = self._ledger.fetch_all(
            "SELECT file, jobs.id, digest FROM pictures JOIN jobs ON jobs.id = pictures.job "
            "WHERE file = ?",
            (name,),
        )
        for file, job, digest in pictures:
            staged = self._staging.execute("SELECT digest FROM staged WHERE id = ?", (job,))
            row = staged.fetchone()
            if row is not None and (self._redo_all or row[0] != digest):
                yield file, job
        retired = "SELECT file FROM retired WHERE file = ? COLLATE NOCASE"
        for (file,) in self._ledger.fetch_all(retired, (name,)):
            yield file, file.removesuffix(".png").partition("@")[0]

    def _is_known(self, job: TV2IJob) -> bool:
        """Return whether the ledger has this job, unchanged."""
        query = "SELECT 1 FROM jobs WHERE id = ? AND digest = ?"
        return bool(self._ledger.fetch_all(query, (job.id, job.digest)))

    def commit(self, meta: Mapping[str, str]) -> None:
        """Write the staged jobs and these `meta` entries to the ledger."""
        with self._ledger.transaction() as database:
            (number,) = database.execute(
                "INSERT INTO meta VALUES ('pass', '1') ON CONFLICT (name) DO UPDATE SET "
                "value = CAST(value AS INTEGER) + 1 RETURNING CAST(value AS INTEGER)"
            ).fetchone()
            for row in self._rows():
                self._write_job(database, number, *row)
            database.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", meta.items())

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        yield from self._staging.execute("SELECT id, line, job, digest, pictures FROM staged")

    def _write_job(
        self, database: sqlite3.Connection, number: int, name: str, line: int, job: str,
        digest: str, pictures: int,
    ) -> None:  # fmt: skip
        known = database.execute("SELECT digest FROM jobs WHERE id = ?", (name,)).fetchone()
        if known is not None and (known[0] != digest or self._redo_all):
            # A changed job starts over; its old pictures are archived.
            database.execute(
                "INSERT OR IGNORE INTO retired SELECT file FROM pictures WHERE job = ?", (name,)
            )
            database.execute("DELETE FROM pictures WHERE job = ?", (name,))
            database.execute("DELETE FROM jobs WHERE id = ?", (name,))
        database.execute(
            "INSERT INTO jobs (id, line, folder, job, digest, pictures, pass, state) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting') ON CONFLICT (id) DO UPDATE SET "
            "line = excluded.line, folder = excluded.folder, pass = excluded.pass",
            (name, line, self._folder, job, digest, pictures, number),
        )
