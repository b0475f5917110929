"""Measure how long it takes to see that 100,000 jobs are done, and to read a million lines.

sow bench study resume
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sow.batch.ledger.ledger import Ledger
from sow.batch.ledger.stores import Commit, LocalStore
from sow.benchmarks.batch.survival import EXAMPLES
from sow.benchmarks.output import StudyOutput

REST: dict[str, Any] = {"prompt": "a person in a red coat", "seconds": 1.0, "notes": []}
WORDS = ("--model", "figures", "--planner", "offline", "--quiet")


def manifest(folder: Path, count: int) -> Path:
    """Write a manifest of `count` jobs with one picture each."""
    shutil.copy(EXAMPLES / "drawn-beard.png", folder / "face.png")
    path = folder / f"{count}.jsonl"
    with path.open("w") as lines:
        for number in range(count):
            job = {
                "id": f"job-{number:07d}",
                "image": "face.png",
                "seed": number,
                "prompt": "a person in a red coat in the forest",
            }
            lines.write(json.dumps(job) + "\n")
    return path


def admitted(jobs: Path, out: Path) -> tuple[float, float]:
    """Return the seconds and megabytes of a process that only reads a manifest."""
    code = (
        "import sys, resource; from pathlib import Path\n"
        "from sow.batch.run_batch import Batch\n"
        "from sow.batch.runners.options import Options\n"
        "from sow.batch.sources import make_job_source\n"
        "from sow.service.planning import PlannerChoice\n"
        "options = Options('figures', planner=PlannerChoice('offline'))\n"
        "jobs, out = Path(sys.argv[1]), Path(sys.argv[2])\n"
        "batch = Batch(make_job_source(jobs, None, {}, out), out, options)\n"
        "batch.ledger.close()\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)\n"
    )
    started = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-c", code, str(jobs), str(out)],
        capture_output=True,
        text=True,
        check=True,
    )
    return time.monotonic() - started, float(ran.stdout)


class Touching(LocalStore):
    """A store of empty files: writing a hundred thousand pictures would take too long."""

    @contextmanager
    def staged(self, files: Mapping[str, bytes]) -> Iterator[Commit]:
        """Create empty files, without temporary copies."""

        def commit() -> list[str]:
            for name in files:
                self.address(name).touch()
            return []

        yield commit


def all_done(out: Path) -> None:
    """Record every job as done, with an empty file for its picture."""
    ledger = Ledger(out, Touching(out))
    while taken := ledger.claim(5000):
        for claimed in taken:
            (seed,) = claimed.seeds
            name = claimed.file_of(seed)
            entry = {"file_name": name, "id": claimed.job.id, "seed": seed}
            ledger.record(claimed, seed, {name: b""}, {**entry, **REST}, 1.0)
    ledger.close()


def again(jobs: Path, out: Path) -> tuple[float, float]:
    """Return the seconds and megabytes of `sow batch` when nothing is left to do."""
    started = time.monotonic()
    command = [sys.executable, "-m", "sow", "batch", str(jobs), "--out", str(out), *WORDS]
    subprocess.run(command, check=True)
    return time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def study(output: StudyOutput, *, done: int, lines: int) -> None:
    """Write `resume.md`."""
    output.check_output_path("resume.md")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        few = admitted(manifest(home, 1000), home / "few")
        many = admitted(manifest(home, lines), home / "many")
        jobs = manifest(home, done)
        taken = admitted(jobs, home / "done")
        all_done(home / "done")
        resumed = [again(jobs, home / "done")[0] for _ in range(3)]
    output.write_page(
        "resume.md",
        [
            "# Manifests taken in, and seen to be done",
            "",
            f"`{output.command}`, JSON Lines; memory is the most that the process ever had.",
            "",
            "| | seconds | MB |",
            "|---|---|---|",
            f"| 1,000 new jobs, checked and taken in | {few[0]:.1f} | {few[1]:.0f} |",
            f"| {done:,} new jobs | {taken[0]:.1f} | {taken[1]:.0f} |",
            f"| {lines:,} new jobs | {many[0]:.1f} | {many[1]:.0f} |",
            f"| `sow batch` again, {done:,} jobs done, best of 3 (the process in whole) | "
            f"{min(resumed):.2f} | |",
        ],
    )
