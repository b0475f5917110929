"""Kill runners of a real Ray cluster, one after another, and check what is left.

OMP_NUM_THREADS=1 sow bench study cluster
"""

from __future__ import annotations

import os
import random
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

from sow.batch.run_batch import Batch
from sow.batch.runners.cluster import Cluster
from sow.batch.runners.options import Options
from sow.batch.runners.ray_runner import RayRunner
from sow.batch.sources import make_job_source
from sow.benchmarks.batch.survival import hashes, recorded, verdict_table
from sow.benchmarks.batch.throughput import jobs_of
from sow.benchmarks.output import StudyOutput
from sow.service.planning import PlannerChoice


def batch_of(count: int, out: Path, cluster: Cluster | None) -> Batch:
    """Return a batch of `count` jobs into a folder."""
    options = Options("figures", planner=PlannerChoice("offline"), batch_size=2, cluster=cluster)
    return Batch(make_job_source(jobs_of(count), None, {}, out), out, options)


def pid_of(runner: Any) -> int:
    """Return the process id of a runner."""
    import ray

    return int(ray.get(runner.actor.__ray_call__.remote(lambda worker: os.getpid())))


def carried_out(batch: Batch, kills: int, dice: random.Random) -> list[dict[str, Any]]:
    """Run a batch and kill a runner whenever another share of it is done."""
    total = batch.ledger.counts()["waiting"]
    steps: list[dict[str, Any]] = []
    for done, _ in enumerate(batch, 1):
        if len(steps) < kills and done >= total * (len(steps) + 1) // (kills + 2):
            assert isinstance(batch.runner, RayRunner)
            os.kill(pid_of(dice.choice(batch.runner._runners)), signal.SIGKILL)
            steps.append(recorded(batch.folder))
    return steps


def study(output: StudyOutput, *, jobs: int, workers: int, kills: int) -> None:
    """Write `cluster.md`."""
    output.check_output_path("cluster.md")
    with tempfile.TemporaryDirectory() as folder:
        plain, out = Path(folder) / "plain", Path(folder) / "out"
        started = time.monotonic()
        list(batch_of(jobs, plain, None))
        alone = time.monotonic() - started
        batch = batch_of(jobs, out, Cluster("local", workers))
        started = time.monotonic()
        steps = carried_out(batch, kills, random.Random(1))
        elapsed = time.monotonic() - started
        last, made = recorded(out), hashes(out)
        again = [name for step in steps for name, mark in step.items() if last.get(name) != mark]
        found: dict[str, bool | str] = {
            "runners killed": str(len(steps)),
            "every job has exactly one picture": len(made) == len(last) == jobs,
            "no picture was made again after it was recorded": not again,
            "all pixels are those of the local runner": made == hashes(plain),
            "seconds with the local runner": f"{alone:.0f}",
            "seconds with Ray, its start and those of the killed included": f"{elapsed:.0f}",
        }
    output.write_page(
        "cluster.md",
        [
            "# With Ray, runners killed",
            "",
            f"`{output.command}`: `figures`, two pictures in a "
            f"call, {os.cpu_count()} cores; runners killed with SIGKILL while "
            "they work.",
            "",
            *verdict_table(found),
        ],
    )
