"""Cyclic One-Way Diffusion (the paper's Algorithm 1): the loop, and nothing else.

Every line is one operation of a `Run`. The sampler executes them on a backbone; `recording` only
records them, so that UNet calls and noise are counted by running this very function.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

from sow.settings.settings import Settings

CANVAS = 0
"""The inversion batch of the seed canvases; the other batches hold conditions inverted alone."""


@dataclass(frozen=True)
class Invert:
    """A UNet call: x_s -> x_{s + step_skip} of an inversion batch, and the states between."""

    batch: int
    state: int
    step_skip: int = 1


@dataclass(frozen=True)
class Denoise:
    """A UNet call: x_s -> x_{s-1} under guidance, in a cycle, from noise, or in a finish.

    left: how many times the condition is replanted after this step.
    """

    state: int
    cycle: int | None = None
    from_noise: bool = False
    left: int = 0


@dataclass(frozen=True)
class Renoise:
    """x_t1 -> x_t2 with fresh noise: a cycle begins."""

    cycle: int


@dataclass(frozen=True)
class InitNoise:
    """x_S is noise, in a run without a seed canvas."""


UNetCall = Invert | Denoise
Step = UNetCall | Renoise | InitNoise
"""A step that costs a UNet call, or may need noise."""

X = TypeVar("X")
"""x_s of all pictures of the batch; a recording has none."""


class Run(Protocol[X]):
    """The operations of the algorithm, on all pictures of a batch."""

    def encode(self, batch: int) -> None:
        """Encode the pixels of an inversion batch into its x_0."""

    def invert(self, step: Invert) -> None:
        """Take one DDIM step backwards, and keep the states."""

    def seed_canvas(self, state: int) -> X:
        """Return the inverted seed canvas, x_s."""

    def init_noise(self, step: InitNoise) -> X:
        """Return noise, x_S."""

    def renoise(self, x: X, step: Renoise) -> X:
        """Jump from x_t1 to x_t2 with fresh noise (Eq. 2)."""

    def reinject(self, x: X, state: int) -> X:
        """Put the inverted condition v_s back inside C."""

    def preserve(self, x: X, state: int) -> X:
        """Reinject the condition in the jobs that name this state in `preserve`."""

    def denoise(self, x: X, step: Denoise) -> X:
        """Take one DDIM step under guidance."""

    def end_cycle(self) -> None:
        """Keep the clean picture that the cycle predicts."""

    def replant(self, x: X, left: int) -> None:
        """Paste the condition into the clean picture, which becomes the seed canvas."""


def cyclic_one_way_diffusion(run: Run[X], settings: Settings, alone: int = 0) -> X:
    """Return the clean pictures x_0: Algorithm 1, and again for every `replant`.

    alone: the number of inversion batches of conditions inverted alone.
    """
    from_noise = settings.seed_canvas == "none"
    cycles = [settings.first_cycles] * settings.replant + [settings.cycles]
    for batch in range(1, alone + 1):
        invert(run, settings, batch, settings.t2 if from_noise or any(cycles) else settings.t1)
    done = 0
    x = picture(run, settings, range(cycles[0]), settings.replant, from_noise)
    for count, left in zip(cycles[1:], reversed(range(settings.replant)), strict=True):
        done += settings.first_cycles
        run.replant(x, left)
        x = picture(run, settings, range(done, done + count), left)
    return x


def picture(
    run: Run[X], settings: Settings, cycles: range, left: int, from_noise: bool = False
) -> X:
    """Return clean pictures from the seed canvas, or from noise: Algorithm 1."""
    t1, t2 = settings.t1, settings.t2
    x = noise_to_t1(run, settings) if from_noise else canvas_at_t1(run, settings, cycles)

    for cycle in cycles:
        x = run.renoise(x, Renoise(cycle))
        for state in range(t2, t1, -1):
            x = run.reinject(x, state)
            x = run.denoise(x, Denoise(state, cycle))
        x = run.reinject(x, t1)
        run.end_cycle()

    for state in range(t1, 0, -1):
        x = run.preserve(x, state)
        x = run.denoise(x, Denoise(state, left=left))
    return x


def canvas_at_t1(run: Run[X], settings: Settings, cycles: range) -> X:
    """Invert the seed canvas, as far as its condition is needed, and return its x_t1."""
    cycling = cycles and settings.inversion != "alone"
    invert(run, settings, CANVAS, settings.t2 if cycling else settings.t1)
    return run.seed_canvas(settings.t1)


def noise_to_t1(run: Run[X], settings: Settings) -> X:
    """Denoise noise to x_t1, with the condition reinjected from t2 on."""
    if settings.inversion != "alone":
        invert(run, settings, CANVAS, settings.t2)
    x = run.init_noise(InitNoise())
    for state in range(settings.steps, settings.t1, -1):
        if state <= settings.t2:
            x = run.reinject(x, state)
        x = run.denoise(x, Denoise(state, from_noise=True))
    return run.reinject(x, settings.t1)


def invert(run: Run[X], settings: Settings, batch: int, until: int) -> None:
    """Invert pixels to their states x_0 to x_until (DDIM, Sec. III-A)."""
    run.encode(batch)
    for state in reversed(range(until, 0, -settings.inversion_stride)):
        step_skip = min(settings.inversion_stride, state)  # a shorter first step for the rest
        run.invert(Invert(batch, state - step_skip, step_skip))
