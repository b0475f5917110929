"""What a run will do and cost, found by running the algorithm without a model, or torch."""

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
    """A `Run` that only takes note of its steps.

    most: stop after so many, as settings of a stranger may ask for millions.
    """

    def __init__(self, most: int | None = None) -> None:
        self.steps: list[Step] = []
        self._most = most

    def encode(self, batch: int) -> None:
        """Nothing to note."""

    def invert(self, step: Invert) -> None:
        """Note it."""
        self._note(step)

    def seed_canvas(self, state: int) -> None:
        """Nothing to note."""

    def init_noise(self, step: InitNoise) -> None:
        """Note it."""
        self._note(step)

    def renoise(self, x: None, step: Renoise) -> None:
        """Note it."""
        self._note(step)

    def reinject(self, x: None, state: int) -> None:
        """Nothing to note."""

    def preserve(self, x: None, state: int) -> None:
        """Nothing to note."""

    def denoise(self, x: None, step: Denoise) -> None:
        """Note it."""
        self._note(step)

    def end_cycle(self) -> None:
        """Nothing to note."""

    def replant(self, x: None, left: int) -> None:
        """Nothing to note."""

    def _note(self, step: Step) -> None:
        if len(self.steps) == self._most:
            raise _LimitReached
        self.steps.append(step)


class _LimitReached(Exception):
    """A recording has as many steps as it may have."""


def steps_of(settings: Settings, alone: int = 0, most: int | None = None) -> list[Step]:
    """Return the steps of a run in order, or the first `most` of them.

    alone: how many inversion batches hold conditions that are inverted by themselves.
    """
    recording = Recording(most)
    with suppress(_LimitReached):
        cyclic_one_way_diffusion(recording, settings, alone if settings.inversion == "alone" else 0)
    return recording.steps


def unet_calls_of(settings: Settings, alone: int = 0, most: int | None = None) -> list[UNetCall]:
    """Return the UNet calls of a run; see `steps_of`."""
    steps = steps_of(settings, alone, most)
    return [step for step in steps if isinstance(step, Invert | Denoise)]


def num_conditions(step: UNetCall, settings: Settings, outside: Outside | None = None) -> int:
    """Return how many conditions a picture's UNet call is asked with: the guidance interval.

    A finish asks with fewer near the clean picture, but with all where it begins.

    outside: what the plan needs outside C (`sow.diffusion.prompts.outside_of`); None takes it
    from the settings.
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
