"""Measure pictures per second by batch size, beside the same gain of the UNet alone.

    OMP_NUM_THREADS=1 sow bench study throughput

On a machine that does nothing else.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch

from sow.batch.run_batch import Batch
from sow.batch.runners.options import Options
from sow.batch.runners.runner import JobRunner
from sow.batch.sources import make_job_source
from sow.benchmarks.batch.survival import EXAMPLES, FACES, PLACES
from sow.benchmarks.output import StudyOutput
from sow.service.planning import PlannerChoice
from sow.service.service import Service

SIZES = (1, 4, 8, 16)
SAMPLES = 40
"""Calls of the bare UNet that are timed."""


def jobs_of(count: int) -> list[dict[str, Any]]:
    """Return `count` jobs that differ in face, place and seed."""
    return [
        {
            "id": f"job-{n:04d}",
            "image": str(EXAMPLES / f"{FACES[n % 3]}.png"),
            "seed": n,
            "prompt": f"a person {PLACES[n % 5]}",
        }
        for n in range(count)
    ]


def batch_of(count: int, size: int, out: Path, service: Service, planners: int = 2) -> Batch:
    """Return a batch that uses a model already loaded."""
    options = Options(
        "figures", planner=PlannerChoice("offline"), batch_size=size, planners=planners
    )
    shutil.rmtree(out, ignore_errors=True)
    batch = Batch(make_job_source(jobs_of(count), None, {}, out), out, options)
    local_run(batch).service = local_run(batch).engine._service = service
    return batch


def local_run(batch: Batch) -> JobRunner:
    """Return the run of a batch in this process."""
    assert isinstance(batch.runner, JobRunner)
    return batch.runner


def unet_rate(service: Service, size: int, branches: int) -> float:
    """Return samples per second of the UNet alone, in batches of `size` pictures."""
    unet, samples = service.pipe.unet, size * branches
    side = unet.config.sample_size
    latents = torch.randn(samples, unet.config.in_channels, side, side)
    latents = latents.to(memory_format=torch.channels_last)
    words = torch.randn(samples, 77, unet.config.cross_attention_dim)
    calls = max(3, SAMPLES // size)
    with torch.inference_mode():
        unet(latents, 500, words)
        started = time.monotonic()
        for _ in range(calls):
            unet(latents, 500, words)
    return calls * samples / (time.monotonic() - started)


def picture_rate(batch: Batch) -> float:
    """Run a batch and return pictures per second."""
    started = time.monotonic()
    done = sum(result.done for result in batch)
    return done / (time.monotonic() - started)


def rows(measured: dict[int, list[tuple[float, float]]]) -> list[str]:
    """Return a row per size: its rate and its gain over the smallest, beside the UNet's gain."""
    medians = {
        size: (median(rate for rate, _ in found), median(unet for _, unet in found))
        for size, found in measured.items()
    }
    first_rate, first_unet = medians[SIZES[0]]
    return [
        f"| {size} | {rate:.2f} | {rate / first_rate:.2f} | {unet / first_unet:.2f} | "
        f"{rate / first_rate / (unet / first_unet):.2f} |"
        for size, (rate, unet) in medians.items()
    ]


def study(output: StudyOutput, *, jobs: int, rounds: int) -> None:
    """Write `throughput.md`."""
    output.check_output_path("throughput.md")
    service = Service("figures", planner=PlannerChoice("offline"))
    branches = service.model.checkpoint_spec.preset("normal").branches
    measured: dict[int, list[tuple[float, float]]] = {size: [] for size in SIZES}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        list(batch_of(4, 4, out, service))  # everything is loaded and warm
        for number in range(rounds):
            for size in SIZES if number % 2 == 0 else SIZES[::-1]:
                before = unet_rate(service, size, branches)
                rate = picture_rate(batch_of(jobs, size, out, service))
                unet = (before + unet_rate(service, size, branches)) / 2
                measured[size].append((rate, unet))
                output.log(f"{size} at a time: {rate:.3f} pictures, {unet:.3f} samples a second")
    output.write_page(
        "throughput.md",
        [
            "# Throughput",
            "",
            f"`{output.command}`, `figures`, {torch.get_num_threads()} thread(s) for the engine; "
            "planning by rules, looking and writing run beside it and are counted. Medians of the "
            "rounds; the bare UNet is timed before and after each batch.",
            "",
            "| pictures in a call | pictures a second | gain | gain of the bare UNet "
            "| of it reached |",
            "|---|---|---|---|---|",
            *rows(measured),
        ],
    )
