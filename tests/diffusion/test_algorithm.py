"""The algorithm: the operations of the paper, in order."""

from __future__ import annotations

from typing import Any

import pytest

from sow.diffusion.algorithm import (
    CANVAS,
    Denoise,
    InitNoise,
    Invert,
    Renoise,
    cyclic_one_way_diffusion,
)
from sow.diffusion.noise import is_random, noise_scale
from sow.diffusion.recording import steps_of, unet_calls_of
from sow.settings.settings import PRESETS, Settings

SMALL = Settings(steps=5, t1=2, t2=4, cycles=2, preserve=(1,), replant=0, inversion_stride=1)


class TracingRun:
    """A run that records every operation.

    An x is the index of the operation that returned it; `discontinuities` are operations that got
    an x other than the latest.
    """

    def __init__(self) -> None:
        self.lines: list[Any] = []
        self.discontinuities: list[Any] = []
        self._x = -1

    def _append(self, *line: Any, x: int | None = None) -> int:
        if x is not None and x != self._x:
            self.discontinuities.append(line)
        self.lines.append(line[0] if len(line) == 1 else line)
        self._x += 1
        return self._x

    def encode(self, batch):
        self.lines.append(("encode", batch))

    def invert(self, step):
        self.lines.append(step)

    def seed_canvas(self, state):
        return self._append("seed canvas", state)

    def init_noise(self, step):
        return self._append(step)

    def renoise(self, x, step):
        return self._append(step, x=x)

    def reinject(self, x, state):
        return self._append("reinject", state, x=x)

    def preserve(self, x, state):
        return self._append("preserve", state, x=x)

    def denoise(self, x, step):
        return self._append(step, x=x)

    def end_cycle(self):
        self.lines.append("end of cycle")

    def replant(self, x, left):
        self.lines.append(("replant", left))


def trace_run(settings: Settings, alone: int = 0) -> list[Any]:
    """Return all operations; check that each continues from the x before it."""
    run = TracingRun()
    assert cyclic_one_way_diffusion(run, settings, alone) == run._x
    assert run.discontinuities == []
    return run.lines


INVERTED = [
    ("encode", CANVAS),
    *(Invert(CANVAS, state) for state in range(4)),
    ("seed canvas", 2),
]


def cycle(number: int) -> list[Any]:
    return [
        Renoise(number), ("reinject", 4), Denoise(4, number), ("reinject", 3), Denoise(3, number),
        ("reinject", 2), "end of cycle",
    ]  # fmt: skip


def finish(left: int = 0) -> list[Any]:
    return [("preserve", 2), Denoise(2, left=left), ("preserve", 1), Denoise(1, left=left)]


def test_operations_of_two_cycles():
    assert trace_run(SMALL) == [*INVERTED, *cycle(0), *cycle(1), *finish()]


def test_replanting_starts_from_the_picture_and_continues_the_cycle_count():
    """A canvas without cycles is only inverted to t1, where the finish starts."""
    twice = SMALL.changed(replant=2, first_cycles=1, cycles=1)
    assert trace_run(twice) == [
        *INVERTED, *cycle(0), *finish(2), ("replant", 1),
        *INVERTED, *cycle(1), *finish(1), ("replant", 0),
        *INVERTED, *cycle(2), *finish(0),
    ]  # fmt: skip
    once = trace_run(SMALL.changed(replant=1, first_cycles=0, cycles=1))
    assert once[: once.index(("replant", 0))] == [*INVERTED[:3], INVERTED[-1], *finish(1)]


def test_without_seed_canvas_the_trajectory_starts_from_noise():
    lines = trace_run(SMALL.changed(seed_canvas="none", cycles=0))
    assert ("seed canvas", 2) not in lines
    start = lines.index(InitNoise())
    assert lines[start + 1 : start + 7] == [
        Denoise(5, from_noise=True), ("reinject", 4), Denoise(4, from_noise=True),
        ("reinject", 3), Denoise(3, from_noise=True), ("reinject", 2),
    ]  # fmt: skip


def test_with_conditions_inverted_alone_the_canvas_is_inverted_to_t1():
    steps = steps_of(SMALL.changed(inversion="alone"), alone=2)
    inverted = {
        batch: [s.state for s in steps if isinstance(s, Invert) and s.batch == batch]
        for batch in (CANVAS, 1, 2)
    }
    assert inverted == {CANVAS: [0, 1], 1: [0, 1, 2, 3], 2: [0, 1, 2, 3]}


@pytest.mark.parametrize(
    ("preset", "calls"), [("normal", 32), ("attribute", 32), ("swift-normal", 19), ("cow", 32)]
)
def test_unet_calls_per_preset(preset, calls):
    assert len(unet_calls_of(PRESETS[preset])) == calls


def test_a_recording_equals_the_run_and_may_be_limited():
    steps = [line for line in trace_run(SMALL) if isinstance(line, Invert | Denoise | Renoise)]
    assert steps_of(SMALL) == steps
    assert steps_of(SMALL, max_steps=7) == steps[:7]


def test_noise_scale_follows_the_settings():
    settings = SMALL.changed(eta=0.1, cycle_eta=0.5, noise_level=2)
    assert noise_scale(Denoise(2), settings) == 0.1
    assert noise_scale(Denoise(3, 0), settings) == 0.5
    assert noise_scale(Denoise(5, from_noise=True), settings) == 0
    assert noise_scale(Renoise(0), settings) == 2
    assert noise_scale(InitNoise(), settings) == 1
    assert noise_scale(Invert(CANVAS, 2), settings) == 0
    assert not is_random(Denoise(2), settings.changed(eta=0))
    assert is_random(Renoise(0), settings.changed(noise_level=0))
