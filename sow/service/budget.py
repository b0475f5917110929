"""What something costs, counted before any of it is spent, and how much is done unasked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sow.diffusion.prompts import outside_of
from sow.diffusion.recording import num_conditions, unet_calls_of
from sow.errors import UsageError
from sow.plan.plan import Plan
from sow.settings.settings import Outside, Settings

Agree = Callable[[str], bool]
"""Whether the user means it, after reading what it costs."""
REFERENCE_AREA = 512 * 512
"""Pixels of the canvas that a UNet sample is counted on in `Budget.everything`."""


def never_agree(line: str) -> bool:
    """Where nobody can be asked, nothing out of the ordinary is done."""
    return False


@dataclass(frozen=True)
class Budget:
    """How much is done without asking back.

    Attributes:
        pixels: of a canvas.
        samples: UNet samples of one picture; 107 by the published method.
        everything: UNet samples of all pictures, those of a larger canvas counting for more.
    """

    pixels: int
    samples: int
    everything: float

    def too_large(self, canvas: tuple[int, int]) -> str | None:
        """The same of a canvas alone."""
        area = canvas[0] * canvas[1]
        if area <= self.pixels:
            return None
        return f"a canvas of {canvas[0]}x{canvas[1]} is {area / REFERENCE_AREA:.0f} times 512x512"

    def beyond(self, plan: Plan, settings: Settings, pictures: int) -> str | None:
        """What is too much about these pictures, in one line, or None."""
        width, height = plan.canvas
        large = self.too_large(plan.canvas)
        if large:
            return large
        each = count_unet_samples(settings, self.samples, outside_of(plan, settings))
        if each > self.samples:
            return f"a picture would take more than {self.samples} UNet samples (the usual: 107)"
        whole = each * pictures * width * height / REFERENCE_AREA
        if whole > self.everything:
            return f"{pictures} pictures of {width}x{height} with {each} UNet samples each are many"
        return None

    def check(self, plan: Plan, settings: Settings, pictures: int, agree: Agree) -> None:
        """Asks back about what is too much.

        Raises:
            UsageError: if it is not agreed to.
        """
        _ask(self.beyond(plan, settings, pictures), agree)

    def check_canvas(self, canvas: tuple[int, int], agree: Agree) -> None:
        """The same before there is a plan."""
        _ask(self.too_large(canvas), agree)


def _ask(problem: str | None, agree: Agree) -> None:
    if problem is not None and not agree(problem):
        raise UsageError(problem, "ask for less, or give agree=")


USER_BUDGET = Budget(pixels=2048 * 2048, samples=5_000, everything=120_000)
"""For what users ask for themselves."""
UNTRUSTED_BUDGET = Budget(pixels=1024 * 1024, samples=500, everything=20_000)
"""For what a recipe asks for: it may come from anybody."""


def count_unet_samples(settings: Settings, most: int, outside: Outside | None = None) -> int:
    """UNet samples of one picture, counted no further than just over `most`.

    outside: what its plan needs outside C; None takes it from the settings.
    """
    calls = unet_calls_of(settings, alone=1, most=2 * most + 1)
    return min(most + 1, sum(num_conditions(call, settings, outside) for call in calls))
