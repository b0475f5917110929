"""Every preset once, with all branches of guidance, against the same UNet calls alone.

A rehearsal: with `--model sd21-random` the whole architecture of Stable Diffusion 2.1 draws what
each preset draws, and shows what it asks for, how much memory it needs and how long it takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from sow.benchmarks.speed.memory import MIB, Peak, peak_of
from sow.benchmarks.speed.subject import PLANTS_NOTHING, RANDOM, Subject
from sow.benchmarks.speed.tables import Cell, Section, Table
from sow.benchmarks.speed.timing import Elapsed, Operation, Times, timed
from sow.errors import UsageError
from sow.pipeline.calls import count_forwards
from sow.service.fitting import resolve_settings
from sow.settings.settings import PRESETS, Settings

NAME = "presets"
COLUMNS = ("preset", "UNet calls", "UNet samples", "memory of the run, MiB more",
           "memory in all, MiB", "run, s", "the same UNet calls alone, s",
           "run / UNet calls")  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """Settings to draw.

    Attributes:
        settings: what it comes to for this model.
        bare: whether nothing is planted.
    """

    settings: Settings
    bare: bool


def drawn(subject: Subject) -> Mapping[str, Drawn]:
    """Return the settings to draw, by the names of the presets that share them.

    Raises:
        UsageError: if a preset cannot have what was changed by `--set`.
    """
    names: dict[Drawn, list[str]] = {}
    for name in PRESETS:
        full = subject.pipe.preset(name).changed(outside="pair")
        try:
            settings = resolve_settings(full, subject.changed, None)
        except UsageError as error:
            raise UsageError(
                f"the preset {name} with these settings: {error.what}",
                "leave out the section presets, or change --set",
            ) from None
        names.setdefault(Drawn(settings, name == PLANTS_NOTHING), []).append(name)
    return {", ".join(several): each for each, several in names.items()}


def presets(subject: Subject, repeats: int, before: Section | None) -> Iterator[Section]:
    """Measure the missing presets; yield the section after each of them.

    There is nothing to repeat.
    """
    several, chosen_ones = drawn(subject), wanted(subject)
    rows = rows_of(before)
    known = {row[0] for row in rows}
    if subject.name not in RANDOM or subject.device.type != "cpu":
        subject.picture()()  # whatever is loaded at its first use
    for name, each in chosen_ones.items():
        if name not in known:
            rows.append(row_of(subject, name, each))
            yield section_of(rows, len(rows) == len(several))


def wanted(subject: Subject) -> Mapping[str, Drawn]:
    """Return the presets to draw in this run."""
    return {
        names: each
        for names, each in drawn(subject).items()
        if not subject.only or set(subject.only) & set(names.split(", "))
    }


def rows_of(before: Section | None) -> list[Sequence[Cell]]:
    """Return the rows of an earlier run."""
    return [row for table in before.tables[:1] for row in table.rows] if before else []


def section_of(rows: Sequence[Sequence[Cell]], complete: bool) -> Section:
    """Return the section with these rows."""
    caption = (
        "Each preset once, with all branches of guidance on; those that come to the same settings "
        "are drawn once. Memory: the most at a time, beside what was taken before the run, and in "
        "all. The bare UNet is given noise of the same shapes, as often."
    )
    return Section(NAME, "Presets with all branches", [Table(COLUMNS, rows, caption)], complete)


def row_of(subject: Subject, name: str, each: Drawn) -> Sequence[Cell]:
    """Measure one preset; calls are counted in the timed run."""
    run = subject.picture(each.settings, bare=each.bare)
    with count_forwards(subject.pipe.denoiser) as spent:
        elapsed, peak = timed_with_peak(run, subject)
    bare = subject.bare(spent.shapes)
    ratio = Times([{"run": elapsed, "bare": bare}], subject.device.type == "cpu").ratio(
        "run", "bare"
    )
    more, total = (None, None) if peak is None else (peak.more / MIB, peak.total / MIB)
    return (name, spent.calls, spent.samples, more, total, elapsed.wall, bare.wall, ratio)


def timed_with_peak(run: Operation, subject: Subject) -> tuple[Elapsed, Peak | None]:
    """Return the time of a run, and its peak memory if it can be measured."""
    elapsed: list[Elapsed] = []
    once = partial(timed, run, subject.device)
    peak = peak_of(lambda: elapsed.append(once()), subject.device)
    return (elapsed[0] if elapsed else once()), peak
