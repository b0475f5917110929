"""COW as its authors released it, on SOW's engine where the two agree.

Pan et al., *Diffusion in Diffusion: Cyclic One-Way Diffusion for Text-Vision-Conditioned
Generation*, ICLR 2024, as released. What it does differently from the preset `cow`:

1. the face is inverted alone, at its own size and unpadded, and the canvas besides;
2. a disturbance takes the levels one state further up (times 501 to 701 where x_5 is at 401);
3. the finish is guided plainly, by the prompt against an empty text;
4. pictures are encoded to a sample of the autoencoder's distribution, not to its mode;
5. pictures are resized bicubically;
6. the negative prompt is spelled a little differently;
7. what the outline leaves out of the box is grey;
8. the mask is black and white, and brought to the latents by the nearest neighbour;
9. what is suppressed is always "human face", in four samples a step, whatever the checkpoint
   knows of words.

In the finish eta is 0.1, state 4 is preserved, and inversions have the prompt at guidance 7.5, as
the preset has them. In the cycles eta is 1, as the preset has it too; but two versions are public:
one stored state of the authors' code has 0 there, and a copy of it 1. The parameter says which.
37 UNet calls and 114 samples a picture: 14 for the face, 10 for the canvas, 80 in the cycles, 10 in
the finish. In a call with boxes of other sizes, the faces of each size are inverted by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from sow.attention.chain import ControlChain
from sow.attention.control import RunContext
from sow.backbones.stable_diffusion import StableDiffusion
from sow.diffusion.algorithm import Denoise, Renoise
from sow.diffusion.guidance import classifier_free_guidance
from sow.diffusion.jobs import BatchTensors, Job
from sow.diffusion.planting import check_membership
from sow.diffusion.sampler import Sampler
from sow.errors import UsageError
from sow.pictures.condition import Condition
from sow.pictures.loading import GREY
from sow.pipeline.calls import unet_lock
from sow.pipeline.pipeline import SowPipeline
from sow.service.methods import Method, MethodOutput, Resolver
from sow.service.request import Request
from sow.service.resolved import read_request
from sow.service.results import GenerationSpec
from sow.settings.settings import Settings

RELEASED = Settings.preset("cow").changed(
    inversion="alone",
    planted="box",  # grey where the outline leaves it out
    outside="pair",
    negative_prompt="a bad quality and low resolution image,extra fingers,deformed hands",
    prompt_syntax="plain",
    layout_steps=0,
)
SUPPRESSED = "human face"


@dataclass(frozen=True)
class CowRelease(Method):
    """The release; it has no settings, and reads none from a checkpoint.

    Attributes:
        cycle_eta: chance in the cycles, 1 or 0 as the version of the release is.
    """

    cycle_eta: float = 1.0

    name = "cow-release"

    def __post_init__(self) -> None:
        """Check the parameters."""
        if self.cycle_eta not in (0, 1):
            raise UsageError(f"cycle_eta={self.cycle_eta:g}", "the release has 1, or 0")

    def resolve(self, service: Resolver, request: Request) -> GenerationSpec:
        """Return the same plan, except for the noun; resize and grey as in the release."""
        spec, inputs = service.resolve(request.with_preset("cow")), read_request(request)
        condition = spec.condition
        if inputs.image is not None and not spec.plan.text_only:
            bicubic = Image.Resampling.BICUBIC
            condition = greyed(Condition.prepare(inputs.image, spec.plan, inputs.mask, bicubic))
        plan = spec.plan.changed(suppress=SUPPRESSED)
        settings = RELEASED.changed(cycle_eta=self.cycle_eta)
        return replace(spec, condition=condition, plan=plan, settings=settings)

    def draw(
        self, pipe: SowPipeline, specs: Sequence[GenerationSpec], seeds: Sequence[int]
    ) -> MethodOutput:
        """Return a picture per work."""
        with torch.no_grad(), unet_lock(pipe.denoiser), pipe.offload_after_use():
            backbone = StableDiffusion(pipe)
            sampler = ReleasedSampler(backbone, jobs_of(specs, seeds))
            return MethodOutput(*pipe.decode_images(backbone, sampler.run().latents, "pil"))


def jobs_of(specs: Sequence[GenerationSpec], seeds: Sequence[int]) -> list[Job]:
    """Return the jobs for the sampler."""
    generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
    return [
        Job(spec.condition, spec.plan, spec.settings, generator)
        for spec, generator in zip(specs, generators, strict=True)
    ]


def greyed(condition: Condition) -> Condition:
    """Return the condition with a black and white mask, and grey where that is black."""
    mask = condition.mask.convert("1").convert("L")
    grey = Image.new("RGB", condition.picture.size, GREY)
    return Condition(Image.composite(condition.picture, grey, mask), mask)


def nearest_inside(job: Job, vae_scale_factor: int) -> Tensor:
    """Return C in the latents of a canvas, `[1, h, w]`, by the first pixel of each latent."""
    width, height = job.plan.canvas
    mask, box = torch.zeros(1, 1, height, width), job.plan.box
    if not job.plan.text_only:
        mask[0, 0, box.y : box.bottom, box.x : box.right] = torch.from_numpy(
            np.array(job.condition.mask, np.float32) / 255
        )
    inside = (interpolate(mask, scale_factor=1 / vae_scale_factor, mode="nearest")[0] == 1).float()
    if not job.plan.text_only:
        check_membership(inside)
    return inside


class ReleasedSampler(Sampler):
    """SOW's loop and moves, changed where the release differs."""

    def __init__(self, backbone: StableDiffusion, jobs: Sequence[Job]) -> None:
        """Prepare the sampler; the jobs' settings are `RELEASED`."""
        inside = torch.stack([nearest_inside(job, backbone.vae_scale_factor) for job in jobs])
        tensors = BatchTensors.of(jobs, backbone.vae_scale_factor, backbone.device)
        tensors = replace(tensors, region_mask=inside.to(tensors.region_mask),
                          first_region_mask=inside.to(tensors.region_mask))  # fmt: skip
        # With boxes on the latents' own grid, a face is as large as its box: it is not padded.
        controls = ControlChain((), RunContext.of(jobs, tensors.condition_mask, backbone))
        super().__init__(backbone, jobs, tensors, backbone.vae_scale_factor, controls)
        self._vae, self._factor = backbone.pipe.vae, backbone.pipe.vae.config.scaling_factor
        self._generators = [job.generator for job in jobs]
        plain = ([job.plan.prompt for job in jobs], [""] * len(jobs))
        (self._finish,) = backbone.embed([plain])

    def renoise(self, x: Tensor, step: Renoise) -> Tensor:
        """Take the levels one state further up."""
        t1, t2 = self.settings.t1 + 1, self.settings.t2 + 1
        return self.schedule.renoise(x, self._noise(step), t1, t2, self.tensors.noise_level)

    def _encode_pixels(self, batch: int) -> Tensor:
        """Return x_0 of a frame: a sample of the autoencoder's distribution."""
        pixels = self.pixels.pop(batch).to(self.backbone.device, self._vae.dtype)
        generators = [self._generators[n] for n in self.inversions[batch].members]
        sampled: Tensor = self._vae.encode(pixels).latent_dist.sample(generators)
        latents: Tensor = sampled.float() * self._factor
        return latents

    def _denoise_guided(
        self, x: Tensor, step: Denoise, noise: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return x_{s-1}; in the finish with plain guidance against an empty text."""
        if step.cycle is not None:
            return super()._denoise_guided(x, step, noise)
        outputs = self._predict(x, step.state, self._finish, step)
        output = classifier_free_guidance(outputs, self.tensors.guidance_scale)
        return self._scheduler_step(x, output, step, noise)
