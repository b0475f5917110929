"""How long it takes to see that a hundred thousand jobs are done, and what a million lines take.

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

from sow.benchmarks.batch.survival import EXAMPLES
from sow.benchmarks.desk import Desk
from sow.jobs.ledger import Ledger
from sow.jobs.stores import LocalStore, Place

REST: dict[str, Any] = {"prompt": "a person in a red coat", "seconds": 1.0, "notes": []}
WORDS = ("--model", "figures", "--planner", "offline", "--quiet")


def manifest(folder: Path, count: int) -> Path:
    """So many jobs of one picture."""
    shutil.copy(EXAMPLES / "drawn-beard.png", folder / "face.png")
    path = folder / f"{count}.jsonl"
    with path.open("w") as lines:
        for number in range(count):
            job = {"id": f"job-{number:07d}", "image": "face.png", "seed": number,
                   "prompt": "a person in a red coat in the forest"}  # fmt: skip
            lines.write(json.dumps(job) + "\n")
    return path


def admitted(jobs: Path, out: Path) -> tuple[float, float]:
    """Seconds and megabytes of a process that only takes a manifest in."""
    code = (
        "import sys, resource; from pathlib import Path\n"
        "from sow.jobs.batch import Batch\n"
        "from sow.jobs.options import Options\n"
        "from sow.jobs.sources import source_of\n"
        "from sow.service.asking import PlannerChoice\n"
        "options = Options('figures', planner=PlannerChoice('offline'))\n"
        "jobs, out = Path(sys.argv[1]), Path(sys.argv[2])\n"
        "batch = Batch(source_of(jobs, None, {}, out), out, options)\n"
        "batch.ledger.close()\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)\n"
    )
    started = time.monotonic()
    ran = subprocess.run([sys.executable, "-c", code, str(jobs), str(out)], capture_output=True,
                         text=True, check=True)  # fmt: skip
    return time.monotonic() - started, float(ran.stdout)


class Touching(LocalStore):
    """Files that are only there: nobody waits until a hundred thousand are on the disk."""

    @contextmanager
    def bringing(self, files: Mapping[str, bytes]) -> Iterator[Place]:
        """As `LocalStore`, without a file aside."""

        def place() -> None:
            for name in files:
                self.address(name).touch()

        yield place


def all_done(out: Path) -> None:
    """Notes every job as done, with a file in its place."""
    ledger = Ledger(out, Touching(out))
    while taken := ledger.claim(5000):
        for claimed in taken:
            (seed,) = claimed.seeds
            name = claimed.file_of(seed)
            told = {"file_name": name, "id": claimed.job.id, "seed": seed}
            ledger.record(claimed, seed, {name: b""}, {**told, **REST}, 1.0)
    ledger.close()


def again(jobs: Path, out: Path) -> tuple[float, float]:
    """Seconds and megabytes of `sow batch` where nothing is left to do."""
    started = time.monotonic()
    command = [sys.executable, "-m", "sow", "batch", str(jobs), "--out", str(out), *WORDS]
    subprocess.run(command, check=True)
    return time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def study(desk: Desk, *, done: int, lines: int) -> None:
    """Writes `resume.md`."""
    desk.free("resume.md")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        few = admitted(manifest(home, 1000), home / "few")
        many = admitted(manifest(home, lines), home / "many")
        jobs = manifest(home, done)
        taken = admitted(jobs, home / "done")
        all_done(home / "done")
        resumed = [again(jobs, home / "done")[0] for _ in range(3)]
    desk.page("resume.md", [
        "# Manifests taken in, and seen to be done", "",
        f"`{desk.command}`, "
        "JSON Lines; memory is the most that the process ever had.", "",
        "| | seconds | MB |", "|---|---|---|",
        f"| 1,000 new jobs, checked and taken in | {few[0]:.1f} | {few[1]:.0f} |",
        f"| {done:,} new jobs | {taken[0]:.1f} | {taken[1]:.0f} |",
        f"| {lines:,} new jobs | {many[0]:.1f} | {many[1]:.0f} |",
        f"| `sow batch` again, {done:,} jobs done, best of 3 (the process in whole) | "
        f"{min(resumed):.2f} | |",
    ])  # fmt: skip
