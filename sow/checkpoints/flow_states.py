"""The states of the published method on a rectified flow: those that are as noisy.

The paper counts its states on Stable Diffusion's schedule. A flow has other noise at the same share
of its steps, and a shift moves it: the states are found by their signal-to-noise ratio.
"""

from __future__ import annotations

import math

from sow.settings.settings import Settings

BETA_START, BETA_END, TIMESTEPS = 0.00085, 0.012, 1000
"""Of Stable Diffusion's schedule, which is linear in the square roots."""
STATES = ("outside_until", "guided_until", "first_guided_until")
"""Settings that are a state, besides t1, t2 and preserve."""


def at_equal_noise(settings: Settings, shift: float) -> Settings:
    """Return settings for a flow whose states are about as noisy as those of Stable Diffusion.

    Args:
        settings: with states of Stable Diffusion's schedule.
        shift: of the flow's scheduler: sigma = shift * u / (1 + (shift - 1) * u) at the share u
            of the steps.
    """
    steps = settings.steps
    sigmas = {s: _sigma(s / steps, shift) for s in range(1, steps)}
    flow = {s: 2 * math.log((1 - sigma) / sigma) for s, sigma in sigmas.items()}

    def state(number: int) -> int:
        """Return the state of the flow that is as noisy; 1 stays, which means to the end."""
        if number <= 1:
            return number
        return min(flow, key=lambda s: abs(flow[s] - stable_diffusion_log_snr(number, steps)))

    t1 = min(state(settings.t1), steps - 1)
    t2 = max(state(settings.t2), t1 + 1)
    preserve = {min(state(s), t1) for s in settings.preserve}
    others = {name: state(getattr(settings, name)) for name in STATES}
    moved = settings.changed(**{"preserve": (), "t1": t1, "t2": t2, **others})
    return moved.changed(preserve=sorted(preserve, reverse=True))


def _sigma(share: float, shift: float) -> float:
    return shift * share / (1 + (shift - 1) * share)


def stable_diffusion_log_snr(state: int, steps: int) -> float:
    """Return log(alpha_bar / (1 - alpha_bar)) of a state of Stable Diffusion, from 1 to steps."""
    last = TIMESTEPS // steps * (state - 1) + 1
    roots = [
        math.sqrt(BETA_START) + (math.sqrt(BETA_END) - math.sqrt(BETA_START)) * t / (TIMESTEPS - 1)
        for t in range(last + 1)
    ]
    kept = math.prod(1 - root**2 for root in roots)
    return math.log(kept / (1 - kept))
