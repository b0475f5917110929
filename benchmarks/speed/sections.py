"""All sections of `sow bench speed`: measure what is missing of them, with a progress bar."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sow.benchmarks.output import progress_bar
from sow.benchmarks.speed.attention import attention
from sow.benchmarks.speed.compiling import compiling
from sow.benchmarks.speed.cost import calls, wall
from sow.benchmarks.speed.estimates import SAMPLE_ESTIMATES, sample_seconds
from sow.benchmarks.speed.hardware import hardware, shape_of
from sow.benchmarks.speed.memory import memory
from sow.benchmarks.speed.presets import presets
from sow.benchmarks.speed.scaling import batches, scaling
from sow.benchmarks.speed.startup import start
from sow.benchmarks.speed.store import ReportStore
from sow.benchmarks.speed.subject import RANDOM, Subject
from sow.benchmarks.speed.tables import Section
from sow.errors import DeviceError, UsageError
from sow.models import is_out_of_memory
from sow.utils.representation import duration_text

Growing = Callable[[Subject, int, Section | None], Iterator[Section]]
"""Yields a section as it grows, the last time whole; given subject, rounds, what there is of it."""


@dataclass(frozen=True)
class Part:
    """A section to measure.

    Attributes:
        measures: what is measured, in a line.
        grown: measures it.
        estimated: the part whose time is estimated, if not all of it.
    """

    measures: str
    grown: Growing
    estimated: str = ""


def at_once(measure: Callable[[Subject, int], Section]) -> Growing:
    """Return a section that is measured in one piece."""

    def grown(subject: Subject, repeats: int, before: Section | None) -> Iterator[Section]:
        yield measure(subject, repeats)

    return grown


SECTIONS: Mapping[str, Part] = {
    "calls": Part("UNet calls and samples, preset by preset", at_once(calls)),
    "wall": Part("a run beside its UNet calls alone, and its other parts", at_once(wall)),
    "presets": Part("every preset once with all branches of guidance", presets),
    "attention": Part(
        "modulated attention: a layer by itself, and runs", at_once(attention), " for the runs"
    ),
    "batches": Part("a picture's seconds in batches", at_once(batches)),
    "scaling": Part("runs of more cycles and on larger canvases", at_once(scaling)),
    "memory": Part("memory of runs and of the bare UNet", at_once(memory)),
    "hardware": Part("one UNet call in all precisions, layouts and kinds", at_once(hardware)),
    "start": Part("what commands cost before they do anything", at_once(start)),
    "compile": Part("the UNet's blocks compiled", at_once(compiling)),
}
"""In the order in which they are printed."""


def check_sections(names: str | None) -> None:
    """Check the names of sections before a model is loaded.

    Raises:
        UsageError: for a section that there is not.
    """
    if names is None:
        return
    for name in _split(names) or [names]:
        if name not in SECTIONS:
            raise UsageError(f"unknown section {name!r}", f"choose from {', '.join(SECTIONS)}")


def sections_of(
    names: str | None, on_gpu: bool, compiled: bool = False, model: str = ""
) -> list[str]:
    """Return the named sections; without names, all that are not very slow.

    On a CPU that leaves out what compiles, and of random weights every preset.

    Raises:
        UsageError: for a section that there is not.
    """
    check_sections(names)
    if names is not None:
        wanted = _split(names)
        return [name for name in SECTIONS if name in wanted]
    slow = set() if on_gpu or compiled else {"compile"}
    if model in RANDOM and not on_gpu:
        slow.add("presets")
    return [name for name in SECTIONS if name not in slow]


def _split(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def measured(
    subject: Subject,
    names: Sequence[str],
    repeats: int,
    store: ReportStore,
    report: Callable[[str], None],
) -> Iterator[Section]:
    """Yield the sections one by one as they are done; each is saved before the next begins.

    What is kept already is not measured again. report: is given a line for a person about each,
    and one about all of them.

    Raises:
        SowError: if settings do not go together, the device has too little memory, or what was
            found cannot be written.
    """
    samples = missing_samples(subject, names, repeats, store)
    takes = seconds_of(subject, samples)
    missing = list(samples)
    if missing:
        report(plan_text(takes))
    for name in names:
        before, part = store.before(name), SECTIONS[name]
        if before is not None and name not in samples:
            report(f"{name}: measured before")
            yield before
            continue
        report(f"{name}: {part.measures}; {duration_text(takes[name])}{part.estimated}")
        try:
            with progress(subject, name, samples[name]):
                for section in part.grown(subject, repeats, before):
                    store.keep(section)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise DeviceError(
                f"{subject.device} has too little memory for the section {name}",
                "leave it out by --sections, or try smaller --sizes or dtype=float16",
            ) from None
        yield section


def missing_samples(
    subject: Subject, names: Sequence[str], repeats: int, store: ReportStore
) -> dict[str, float | None]:
    """Return the UNet samples that each unfinished section still needs.

    Raises:
        UsageError: if settings do not go together.
    """
    samples: dict[str, float | None] = {}
    for name in names:
        before = store.before(name)
        if before is None or not before.complete:
            samples[name] = SAMPLE_ESTIMATES[name](subject, repeats, before)
    return samples


def seconds_of(subject: Subject, samples: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return the estimated seconds of each section, by one timed UNet call."""
    once = sample_seconds(subject) if any(samples.values()) else 0.0
    return {name: None if many is None else many * once for name, many in samples.items()}


def plan_text(takes: Mapping[str, float | None]) -> str:
    """Return what will be measured, in one line."""
    known = [seconds for seconds in takes.values() if seconds is not None]
    parts = [duration_text(sum(known))] if known else []
    unknown = [name for name, seconds in takes.items() if seconds is None]
    if unknown:
        parts.append(f"{', '.join(unknown)}: {duration_text(None)}")
    many = "a section" if len(takes) == 1 else f"{len(takes)} sections"
    return f"{many} to measure: {', '.join(parts)}"


@contextmanager
def progress(subject: Subject, caption: str, total: float | None) -> Iterator[None]:
    """Show a progress bar while open; nothing is counted without a terminal or a total.

    said: what it is about. total: samples of the model's own canvas.
    """
    bar = progress_bar(caption, total) if total else None
    if bar is None or bar.disable:
        yield
        return
    samples = bar.total
    height, width = shape_of(subject, 1)[2:]

    def enter(_: Any, args: Any, kwargs: Any) -> None:
        sample = args[0] if args else kwargs.get("sample", kwargs.get("hidden_states"))
        share = sample.shape[0] * sample.shape[2] * sample.shape[3] / (height * width)
        bar.update(min(share, samples - bar.n))

    hook = subject.pipe.denoiser.register_forward_pre_hook(enter, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()
        bar.close()
