"""Plain paste and SDEdit: the canvas with the condition is noised, and denoised with the prompt.

Meng et al., *SDEdit: Guided Image Synthesis and Editing with Stochastic Differential Equations*,
ICLR 2022, Algorithm 1, in latents and with DDIM's steps.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from sow.benchmarks.tv2i.methods.frozen import Frozen, Stage, check_count, check_share


@dataclass(frozen=True)
class SDEdit(Frozen):
    """Noise up to a share of the trajectory, then the way back.

    Attributes:
        strength: how far up, of 1.
        calls: UNet calls on the way back; 30 are 60 samples, which SOW spends on `figures`.
        eta: 1 is the stochastic way of the paper, 0 that of DDIM.
    """

    strength: float = 0.7
    calls: int = 30
    eta: float = 1.0

    name = "sdedit"

    def __post_init__(self) -> None:
        """Refuses what makes no sense."""
        check_share("strength", self.strength)
        check_count("calls", self.calls)

    @property
    def states(self) -> int:
        """So many that the way back from `strength` takes `calls` of them."""
        return max(self.calls, round(self.calls / self.strength))

    def sample(self, stage: Stage) -> Tensor:
        """Clean latents."""
        latents = stage.noised(self.calls, stage.noise())
        for state in range(self.calls, 0, -1):
            answer = stage.answer(latents, state)
            noise = stage.noise() if self.eta else None
            latents, _ = stage.schedule.denoise(latents, answer, state, self.eta, noise)
        return latents
