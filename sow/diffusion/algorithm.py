"""Cyclic One-Way Diffusion (the paper's Algorithm 1), as the list of moves it consists of.

This is the only place where the algorithm stands. The sampler carries the moves out, the noise is
drawn for them, the progress bar counts those that ask the UNet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sow.settings import BRANCHES, Outside, Settings

CANVAS = 0
"""The first frame is the seed canvas; others hold a condition inverted alone."""


@dataclass(frozen=True)
class Encode:
    """A frame's pixels -> its x_0."""

    frame: int


@dataclass(frozen=True)
class Invert:
    """A frame's x_s -> x_{s + stride}, and the states between them, in one call of the UNet."""

    frame: int
    state: int
    stride: int = 1


@dataclass(frozen=True)
class Plant:
    """The inverted seed canvas becomes the picture's x_t1."""


@dataclass(frozen=True)
class Draw:
    """Noise becomes the picture's x_S, where no seed canvas is wanted."""


@dataclass(frozen=True)
class Disturb:
    """x_t1 -> x_t2 with fresh noise: a cycle begins."""

    cycle: int


@dataclass(frozen=True)
class Inject:
    """Inside C, x_s becomes the condition's own v_s."""

    state: int


@dataclass(frozen=True)
class Preserve:
    """The same, for the jobs that name this state in `preserve`."""

    state: int


@dataclass(frozen=True)
class Denoise:
    """x_s -> x_{s-1} under guidance: in a cycle, on the way from noise, or in a finish.

    left: how often the condition is still planted again after this.
    """

    state: int
    cycle: int | None = None
    from_noise: bool = False
    left: int = 0


@dataclass(frozen=True)
class Show:
    """A cycle is over: what it points to may be looked at."""

    cycle: int


@dataclass(frozen=True)
class Replant:
    """The clean picture with the condition pasted into it becomes the seed canvas."""

    left: int


Move = Encode | Invert | Plant | Draw | Disturb | Inject | Preserve | Denoise | Show | Replant


def algorithm(settings: Settings, frames: int = 0) -> Iterator[Move]:
    """All moves of a run in order; `frames` conditions are inverted alone, if they are at all."""
    from_noise = settings.seed_canvas == "none"
    pictures = [settings.first_cycles] * settings.replant + [settings.cycles]
    highest = settings.t2 if from_noise or any(pictures) else settings.t1
    for frame in range(1, frames + 1) if settings.inversion == "alone" else ():
        yield from inversion(frame, highest, settings.inversion_stride)

    done = 0
    for number, count in enumerate(pictures):
        left = settings.replant - number
        if number:
            yield Replant(left)
        yield from picture(settings, range(done, done + count), left, from_noise and not number)
        done += count


def picture(settings: Settings, cycles: range, left: int, from_noise: bool) -> Iterator[Move]:
    """From the seed canvas, or from noise, to a clean picture: Algorithm 1."""
    t1, t2 = settings.t1, settings.t2
    alone = settings.inversion == "alone"
    if not (alone and from_noise):
        needed = t2 if (cycles or from_noise) and not alone else t1
        yield from inversion(CANVAS, needed, settings.inversion_stride)
    if from_noise:
        yield Draw()
        for state in range(settings.steps, t1, -1):
            if state <= t2:
                yield Inject(state)
            yield Denoise(state, from_noise=True)
        yield Inject(t1)
    else:
        yield Plant()

    for cycle in cycles:
        yield Disturb(cycle)
        for state in range(t2, t1, -1):
            yield Inject(state)
            yield Denoise(state, cycle)
        yield Inject(t1)
        yield Show(cycle)

    for state in range(t1, 0, -1):
        yield Preserve(state)
        yield Denoise(state, left=left)


def inversion(frame: int, until: int, stride: int) -> Iterator[Move]:
    """A frame's pixels -> its states 0 to `until`."""
    yield Encode(frame)
    for state in reversed(range(until, 0, -stride)):
        width = min(stride, state)  # the first stride, from the pixels, is what is left
        yield Invert(frame, state - width, width)


def asks_unet(move: Move) -> bool:
    """Whether a move costs a UNet call."""
    return isinstance(move, Invert | Denoise)


def branches_of(move: Invert | Denoise, settings: Settings, outside: Outside | None = None) -> int:
    """How many branches of guidance a move asks the UNet for: its samples for a picture.

    A finish asks for fewer near the clean picture, but for all where it begins.

    outside: what the plan needs outside C (`sow.diffusion.guidance.outside_of`); None takes it
    from the settings.
    """
    if isinstance(move, Invert):
        return 1 if settings.inversion_guidance_scale == 1 else 2
    finishing = move.cycle is None and not move.from_noise
    if finishing and move.state < settings.t1:
        if move.state < (settings.first_guided_until if move.left else settings.guided_until):
            return BRANCHES["prompt"]
        if move.state < settings.outside_until and not move.left:
            return BRANCHES["none"]
    return BRANCHES[outside or settings.outside]


def noise_scale(move: Move, settings: Settings) -> float:
    """How strong the noise is that a move needs; 0 needs none."""
    match move:
        case Draw():
            return 1.0
        case Disturb():
            return settings.noise_level
        case Denoise(cycle=None, from_noise=False):
            return settings.eta
        case Denoise(from_noise=False):
            return settings.cycle_eta
        case _:
            return 0.0
