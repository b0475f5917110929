"""The steps and cost of a run, found by running the algorithm without a model or torch."""

from __future__ import annotations

from contextlib import suppress

from sow.diffusion.algorithm import (
    Denoise,
    InitNoise,
    Invert,
    Renoise,
    Step,
    UNetCall,
    cyclic_one_way_diffusion,
)
from sow.settings.settings import BRANCHES, Outside, Settings


class Recording:
    """A `Run` that only records its steps.

    max_steps: stop after this many, since untrusted settings may ask for millions.
    """

    def __init__(self, max_steps: int | None = None) -> None:
        self.steps: list[Step] = []
        self._max_steps = max_steps

    def encode(self, batch: int) -> None:
        """Do nothing."""

    def invert(self, step: Invert) -> None:
        """Record the step."""
        self._record(step)

    def seed_canvas(self, state: int) -> None:
        """Do nothing."""

    def init_noise(self, step: InitNoise) -> None:
        """Record the step."""
        self._record(step)

    def renoise(self, x: None, step: Renoise) -> None:
        """Record the step."""
        self._record(step)

    def reinject(self, x: None, state: int) -> None:
        """Do nothing."""

    def preserve(self, x: None, state: int) -> None:
        """Do nothing."""

    def denoise(self, x: None, step: Denoise) -> None:
        """Record the step."""
        self._record(step)

    def end_cycle(self) -> None:
        """Do nothing."""

    def replant(self, x: None, left: int) -> None:
        """Do nothing."""

    def _record(self, step: Step) -> None:
        if len(self.steps) == self._max_steps:
            raise _LimitReached
        self.steps.append(step)


class _LimitReached(Exception):
    """A recording has reached its maximum number of steps."""


def steps_of(settings: Settings, alone: int = 0, max_steps: int | None = None) -> list[Step]:
    """Return the steps of a run in order, or the first `max_steps` of them.

    alone: the number of inversion batches of conditions inverted alone.
    """
    recording = Recording(max_steps)
    with suppress(_LimitReached):
        cyclic_one_way_diffusion(recording, settings, alone if settings.inversion == "alone" else 0)
    return recording.steps


def unet_calls_of(
    settings: Settings, alone: int = 0, max_steps: int | None = None
) -> list[UNetCall]:
    """Return the UNet calls of a run; arguments as of `steps_of`."""
    steps = steps_of(settings, alone, max_steps)
    return [step for step in steps if isinstance(step, Invert | Denoise)]


def num_conditions(step: UNetCall, settings: Settings, outside: Outside | None = None) -> int:
    """Return the number of conditions of a picture's UNet call: the guidance interval.

    The finish has all of them in its first step and may have fewer near the clean picture.

    outside: the guidance that the plan needs outside C (`sow.diffusion.prompts.outside_of`); None
    takes it from the settings.
    """
    if isinstance(step, Invert):
        return 1 if settings.inversion_guidance_scale == 1 else 2
    finishing = step.cycle is None and not step.from_noise
    if finishing and step.state < settings.t1:
        if step.state < (settings.first_guided_until if step.left else settings.guided_until):
            return BRANCHES["prompt"]
        if step.state < settings.outside_until and not step.left:
            return BRANCHES["none"]
    return BRANCHES[outside or settings.outside]
