"""Lines of a manifest on their way into the ledger: checked first, aside, then taken in at once.

While they are checked nobody waits for the ledger: a million lines take a minute.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from sow.batch.ledger.ledger import Ledger
from sow.batch.manifest.input_checks import InputFileChecker
from sow.batch.manifest.job import TV2IJob
from sow.errors import SowError

MAX_PROBLEMS = 50
"""Problems that are told one by one; of more only their number."""
CHUNK = 1000
STAGED = """CREATE TABLE staged (id TEXT PRIMARY KEY COLLATE NOCASE, line INTEGER, job TEXT,
digest TEXT, pictures INTEGER) STRICT"""


@dataclass(frozen=True)
class JobSource:
    """Where jobs come from.

    Attributes:
        jobs: each with the number of its line, or what is wrong with that line.
        folder: where their files are found from.
        name: in errors, such as the manifest's file.
        fingerprint: changes when any line does; None if that cannot be told.
    """

    jobs: Callable[[], Iterable[tuple[int, TV2IJob | SowError]]]
    folder: str
    name: str
    fingerprint: str | None = None


@dataclass
class AdmissionReport:
    """What a manifest came to.

    Attributes:
        lines, new, changed: how many jobs there are, and how many of them are not as before.
        problems: lines that were left out, with what is wrong with them.
    """

    lines: int = 0
    new: int = 0
    changed: int = 0
    problems: list[tuple[int, str]] = field(default_factory=list)
    num_problems: int = 0

    def add(self, line: int, problem: str) -> None:
        """One more line that is wrong."""
        self.num_problems += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append((line, problem))


class ManifestCheck:
    """One manifest: checked into a table of its own, on the disk, then taken in."""

    def __init__(self, ledger: Ledger, source: JobSource, redo_all: bool, force: bool) -> None:
        """anew: jobs that are known are done again, whether they have changed or not."""
        self._ledger, self._source, self._redo_all, self._force = ledger, source, redo_all, force
        self._found = AdmissionReport()
        # What is in an empty folder cannot be in the way: then nothing has to be looked for.
        self._snapshot = ledger.store.snapshot()
        self._empty = self._snapshot.is_empty()
        self._files = InputFileChecker(source.folder, self._needs_work)

    def __enter__(self) -> ManifestCheck:
        self._staging = sqlite3.connect("")  # a file that nobody sees, gone with the connection
        self._staging.execute(STAGED)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._staging.close()
        self._files.close()

    def check_all(self, on_progress: Callable[[int], object]) -> AdmissionReport:
        """Checks every line."""
        for number, (line, job) in enumerate(self._files.prefetched(self._source.jobs()), 1):
            problem = str(job) if isinstance(job, SowError) else self._check_job(line, job)
            if problem is not None:
                self._found.add(line, problem)
            if number % CHUNK == 0:
                on_progress(number)
        return self._found

    def _check_job(self, line: int, job: TV2IJob) -> str | None:
        """What is wrong with a job; if nothing is, it is staged."""
        other = self._staging.execute("SELECT line, id FROM staged WHERE id = ?", (job.id,))
        if (row := other.fetchone()) is not None:
            same = "" if row[1] == job.id else f" ({row[1]!r}, and files differ in more)"
            return f"its id {job.id!r} is that of line {row[0]}{same}"
        known = bool(self._ledger.fetch_all("SELECT 1 FROM jobs WHERE id = ?", (job.id,)))
        changed = known and self._needs_work(job)
        if not known or changed:
            problem = self._files.find_problem(job) or self._find_conflict(job)
            if problem is not None:
                return problem
        self._found.lines += 1
        self._found.new += not known
        self._found.changed += changed
        self._staging.execute(
            "INSERT INTO staged VALUES (?, ?, ?, ?, ?)",
            (job.id, line, job.as_json(), job.digest, job.count),
        )
        return None

    def _needs_work(self, job: TV2IJob) -> bool:
        """Whether there is something to be done for a job that was not done before."""
        same = "SELECT 1 FROM jobs WHERE id = ? AND digest = ?"
        return self._redo_all or not self._ledger.fetch_all(same, (job.id, job.digest))

    def _find_conflict(self, job: TV2IJob) -> str | None:
        """What of a job's files is there already, and is nobody's of this batch."""
        if self._empty:
            return None
        for name in job.files:
            if self._snapshot.is_folder(name):
                return f"{name} is a folder"
            there = not self._force and self._snapshot.exists(name)
            if there and not self._ledger.fetch_all("SELECT 1 FROM pictures WHERE file = ?", (name,)):
                tried = "SELECT 1 FROM jobs WHERE id = ? AND digest = ?"
                if not self._ledger.fetch_all(tried, (job.id, job.digest)):
                    return f"{name} is there already, and is not of this batch"
        return None

    def commit(self, noted: Mapping[str, str]) -> None:
        """Makes the jobs those of the ledger, and notes what else is to be noted."""
        with self._ledger.transaction() as database:
            (number,) = database.execute(
                "INSERT INTO meta VALUES ('pass', '1') ON CONFLICT (name) DO UPDATE SET "
                "value = CAST(value AS INTEGER) + 1 RETURNING CAST(value AS INTEGER)"
            ).fetchone()
            for row in self._rows():
                self._write_job(database, number, *row)
            database.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", noted.items())

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        yield from self._staging.execute("SELECT id, line, job, digest, pictures FROM staged")

    def _write_job(
        self, database: sqlite3.Connection, number: int, name: str, line: int, job: str,
        digest: str, pictures: int,
    ) -> None:  # fmt: skip
        known = database.execute("SELECT digest FROM jobs WHERE id = ?", (name,)).fetchone()
        if known is not None and (known[0] != digest or self._redo_all):
            # A job that has changed begins anew; its pictures are put aside.
            database.execute(
                "INSERT OR IGNORE INTO retired SELECT file FROM pictures WHERE job = ?", (name,)
            )
            database.execute("DELETE FROM pictures WHERE job = ?", (name,))
            database.execute("DELETE FROM jobs WHERE id = ?", (name,))
        database.execute(
            "INSERT INTO jobs (id, line, folder, job, digest, pictures, pass, state) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting') ON CONFLICT (id) DO UPDATE SET "
            "line = excluded.line, folder = excluded.folder, pass = excluded.pass",
            (name, line, self._source.folder, job, digest, pictures, number),
        )
