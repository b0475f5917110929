"""The ledger: the state of every job of a results folder, and which runner has claimed it.

It is a SQLite database beside the pictures; what is not recorded in it has not happened. Several
processes may open the same ledger, and several threads may share one object.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sow.batch.ledger.checks import ledger_errors
from sow.batch.ledger.database import LedgerDatabase
from sow.batch.ledger.private_paths import absolute_folder, relative_folder, without_paths
from sow.batch.ledger.registry import RunnerRecord
from sow.batch.ledger.schema import PASS
from sow.batch.ledger.stores import Store
from sow.batch.manifest.input_files import InputFileCache
from sow.batch.manifest.job import TV2IJob
from sow.errors import OutputError


@dataclass(frozen=True)
class ClaimedJob:
    """A job that this runner has claimed.

    Attributes:
        line: its line in the manifest.
        folder: what its file names are relative to.
        seeds: the seeds whose pictures are not made yet.
    """

    job: TV2IJob
    line: int
    folder: str
    seeds: tuple[int, ...]

    def file_of(self, seed: int) -> str:
        """Return the file name of the picture with this seed."""
        return self.job.files[seed - self.job.seeds.start]


class Ledger(LedgerDatabase):
    """The jobs of a results folder as one runner sees them; every method is atomic.

    Attributes:
        options: the options this runner makes pictures with, as JSON; None if it makes none.
        report: called with the kind and the text of each message to the user.

    Raises:
        OutputError: from any method, if the database cannot be used, is damaged, or is from a
            newer version of SOW.
    """

    def __init__(self, folder: Path, store: Store | None = None, checked: bool = False) -> None:
        """Open the ledger of a results folder; create it if there is none.

        checked: another process of this user has checked it.
        """
        super().__init__(folder, store, checked)
        self._runner: RunnerRecord | None = None
        self._input_files = InputFileCache()
        self.options: str | None = None
        self.report: Callable[[str, str], object] = lambda kind, line: None

    def close(self) -> None:
        """Release the claimed jobs that are not done, and close the database."""
        self._input_files.close()
        with self._lock:
            try:
                if self._runner is not None:
                    with self.transaction() as database:
                        self._runner.deregister(database)
            finally:
                if self._runner is not None:
                    self._runner.release()
                self._runner = None
                self._database.close()

    def abandon(self) -> None:
        """Close the ledger as if the process had died: claimed jobs count as attempted."""
        self._input_files.close()
        with self._lock:
            if self._runner is not None:
                self._runner.release()
            self._runner = None
            self._database.close()

    def record_model(self, model: str) -> None:
        """Record the model; all pictures of a folder are made with the same one.

        Raises:
            OutputError: if there are pictures of another model.
        """
        before = self.get_meta("model")
        if before not in (None, model) and self.fetch_all("SELECT 1 FROM pictures LIMIT 1"):
            raise OutputError(
                f"the pictures in {self.store.label!r} were made with {before}, not with {model}",
                "give that model=, or another out=",
            )
        if before != model:
            self.set_meta("model", model)

    def claim(self, limit: int) -> list[ClaimedJob]:
        """Claim up to `limit` waiting jobs, in the order of their lines.

        If none are waiting, jobs of dead runners are requeued first.
        """
        with self.transaction() as database:
            runner = self._signed_in(database)
            rows = self._claim_rows(database, runner, limit)
            if not rows:
                runner.requeue_dead(database)
                rows = self._claim_rows(database, runner, limit)
            return [self._claimed_job(database, *row) for row in sorted(rows)]

    def _claim_rows(
        self, database: sqlite3.Connection, runner: RunnerRecord, limit: int
    ) -> list[tuple[int, str, str]]:
        return database.execute(
            "UPDATE jobs SET state = 'running', owner = ? WHERE id IN "
            f"(SELECT id FROM jobs WHERE pass = {PASS} AND state = 'waiting' "
            "ORDER BY line LIMIT ?) RETURNING line, folder, job",
            (runner.number, limit),
        ).fetchall()

    def input_files(self, claimed: ClaimedJob) -> AbstractContextManager[Mapping[str, Path]]:
        """Return a context manager with the local files of a job, by field name."""
        return self._input_files.files(claimed.job, claimed.folder)

    def address(self, name: str) -> Path | str:
        """Return the path or the address of a picture."""
        return self.store.address(name)

    def mark_started(self, ids: Iterable[str]) -> None:
        """Count an attempt for jobs whose pictures are about to be made.

        A job that is started and never recorded may be what killed the runner.
        """
        with self.transaction() as database:
            database.executemany(
                "UPDATE jobs SET attempts = attempts + 1 WHERE id = ?", [(name,) for name in ids]
            )

    def record(
        self,
        claimed: ClaimedJob,
        seed: int,
        files: Mapping[str, bytes],
        metadata: Mapping[str, Any],
        seconds: float,
    ) -> bool:
        """Write a finished picture and record it, both or neither.

        A runner that is killed between the two leaves a file that is not recorded; the picture is
        made again. A file that has its name by then is archived, never replaced, and a note of the
        picture says so.

        Args:
            files: contents by file name: the picture and what belongs to it.
            metadata: its line of `metadata.jsonl`.
            seconds: the time it took.

        Returns:
            False, with nothing written, if the job has changed or another runner has it now.

        Raises:
            OutputError: if it cannot be written.
        """
        file, name, notes = claimed.file_of(seed), claimed.job.id, list[str]()
        with self.transaction() as database:
            if not self._still_owned(database, claimed):
                return False
            self._archive_if_retired(database, file)
        with self.store.staged(files) as commit, self.transaction() as database:
            if not self._still_owned(database, claimed):
                return False
            self._archive_if_retired(database, file)
            notes += (f"another file had the name {file}: it is {moved} now" for moved in commit())
            metadata = (
                {**metadata, "notes": [*metadata.get("notes", ()), *notes]} if notes else metadata
            )
            database.execute(
                "INSERT OR REPLACE INTO pictures VALUES (?, ?, ?, ?, ?)",
                (file, name, seed, hashlib.sha256(files[file]).hexdigest(),
                 json.dumps(metadata, ensure_ascii=False)),
            )  # fmt: skip
            database.execute(
                "UPDATE jobs SET attempts = 0, error = NULL, seconds = seconds + ?, state = CASE "
                "(SELECT count(*) FROM pictures WHERE job = ?) WHEN pictures THEN 'done' "
                "ELSE 'running' END WHERE id = ?",
                (seconds, name, name),
            )
        for note in notes:
            self.report("file", note)
        return True

    def seconds_spent(self, claimed: ClaimedJob) -> float | None:
        """Return the seconds spent on a job's pictures; None if some are not made yet."""
        query = "SELECT seconds FROM jobs WHERE id = ? AND digest = ? AND state = 'done'"
        rows = self.fetch_all(query, (claimed.job.id, claimed.job.digest))
        return rows[0][0] if rows else None

    def _still_owned(self, database: sqlite3.Connection, claimed: ClaimedJob) -> bool:
        """Return whether this runner still has the job, and the job has not changed."""
        row = database.execute(
            "SELECT 1 FROM jobs WHERE id = ? AND owner = ? AND state = 'running' AND digest = ?",
            (claimed.job.id, self._signed_in(database).number, claimed.job.digest),
        )
        return row.fetchone() is not None

    def fail(self, claimed: ClaimedJob, reason: str) -> bool:
        """Mark a job as failed; return False if this runner no longer has it."""
        reason = without_paths(reason, claimed.job, claimed.folder)
        with self.transaction() as database:
            runner = self._signed_in(database)
            return database.execute(
                "UPDATE jobs SET state = 'failed', error = ?, attempts = attempts + 1, "
                "owner = NULL WHERE id = ? AND owner = ? AND state = 'running' AND digest = ?",
                (reason, claimed.job.id, runner.number, claimed.job.digest),
            ).rowcount == 1  # fmt: skip

    def retry_failed(self) -> int:
        """Requeue failed jobs and return how many there are."""
        with self.transaction() as database:
            return database.execute(
                "UPDATE jobs SET state = 'waiting', attempts = 0 "
                f"WHERE state = 'failed' AND pass = {PASS}"
            ).rowcount

    def update_folder(self, folder: str) -> None:
        """Note where the manifest is, seen from the results, which may have been moved.

        Older versions kept it as an absolute path, which jobs of earlier manifests lose as well.
        """
        stored = relative_folder(folder, self.folder)
        outdated = f"folder <> ? AND (folder = ? OR pass = {PASS})"
        values = (stored, folder)
        if self.fetch_all(f"SELECT 1 FROM jobs WHERE {outdated} LIMIT 1", values):
            with self.transaction() as database:
                database.execute(f"UPDATE jobs SET folder = ? WHERE {outdated}", (stored, *values))

    def archive_retired(self) -> None:
        """Archive the old pictures of jobs that have changed."""
        while rows := self.fetch_all("SELECT file FROM retired LIMIT 100"):
            for (file,) in rows:
                with self.transaction() as database:
                    self._archive_if_retired(database, file)

    def _archive_if_retired(self, database: sqlite3.Connection, file: str) -> None:
        """Archive a picture if its job has changed since it was made."""
        if database.execute("DELETE FROM retired WHERE file = ?", (file,)).rowcount:
            self.store.archive(file)

    def others_running(self) -> bool:
        """Return whether other runners have jobs, after releasing those of this runner."""
        with self.transaction() as database:
            database.execute(
                "UPDATE jobs SET state = 'waiting', owner = NULL "
                "WHERE state = 'running' AND owner = ?", (self._signed_in(database).number,),
            )  # fmt: skip
        return self.counts()["running"] > 0

    def heartbeat(self) -> None:
        """Record a heartbeat if one is due."""
        if self._runner is not None and self._runner.heartbeat_due:
            with self.transaction() as database:
                self._signed_in(database)

    def _signed_in(self, database: sqlite3.Connection) -> RunnerRecord:
        """Register this runner if needed, send a due heartbeat and requeue jobs of dead runners.

        Raises:
            OutputError: if another process restarted this batch with other options.
        """
        if self.options is not None and self.get_meta("options") != self.options:
            raise OutputError(
                f"{self.store.label!r} was restarted with other options by another process",
                "stop one of the two",
            )
        if self._runner is not None and not self._runner.is_registered(database):
            self._runner.release()  # counted as dead: others have its jobs
            self._runner = None
        if self._runner is None:
            self._runner = RunnerRecord(database, self.folder)
            self._runner.requeue_dead(database)
        elif self._runner.heartbeat_due:
            self._runner.heartbeat(database)
            self._runner.requeue_dead(database)
        return self._runner

    def _claimed_job(
        self, database: sqlite3.Connection, line: int, folder: str, text: str
    ) -> ClaimedJob:
        with ledger_errors(self.store.label):
            job = TV2IJob.from_json(text)
        made = {
            seed
            for (seed,) in database.execute("SELECT seed FROM pictures WHERE job = ?", (job.id,))
        }
        located = absolute_folder(folder, self.folder)
        return ClaimedJob(job, line, located, tuple(s for s in job.seeds if s not in made))
