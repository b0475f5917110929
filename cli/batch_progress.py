"""Progress of a batch: a bar at a terminal, JSON lines for programs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from sow.cli.output import print_note

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from sow.batch.run_batch import Batch
    from sow.batch.runners.runner import JobResult


@contextmanager
def checking(quiet: bool) -> Iterator[Callable[[int], object]]:
    """Show at a terminal how many lines of a manifest have been checked."""
    if quiet or not sys.stderr.isatty():
        yield lambda lines: None
        return
    from rich.console import Console

    with Console(stderr=True).status("checking the jobs") as status:
        yield lambda lines: status.update(f"checking the jobs: {lines} lines")


class Progress:
    """Counts finished jobs and shows them, as a bar or as JSON lines.

    Attributes:
        done, failed: jobs that ended in this run.
        failed_before: jobs that failed in earlier runs.
    """

    def __init__(self, batch: Batch, as_json: bool, quiet: bool) -> None:
        """Read the counts of earlier runs."""
        counts = batch.ledger.counts()
        self._batch, self._json, self._stream = batch, as_json, sys.stdout
        self._left = counts["waiting"] + counts["running"]
        self._before, self.failed_before = counts["done"], counts["failed"]
        self.done = self.failed = 0
        self._started, self._bar = time.monotonic(), self._make_bar(quiet)

    def _make_bar(self, quiet: bool) -> Bar | None:
        if quiet or not sys.stderr.isatty():
            return None
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        return Progress(
            BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(), TextColumn("{task.fields[trouble]}", style="red"),
            console=Console(stderr=True),
        )  # fmt: skip

    def __enter__(self) -> Progress:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task("", total=self._left, rate="", trouble="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        if self._bar is not None:
            self._bar.stop()

    def add(self, result: JobResult) -> None:
        """Count and show a job that has ended."""
        self.done, self.failed = self.done + result.done, self.failed + (not result.done)
        if self._json:
            self._stream.write(json.dumps(self._line(result), ensure_ascii=True) + "\n")
            self._stream.flush()
        if self._bar is not None:
            rate = (self.done + self.failed) / (time.monotonic() - self._started)
            trouble = f"{self.failed} failed" if self.failed else ""
            self._bar.update(self._task, advance=1, rate=format_rate(rate), trouble=trouble)
        if not result.done:
            print_note(f"{result.id} (line {result.line}) failed: {result.error}")

    def _line(self, result: JobResult) -> dict[str, Any]:
        ended = self.done + self.failed
        return {
            "id": result.id,
            "line": result.line,
            "state": "done" if result.done else "failed",
            "files": [str(file) for file in result.files],
            "error": result.error,
            "seconds": round(result.seconds, 3),
            "left": max(0, self._left - ended),
        }

    def summary(self) -> str:
        """Return the counts of this run and of earlier ones in one line."""
        parts = [f"{self.done} done"]
        if self._before:
            parts.append(f"{self._before} done before")
        if self.failed:
            parts.append(f"{self.failed} failed: sow batch status {self._batch.ledger.store.label}")
        if self.failed_before:
            parts.append(f"{self.failed_before} failed before: --retry-failed")
        return ", ".join(parts)


def format_rate(rate: float) -> str:
    """Return jobs per second, minute or hour, with the unit."""
    for unit, seconds in (("s", 1), ("min", 60)):
        if rate * seconds >= 1:
            return f"{rate * seconds:.1f}/{unit}"
    return f"{rate * 3600:.1f}/h"
