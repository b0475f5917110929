"""How long a section will take: the UNet samples it will ask for, by what one of them takes here.

The unit is a sample of the model's own canvas; one of a larger canvas counts as much more as it
has pixels. What is spent beside the UNet is not in it, and neither is what many samples in a call
gain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from sow.benchmarks.speed.attention import EVERYTHING, OFF
from sow.benchmarks.speed.cost import variants
from sow.benchmarks.speed.hardware import BACKENDS, LAYOUTS, PICTURES, dtypes_of, shape_of
from sow.benchmarks.speed.presets import rows_of, wanted
from sow.benchmarks.speed.scaling import CANVASES, CYCLES
from sow.benchmarks.speed.subject import PLANTS_NOTHING, RANDOM, Subject
from sow.benchmarks.speed.tables import Section
from sow.benchmarks.speed.timing import timed
from sow.diffusion.guidance import num_conditions
from sow.diffusion.recording import unet_calls_of
from sow.settings import Outside, Settings

Asked = Callable[[Subject, int, Section | None], float | None]
"""Samples by subject, rounds, and what is there of the section; None: they do not tell its time."""


def calls_of(settings: Settings, bare: bool = False) -> Counter[int]:
    """How often one picture asks the UNet for so many samples; nothing is drawn for it.

    bare: nothing is planted, and there is no noun to suppress outside of it.
    """
    outside: Outside | None = "none" if bare else None
    calls = unet_calls_of(settings, alone=0 if bare else 1)
    return Counter(num_conditions(call, settings, outside) for call in calls)


def samples_of(settings: Settings, bare: bool = False, most: int | None = None) -> int:
    """Samples of one picture; most: of each number of samples only so many calls are made."""
    found = calls_of(settings, bare)
    return sum(n * (calls if most is None else min(calls, most)) for n, calls in found.items())


def bare_of(subject: Subject, settings: Settings, bare: bool = False) -> int:
    """Samples of a picture's UNet calls alone."""
    return samples_of(settings, bare, subject.bare_calls)


def counting(subject: Subject, settings: Settings, bare: bool = False) -> int:
    """Samples for `Subject.shapes`: a small model counts for random weights."""
    return 0 if subject.name == RANDOM else samples_of(settings, bare)


def of_calls(subject: Subject, repeats: int, before: Section | None) -> float | None:
    """A picture each, to count."""
    return sum(
        counting(subject, settings, name == PLANTS_NOTHING)
        for name, settings in variants(subject).items()
    )


def of_wall(subject: Subject, repeats: int, before: Section | None) -> float | None:
    """A run and its calls alone, by turns."""
    own = subject.settings
    warm = 0 if subject.name == RANDOM and subject.device.type == "cpu" else 1
    runs = (repeats + warm) * samples_of(own)
    return counting(subject, own) + runs + repeats * bare_of(subject, own)


def of_presets(subject: Subject, repeats: int, before: Section | None) -> float | None:
    """Those that are missing, each with its calls alone."""
    known = {row[0] for row in rows_of(before)}
    warm = subject.name != RANDOM or subject.device.type != "cpu"
    asked = samples_of(subject.settings) if warm else 0
    for name, each in wanted(subject).items():
        if name not in known:
            asked += samples_of(each.settings, each.bare)
            asked += bare_of(subject, each.settings, each.bare)
    return asked


def of_attention(subject: Subject, repeats: int, before: Section | None) -> float | None:
    """Three runs by turns; the layer by itself is no matter of samples."""
    several = (OFF, {**OFF, "alpha_plus": 0.7}, EVERYTHING)
    return (1 + repeats) * sum(samples_of(subject.settings.changed(**each)) for each in several)


def of_batches(subject: Subject, repeats: int, before: Section | None) -> float | None:
    """Of every size a run between its calls alone."""
    own = subject.settings
    once = counting(subject, own) + repeats * (samples_of(own) + 2 * bare_of(subject, own))
    return sum(subject.sizes) * once


def of_scaling(subject: Subject, repeats: int, before: Section | None) -> float | None:
    """Runs of several cycles and canvases."""
    rounds = 1 + repeats
    asked = 0.0
    for cycles in CYCLES:
        settings = subject.settings.changed(cycles=cycles)
        asked += rounds * samples_of(settings) + counting(subject, settings)
    larger = sum(width * height for width, height in CANVASES)
    return asked + rounds * larger * samples_of(subject.settings)


def of_memory(subject: Subject, repeats: int, before: Section | None) -> float | None:
    """Of every size a run and its largest call, once for each measure."""
    own = subject.settings
    once = (1 + repeats) * (samples_of(own) + max(calls_of(own))) + counting(subject, own)
    return samples_of(own) + sum(subject.sizes) * once


def of_hardware(subject: Subject, repeats: int, before: Section | None) -> float | None:
    """One call, in many ways; other precisions are taken to be as fast."""
    kind = subject.device.type
    one = shape_of(subject, 1)[0]
    several = one * sum(PICTURES.get(kind, (1,)))
    rounds = 1 + repeats
    ways = len(dtypes_of(subject.device))
    graphs = several * (4 + 2 * rounds) if kind == "cuda" else 0
    precisions = ways * several * (1 + len(LAYOUTS) * rounds)
    return precisions + one * (len(BACKENDS) + (1 + len(BACKENDS)) * rounds) + graphs


def untold(subject: Subject, repeats: int, before: Section | None) -> float | None:
    """Other programs, or a compiler: nothing here tells how long they take."""
    return None


ASKED: Mapping[str, Asked] = {
    "calls": of_calls, "wall": of_wall, "presets": of_presets, "attention": of_attention,
    "batches": of_batches, "scaling": of_scaling, "memory": of_memory, "hardware": of_hardware,
    "start": untold, "compile": untold,
}  # fmt: skip
"""By section."""


def sample_seconds(subject: Subject) -> float:
    """What a sample takes here on the clock: one timed call of the UNet, as a run has most of them.

    Of random weights at full size it takes many seconds on a CPU: there the first call counts.
    """
    shape = shape_of(subject, 1)
    call = subject.unet(shape)
    if subject.name != RANDOM or subject.device.type != "cpu":
        call()
    return timed(call, subject.device).wall / shape[0]


def said_of(seconds: float | None) -> str:
    """How long something will take, in words; None: it cannot be told."""
    if seconds is None:
        return "how long cannot be told beforehand"
    if seconds < 10:
        return "some seconds"
    if seconds < 100:
        return f"about {round(seconds, -1):.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"about {minutes} min"
    hours, left = divmod(round(minutes, -1), 60)
    return f"about {hours} h {left} min" if left else f"about {hours} h"
