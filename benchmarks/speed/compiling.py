"""The cost and gain of `torch.compile` on the UNet's repeated blocks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from sow.benchmarks.speed.subject import Subject
from sow.benchmarks.speed.tables import Section, Table
from sow.benchmarks.speed.timing import Elapsed, alternated, timed
from sow.pipeline.compiling import compile_blocks


def compiling(subject: Subject, repeats: int) -> Section:
    """Measure the first picture, cold and with a warm cache, and later ones, against uncompiled."""
    plain = Subject.load(
        subject.name,
        device=str(subject.device),
        changed=subject.changed,
        dtype=str(subject.dtype).removeprefix("torch."),
    )
    runs, first = plain.picture(), plain.picture(output_type="pt")
    before = first().images
    with empty_cache():
        compile_blocks(plain.pipe, fullgraph=True)
        cold, graphs, breaks = compiled(runs, plain.device)
        _, again, _ = compiled(runs, plain.device)
        torch._dynamo.reset()
        warm, _, _ = compiled(runs, plain.device)
        away = float((first().images - before).abs().max()) * 255
        other = Subject.load(
            subject.name,
            device=str(subject.device),
            changed=subject.changed,
            dtype=str(subject.dtype).removeprefix("torch."),
        )
        times = alternated({"compiled": runs, "plain": other.picture()}, repeats, plain.device)
    torch._dynamo.reset()
    uncompiled = times.seconds("plain")
    row = (
        cold.wall - uncompiled,
        cold.cpu,
        warm.wall - uncompiled,
        graphs,
        breaks,
        again,
        uncompiled,
        times.seconds("compiled"),
        times.ratio("compiled", "plain"),
        away,
    )
    caption = (
        "`sow.compile_blocks(pipe, fullgraph=True)`: a break in a graph would be an error. The "
        "first picture is timed with an empty cache of compiled code and with a full one; what it "
        "takes more than others is the compiling."
    )
    columns = (
        "compiling cold, s",
        "CPU seconds of the first picture",
        "compiling warm, s",
        "graphs",
        "breaks",
        "graphs of the second picture",
        "run uncompiled, s",
        "run compiled, s",
        "compiled / uncompiled",
        "largest difference of a pixel, of 255",
    )
    return Section("compile", "Compiled blocks", [Table(columns, [row], caption)])


def compiled(work: Callable[[], Any], device: torch.device) -> tuple[Elapsed, int, int]:
    """Return the time of some work, and its numbers of compiled graphs and graph breaks."""
    counters = torch._dynamo.utils.counters
    counters.clear()
    elapsed = timed(work, device)
    return elapsed, counters["stats"]["unique_graphs"], sum(counters["graph_break"].values())


def empty_cache() -> AbstractContextManager[Any]:
    """Make inductor use a new cache folder while open."""
    from torch._inductor import utils

    opened = getattr(utils, "fresh_cache", None) or getattr(utils, "fresh_inductor_cache", None)
    return nullcontext() if opened is None else opened()
