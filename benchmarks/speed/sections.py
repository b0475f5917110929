"""All sections of `sow bench speed`: which there are, and measuring what is missing of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sow.benchmarks.speed.attention import attention
from sow.benchmarks.speed.batches import batches
from sow.benchmarks.speed.compiling import compiling
from sow.benchmarks.speed.cost import calls, wall
from sow.benchmarks.speed.estimates import ASKED, said_of, sample_seconds
from sow.benchmarks.speed.hardware import hardware
from sow.benchmarks.speed.keeping import Keeper
from sow.benchmarks.speed.memory import memory
from sow.benchmarks.speed.presets import presets
from sow.benchmarks.speed.progress import shown
from sow.benchmarks.speed.scaling import scaling
from sow.benchmarks.speed.startup import start
from sow.benchmarks.speed.subject import RANDOM, Subject
from sow.benchmarks.speed.tables import Section
from sow.errors import DeviceError, UsageError
from sow.models import out_of_memory

Growing = Callable[[Subject, int, Section | None], Iterator[Section]]
"""Yields a section as it grows, the last time whole; given subject, rounds, what there is of it."""


@dataclass(frozen=True)
class Part:
    """A section that can be measured.

    Attributes:
        measures: what, in a line.
        grown: measures it.
        estimated: of what the time is told, where not of all.
    """

    measures: str
    grown: Growing
    estimated: str = ""


def whole(measure: Callable[[Subject, int], Section]) -> Growing:
    """A section that comes all at once."""

    def grown(subject: Subject, repeats: int, before: Section | None) -> Iterator[Section]:
        yield measure(subject, repeats)

    return grown


SECTIONS: Mapping[str, Part] = {
    "calls": Part("UNet calls and samples, preset by preset", whole(calls)),
    "wall": Part("a run beside its UNet calls alone, and its other parts", whole(wall)),
    "presets": Part("every preset once with all branches of guidance", presets),
    "attention": Part(
        "modulated attention: a layer by itself, and runs", whole(attention), " for the runs"
    ),
    "batches": Part("a picture's seconds in batches", whole(batches)),
    "scaling": Part("runs of more cycles and on larger canvases", whole(scaling)),
    "memory": Part("memory of runs and of the bare UNet", whole(memory)),
    "hardware": Part("one UNet call in all precisions, layouts and kinds", whole(hardware)),
    "start": Part("what commands cost before they do anything", whole(start)),
    "compile": Part("the UNet's blocks compiled", whole(compiling)),
}
"""In the order in which they are printed."""


def check_sections(names: str | None) -> None:
    """Whether there are such sections, before a model is loaded.

    Raises:
        UsageError: for a section that there is not.
    """
    if names is None:
        return
    for name in _split(names) or [names]:
        if name not in SECTIONS:
            raise UsageError(f"no section {name!r}", f"choose of {', '.join(SECTIONS)}")


def sections_of(
    names: str | None, on_gpu: bool, compiled: bool = False, model: str = ""
) -> list[str]:
    """The sections of a list with commas; without one all that do not take very long.

    On a CPU that leaves out what compiles, and of `sd21-random` every preset.

    Raises:
        UsageError: for a section that there is not.
    """
    check_sections(names)
    if names is not None:
        wanted = _split(names)
        return [name for name in SECTIONS if name in wanted]
    slow = set() if on_gpu or compiled else {"compile"}
    if model == RANDOM and not on_gpu:
        slow.add("presets")
    return [name for name in SECTIONS if name not in slow]


def _split(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def measured(
    subject: Subject,
    names: Sequence[str],
    repeats: int,
    keeper: Keeper,
    told: Callable[[str], None],
) -> Iterator[Section]:
    """The sections, one by one as they are done; each is kept before the next begins.

    What is kept already is not measured again. told: is given a line for a person about each,
    and one about all of them.

    Raises:
        SowError: if settings do not go together, the device has too little memory, or what was
            found cannot be written.
    """
    asked = asked_of(subject, names, repeats, keeper)
    takes = seconds_of(subject, asked)
    missing = list(asked)
    if missing:
        told(said_before(takes))
    for name in names:
        before, part = keeper.before(name), SECTIONS[name]
        if before is not None and name not in asked:
            told(f"{name}: kept from before")
            yield before
            continue
        told(f"{name}: {part.measures}; {said_of(takes[name])}{part.estimated}")
        try:
            with shown(subject, name, asked[name]):
                for section in part.grown(subject, repeats, before):
                    keeper.keep(section)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            raise DeviceError(
                f"{subject.device} has too little memory for the section {name}",
                "leave it out by --sections, or try smaller --sizes or dtype=float16",
            ) from None
        yield section


def asked_of(
    subject: Subject, names: Sequence[str], repeats: int, keeper: Keeper
) -> dict[str, float | None]:
    """The UNet samples that each section still asks for, by those that are missing.

    Raises:
        UsageError: if settings do not go together.
    """
    asked: dict[str, float | None] = {}
    for name in names:
        before = keeper.before(name)
        if before is None or not before.complete:
            asked[name] = ASKED[name](subject, repeats, before)
    return asked


def seconds_of(subject: Subject, asked: Mapping[str, float | None]) -> dict[str, float | None]:
    """How long each will take, as far as it can be told, by one timed call of the UNet."""
    once = sample_seconds(subject) if any(asked.values()) else 0.0
    return {name: None if many is None else many * once for name, many in asked.items()}


def said_before(takes: Mapping[str, float | None]) -> str:
    """What is to come, in a line."""
    known = [seconds for seconds in takes.values() if seconds is not None]
    parts = [said_of(sum(known))] if known else []
    untold = [name for name, seconds in takes.items() if seconds is None]
    if untold:
        parts.append(f"for {', '.join(untold)} {said_of(None)}")
    many = "a section" if len(takes) == 1 else f"{len(takes)} sections"
    return f"{many} to measure: {', '.join(parts)}"
