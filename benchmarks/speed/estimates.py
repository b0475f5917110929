"""Estimate the time of a section: its UNet samples times the measured time of one sample.

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
from sow.diffusion.recording import num_conditions, unet_calls_of
from sow.settings.settings import Outside, Settings

SampleEstimate = Callable[[Subject, int, Section | None], float | None]
"""Samples by subject, rounds, and what is there of the section; None: they do not tell its time."""


def calls_of(settings: Settings, bare: bool = False) -> Counter[int]:
    """Return how often one picture calls the UNet with each number of samples, without drawing.

    bare: nothing is planted, and there is no noun to suppress outside of it.
    """
    outside: Outside | None = "none" if bare else None
    calls = unet_calls_of(settings, alone=0 if bare else 1)
    return Counter(num_conditions(call, settings, outside) for call in calls)


def samples_of(settings: Settings, bare: bool = False, most: int | None = None) -> int:
    """Return the samples of one picture. most: count at most so many calls of each size."""
    found = calls_of(settings, bare)
    return sum(n * (calls if most is None else min(calls, most)) for n, calls in found.items())


def bare_of(subject: Subject, settings: Settings, bare: bool = False) -> int:
    """Return the samples of a picture's UNet calls alone."""
    return samples_of(settings, bare, subject.bare_calls)


def counting(subject: Subject, settings: Settings, bare: bool = False) -> int:
    """Return the samples used by `Subject.shapes`; none for random weights."""
    return 0 if subject.name in RANDOM else samples_of(settings, bare)


def of_calls(subject: Subject, repeats: int, before: Section | None) -> float | None:
    """Estimate one picture per variant."""
    return sum(
        counting(subject, settings, name == PLANTS_NOTHING)
        for name, settings in variants(subject).items()
    )


def of_wall(subject: Subject, repeats: int, before: Section | None) -> float | None:
    """Estimate alternating runs and UNet calls."""
    settings = subject.settings
    warm = 0 if subject.name in RANDOM and subject.device.type == "cpu" else 1
    runs = (repeats + warm) * samples_of(settings)
    return counting(subject, settings) + runs + repeats * bare_of(subject, settings)


def of_presets(subject: Subject, repeats: int, before: Section | None) -> float | None:
    """Estimate the missing presets, each with its UNet calls alone."""
    known = {row[0] for row in rows_of(before)}
    warm = subject.name not in RANDOM or subject.device.type != "cpu"
    samples = samples_of(subject.settings) if warm else 0
    for name, each in wanted(subject).items():
        if name not in known:
            samples += samples_of(each.settings, each.bare)
            samples += bare_of(subject, each.settings, each.bare)
    return samples


def of_attention(subject: Subject, repeats: int, before: Section | None) -> float | None:
    """Estimate three alternating runs; the single layer is not counted."""
    several = (OFF, {**OFF, "alpha_plus": 0.7}, EVERYTHING)
    return (1 + repeats) * sum(samples_of(subject.settings.changed(**each)) for each in several)


def of_batches(subject: Subject, repeats: int, before: Section | None) -> float | None:
    """Estimate for every size a run between its UNet calls alone."""
    settings = subject.settings
    once = counting(subject, settings) + repeats * (
        samples_of(settings) + 2 * bare_of(subject, settings)
    )
    return sum(subject.sizes) * once


def of_scaling(subject: Subject, repeats: int, before: Section | None) -> float | None:
    """Estimate runs with several numbers of cycles and canvases."""
    rounds = 1 + repeats
    samples = 0.0
    for cycles in CYCLES:
        settings = subject.settings.changed(cycles=cycles)
        samples += rounds * samples_of(settings) + counting(subject, settings)
    larger = sum(width * height for width, height in CANVASES)
    return samples + rounds * larger * samples_of(subject.settings)


def of_memory(subject: Subject, repeats: int, before: Section | None) -> float | None:
    """Estimate for every size a run and its largest call, once per measure."""
    settings = subject.settings
    once = (1 + repeats) * (samples_of(settings) + max(calls_of(settings))) + counting(
        subject, settings
    )
    return samples_of(settings) + sum(subject.sizes) * once


def of_hardware(subject: Subject, repeats: int, before: Section | None) -> float | None:
    """Estimate one call in many variants; other precisions are taken to be as fast."""
    kind = subject.device.type
    one = shape_of(subject, 1)[0]
    several = one * sum(PICTURES.get(kind, (1,)))
    rounds = 1 + repeats
    ways = len(dtypes_of(subject.device))
    graphs = several * (4 + 2 * rounds) if kind == "cuda" else 0
    precisions = ways * several * (1 + len(LAYOUTS) * rounds)
    return precisions + one * (len(BACKENDS) + (1 + len(BACKENDS)) * rounds) + graphs


def unknown_samples(subject: Subject, repeats: int, before: Section | None) -> float | None:
    """Return None: other programs or a compiler take the time."""
    return None


SAMPLE_ESTIMATES: Mapping[str, SampleEstimate] = {
    "calls": of_calls, "wall": of_wall, "presets": of_presets, "attention": of_attention,
    "batches": of_batches, "scaling": of_scaling, "memory": of_memory, "hardware": of_hardware,
    "start": unknown_samples, "compile": unknown_samples,
}  # fmt: skip
"""By section."""


def sample_seconds(subject: Subject) -> float:
    """Return the wall seconds of a sample here, by one timed UNet call.

    Of random weights at full size it takes many seconds on a CPU: there the first call counts.
    """
    shape = shape_of(subject, 1)
    call = subject.unet(shape)
    if subject.name not in RANDOM or subject.device.type != "cpu":
        call()
    return timed(call, subject.device).wall / shape[0]
