"""The Ray actor that owns the ledger, which runners on other machines call.

SQLite does not work on network file systems, so the ledger stays on the machine of the command and
pictures are sent to it.
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
    """Events since the last poll.

    Attributes:
        results: the results of jobs that have ended; their files are names only.
        reports: messages for the user: kind and line.
    """

    results: list[JobResult] = field(default_factory=list)
    reports: list[tuple[str, str]] = field(default_factory=list)


class LedgerActor:
    """Forwards the calls of registered runners, each to its own `Ledger` object.

    Methods that have the name of a method of `JobQueue` do the same, for the runner of that number.
    """

    def __init__(self, open_ledger: Callable[[], Ledger], options: str) -> None:
        """Store how to open the ledger, and the options with which all runners make pictures."""
        self._open_ledger, self._options = open_ledger, options
        self._ledgers: dict[int, Ledger] = {}
        self._num_registered, self._events, self._lock = 0, LedgerEvents(), threading.Lock()

    def register_runner(self) -> int:
        """Return a number for a runner; one that was restarted gets a new one."""
        with self._lock:
            self._num_registered += 1
            return self._num_registered

    def mark_dead(self, runner: int) -> None:
        """Release the jobs of a runner that has died."""
        with self._lock:
            ledger = self._ledgers.pop(runner, None)
        if ledger is not None:
            ledger.abandon()

    def num_pictures(self, runner: int) -> int:
        """Return the number of pictures of all jobs."""
        return self._ledger_of(runner).num_pictures()

    def record_model(self, runner: int, model: str) -> None:
        """Record the model of the pictures."""
        self._ledger_of(runner).record_model(model)

    def claim(self, runner: int, limit: int) -> list[ClaimedJob]:
        """Claim up to `limit` waiting jobs."""
        return self._ledger_of(runner).claim(limit)

    def mark_started(self, runner: int, ids: list[str]) -> None:
        """Record that the engine starts with these jobs."""
        self._ledger_of(runner).mark_started(ids)

    def record(
        self, runner: int, claimed: ClaimedJob, seed: int, files: Mapping[str, bytes],
        metadata: Mapping[str, Any], seconds: float,
    ) -> bool:  # fmt: skip
        """Write and record a picture; add the job's result if it was the last one."""
        ledger = self._ledger_of(runner)
        recorded = ledger.record(claimed, seed, files, metadata, seconds)
        if recorded and (seconds_spent := ledger.seconds_spent(claimed)) is not None:
            names = tuple(claimed.job.files)
            self._add_result(JobResult(claimed.job.id, claimed.line, names, seconds=seconds_spent))
        return recorded

    def fail(self, runner: int, claimed: ClaimedJob, reason: str) -> bool:
        """Record that a job failed, and add its result."""
        failed = self._ledger_of(runner).fail(claimed, reason)
        if failed:
            self._add_result(JobResult(claimed.job.id, claimed.line, error=reason))
        return failed

    def others_running(self, runner: int) -> bool:
        """Return whether other runners hold jobs."""
        return self._ledger_of(runner).others_running()

    def heartbeat(self, runner: int) -> None:
        """Send a heartbeat, if one is due."""
        self._ledger_of(runner).heartbeat()

    def address(self, runner: int, name: str) -> Path | str:
        """Return the path or address of a picture."""
        return self._ledger_of(runner).address(name)

    def read(self, path: Path) -> bytes:
        """Return the content of a file of this machine.

        Raises:
            OSError: if it cannot be read, or is too large for a picture.
        """
        return read_regular(path, MAX_BYTES)

    def report(self, kind: str, line: str) -> None:
        """Add a message for the user."""
        with self._lock:
            self._events.reports.append((kind, line))

    def take_events(self) -> LedgerEvents:
        """Return the events since the last call."""
        with self._lock:
            events, self._events = self._events, LedgerEvents()
        return events

    def close(self) -> None:
        """Close all ledgers, which releases unfinished jobs."""
        with self._lock:
            ledgers, self._ledgers = list(self._ledgers.values()), {}
        for ledger in ledgers:
            ledger.close()

    def _ledger_of(self, runner: int) -> Ledger:
        with self._lock:
            if runner not in self._ledgers:
                self._ledgers[runner] = self._open_ledger()
                self._ledgers[runner].options = self._options
                self._ledgers[runner].report = self.report
            return self._ledgers[runner]

    def _add_result(self, result: JobResult) -> None:
        with self._lock:
            self._events.results.append(result)
