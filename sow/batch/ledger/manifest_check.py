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
from sow.batch.manifest.input_checks import Lookout
from sow.batch.manifest.job import TV2IJob
from sow.errors import SowError

SHOWN = 50
"""Problems that are told one by one; of more only their number."""
CHUNK = 1000
STAGED = """CREATE TABLE staged (id TEXT PRIMARY KEY COLLATE NOCASE, line INTEGER, job TEXT,
digest TEXT, pictures INTEGER) STRICT"""


@dataclass(frozen=True)
class Source:
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
class Admitted:
    """What a manifest came to.

    Attributes:
        lines, new, changed: how many jobs there are, and how many of them are not as before.
        problems: lines that were left out, with what is wrong with them.
    """

    lines: int = 0
    new: int = 0
    changed: int = 0
    problems: list[tuple[int, str]] = field(default_factory=list)
    wrong: int = 0

    def add(self, line: int, problem: str) -> None:
        """One more line that is wrong."""
        self.wrong += 1
        if len(self.problems) < SHOWN:
            self.problems.append((line, problem))


class Checking:
    """One manifest: checked into a table of its own, on the disk, then taken in."""

    def __init__(self, ledger: Ledger, source: Source, anew: bool, force: bool) -> None:
        """anew: jobs that are known are done again, whether they have changed or not."""
        self._ledger, self._source, self._anew, self._force = ledger, source, anew, force
        self._found = Admitted()
        # What is in an empty folder cannot be in the way: then nothing has to be looked for.
        self._there = ledger.store.glance()
        self._empty = self._there.is_empty()
        self._lookout = Lookout(source.folder, self._is_new)

    def __enter__(self) -> Checking:
        self._staged = sqlite3.connect("")  # a file that nobody sees, gone with the connection
        self._staged.execute(STAGED)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._staged.close()
        self._lookout.close()

    def all(self, tick: Callable[[int], object]) -> Admitted:
        """Checks every line."""
        for number, (line, job) in enumerate(self._lookout.ahead(self._source.jobs()), 1):
            problem = str(job) if isinstance(job, SowError) else self._problem(line, job)
            if problem is not None:
                self._found.add(line, problem)
            if number % CHUNK == 0:
                tick(number)
        return self._found

    def _problem(self, line: int, job: TV2IJob) -> str | None:
        """What is wrong with a job; if nothing is, it is staged."""
        other = self._staged.execute("SELECT line, id FROM staged WHERE id = ?", (job.id,))
        if (row := other.fetchone()) is not None:
            same = "" if row[1] == job.id else f" ({row[1]!r}, and files differ in more)"
            return f"its id {job.id!r} is that of line {row[0]}{same}"
        known = bool(self._ledger.ask("SELECT 1 FROM jobs WHERE id = ?", (job.id,)))
        changed = known and self._is_new(job)
        if not known or changed:
            problem = self._lookout.missing(job) or self._in_the_way(job)
            if problem is not None:
                return problem
        self._found.lines += 1
        self._found.new += not known
        self._found.changed += changed
        self._staged.execute(
            "INSERT INTO staged VALUES (?, ?, ?, ?, ?)",
            (job.id, line, job.as_json(), job.digest, job.count),
        )
        return None

    def _is_new(self, job: TV2IJob) -> bool:
        """Whether there is something to be done for a job that was not done before."""
        same = "SELECT 1 FROM jobs WHERE id = ? AND digest = ?"
        return self._anew or not self._ledger.ask(same, (job.id, job.digest))

    def _in_the_way(self, job: TV2IJob) -> str | None:
        """What of a job's files is there already, and is nobody's of this batch."""
        if self._empty:
            return None
        for name in job.files:
            if self._there.is_folder(name):
                return f"{name} is a folder"
            there = not self._force and self._there.is_there(name)
            if there and not self._ledger.ask("SELECT 1 FROM pictures WHERE file = ?", (name,)):
                tried = "SELECT 1 FROM jobs WHERE id = ? AND digest = ?"
                if not self._ledger.ask(tried, (job.id, job.digest)):
                    return f"{name} is there already, and is not of this batch"
        return None

    def take_in(self, noted: Mapping[str, str]) -> None:
        """Makes the jobs those of the ledger, and notes what else is to be noted."""
        with self._ledger.writing() as database:
            (number,) = database.execute(
                "INSERT INTO meta VALUES ('pass', '1') ON CONFLICT (name) DO UPDATE SET "
                "value = CAST(value AS INTEGER) + 1 RETURNING CAST(value AS INTEGER)"
            ).fetchone()
            for row in self._rows():
                self._one(database, number, *row)
            database.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", noted.items())

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        yield from self._staged.execute("SELECT id, line, job, digest, pictures FROM staged")

    def _one(
        self, database: sqlite3.Connection, number: int, name: str, line: int, job: str,
        digest: str, pictures: int,
    ) -> None:  # fmt: skip
        known = database.execute("SELECT digest FROM jobs WHERE id = ?", (name,)).fetchone()
        if known is not None and (known[0] != digest or self._anew):
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
