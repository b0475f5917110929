"""Langevin inpainting in the manner of LanPaint: training-free, on the same frozen model.

Zheng, Lan and Wang, *LanPaint: Training-Free Diffusion Inpainting with Asymptotically Exact and
Fast Conditional Sampling*, TMLR 2025 (arXiv 2502.03491), Sec. 4: before each step of the
trajectory, a few iterations of Langevin dynamics bring the picture x outside C and the condition y
inside it into agreement, at the noise level abar of that state. With n = 1 - abar, x_hat the clean
latents that the model points to, and y_0 the planted ones, the forces are

- outside C the score: s_x = -(x - sqrt(abar) x_hat) / n;
- inside it the bidirectional guided (BiG) score:
  s_y = -(1 + lambda) (y - sqrt(abar) y_0) / n + lambda (y - sqrt(abar) y_hat) / n,

so that what was planted can give way while x listens to it. Both are s = c - a z, with a = 1/n or
(1 + lambda)/n and a c that is held between two calls of the model. The fast dynamics (FLD) is
Langevin's with inertia, with v the velocity,

    dz = sqrt(g) v dt,    dv = (sqrt(g) (c - a z) - g v) dt + sqrt(2 g) dW,

which for such a force is solved exactly. The first iteration asks the model for c and goes a step;
each other one goes half a step, asks for the new c, gives v what its change would have in the whole
step, sqrt(g) dc dt, and goes the other half.

What is chosen here: the numbers are those that the authors recommend in their own package, where
friction f means g = 5 f^2 / n and the step is step_size * n; guidance is the same in both forces
(their "image first"); iterations are not left out before the last state. Theirs are 20 to 50 states
with 5 iterations; the default here spends what SOW does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from sow.benchmarks.tv2i.methods.frozen_model import FrozenModelMethod, Stage, check_count
from sow.errors import UsageError


@dataclass(frozen=True)
class Langevin(FrozenModelMethod):
    """Inpainting by Langevin dynamics at every state.

    Attributes:
        steps: states of the trajectory.
        iterations: at each of them; `steps * (iterations + 1)` UNet calls in all: by default 30,
            which are 60 samples, what SOW spends with the guidance of Stable Diffusion (6 steps
            make the 36 that it spends on `figures`).
        strength: lambda, how strictly C keeps to what was planted.
        step_size: of an iteration, in units of the noise's variance.
        friction: of the dynamics.
    """

    steps: int = 10
    iterations: int = 2
    strength: float = 8.0
    step_size: float = 0.2
    friction: float = 15.0

    name = "langevin"

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_count("steps", self.steps)
        check_count("iterations", self.iterations, least=0)
        for name in ("strength", "step_size", "friction"):
            if not 0 < getattr(self, name) < math.inf:
                raise UsageError(f"{name}={getattr(self, name)}", "give a number above 0")

    @property
    def states(self) -> int:
        """The number of steps."""
        return self.steps

    def sample(self, stage: Stage) -> Tensor:
        """Return clean latents; inside C those that were planted."""
        if stage.schedule.prediction_type == "flow_prediction":
            raise UsageError(
                f"{self.name} needs noise that keeps the variance, and the model is a flow",
                "use Stable Diffusion 1.x, 2.x or XL",
            )
        fixed = stage.noise()
        latents = stage.noise()
        for state in range(self.steps, 0, -1):
            latents = self._thought(stage, stage.put_back(latents, state, fixed), state)
            clean, _ = stage.schedule.predict_x0_eps(latents, stage.output(latents, state), state)
            clean = torch.lerp(clean, stage.planted, stage.region_mask)
            latents = _next(stage, latents, clean, state)
        return stage.put_back(latents, 0, latents)

    def _thought(self, stage: Stage, latents: Tensor, state: int) -> Tensor:
        """Return x_s after the Langevin iterations of this state."""
        if self.iterations == 0:
            return latents
        spread = 1 - stage.schedule.alphas_cumprod[state]
        stiffness = torch.tensor([1.0, 1 + self.strength], dtype=torch.float64) / spread
        friction, step = 5 * self.friction**2 / spread, self.step_size * spread
        full_step = oscillation(stiffness, friction, step)
        half = oscillation(stiffness, friction, step / 2)

        pull = self._pull(stage, latents, state)
        latents, speed = _swing(stage, latents, stage.noise(), pull, stiffness, full_step)
        for _ in range(self.iterations - 1):
            latents, speed = _swing(stage, latents, speed, pull, stiffness, half)
            new = self._pull(stage, latents, state)
            speed = speed + math.sqrt(friction) * (new - pull) * step
            latents, speed = _swing(stage, latents, speed, pull, stiffness, half)
            pull = new
        return latents

    def _pull(self, stage: Stage, latents: Tensor, state: int) -> Tensor:
        """Return c, the held part of the forces: `[B, c, h, w]`; one UNet call."""
        abar = stage.schedule.alphas_cumprod[state]
        root, spread = math.sqrt(abar), 1 - abar
        hat, _ = stage.schedule.predict_x0_eps(latents, stage.output(latents, state), state)
        outside = root * hat / spread
        back = self.strength * (latents - root * hat) / spread
        inside = (1 + self.strength) * root * stage.planted / spread + back
        pull: Tensor = torch.lerp(outside, inside, stage.region_mask)
        return pull


Oscillation = tuple[Tensor, Tensor]
"""What `oscillation` says of one length of time."""


def _swing(
    stage: Stage,
    place: Tensor,
    speed: Tensor,
    pull: Tensor,
    stiffness: Tensor,
    oscillation: Oscillation,
) -> tuple[Tensor, Tensor]:
    """Return place and speed after a time under a constant pull, solved exactly, with noise."""
    turn, gained = oscillation

    def over(values: Tensor) -> Tensor:
        """Return a number outside C and one inside it, as a map."""
        outside, inside = values.tolist()
        everywhere: Tensor = outside + (inside - outside) * stage.region_mask
        return everywhere

    rest = pull / over(stiffness)
    away, one, other = place - rest, stage.noise(), stage.noise()
    place = rest + over(turn[:, 0, 0]) * away + over(turn[:, 0, 1]) * speed
    speed = over(turn[:, 1, 0]) * away + over(turn[:, 1, 1]) * speed
    speed = speed + over(gained[:, 1, 0]) * one + over(gained[:, 1, 1]) * other
    return place + over(gained[:, 0, 0]) * one, speed


def oscillation(stiffness: Tensor, friction: float, length: float) -> Oscillation:
    """Solve dz = sqrt(g) v dt, dv = (-sqrt(g) a z - g v) dt + sqrt(2 g) dW for some time.

    Args:
        stiffness: a, `[R]` in float64.
        friction: g.
        length: of time.

    Returns:
        The matrices by which (z, v) are turned, `[R, 2, 2]`, and the lower triangular roots of
        the covariances of what is added. Both follow from the distribution at rest, which the
        dynamics keeps: z has the variance 1/a and v the variance 1.
    """
    root = math.sqrt(friction)
    drift = torch.zeros(len(stiffness), 2, 2, dtype=torch.float64)
    drift[:, 0, 1], drift[:, 1, 0], drift[:, 1, 1] = root, -root * stiffness, -friction
    turn = torch.linalg.matrix_exp(drift * length)
    rest = torch.diag_embed(torch.stack([1 / stiffness, torch.ones_like(stiffness)], -1))
    gained = rest - turn @ rest @ turn.mT
    return turn, torch.linalg.cholesky(gained)


def _next(stage: Stage, latents: Tensor, clean: Tensor, state: int) -> Tensor:
    """Return x_{s-1} on the line from these clean latents through x_s."""
    here, there = stage.schedule.alphas_cumprod[state], stage.schedule.alphas_cumprod[state - 1]
    noise = (latents - math.sqrt(here) * clean) / math.sqrt(1 - here)
    return math.sqrt(there) * clean + math.sqrt(1 - there) * noise
