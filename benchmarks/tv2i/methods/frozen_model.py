"""Methods on the frozen model itself, and the stage on which they sample.

The condition is planted as SOW plants it, on grey, and encoded; guidance is plain: the prompt
against the negative prompt, two UNet samples a call. Nothing is inverted.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from sow.backbones.base import TextEmbeddings
from sow.backbones.schedule import DiffusionSchedule
from sow.backbones.stable_diffusion import StableDiffusion
from sow.diffusion.guidance import classifier_free_guidance
from sow.diffusion.jobs import BatchTensors, Job
from sow.diffusion.noise import background
from sow.diffusion.prompts import negative_prompt
from sow.errors import UsageError
from sow.pipeline.calls import unet_lock
from sow.pipeline.pipeline import SowPipeline
from sow.service.methods import Method, MethodOutput
from sow.service.results import GenerationSpec

BRANCHES = 2


@dataclass(frozen=True)
class Stage:
    """The inputs of the pictures of one call.

    Attributes:
        schedule: of as many states as the method wants.
        timesteps: of its states, on the device.
        planted: x_0 of the grey canvas with the condition in it, `[B, c, h, w]`.
        region_mask: C, 1 for latents of which at least half is condition (where SOW plants twice:
            of its first planting, which is on grey too), else 0; `[B, 1, h, w]`.
        texts: prompt and negative prompt.
        guidance_scale: `[B, 1, 1, 1]`.
        generators: one for each picture.
    """

    backbone: StableDiffusion
    schedule: DiffusionSchedule
    timesteps: Tensor
    planted: Tensor
    region_mask: Tensor
    texts: TextEmbeddings
    guidance_scale: Tensor
    generators: Sequence[torch.Generator]

    @classmethod
    def of(
        cls, pipe: SowPipeline, specs: Sequence[GenerationSpec], seeds: Sequence[int], steps: int
    ) -> Stage:
        """Return the stage for these works and seeds."""
        backbone = StableDiffusion(pipe)
        generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        jobs = [
            Job(spec.condition, spec.plan, spec.settings, generator)
            for spec, generator in zip(specs, generators, strict=True)
        ]
        tensors = BatchTensors.of(jobs, backbone.vae_scale_factor, backbone.device)
        schedule = backbone.schedule(steps)
        prompts = [spec.plan.prompt for spec in specs]
        negatives = [negative_prompt(spec.plan, spec.settings) for spec in specs]
        grey = background("grey", specs[0].plan.canvas, None).to(backbone.device)
        return cls(
            backbone=backbone,
            schedule=schedule,
            timesteps=torch.tensor(schedule.timesteps, device=backbone.device),
            planted=backbone.encode(tensors.planted.into(grey)),
            region_mask=(tensors.first_region_mask >= 0.5).float(),
            texts=backbone.embed([(prompts, negatives)])[0],
            guidance_scale=tensors.guidance_scale,
            generators=generators,
        )

    def noise(self) -> Tensor:
        """Return standard normal noise from every picture's own seed, `[B, c, h, w]`."""
        shape = tuple(self.planted.shape)
        drawn: Tensor = randn_tensor(
            shape, list(self.generators), device=self.backbone.device, dtype=torch.float32
        )
        return drawn

    def output(self, latents: Tensor, state: int) -> Tensor:
        """Return the guided model output for x_s; one UNet call."""
        outputs = self.backbone.predict(latents, self.timesteps[state], self.texts)
        return classifier_free_guidance(outputs, self.guidance_scale)

    def noised(self, state: int, noise: Tensor) -> Tensor:
        """Return the planted canvas noised to a state, `[B, c, h, w]`; at state 0, itself."""
        return self.schedule.renoise(self.planted, noise, 0, state) if state else self.planted

    def put_back(self, latents: Tensor, state: int, noise: Tensor) -> Tensor:
        """Return x_s with the equally noised condition inside C."""
        return torch.lerp(latents, self.noised(state, noise), self.region_mask)


@dataclass(frozen=True)
class FrozenModelMethod(Method):
    """A method on SOW's own model; it names its number of states and samples."""

    @property
    @abstractmethod
    def states(self) -> int:
        """The number of states of its trajectory."""

    @abstractmethod
    def sample(self, stage: Stage) -> Tensor:
        """Return clean latents, `[B, c, h, w]`."""

    def branches(self, spec: GenerationSpec) -> int:
        """Return 2: the prompt and the negative prompt."""
        return BRANCHES

    def draw(
        self, pipe: SowPipeline, specs: Sequence[GenerationSpec], seeds: Sequence[int]
    ) -> MethodOutput:
        """Return a picture per work."""
        with torch.no_grad(), unet_lock(pipe.denoiser), pipe.offload_after_use():
            stage = Stage.of(pipe, specs, seeds, self.states)
            return MethodOutput(*pipe.decode_images(stage.backbone, self.sample(stage), "pil"))


def check_share(name: str, value: float) -> None:
    """Check that a parameter is above 0 and at most 1.

    Raises:
        UsageError: if it is not.
    """
    if not 0 < value <= 1:
        raise UsageError(f"{name}={value:g}", "give a number above 0, at most 1")


def check_count(name: str, value: int, least: int = 1) -> None:
    """Check that a parameter is a count of at most 1000.

    Raises:
        UsageError: if it is not.
    """
    if not (isinstance(value, int) and least <= value <= 1000):
        raise UsageError(f"{name}={value}", f"give a whole number from {least} to 1000")
