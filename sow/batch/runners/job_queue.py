"""What a runner asks for and hands in, whether the ledger lies beside it or elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from sow.batch.ledger.ledger import ClaimedJob


class JobQueue(Protocol):
    """Where jobs are fetched and pictures are handed in; a `Ledger` is one.

    All of it raises OutputError where the ledger or the folder of results cannot be used.
    """

    def num_pictures(self) -> int:
        """How many pictures all jobs ask for."""

    def record_model(self, model: str) -> None:
        """Notes the model of the pictures; there is one for all."""

    def claim(self, limit: int) -> list[ClaimedJob]:
        """Takes jobs that wait and nobody has."""

    def input_files(self, claimed: ClaimedJob) -> AbstractContextManager[Mapping[str, Path]]:
        """The files of a job, by the names of its fields, here for as long as they are used.

        Raises:
            SowError: if one is not to be had.
        """

    def mark_started(self, ids: Iterable[str]) -> None:
        """Notes that these are about to be made."""

    def record(
        self, claimed: ClaimedJob, seed: int, files: Mapping[str, bytes], metadata: Mapping[str, Any],
        seconds: float,
    ) -> bool:  # fmt: skip
        """Hands a picture in; False if the job is somebody else's by now."""

    def fail(self, claimed: ClaimedJob, reason: str) -> bool:
        """Notes that a job cannot be done; False if it is somebody else's by now."""

    def others_running(self) -> bool:
        """Whether other runners have jobs, which may come back."""

    def heartbeat(self) -> None:
        """A sign of life, where one is due."""

    def address(self, name: str) -> Path | str:
        """Where a picture of this name is, for whoever wants to open it."""
