"""The job queue of a runner: a local ledger, or one on another machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from sow.batch.ledger.ledger import ClaimedJob


class JobQueue(Protocol):
    """Where a runner claims jobs and records pictures; a `Ledger` is one.

    All methods raise OutputError if the ledger or the results cannot be accessed.
    """

    def num_pictures(self) -> int:
        """Return the number of pictures of all jobs."""

    def record_model(self, model: str) -> None:
        """Record the model, which is the same for all pictures."""

    def claim(self, limit: int) -> list[ClaimedJob]:
        """Claim up to `limit` waiting jobs."""

    def input_files(self, claimed: ClaimedJob) -> AbstractContextManager[Mapping[str, Path]]:
        """Provide the input files of a job, by field name, while the context is open.

        Raises:
            SowError: if one is missing or unreadable.
        """

    def mark_started(self, ids: Iterable[str]) -> None:
        """Record that the engine starts with these jobs."""

    def record(
        self,
        claimed: ClaimedJob,
        seed: int,
        files: Mapping[str, bytes],
        metadata: Mapping[str, Any],
        seconds: float,
    ) -> bool:
        """Write and record a picture; return False if this runner does not hold the job any more.

        Args:
            files: contents by file name: the picture and what belongs to it.
            metadata: its line of `metadata.jsonl`.
            seconds: the time it took.
        """

    def fail(self, claimed: ClaimedJob, reason: str) -> bool:
        """Record that a job failed; return False if this runner does not hold it any more."""

    def others_running(self) -> bool:
        """Return whether other runners hold jobs, which may become free again."""

    def heartbeat(self) -> None:
        """Send a heartbeat, if one is due."""

    def address(self, name: str) -> Path | str:
        """Return the path or address of a picture."""
