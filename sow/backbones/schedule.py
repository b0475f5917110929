"""States, their timesteps and noise levels, and the three kinds of steps between them.

A trajectory has S + 1 states, x_0 (clean) to x_S (noise): x_s = alpha_s * x_0 + sigma_s * epsilon.
Stable Diffusion's path keeps the variance (alpha^2 + sigma^2 = 1), a rectified flow's is straight
(alpha + sigma = 1). Both are a table of (alpha_s, sigma_s), and sampling, inversion and renoising
use the same one, so they agree at every state.

The tables hold Python floats: formulas are exact and nothing is read from the device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from sow.errors import ModelError, UsageError

USE_DDIM = "use a scheduler with Stable Diffusion's noise, such as DDIMScheduler"


@dataclass(frozen=True)
class DiffusionSchedule:
    """The states of a trajectory, and what the model predicts there.

    Attributes:
        timesteps: the model's timestep of every state; `timesteps[0]` is 0 and never used. Those
            of a flow are fractions.
        alphas: how much of the clean latents each state has, from x_0 to x_S.
        sigmas: the standard deviation of each state's noise.
        prediction_type: as diffusers has it, `epsilon`, `v_prediction` (alpha * epsilon -
            sigma * x_0, of a path that keeps the variance) or `flow_prediction` (epsilon - x_0, of
            a straight one).
    """

    timesteps: tuple[float, ...]
    alphas: tuple[float, ...]
    sigmas: tuple[float, ...]
    prediction_type: str

    @classmethod
    def from_scheduler(cls, scheduler: Any, steps: int) -> DiffusionSchedule:
        """Return the schedule with `steps` steps, from a diffusers scheduler's alphas_cumprod.

        Its timesteps are T/S * (s - 1) + 1, the spacing of Stable Diffusion's own DDIM scheduler.

        Raises:
            ModelError: if the scheduler has no alpha_bar (flow matching, EDM) or an alpha_bar that
                does not decrease from at most 1 to more than 0, or the model predicts neither
                epsilon nor v.
            UsageError: if the model was trained on fewer timesteps than `steps`.
        """
        # Sigma-based schedulers such as Euler's have the same noise; flow matching and EDM do not.
        if not hasattr(scheduler, "alphas_cumprod") or not hasattr(scheduler.config, "get"):
            raise ModelError(f"{type(scheduler).__name__} has no alphas_cumprod", USE_DDIM)
        config = scheduler.config
        prediction_type = config.get("prediction_type", "epsilon")
        if prediction_type not in ("epsilon", "v_prediction"):
            raise ModelError(
                f"unsupported prediction_type {prediction_type!r}",
                "use a model that predicts epsilon or v_prediction",
            )
        trained = scheduler.alphas_cumprod.double().tolist()
        step_ratio = len(trained) // steps
        if step_ratio == 0:
            raise UsageError(f"steps={steps} is more than the model's {len(trained)} timesteps")
        timesteps = [min(step_ratio * s + 1, len(trained) - 1) for s in range(steps)]
        # SD's clean state has some noise left: alpha_bar at timestep 0, not 1.
        clean = 1.0 if config.get("set_alpha_to_one", False) else trained[0]
        kept = (clean, *(trained[t] for t in timesteps))
        # False for nan too.
        if not all(1 >= cleaner > noisier > 0 for cleaner, noisier in pairwise(kept)):
            raise ModelError(
                "the scheduler's alphas_cumprod does not decrease between 1 and 0", USE_DDIM
            )
        alphas, sigmas = (tuple(map(math.sqrt, part)) for part in (kept, (1 - a for a in kept)))
        return cls((0, *timesteps), alphas, sigmas, prediction_type)

    @classmethod
    def from_flow_scheduler(
        cls, scheduler: Any, steps: int, image_tokens: int | None = None
    ) -> DiffusionSchedule:
        """Return a rectified flow's schedule, with the sigmas that diffusers' pipelines sample at.

        Args:
            scheduler: a `FlowMatchEulerDiscreteScheduler`, with its shift; it is not changed.
            steps: how many.
            image_tokens: of the canvas; required if the shift depends on them
                (`use_dynamic_shifting`).

        Raises:
            ModelError: if its sigmas do not increase from 0 to at most 1.
        """
        config, own = scheduler.config, type(scheduler).from_config(scheduler.config)
        if config.use_dynamic_shifting:
            if image_tokens is None:
                raise ValueError("the scheduler's shift depends on image_tokens")
            fewest, most = config.base_image_seq_len, config.max_image_seq_len
            slope = (config.max_shift - config.base_shift) / (most - fewest)
            shift = config.base_shift + slope * (image_tokens - fewest)
            own.set_timesteps(sigmas=[1 - s / steps for s in range(steps)], mu=shift)
        else:
            own.set_timesteps(steps)
        timesteps = (0.0, *reversed(own.timesteps.double().tolist()))
        sigmas = tuple(reversed(own.sigmas.double().tolist()))
        if not (sigmas[0] == 0 and all(a < b for a, b in pairwise(sigmas)) and sigmas[-1] <= 1):
            raise ModelError(
                "the scheduler's sigmas do not increase from 0 to 1",
                "use the scheduler that the model was published with",
            )
        return cls(timesteps, tuple(1 - s for s in sigmas), sigmas, "flow_prediction")

    @property
    def steps(self) -> int:
        """S, the index of the noisiest state."""
        return len(self.timesteps) - 1

    @property
    def alphas_cumprod(self) -> tuple[float, ...]:
        """alpha^2 of every state: alpha_bar of a path that keeps the variance."""
        return tuple(alpha**2 for alpha in self.alphas)

    def log_snr(self, state: int) -> float:
        """Return log(alpha^2 / sigma^2) of a state: the same on every path that is as noisy."""
        alpha, sigma = self.alphas[state], self.sigmas[state]
        if not alpha or not sigma:
            return math.inf if alpha else -math.inf
        return 2 * math.log(alpha / sigma)

    def predict_x0_eps(self, latents: Tensor, output: Tensor, state: int) -> tuple[Tensor, Tensor]:
        """Return the clean latents and the noise in x_s that the model's output predicts."""
        alpha, sigma = self.alphas[state], self.sigmas[state]
        match self.prediction_type:
            case "v_prediction":
                return alpha * latents - sigma * output, alpha * output + sigma * latents
            case "flow_prediction":
                return latents - sigma * output, latents + alpha * output
        return (latents - sigma * output) / alpha, output

    def denoise(
        self,
        latents: Tensor,
        output: Tensor,
        state: int,
        eta: Tensor | float = 0.0,
        noise: Tensor | None = None,
        step_skip: int = 1,
    ) -> tuple[Tensor, Tensor]:
        """Take one DDIM step, x_s -> x_{s - step_skip} (Eq. 3; DDIM, Eq. 12); of a flow, Euler's.

        Args:
            latents: x_s, `[B, c, h, w]`.
            output: the model's at `timesteps[state]`, same shape.
            state: s, from S down to 1.
            eta: 0 is deterministic, 1 has the posterior's variance (DDPM's); a number or
                `[B, 1, 1, 1]`. The states keep their noise levels whatever it is.
            noise: standard normal, same shape as `latents`; required if eta is not 0.
            step_skip: the number of states to go at once, up to s.

        Returns:
            x_{s - step_skip} and the predicted clean latents.
        """
        alpha, sigma = self.alphas[state - step_skip], self.sigmas[state - step_skip]
        clean, epsilon = self.predict_x0_eps(latents, output, state)
        if noise is None:
            return alpha * clean + sigma * epsilon, clean
        added = self._forward(state - step_skip, state)[1]
        std = eta * (sigma / self.sigmas[state] * added) * torch.ones_like(latents[:, :1, :1, :1])
        direction = (sigma**2 - std**2).clamp_min(0).sqrt()
        return alpha * clean + direction * epsilon + std * noise, clean

    def invert(self, latents: Tensor, output: Tensor, state: int, step_skip: int = 1) -> Tensor:
        """Take one inversion step, x_s -> x_{s + step_skip} (DDIM, Sec. III-A).

        `output` is the model's at `timesteps[state + step_skip]`, where `denoise` starts. This is
        the exact inverse of `denoise` with eta 0 if the model's output is the same.
        """
        end = state + step_skip
        alpha, sigma = self.alphas[state], self.sigmas[state]
        next_alpha, next_sigma = self.alphas[end], self.sigmas[end]
        match self.prediction_type:
            case "v_prediction":
                # A step rotates (alpha, sigma) by an angle: x_s = cos * x_{s+1} - sin * v.
                cos = alpha * next_alpha + sigma * next_sigma
                sin = alpha * next_sigma - sigma * next_alpha
                return (latents + sin * output) / cos
            case "flow_prediction":
                return latents + (next_sigma - sigma) * output
        clean = (latents - sigma * output) / alpha
        return next_alpha * clean + next_sigma * output

    def renoise(
        self,
        latents: Tensor,
        noise: Tensor,
        start: int,
        end: int,
        noise_level: Tensor | float = 1.0,
    ) -> Tensor:
        """Jump from x_start to x_end in the forward process (Eq. 2), `start` < `end`.

        alpha_end / alpha_start * x + noise_level * std * noise, where std^2 = sigma_end^2 -
        (alpha_end / alpha_start * sigma_start)^2.
        """
        kept, added = self._forward(start, end)
        return kept * latents + noise_level * added * noise

    def _forward(self, start: int, end: int) -> tuple[float, float]:
        """Return what x_start is multiplied by on its way to x_end, and the noise that joins it."""
        kept = self.alphas[end] / self.alphas[start]
        return kept, math.sqrt(max(0.0, self.sigmas[end] ** 2 - (kept * self.sigmas[start]) ** 2))
