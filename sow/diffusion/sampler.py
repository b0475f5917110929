"""The operations of the algorithm on a backbone, for all jobs of a batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from sow.backbones.base import Backbone, TextEmbeddings
from sow.diffusion.algorithm import (
    CANVAS,
    Denoise,
    InitNoise,
    Invert,
    Renoise,
    Step,
    UNetCall,
    cyclic_one_way_diffusion,
)
from sow.diffusion.guidance import Guidance, classifier_free_guidance, guidance_texts
from sow.diffusion.inversion import inversion_batches
from sow.diffusion.jobs import BatchTensors, Job
from sow.diffusion.noise import NoiseTape
from sow.diffusion.prefix import PrefixState
from sow.diffusion.recording import steps_of


class Controls(Protocol):
    """The controls of the backbone's attention; implemented by `sow.attention.chain`."""

    def installed(self) -> AbstractContextManager[None]:
        """Install the controls in the attention layers; restore the layers on exit."""

    def before_call(self, step: UNetCall) -> None:
        """Prepare for the UNet call of this step."""

    def after_call(self, step: UNetCall) -> None:
        """Process what was observed in the UNet call of this step."""


@dataclass
class StepEnd:
    """The state at the end of a UNet call; callbacks may replace `latents` and `texts`.

    Attributes:
        call: its index, from 0.
        time: the timestep of the UNet call, on the device.
        latents: `[B, c, h, w]`, where the next step starts; of a condition inverted alone, its own.
        condition_mask: C in these latents.
        texts: the embeddings for guidance in all later calls; the prompt's branch alone turns
            guidance off.
    """

    call: int
    time: Tensor
    latents: Tensor
    condition_mask: Tensor
    texts: TextEmbeddings


@dataclass
class SamplerOutput:
    """The result of a run, clean latents `[B, c, h, w]`.

    latents: of the pictures; if the run was cancelled, the latest prediction. cycles: the
    prediction after each cycle.
    """

    latents: Tensor
    cycles: list[Tensor] = field(default_factory=list)


class Cancelled(Exception):
    """The user cancelled the run before a UNet call."""


class PrefixComplete(Exception):
    """The prefix of a run is complete: the next step needs noise."""


class Sampler:
    """One run of a batch of jobs; implements `sow.diffusion.algorithm.Run`.

    Args:
        backbone: the model.
        jobs: the pictures to make.
        tensors: the settings that may differ between jobs.
        grid: both sides of a canvas are multiples of this many pixels.
        controls: the controls of attention; an empty `ControlChain` leaves it unchanged.
    """

    def __init__(
        self,
        backbone: Backbone,
        jobs: Sequence[Job],
        tensors: BatchTensors,
        grid: int,
        controls: Controls,
    ) -> None:
        settings, scale = jobs[0].settings, backbone.vae_scale_factor
        self.backbone, self.settings, self.tensors = backbone, settings, tensors
        self.jobs, self.grid, self.controls = jobs, grid, controls
        self.schedule = backbone.schedule(settings.steps)
        self.timesteps = torch.tensor(self.schedule.timesteps, device=backbone.device)
        self.inversions, pixels = inversion_batches(jobs, tensors.condition_mask, scale, grid)
        self.pixels = dict(enumerate(pixels))  # by inversion batch, until it is encoded
        self.steps = steps_of(settings, len(self.inversions) - 1)
        width, height = jobs[0].plan.canvas
        shape = (backbone.channels, height // scale, width // scale)
        self.noise = NoiseTape(
            self.steps,
            [job.settings for job in jobs],
            shape,
            [job.generator for job in jobs],
            backbone.device,
        )
        self.guidance = Guidance(jobs, tensors)
        self.texts, *self.inversion_texts = backbone.embed(
            [guidance_texts(jobs), *(batch.texts for batch in self.inversions)],
            settings.prompt_syntax,
        )
        self.region_mask = tensors.first_region_mask
        self.text_only = all(job.plan.text_only for job in jobs)
        self.states: list[list[Tensor]] = [[] for _ in self.inversions]  # from x_0 on
        self.clean = torch.zeros(len(jobs), *shape, device=backbone.device)  # predicted from x
        self.cycles: list[Tensor] = []
        self._placed: dict[int, Tensor] = {}
        self._step_end: Callable[[StepEnd], None] = lambda step: None
        self._cycle_end: Callable[[Tensor], object] = lambda clean: None
        self._cancelled: Callable[[], bool] = lambda: False
        self._replayed: deque[tuple[Tensor, ...]] = deque()
        self._recorded: list[tuple[Tensor, ...]] | None = None
        self._calls = 0

    @property
    def unet_calls(self) -> int:
        """The number of UNet calls of the run, including those of a replayed prefix."""
        return sum(isinstance(step, Invert | Denoise) for step in self.steps)

    def run(
        self,
        step_end: Callable[[StepEnd], None] = lambda step: None,
        cancelled: Callable[[], bool] = lambda: False,
        prefix: PrefixState | None = None,
        cycle_end: Callable[[Tensor], object] = lambda clean: None,
    ) -> SamplerOutput:
        """Make the pictures.

        step_end: called after every UNet call; may change the step. cancelled: called before
        every UNet call; True ends the run with the latest prediction. prefix: the results of the
        first calls, instead of calling the backbone. cycle_end: called after every cycle with the
        clean latents that it predicts.
        """
        self._step_end, self._cancelled, self._cycle_end = step_end, cancelled, cycle_end
        self._replayed.extend(prefix.results if prefix else ())
        with self.controls.installed():
            try:
                latents = self._algorithm()
            except Cancelled:
                latents = self.clean
        return SamplerOutput(latents, self.cycles)

    def run_prefix(self, step_end: Callable[[StepEnd], None] = lambda step: None) -> PrefixState:
        """Run up to the first step that needs noise, and return the results."""
        self._recorded, self._step_end = [], step_end
        with self.controls.installed(), suppress(PrefixComplete):
            self._algorithm()
        return PrefixState(tuple(self._recorded))

    def _algorithm(self) -> Tensor:
        return cyclic_one_way_diffusion(self, self.settings, len(self.inversions) - 1)

    def encode(self, batch: int) -> None:
        """Encode the pixels of an inversion batch into its x_0."""
        (latents,) = self._replay_or_compute(lambda: (self._encode_pixels(batch),))
        self.states[batch] = [latents]
        if batch == CANVAS:
            self.clean = latents

    def invert(self, step: Invert) -> None:
        """Take one DDIM inversion step, with the UNet called at the timestep where it ends.

        The states in between are denoised from the end with the same epsilon.
        """

        def states() -> tuple[Tensor, ...]:
            latents, batch = self.states[step.batch][-1], self.inversions[step.batch]
            end = step.state + step.step_skip
            outputs = self._predict(latents, end, self.inversion_texts[step.batch], step)
            output = classifier_free_guidance(outputs, self.settings.inversion_guidance_scale)
            latents = self.schedule.invert(latents, output, step.state, step.step_skip)
            between = [
                self.schedule.denoise(latents, output, end, step_skip=back)[0]
                for back in range(step.step_skip - 1, 0, -1)
            ]
            return (*between, self._end_call(latents, end, batch.condition_mask))

        self.states[step.batch] += self._replay_or_compute(states)

    def seed_canvas(self, state: int) -> Tensor:
        """Return the inverted seed canvas, x_s `[B, c, h, w]`."""
        return self.states[CANVAS][state]

    def init_noise(self, step: InitNoise) -> Tensor:
        """Return noise, x_S `[B, c, h, w]`."""
        return self._noise(step)

    def renoise(self, x: Tensor, step: Renoise) -> Tensor:
        """Jump from x_t1 to x_t2 with fresh noise (Eq. 2)."""
        t1, t2 = self.settings.t1, self.settings.t2
        return self.schedule.renoise(x, self._noise(step), t1, t2, self.tensors.noise_level)

    def reinject(self, x: Tensor, state: int) -> Tensor:
        """Put the inverted condition v_s back inside C, if the plan has a condition."""
        return x if self.text_only else torch.lerp(x, self.condition(state), self.region_mask)

    def preserve(self, x: Tensor, state: int) -> Tensor:
        """Reinject the condition in the jobs that name this state in `preserve`."""
        if self.text_only or state not in self.tensors.preserving:
            return x
        share = self.region_mask * self.tensors.preserving[state]
        return torch.lerp(x, self.condition(state), share)

    def denoise(self, x: Tensor, step: Denoise) -> Tensor:
        """Take one DDIM step under guidance; also keep the predicted clean latents."""
        noise = self._noise(step) if step in self.noise else None
        x, self.clean = self._replay_or_compute(lambda: self._denoise_guided(x, step, noise))
        return x

    def end_cycle(self) -> None:
        """Keep the clean latents that the cycle predicts."""
        self.cycles.append(self.clean)
        self._cycle_end(self.clean)

    def replant(self, x: Tensor, left: int) -> None:
        """Paste the condition into the clean picture, which becomes the seed canvas."""
        self.region_mask = self.tensors.first_region_mask if left else self.tensors.region_mask
        if not self._replayed:
            decoded = self.backbone.decode(x).float().clamp(-1, 1)
            self.pixels[CANVAS] = self.tensors.planted.into(decoded)

    def condition(self, state: int) -> Tensor:
        """Return v_s, the inverted condition in its place, `[B, c, h, w]`; only valid inside C."""
        if len(self.inversions) == 1:
            return self.states[CANVAS][state]
        if state in self._placed:
            return self._placed[state]
        placed = self._placed[state] = torch.zeros_like(self.clean)
        for batch, states in zip(self.inversions[1:], self.states[1:], strict=True):
            height, width = batch.size
            for index, (top, left), latents in zip(
                batch.members, batch.origins, states[state], strict=True
            ):
                window = placed[index, :, top : top + height, left : left + width]
                window[:] = latents[:, :height, :width]
        return placed

    def _replay_or_compute(self, compute: Callable[[], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        """Return the next result of the prefix, or else compute it; record it if requested."""
        if self._replayed:
            return self._replayed.popleft()
        result = compute()
        if self._recorded is not None:
            self._recorded.append(result)
        return result

    def _noise(self, step: Step) -> Tensor:
        """Return the noise of a step; raise `PrefixComplete` while a prefix is recorded."""
        if self._recorded is not None:
            raise PrefixComplete
        return self.noise[step]

    def _encode_pixels(self, batch: int) -> Tensor:
        """Return x_0 of an inversion batch."""
        return self.backbone.encode(self.pixels.pop(batch))

    def _denoise_guided(
        self, x: Tensor, step: Denoise, noise: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return x_{s-1} and the predicted clean latents."""
        texts = self.texts.first_branches(self.guidance.num_conditions(step))
        outputs = self._predict(x, step.state, texts, step)
        return self._scheduler_step(x, self.guidance(outputs, step, self.region_mask), step, noise)

    def _scheduler_step(
        self, x: Tensor, output: Tensor, step: Denoise, noise: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return x_{s-1} and the predicted clean latents, from the guided output."""
        eta = self.tensors.eta if step.cycle is None else self.tensors.cycle_eta
        x, clean = self.schedule.denoise(x, output, step.state, eta, noise)
        return self._end_call(x, step.state, self.region_mask >= 0.5), clean

    def _predict(self, x: Tensor, state: int, texts: TextEmbeddings, step: UNetCall) -> Tensor:
        """Call the UNet; raise `Cancelled` if the user cancelled the run."""
        if self._cancelled():
            raise Cancelled
        self.controls.before_call(step)
        outputs = self.backbone.predict(x, self.timesteps[state], texts)
        self.controls.after_call(step)
        return outputs

    def _end_call(self, x: Tensor, state: int, condition_mask: Tensor) -> Tensor:
        """Call `step_end`, and return the latents to continue with."""
        step = StepEnd(self._calls, self.timesteps[state], x, condition_mask, self.texts)
        self._step_end(step)
        self.texts = step.texts
        self._calls += 1
        return step.latents
