"""The cost of a request, counted before it starts, and how much is made without asking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sow.diffusion.prompts import outside_of
from sow.diffusion.recording import num_conditions, unet_calls_of
from sow.errors import UsageError
from sow.plan.plan import Plan
from sow.settings.settings import Outside, Settings

Agree = Callable[[str], bool]
"""Asks the user to confirm a cost, given as one line; returns the answer."""
REFERENCE_AREA = 512 * 512
"""Pixels of the canvas on which a UNet sample counts as one in `Budget.total_samples`."""


def never_agree(line: str) -> bool:
    """Refuse every request beyond the budget, where nobody can be asked."""
    return False


@dataclass(frozen=True)
class Budget:
    """What is made without asking the user.

    Attributes:
        canvas_pixels: pixels of a canvas.
        samples: UNet samples of one picture; 107 by the published method.
        total_samples: UNet samples of all pictures, those on larger canvases counting for more.
    """

    canvas_pixels: int
    samples: int
    total_samples: float

    def check(self, plan: Plan, settings: Settings, pictures: int, agree: Agree) -> None:
        """Ask the user to confirm pictures that exceed the budget.

        Raises:
            UsageError: if the user does not agree.
        """
        confirm(self.find_excess(plan, settings, pictures), agree)

    def check_canvas(self, canvas: tuple[int, int], agree: Agree) -> None:
        """Ask the user to confirm a canvas that exceeds the budget, before there is a plan.

        Raises:
            UsageError: if the user does not agree.
        """
        confirm(self.find_canvas_excess(canvas), agree)

    def find_excess(self, plan: Plan, settings: Settings, pictures: int) -> str | None:
        """Return in one line how pictures exceed the budget, or None."""
        width, height = plan.canvas
        excess = self.find_canvas_excess(plan.canvas)
        if excess:
            return excess
        each = count_unet_samples(settings, self.samples, outside_of(plan, settings))
        if each > self.samples:
            return (
                f"a picture would take more than {self.samples} UNet samples (the published method "
                "takes 107)"
            )
        if each * pictures * width * height / REFERENCE_AREA > self.total_samples:
            return (
                f"{pictures} pictures of {width}x{height} with {each} UNet samples each would take "
                "very long"
            )
        return None

    def find_total_excess(self, pictures: int, samples: float) -> str | None:
        """Return in one line how pictures of several kinds exceed the budget in all, or None.

        samples: UNet samples of all of them, as in `total_samples`.
        """
        if samples <= self.total_samples:
            return None
        return (
            f"{pictures} pictures may take {samples:.0f} UNet samples of 512x512, which is more "
            f"than {self.total_samples:.0f}"
        )

    def find_canvas_excess(self, canvas: tuple[int, int]) -> str | None:
        """Return in one line how a canvas exceeds the budget, or None."""
        width, height = canvas
        if width * height <= self.canvas_pixels:
            return None
        return (
            f"a canvas of {width}x{height} has {width * height / REFERENCE_AREA:.0f} times the "
            "pixels of 512x512"
        )


def confirm(excess: str | None, agree: Agree) -> None:
    """Ask the user to confirm what exceeds a budget, given as one line; None exceeds nothing.

    Raises:
        UsageError: if the user does not agree.
    """
    if excess is not None and not agree(excess):
        raise UsageError(excess, "ask for less, or confirm with agree=")


USER_BUDGET = Budget(canvas_pixels=2048 * 2048, samples=5_000, total_samples=120_000)
"""For the user's own requests."""
UNTRUSTED_BUDGET = Budget(canvas_pixels=1024 * 1024, samples=500, total_samples=20_000)
"""For recipes, which may come from anybody."""


def count_unet_samples(settings: Settings, limit: int, outside: Outside | None = None) -> int:
    """Return the UNet samples of one picture, or `limit` + 1 if they are more.

    outside: what the plan needs outside C; None takes it from the settings.
    """
    calls = unet_calls_of(settings, alone=1, max_steps=2 * limit + 1)
    return min(limit + 1, sum(num_conditions(call, settings, outside) for call in calls))
