"""The ledger: what became of every job of a folder of results, and who is doing what.

SQLite beside the pictures, as sure as the disk: whatever is not in it has not happened. Several
runners, in several processes, may have the same one open; several threads share an object.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sow.batch.ledger.database import PASS, Records
from sow.batch.ledger.registry import Runner
from sow.batch.ledger.stores import Store
from sow.batch.manifest.input_files import Larder
from sow.batch.manifest.job import TV2IJob
from sow.errors import OutputError


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
    folder: str
    seeds: tuple[int, ...]

    def file_of(self, seed: int) -> str:
        """The name of a picture."""
        return self.job.files[seed - self.job.seeds.start]


class Ledger(Records):
    """What became of every job; every method is one transaction, or none.

    Attributes:
        options: with which this runner makes pictures; None if it makes none.

    Raises:
        OutputError: wherever the file cannot be used, is damaged, or a newer SOW made it.
    """

    def __init__(self, folder: Path, store: Store | None = None) -> None:
        """Opens that of a folder of results, or begins it."""
        super().__init__(folder, store)
        self._runner: Runner | None = None
        self._larder = Larder()
        self.options: str | None = None

    def close(self) -> None:
        """Gives back what was taken and not done."""
        self._larder.close()
        with self._lock:
            try:
                if self._runner is not None:
                    with self.writing() as database:
                        self._runner.leave(database)
            finally:
                if self._runner is not None:
                    self._runner.end()
                self._runner = None
                self._database.close()

    def abandon(self) -> None:
        """Ends as one ends that dies: what was taken is there for others, and counts as tried."""
        self._larder.close()
        with self._lock:
            if self._runner is not None:
                self._runner.end()
            self._runner = None
            self._database.close()

    def made_with(self, model: str) -> None:
        """Notes the model of the pictures; there is one for all.

        Raises:
            OutputError: if it was another one.
        """
        before = self.get("model")
        if before not in (None, model) and self.ask("SELECT 1 FROM pictures LIMIT 1"):
            raise OutputError(
                f"the pictures in {self.store.said!r} were made with {before}, this is {model}",
                "give its model=, or another out=",
            )
        if before != model:
            self.note("model", model)

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
            f"(SELECT id FROM jobs WHERE pass = {PASS} AND state = 'waiting' "
            "ORDER BY line LIMIT ?) RETURNING line, folder, job",
            (runner.number, most),
        ).fetchall()

    def inputs(self, claimed: Claimed) -> AbstractContextManager[Mapping[str, Path]]:
        """The files of a job, by the names of its fields, here for as long as they are used."""
        return self._larder.files(claimed.job, claimed.folder)

    def address(self, name: str) -> Path | str:
        """Where a picture of this name is."""
        return self.store.address(name)

    def begin(self, ids: Iterable[str]) -> None:
        """Notes that these are about to be made: what is never noted done may have killed us."""
        with self.writing() as database:
            database.executemany("UPDATE jobs SET attempts = attempts + 1 WHERE id = ?",
                                 [(name,) for name in ids])  # fmt: skip

    def record(
        self, claimed: Claimed, seed: int, files: Mapping[str, bytes], told: Mapping[str, Any],
        seconds: float,
    ) -> bool:  # fmt: skip
        """Puts a finished picture where it belongs and notes it, both or neither.

        Whoever is killed between the two has left a file of which nothing is known: it is made
        again, and replaced.

        Args:
            files: the picture under its name, and what belongs to it.
            told: what is said of it beside the picture.
            seconds: that it took.

        Returns:
            False if the job is not this runner's any more, or changed: nothing is done then.

        Raises:
            OutputError: if it cannot be written.
        """
        file, name = claimed.file_of(seed), claimed.job.id
        with self.writing() as database:
            if not self._held(database, claimed):
                return False
            self._set_aside(database, file)
        with self.store.bringing(files) as place, self.writing() as database:
            if not self._held(database, claimed):
                return False
            self._set_aside(database, file)
            place()
            database.execute(
                "INSERT OR REPLACE INTO pictures VALUES (?, ?, ?, ?, ?)",
                (file, name, seed, hashlib.sha256(files[file]).hexdigest(),
                 json.dumps(told, ensure_ascii=False)),
            )  # fmt: skip
            database.execute(
                "UPDATE jobs SET attempts = 0, error = NULL, seconds = seconds + ?, state = CASE "
                "(SELECT count(*) FROM pictures WHERE job = ?) WHEN pictures THEN 'done' "
                "ELSE 'running' END WHERE id = ?",
                (seconds, name, name),
            )
        return True

    def took(self, claimed: Claimed) -> float | None:
        """The seconds of a job's pictures; None if some are not made yet."""
        rows = self.ask("SELECT seconds FROM jobs WHERE id = ? AND digest = ? AND state = 'done'",
                        (claimed.job.id, claimed.job.digest))  # fmt: skip
        return rows[0][0] if rows else None

    def _held(self, database: sqlite3.Connection, claimed: Claimed) -> bool:
        """Whether a job is this runner's still, and what it was."""
        row = database.execute(
            "SELECT 1 FROM jobs WHERE id = ? AND owner = ? AND state = 'running' AND digest = ?",
            (claimed.job.id, self._alive(database).number, claimed.job.digest),
        )
        return row.fetchone() is not None

    def fail(self, claimed: Claimed, reason: str) -> bool:
        """Notes that a job cannot be done; says whether it was this runner's still."""
        with self.writing() as database:
            runner = self._alive(database)
            return database.execute(
                "UPDATE jobs SET state = 'failed', error = ?, attempts = attempts + 1, "
                "owner = NULL WHERE id = ? AND owner = ? AND state = 'running' AND digest = ?",
                (reason, claimed.job.id, runner.number, claimed.job.digest),
            ).rowcount == 1  # fmt: skip

    def retry_failed(self) -> int:
        """Lets what failed wait again; says how many jobs that are."""
        with self.writing() as database:
            return database.execute(
                "UPDATE jobs SET state = 'waiting', attempts = 0 "
                f"WHERE state = 'failed' AND pass = {PASS}"
            ).rowcount

    def retire(self) -> None:
        """Moves pictures of jobs that have changed out of the way of new ones: nothing is lost."""
        while rows := self.ask("SELECT file FROM retired LIMIT 100"):
            for (file,) in rows:
                with self.writing() as database:
                    self._set_aside(database, file)

    def _set_aside(self, database: sqlite3.Connection, file: str) -> None:
        """Moves the picture of this name aside, if it is of a job that has changed since."""
        if database.execute("DELETE FROM retired WHERE file = ?", (file,)).rowcount:
            self.store.set_aside(file)

    def others_at_work(self) -> bool:
        """Whether other runners have jobs; whoever asks has none, and gives back what is left."""
        with self.writing() as database:
            database.execute(
                "UPDATE jobs SET state = 'waiting', owner = NULL "
                "WHERE state = 'running' AND owner = ?", (self._alive(database).number,),
            )  # fmt: skip
        return self.counts()["running"] > 0

    def beat(self) -> None:
        """A sign of life, where one is due."""
        if self._runner is not None and self._runner.due:
            with self.writing() as database:
                self._alive(database)

    def _alive(self, database: sqlite3.Connection) -> Runner:
        """This runner, signed in, and others freed of what they died over.

        Raises:
            OutputError: if somebody has begun this folder anew, with other options.
        """
        if self.options is not None and self.get("options") != self.options:
            raise OutputError(
                f"{self.store.said!r} was begun anew with other options", "look who is at work"
            )
        if self._runner is not None and not self._runner.known(database):
            self._runner.end()  # taken for dead: what it had is somebody else's
            self._runner = None
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
        return Claimed(job, line, folder, tuple(s for s in job.seeds if s not in made))
