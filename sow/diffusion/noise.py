"""All the random numbers of a batch, drawn before the loop starts.

Every job draws from its own generator, only what it needs and in the order in which it is used,
so a job's picture does not depend on its neighbours; and nothing has to be moved to the device
while the UNet runs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from sow.diffusion.algorithm import Denoise, InitNoise, Renoise, Step
from sow.settings.settings import Settings


def noise_scale(step: Step, settings: Settings) -> float:
    """Return how strong the noise is that a step needs; 0 needs none."""
    match step:
        case InitNoise():
            return 1.0
        case Renoise():
            return settings.noise_level
        case Denoise(cycle=None, from_noise=False):
            return settings.eta
        case Denoise(from_noise=False):
            return settings.cycle_eta
        case _:
            return 0.0


def is_random(step: Step, settings: Settings) -> bool:
    """Return whether a step depends on the seed; a cycle draws noise even at noise level 0."""
    return isinstance(step, Renoise | InitNoise) or noise_scale(step, settings) > 0


class NoiseTape:
    """Standard normal noise, `[B, c, h, w]` for every step of the algorithm that may need it."""

    def __init__(
        self,
        steps: Sequence[Step],
        settings: Sequence[Settings],
        shape: tuple[int, int, int],
        generators: Sequence[torch.Generator | None],
        device: torch.device,
    ) -> None:
        used = [step for step in steps if any(is_random(step, each) for each in settings)]
        self._index = {step: number for number, step in enumerate(used)}
        self._tape = torch.zeros(len(used), len(settings), *shape, device=device)
        for job, (job_settings, generator) in enumerate(zip(settings, generators, strict=True)):
            rows = [self._index[step] for step in used if noise_scale(step, job_settings)]
            if rows:
                noise = randn_tensor(
                    (len(rows), *shape), generator, device=device, dtype=torch.float32
                )
                self._tape[torch.tensor(rows, device=device), job] = noise

    def __contains__(self, step: Step) -> bool:
        """Return whether any job of the batch needs noise in this step."""
        return step in self._index

    def __getitem__(self, step: Step) -> Tensor:
        """Return the noise of a step; zeros for the jobs that do not need it."""
        return self._tape[self._index[step]]


def background(kind: str, canvas: tuple[int, int], generator: torch.Generator | None) -> Tensor:
    """Return the seed canvas without condition: `[3, H, W]` in [-1, 1], on the CPU (Sec. V-B)."""
    shape = (3, canvas[1], canvas[0])
    if kind == "noise":
        device = generator.device if generator is not None else "cpu"
        return torch.rand(shape, generator=generator, device=device).cpu() * 2 - 1
    return torch.full(shape, -1.0 if kind == "black" else 128 / 127.5 - 1)
