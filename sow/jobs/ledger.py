"""The ledger: what became of every job of a folder of results, and who is doing what.

SQLite beside the pictures, as sure as the disk: whatever is not in it has not happened. Several
runners, in several processes, may have the same one open; several threads share an object.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sow.jobs.gallery import Failure
from sow.jobs.job import TV2IJob
from sow.jobs.runners import Runner
from sow.jobs.schema import connect, telling

STATES = ("waiting", "running", "done", "failed")


@dataclass(frozen=True)
class Claimed:
    """A job that this runner has taken.

    Attributes:
        line: of the manifest.
        folder: where its files are found from.
        seeds: those of which there is no picture yet.
    """

    job: TV2IJob
    line: int
    folder: Path
    seeds: tuple[int, ...]

    def file_of(self, seed: int) -> str:
        """The name of a picture."""
        return self.job.files[seed - self.job.seeds.start]


class Ledger:
    """What became of every job; every method is one transaction, or none.

    Raises:
        OutputError: wherever the file cannot be used, is damaged, or a newer SOW made it.
    """

    def __init__(self, folder: Path) -> None:
        """Opens that of a folder of results, or begins it."""
        self.folder = folder
        self._database, self._lock = connect(folder), threading.RLock()
        self._runner: Runner | None = None

    def close(self) -> None:
        """Gives back what was taken and not done."""
        with self._lock:
            if self._runner is not None:
                with self.writing() as database:
                    self._runner.leave(database)
                self._runner = None
            self._database.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it happens, or nothing."""
        with self._lock, telling(self.folder):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    def read(self, query: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a question, a thousand at a time."""
        with self._lock, telling(self.folder):
            cursor = self._database.execute(query, values)
        while True:
            with self._lock, telling(self.folder):
                rows = cursor.fetchmany(1000)
            if not rows:
                return
            yield from rows

    def get(self, name: str) -> str | None:
        """What was noted under a name."""
        rows = list(self.read("SELECT value FROM meta WHERE name = ?", (name,)))
        return rows[0][0] if rows else None

    @property
    def current(self) -> int:
        """The number of the manifest that was taken in last."""
        return int(self.get("pass") or 0)

    def claim(self, most: int) -> list[Claimed]:
        """Takes jobs that wait, in the order of their lines, none that another runner has.

        Where none wait, those come back whose runners have died.
        """
        with self.writing() as database:
            runner = self._alive(database)
            rows = self._taken(database, runner, most)
            if not rows:
                runner.free_dead(database)
                rows = self._taken(database, runner, most)
            return [self._claimed(database, *row) for row in sorted(rows)]

    def _taken(
        self, database: sqlite3.Connection, runner: Runner, most: int
    ) -> list[tuple[int, str, str]]:
        return database.execute(
            "UPDATE jobs SET state = 'running', owner = ? WHERE id IN "
            "(SELECT id FROM jobs WHERE pass = ? AND state = 'waiting' ORDER BY line LIMIT ?) "
            "RETURNING line, folder, job",
            (runner.number, self.current, most),
        ).fetchall()

    def begin(self, ids: Iterable[str]) -> None:
        """Notes that these are about to be made: what is never noted done may have killed us."""
        with self.writing() as database:
            database.executemany("UPDATE jobs SET attempts = attempts + 1 WHERE id = ?",
                                 [(name,) for name in ids])  # fmt: skip

    def record(
        self, claimed: Claimed, seed: int, sha256: str, told: Mapping[str, Any], seconds: float,
        place: Callable[[], object],
    ) -> bool:  # fmt: skip
        """Puts a finished picture where it belongs and notes it, both or neither.

        Whoever is killed between the two has left a file of which nothing is known: it is made
        again, and replaced.

        Args:
            told: what is said of it beside the picture.
            seconds: that it took.
            place: renames the file, which is on the disk already.

        Returns:
            False if the job is not this runner's any more, or changed: nothing is done then.
        """
        file, name = claimed.file_of(seed), claimed.job.id
        with self.writing() as database:
            runner = self._alive(database)
            held = database.execute(
                "SELECT 1 FROM jobs WHERE id = ? AND owner = ? AND state = 'running' "
                "AND digest = ?", (name, runner.number, claimed.job.digest),
            ).fetchone()  # fmt: skip
            if held is None:
                return False
            place()
            database.execute(
                "INSERT OR REPLACE INTO pictures VALUES (?, ?, ?, ?, ?)",
                (file, name, seed, sha256, json.dumps(told, ensure_ascii=False)),
            )
            database.execute(
                "UPDATE jobs SET attempts = 0, error = NULL, seconds = seconds + ?, state = CASE "
                "(SELECT count(*) FROM pictures WHERE job = ?) WHEN pictures THEN 'done' "
                "ELSE 'running' END WHERE id = ?",
                (seconds, name, name),
            )
        return True

    def fail(self, claimed: Claimed, reason: str) -> None:
        """Notes that a job cannot be done."""
        with self.writing() as database:
            runner = self._alive(database)
            database.execute(
                "UPDATE jobs SET state = 'failed', error = ?, attempts = attempts + 1, "
                "owner = NULL WHERE id = ? AND owner = ? AND state = 'running'",
                (reason, claimed.job.id, runner.number),
            )

    def retry_failed(self) -> int:
        """Lets what failed wait again; says how many jobs that are."""
        with self.writing() as database:
            return database.execute(
                "UPDATE jobs SET state = 'waiting', attempts = 0 "
                "WHERE state = 'failed' AND pass = ?", (self.current,),
            ).rowcount  # fmt: skip

    def beat(self) -> None:
        """A sign of life, where one is due."""
        if self._runner is not None and self._runner.due:
            with self.writing() as database:
                self._runner.beat(database)

    def counts(self) -> dict[str, int]:
        """How many jobs of the last manifest are in each state."""
        rows = self.read("SELECT state, count(*) FROM jobs WHERE pass = ? GROUP BY state",
                         (self.current,))  # fmt: skip
        return dict.fromkeys(STATES, 0) | dict(rows)

    def pictures(self) -> int:
        """How many pictures the last manifest asks for."""
        rows = self.read("SELECT coalesce(sum(pictures), 0) FROM jobs WHERE pass = ?",
                         (self.current,))  # fmt: skip
        return int(next(rows)[0])

    def entries(self) -> Iterator[dict[str, Any]]:
        """What is said of every picture that was made, in the order of the manifest."""
        rows = self.read(
            "SELECT told FROM pictures JOIN jobs ON jobs.id = pictures.job "
            "ORDER BY pass DESC, line, seed"
        )
        return (json.loads(told) for (told,) in rows)

    def failures(self) -> Iterator[Failure]:
        """The jobs of the last manifest that failed, in its order."""
        rows = self.read("SELECT id, line, error, attempts FROM jobs WHERE state = 'failed' "
                         "AND pass = ? ORDER BY line", (self.current,))  # fmt: skip
        return (Failure(*row) for row in rows)

    def _alive(self, database: sqlite3.Connection) -> Runner:
        """This runner, signed in, and others freed of what they died over."""
        if self._runner is None:
            self._runner = Runner(database, self.folder)
            self._runner.free_dead(database)
        elif self._runner.due:
            self._runner.beat(database)
            self._runner.free_dead(database)
        return self._runner

    def _claimed(self, database: sqlite3.Connection, line: int, folder: str, text: str) -> Claimed:
        job = TV2IJob.model_validate_json(text)
        made = {
            seed
            for (seed,) in database.execute("SELECT seed FROM pictures WHERE job = ?", (job.id,))
        }
        return Claimed(job, line, Path(folder), tuple(s for s in job.seeds if s not in made))
