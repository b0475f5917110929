"""Blended latent diffusion: inside the condition, every state is the noised condition.

Avrahami, Fried and Lischinski, *Blended Latent Diffusion*, SIGGRAPH 2023, Algorithm 1: from noise,
each step denoises under the prompt and blends the condition in with fresh noise of its level. On
the same frozen model, and without the paper's tuning of the decoder to the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from sow.benchmarks.tv2i.methods.frozen_model import FrozenModelMethod, Stage, check_count


@dataclass(frozen=True)
class Blended(FrozenModelMethod):
    """Inpainting by a model that was not made for it.

    Attributes:
        calls: UNet calls, one a state; 30 are 60 samples, what SOW spends with the guidance of
            Stable Diffusion (18 are the 36 that it spends on `figures`).
    """

    calls: int = 30

    name = "blended"

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_count("calls", self.calls)

    @property
    def states(self) -> int:
        """One per UNet call."""
        return self.calls

    def sample(self, stage: Stage) -> Tensor:
        """Return clean latents; inside C those that were planted."""
        latents = stage.noise()
        for state in range(self.calls, 0, -1):
            latents = stage.put_back(latents, state, stage.noise())
            latents, _ = stage.schedule.denoise(latents, stage.output(latents, state), state)
        return stage.put_back(latents, 0, latents)
