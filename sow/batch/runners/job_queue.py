"""What a runner asks for and hands in, whether the ledger lies beside it or elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from sow.batch.ledger.ledger import Claimed


class Desk(Protocol):
    """Where jobs are fetched and pictures are handed in; a `Ledger` is one.

    All of it raises OutputError where the ledger or the folder of results cannot be used.
    """

    def pictures(self) -> int:
        """How many pictures all jobs ask for."""

    def made_with(self, model: str) -> None:
        """Notes the model of the pictures; there is one for all."""

    def claim(self, most: int) -> list[Claimed]:
        """Takes jobs that wait and nobody has."""

    def inputs(self, claimed: Claimed) -> AbstractContextManager[Mapping[str, Path]]:
        """The files of a job, by the names of its fields, here for as long as they are used.

        Raises:
            SowError: if one is not to be had.
        """

    def begin(self, ids: Iterable[str]) -> None:
        """Notes that these are about to be made."""

    def record(
        self, claimed: Claimed, seed: int, files: Mapping[str, bytes], told: Mapping[str, Any],
        seconds: float,
    ) -> bool:  # fmt: skip
        """Hands a picture in; False if the job is somebody else's by now."""

    def fail(self, claimed: Claimed, reason: str) -> bool:
        """Notes that a job cannot be done; False if it is somebody else's by now."""

    def others_at_work(self) -> bool:
        """Whether other runners have jobs, which may come back."""

    def beat(self) -> None:
        """A sign of life, where one is due."""

    def address(self, name: str) -> Path | str:
        """Where a picture of this name is, for whoever wants to open it."""
