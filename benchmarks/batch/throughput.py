"""Pictures a second by the size of batches, beside what the bare UNet gains by the same.

    OMP_NUM_THREADS=1 python -m sow.benchmarks.batch.throughput

On a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from sow.benchmarks.batch.survival import EXAMPLES, FACES, PLACES
from sow.jobs.batch import Batch, Options
from sow.jobs.sources import source_of
from sow.service.asking import PlannerChoice
from sow.service.service import Service

SIZES = (1, 4, 8, 16)
SAMPLES = 40
"""Calls of the bare UNet that are timed."""


def jobs(count: int) -> list[dict[str, Any]]:
    """So many, alike but for face, place and seed."""
    return [
        {"id": f"job-{n:04d}", "image": str(EXAMPLES / f"{FACES[n % 3]}.png"), "seed": n,
         "prompt": f"a person {PLACES[n % 5]}"}
        for n in range(count)
    ]  # fmt: skip


def batch_of(count: int, size: int, out: Path, service: Service, planners: int = 2) -> Batch:
    """A batch whose model is loaded already."""
    options = Options("figures", planner=PlannerChoice("offline"), batch_size=size,
                      planners=planners)  # fmt: skip
    shutil.rmtree(out, ignore_errors=True)
    batch = Batch(source_of(jobs(count), None, {}, out), out, options)
    batch.run.service = batch.run.engine._service = service
    return batch


def bare(service: Service, size: int, branches: int) -> float:
    """Samples a second of the UNet alone, in batches of so many pictures."""
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


def main() -> None:
    """Writes `throughput.md`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--jobs", type=int, default=32)
    options = parser.parse_args()
    service = Service("figures", planner=PlannerChoice("offline"))
    branches = service.model.facts.preset("normal").branches
    rows: list[str] = []
    first = (0.0, 0.0)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        list(batch_of(4, 4, out, service))  # everything is loaded and warm
        for size in SIZES:
            batch, started = batch_of(options.jobs, size, out, service), time.monotonic()
            done = sum(result.done for result in batch)
            rate = done / (time.monotonic() - started)
            unet = bare(service, size, branches)
            first = first if rows else (rate, unet)
            gained, alone = rate / first[0], unet / first[1]
            rows.append(f"| {size} | {rate:.2f} | {gained:.2f} | {alone:.2f} | "
                        f"{gained / alone:.2f} |")  # fmt: skip
            print(rows[-1], flush=True)
    lines = [
        "# Throughput", "",
        f"`python -m sow.benchmarks.batch.throughput --jobs {options.jobs}`, `figures`, "
        f"{torch.get_num_threads()} thread(s) for the engine; planning by rules, looking and "
        "writing run beside it and are counted.", "",
        "| pictures in a call | pictures a second | gain | gain of the bare UNet | of it reached |",
        "|---|---|---|---|---|", *rows, "",
    ]  # fmt: skip
    (options.out / "throughput.md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
