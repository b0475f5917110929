"""The one who has the ledger: runners on other machines ask it, nobody else opens the file.

SQLite is not for file systems that a network is in, so pictures travel and the ledger stays. It
runs where the command runs, as an actor: see `sow.batch.runners.ray_runner`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sow.batch.ledger.ledger import ClaimedJob, Ledger
from sow.batch.runners.runner import JobResult
from sow.pictures.loading import MAX_BYTES
from sow.utils.files import read_regular


@dataclass
class LedgerEvents:
    """What has happened since somebody asked last.

    Attributes:
        results: of jobs that have ended; their files by name only.
        said: what a person should know: its kind and a line.
    """

    results: list[JobResult] = field(default_factory=list)
    said: list[tuple[str, str]] = field(default_factory=list)


class LedgerActor:
    """Answers runners; each has signed in and has a ledger object of its own, as if it were here.

    A runner that dies is taken for dead as any other: what it had goes to the others.
    """

    def __init__(self, opened: Callable[[], Ledger], options: str) -> None:
        """opened: opens the ledger; options: with which all runners make pictures."""
        self._opened, self._options = opened, options
        self._ledgers: dict[int, Ledger] = {}
        self._signed, self._news, self._lock = 0, LedgerEvents(), threading.Lock()

    def register_runner(self) -> int:
        """A number for a runner that begins; one that comes back is a new one."""
        with self._lock:
            self._signed += 1
            return self._signed

    def lost(self, runner: int) -> None:
        """Somebody has seen that a runner is dead."""
        with self._lock:
            ledger = self._ledgers.pop(runner, None)
        if ledger is not None:
            ledger.abandon()

    def num_pictures(self, runner: int) -> int:
        """As `JobQueue`; so are the others."""
        return self._of(runner).num_pictures()

    def record_model(self, runner: int, model: str) -> None:
        """Notes the model."""
        self._of(runner).record_model(model)

    def claim(self, runner: int, limit: int) -> list[ClaimedJob]:
        """Takes jobs."""
        return self._of(runner).claim(limit)

    def mark_started(self, runner: int, ids: list[str]) -> None:
        """Notes what is about to be made."""
        self._of(runner).mark_started(ids)

    def record(
        self, runner: int, claimed: ClaimedJob, seed: int, files: Mapping[str, bytes],
        metadata: Mapping[str, Any], seconds: float,
    ) -> bool:  # fmt: skip
        """Puts a picture where it belongs, and tells of its job if it was the last of it."""
        ledger = self._of(runner)
        kept = ledger.record(claimed, seed, files, metadata, seconds)
        if kept and (took := ledger.took(claimed)) is not None:
            names = tuple(claimed.job.files)
            self._tell(JobResult(claimed.job.id, claimed.line, names, seconds=took))
        return kept

    def fail(self, runner: int, claimed: ClaimedJob, reason: str) -> bool:
        """Notes that a job cannot be done, and tells of it."""
        failed = self._of(runner).fail(claimed, reason)
        if failed:
            self._tell(JobResult(claimed.job.id, claimed.line, error=reason))
        return failed

    def others_running(self, runner: int) -> bool:
        """Whether other runners have jobs."""
        return self._of(runner).others_running()

    def heartbeat(self, runner: int) -> None:
        """A sign of life."""
        self._of(runner).heartbeat()

    def address(self, runner: int, name: str) -> Path | str:
        """Where a picture is."""
        return self._of(runner).address(name)

    def read(self, path: Path) -> bytes:
        """A file that lies here, for a runner on another machine.

        Raises:
            OSError: if it cannot be read, or is too large for a picture.
        """
        return read_regular(path, MAX_BYTES)

    def say(self, kind: str, line: str) -> None:
        """Something that a person should know."""
        with self._lock:
            self._news.said.append((kind, line))

    def news(self) -> LedgerEvents:
        """What has happened since this was asked last."""
        with self._lock:
            news, self._news = self._news, LedgerEvents()
        return news

    def close(self) -> None:
        """Gives back what nobody will do any more."""
        with self._lock:
            ledgers, self._ledgers = list(self._ledgers.values()), {}
        for ledger in ledgers:
            ledger.close()

    def _of(self, runner: int) -> Ledger:
        with self._lock:
            if runner not in self._ledgers:
                self._ledgers[runner] = self._opened()
                self._ledgers[runner].options = self._options
            return self._ledgers[runner]

    def _tell(self, result: JobResult) -> None:
        with self._lock:
            self._news.results.append(result)
