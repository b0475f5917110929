"""States, their timesteps and noise levels, and the three kinds of steps between them.

A trajectory has S + 1 states, x_0 (clean) to x_S (noise). Going from x_s to x_{s-1}, the UNet is
called at timestep t_s = T/S * (s - 1) + 1 (the spacing of Stable Diffusion's own DDIM scheduler),
and alpha_bar at t_s is the level of state s. Sampling, inversion and renoising use the same
table of levels, so they agree at every state.

Levels are Python floats: formulas are exact and nothing is read from the device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from sow.errors import ModelError, UsageError


@dataclass(frozen=True)
class DiffusionSchedule:
    """The states of a variance-preserving diffusion such as Stable Diffusion.

    Attributes:
        timesteps: the UNet's timestep of every state; `timesteps[0]` is 0 and never used.
        alphas_cumprod: alpha_bar of every state, from x_0 (clean) to x_S.
        prediction_type: what the UNet predicts, `epsilon` or `v_prediction`.
    """

    timesteps: tuple[int, ...]
    alphas_cumprod: tuple[float, ...]
    prediction_type: str

    @classmethod
    def from_scheduler(cls, scheduler: Any, steps: int) -> DiffusionSchedule:
        """Return the schedule with `steps` steps, from a diffusers scheduler's noise levels.

        Raises:
            ModelError: if the scheduler has no alpha_bar (flow matching, EDM) or an alpha_bar that
                does not decrease from at most 1 to more than 0, or the model predicts neither
                epsilon nor v.
            UsageError: if the model was trained on fewer timesteps than `steps`.
        """
        config = scheduler.config
        # Sigma-based schedulers such as Euler's have the same noise; flow matching and EDM do not.
        if not hasattr(scheduler, "alphas_cumprod") or not hasattr(scheduler.config, "get"):
            raise ModelError(
                f"{type(scheduler).__name__} has no alphas_cumprod",
                "use a scheduler with Stable Diffusion's noise, such as DDIMScheduler",
            )
        prediction_type = config.get("prediction_type", "epsilon")
        if prediction_type not in ("epsilon", "v_prediction"):
            raise ModelError(
                f"unsupported prediction_type {prediction_type!r}",
                "use a model that predicts epsilon or v_prediction",
            )
        alphas = scheduler.alphas_cumprod.double().tolist()
        step_ratio = len(alphas) // steps
        if step_ratio == 0:
            raise UsageError(f"steps={steps} is more than the model's {len(alphas)} timesteps")
        timesteps = [min(step_ratio * s + 1, len(alphas) - 1) for s in range(steps)]
        # SD's clean state has some noise left: alpha_bar at timestep 0, not 1.
        clean = 1.0 if config.get("set_alpha_to_one", False) else alphas[0]
        alphas_cumprod = (clean, *(alphas[t] for t in timesteps))
        # False for nan too.
        if not all(1 >= cleaner > noisier > 0 for cleaner, noisier in pairwise(alphas_cumprod)):
            raise ModelError(
                "the scheduler's alphas_cumprod does not decrease between 1 and 0",
                "use a scheduler with Stable Diffusion's noise, such as DDIMScheduler",
            )
        return cls((0, *timesteps), alphas_cumprod, prediction_type)

    @property
    def steps(self) -> int:
        """S, the index of the noisiest state."""
        return len(self.timesteps) - 1

    def predict_x0_eps(self, latents: Tensor, output: Tensor, state: int) -> tuple[Tensor, Tensor]:
        """Return the clean latents and the noise in x_s that the UNet's output predicts."""
        alpha = self.alphas_cumprod[state]
        signal, noise = math.sqrt(alpha), math.sqrt(1 - alpha)
        if self.prediction_type == "v_prediction":
            return signal * latents - noise * output, signal * output + noise * latents
        return (latents - noise * output) / signal, output

    def denoise(
        self,
        latents: Tensor,
        output: Tensor,
        state: int,
        eta: Tensor | float = 0.0,
        noise: Tensor | None = None,
        step_skip: int = 1,
    ) -> tuple[Tensor, Tensor]:
        """Take one DDIM step, x_s -> x_{s - step_skip} (Eq. 3; DDIM, Eq. 12).

        Args:
            latents: x_s, `[B, 4, h, w]`.
            output: the UNet's at `timesteps[state]`, same shape.
            state: s, from S down to 1.
            eta: 0 is deterministic, 1 has DDPM's variance; a number or `[B, 1, 1, 1]`.
            noise: standard normal, same shape as `latents`; required if eta is not 0.
            step_skip: the number of states to go at once, up to s.

        Returns:
            x_{s - step_skip} and the predicted clean latents.
        """
        alpha, alpha_prev = self.alphas_cumprod[state], self.alphas_cumprod[state - step_skip]
        clean, epsilon = self.predict_x0_eps(latents, output, state)
        if noise is None:
            return math.sqrt(alpha_prev) * clean + math.sqrt(1 - alpha_prev) * epsilon, clean
        std = math.sqrt((1 - alpha_prev) / (1 - alpha) * (1 - alpha / alpha_prev))
        sigma = eta * std * torch.ones_like(latents[:, :1, :1, :1])
        direction = (1 - alpha_prev - sigma**2).clamp_min(0).sqrt()
        return math.sqrt(alpha_prev) * clean + direction * epsilon + sigma * noise, clean

    def invert(self, latents: Tensor, output: Tensor, state: int, step_skip: int = 1) -> Tensor:
        """Take one DDIM inversion step, x_s -> x_{s + step_skip} (Sec. III-A).

        `output` is the UNet's at `timesteps[state + step_skip]`, where `denoise` starts. This is
        the exact inverse of `denoise` with eta 0 if the UNet's output is the same.
        """
        alpha, alpha_next = self.alphas_cumprod[state], self.alphas_cumprod[state + step_skip]
        if self.prediction_type == "v_prediction":
            # A step rotates (signal, noise) by an angle: x_s = cos * x_{s+1} - sin * v.
            cos = math.sqrt(alpha * alpha_next) + math.sqrt((1 - alpha) * (1 - alpha_next))
            sin = math.sqrt(alpha * (1 - alpha_next)) - math.sqrt((1 - alpha) * alpha_next)
            return (latents + sin * output) / cos
        clean = (latents - math.sqrt(1 - alpha) * output) / math.sqrt(alpha)
        return math.sqrt(alpha_next) * clean + math.sqrt(1 - alpha_next) * output

    def renoise(
        self,
        latents: Tensor,
        noise: Tensor,
        start: int,
        end: int,
        noise_level: Tensor | float = 1.0,
    ) -> Tensor:
        """Jump from x_start to x_end in the forward process (Eq. 2), `start` < `end`.

        sqrt(a_end/a_start) * x + noise_level * sqrt(1 - a_end/a_start) * noise
        """
        ratio = self.alphas_cumprod[end] / self.alphas_cumprod[start]
        return math.sqrt(ratio) * latents + noise_level * math.sqrt(1 - ratio) * noise
