"""`SowPipeline`: Cyclic One-Way Diffusion on a frozen Stable Diffusion 1.x or 2.x.

It is diffusers' own `StableDiffusionPipeline` with another `__call__`, so loading, saving,
moving, offloading, LoRA, callbacks and the progress bar are the ones users know. What the call
does is `sow.diffusion.algorithm`, carried out by `sow.diffusion.sampler`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from diffusers.schedulers import KarrasDiffusionSchedulers
from diffusers.utils import BaseOutput
from torch import Tensor
from transformers import (
    CLIPImageProcessor,
    CLIPTextModel,
    CLIPTokenizer,
    CLIPVisionModelWithProjection,
)

from sow.attention.chain import chain_of
from sow.attention.control import AttentionControl, RunContext
from sow.attention.indicator import Indicator
from sow.attention.trace import Trace
from sow.backbones.stable_diffusion import StableDiffusion
from sow.checkpoints.checked_pipeline import CheckedPipeline
from sow.checkpoints.spec import CheckpointSpec
from sow.diffusion.jobs import BatchTensors, make_jobs
from sow.diffusion.sampler import Sampler
from sow.errors import UsageError
from sow.pipeline.calls import (
    CALLBACK_TENSORS,
    check_finite,
    check_tensor_inputs,
    job_indices,
    make_step_end,
    unet_lock,
)
from sow.pipeline.prefix_cache import PrefixCache
from sow.plan.plan import Plan, check_canvas
from sow.settings.settings import Settings
from sow.utils.libraries import quiet_libraries
from sow.utils.type_checks import check_type

if TYPE_CHECKING:
    from sow.diffusion.jobs import Picture
    from sow.pictures.inputs import PictureLike
    from sow.settings.inputs import PlanLike, SettingsLike

Callback = Callable[["SowPipeline", int, Any, dict[str, Any]], dict[str, Any]]
OUTPUT_TYPES = ("pil", "np", "pt", "latent")


@dataclass
class SowPipelineOutput(BaseOutput):  # type: ignore[misc]
    """What a call returns.

    Attributes:
        images: B pictures; PIL, or an array or tensor as `output_type` says.
        plans: B plans as they were carried out (boxes on the grid of the latents).
        nsfw_content_detected: B booleans, or None if the checkpoint has no safety checker.
        cycles: on request, a list per job of what its picture looked like after each cycle.
        indicators: on request, `[B, cycles]` in float32 on the CPU: how much of R's listening to
            the condition is close to it (Eq. 7); about 0.2 where it is even, nan where it could
            not be measured.
    """

    images: Any
    plans: list[Plan]
    nsfw_content_detected: list[bool] | None
    cycles: list[list[Any]] | None
    indicators: Tensor | None = None


class SowPipeline(CheckedPipeline):
    """Grows a whole picture around a visual condition.

    Attributes:
        controls: what else has a say in attention while pictures are made, besides modulation;
            see `sow.attention.control`.
        remark: is told what is odd about a legal call; by itself a warning of `logging`.

    Example:
        >>> pipe = SowPipeline.from_pretrained(model_id, torch_dtype=torch.float16).to("cuda")
        >>> picture = pipe(image=face, plan=plan, generator=generator).images[0]
    """

    _callback_tensor_inputs: ClassVar[list[str]] = list(CALLBACK_TENSORS)

    def __init__(
        self,
        vae: AutoencoderKL,
        text_encoder: CLIPTextModel,
        tokenizer: CLIPTokenizer,
        unet: UNet2DConditionModel,
        scheduler: KarrasDiffusionSchedulers,
        safety_checker: StableDiffusionSafetyChecker,
        feature_extractor: CLIPImageProcessor,
        image_encoder: CLIPVisionModelWithProjection = None,
        requires_safety_checker: bool = True,
        sow_settings: dict[str, Any] | None = None,
        sow_presets: dict[str, dict[str, Any]] | None = None,
        sow_words: str | None = None,
    ) -> None:
        """diffusers' own parts, and what this checkpoint says of itself in `model_index.json`.

        sow_settings: what it needs set otherwise. A model that was never taught the words of the
        paper's negative prompt, for example, does better without it.
        sow_presets: its own numbers for `normal`, `attribute` and `style`, where they were
        measured on it; without them these are the published method.
        sow_words: the only words it understands, if they can be listed, with spaces between.
        """
        super().__init__(
            vae, text_encoder, tokenizer, unet, scheduler, safety_checker, feature_extractor,
            image_encoder, requires_safety_checker,
        )  # fmt: skip
        self.register_to_config(
            sow_settings=sow_settings, sow_presets=sow_presets, sow_words=sow_words
        )
        self.controls: list[AttentionControl] = []
        self.warn: Callable[[str], None] = logging.getLogger(__name__).warning
        self._guidance_scale, self._num_timesteps, self._interrupt = 0.0, 0, False

    @property
    def checkpoint_spec(self) -> CheckpointSpec:
        """What this checkpoint is: its canvas, its grid, its words, its token limit."""
        return CheckpointSpec.from_configs(
            unet=self.unet.config,
            vae=self.vae.config,
            text_encoder=vars(self.text_encoder.config),
            tokenizer={"model_max_length": self.tokenizer.model_max_length},
            index=self.config,
        )

    @property
    def canvas(self) -> tuple[int, int]:
        """`(width, height)` in pixels of the pictures the UNet was trained on."""
        return self.checkpoint_spec.canvas

    @property
    def canvas_stride(self) -> int:
        """Width and height of a canvas must be multiples of this many pixels."""
        return self.checkpoint_spec.canvas_stride

    def preset(self, name: str) -> Settings:
        """The preset of this name with what this checkpoint needs set otherwise."""
        return self.checkpoint_spec.preset(name)

    def tokens_lost(self, prompt: str) -> int:
        """How many tokens at the end of a prompt the text encoder does not read."""
        with quiet_libraries():
            count = len(self.tokenizer(prompt, truncation=False).input_ids)
        return int(max(0, count - self.checkpoint_spec.token_limit))

    def unknown_words(self, prompt: str) -> list[str]:
        """The words of a prompt that say nothing to this checkpoint, in their order.

        Empty for a checkpoint that does not list its words, as Stable Diffusion's do not.
        """
        return self.checkpoint_spec.unknown_words(prompt)

    @torch.no_grad()
    def __call__(
        self,
        image: Picture | Sequence[Picture],
        plan: PlanLike | Sequence[PlanLike],
        settings: SettingsLike | Sequence[SettingsLike] = None,
        *,
        mask: PictureLike | Sequence[PictureLike | None] | None = None,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
        return_cycles: bool | Sequence[int] = False,
        return_indicators: bool = False,
        callback_on_step_end: Callback | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",),
        prefix_cache: PrefixCache | None = None,
        traces: Sequence[Trace] = (),
    ) -> SowPipelineOutput:
        """Makes one picture per job (the paper's Algorithm 1).

        Every argument but the last eight may be a list, one entry per job; single values serve
        all jobs; more generators than one beside single values are refused. Jobs of one call may
        differ in everything but canvas and the settings that are shared by a batch
        (`Settings.names(SHARED)`). Calls on pipelines that share a UNet wait for one another.

        Args:
            image: the user's picture, of which the plan's crop is planted: a file, PIL, or an
                array as diffusers has them; or a `Condition`. None for a plan that plants nothing.
            plan: where it goes and what is to grow around it, or the file of one. One that leaves
                its canvas open is carried out on the model's own.
            settings: None takes `pipe.preset(plan.preset)`; a mapping changes it.
            mask: which part of `image` is the condition, instead of what the plan says.
            generator: a list gives every job its own; a single one is drawn from in turn.
            output_type: `pil`, `np`, `pt` or `latent`.
            return_dict: False returns `(images, nsfw_content_detected)`.
            return_cycles: also return the pictures as they stood after each cycle; of all jobs, or
                of those with these numbers.
            return_indicators: also measure and return the indicator of each cycle.
            callback_on_step_end: called after every UNet call, inversion included, with the
                pipeline, the number of the call, its time and the tensors asked for; may return
                changed ones. Setting `pipe._interrupt = True` in it cancels the rest: the
                pictures are then what was pointed to so far. diffusers' own callbacks work.
            callback_on_step_end_tensor_inputs: of `latents`, `condition_mask`, `prompt_embeds`
                (the branches of guidance one after another, the prompt's last).
            prefix_cache: keeps what all seeds of a plan have in common, and replays it. Each
                picture's part is then computed by itself. Not used with a callback, nor with
                `controls` other than a `trace`, which observes what comes after it.
            traces: look into this call alone; `trace` looks into those of other threads too.

        Raises:
            SowError: with one line that says what is wrong with the arguments.
        """
        if output_type not in OUTPUT_TYPES:
            raise UsageError(f"no output_type {output_type!r}",
                             f"choose one of {', '.join(OUTPUT_TYPES)}")  # fmt: skip
        wanted = check_tensor_inputs(callback_on_step_end, callback_on_step_end_tensor_inputs)
        checkpoint = self.checkpoint_spec
        jobs = make_jobs(image, plan, settings, mask, generator, checkpoint.stride,
                         checkpoint.preset, checkpoint.fit_plan)  # fmt: skip
        shown_cycles = job_indices(return_cycles, len(jobs))
        check_canvas(jobs[0].plan.canvas, checkpoint.canvas_stride)
        for line in checkpoint.canvas_notes(jobs[0].plan.canvas):
            self.warn(line)

        with unet_lock(self.unet), self.offload_after_use():
            self._interrupt, self._guidance_scale = False, jobs[0].settings.guidance_scale
            backbone = StableDiffusion(self)
            tensors = BatchTensors.of(jobs, backbone.vae_scale_factor, backbone.device)
            indicator = Indicator() if return_indicators else None
            context = RunContext.of(jobs, tensors.condition_mask, backbone)
            chain = chain_of(context, (*self.controls, *traces), indicator)
            sampler = Sampler(backbone, jobs, tensors, self.canvas_stride, chain)
            self._num_timesteps = sampler.unet_calls
            with self.progress_bar(total=sampler.unet_calls) as bar:
                prefix = None
                if prefix_cache is not None and callback_on_step_end is None:
                    prefix = prefix_cache.prefix_of(self, sampler, bar.update)
                made = sampler.run(
                    step_end=make_step_end(self, callback_on_step_end, wanted, bar),
                    cancelled=lambda: self._interrupt,
                    prefix=prefix,
                )

            images, flagged = self.decode_images(backbone, made.latents, output_type)
            cycles = None
            if shown_cycles:
                rows = [clean[shown_cycles] for clean in made.cycles]
                shown = [self.decode_images(backbone, some, output_type)[0] for some in rows]
                cycles = [[pictures[n] for pictures in shown] for n in range(len(shown_cycles))]
        if not return_dict:
            return images, flagged  # type: ignore[return-value]  # the library's own old habit
        measured = indicator.history.T if indicator else None
        return SowPipelineOutput(images, [job.plan for job in jobs], flagged, cycles, measured)

    @contextmanager
    def offload_after_use(self) -> Iterator[None]:
        """Parts that are offloaded go back where they were, whatever happens."""
        try:
            yield
        finally:
            self.maybe_free_model_hooks()

    def decode_images(
        self, backbone: StableDiffusion, latents: Tensor, output_type: str
    ) -> tuple[Any, list[bool] | None]:
        """Clean latents `[B, c, h, w]` as pictures, and what the safety checker says of them.

        Raises:
            ModelError: if they are no numbers.
        """
        if output_type == "latent":
            check_finite(latents)
            return latents, None
        pixels = backbone.decode(latents)
        check_finite(pixels)  # whatever went wrong before is in them
        flagged = None
        if self.safety_checker is not None:
            pixels, flagged = self.run_safety_checker(pixels, pixels.device, pixels.dtype)
        shown = [not flag for flag in flagged] if flagged else [True] * len(pixels)
        images = self.image_processor.postprocess(pixels.float(), output_type=output_type,
                                                  do_denormalize=shown)  # fmt: skip
        return images, flagged


@contextmanager
def trace(pipe: SowPipeline) -> Iterator[Trace]:
    """`with sow.trace(pipe) as t:` looks into the next calls of a pipeline; the last is kept.

    Example:
        >>> with sow.trace(pipe) as t:
        ...     picture = pipe(image=face, plan=plan).images[0]
        >>> for word, heat in t.words(): ...

    Raises:
        UsageError: if it is no pipeline of SOW's.
    """
    check_type("pipe", pipe, (SowPipeline,), "a sow.SowPipeline")
    looking = Trace()
    pipe.controls.append(looking)
    try:
        yield looking
    finally:
        pipe.controls.remove(looking)
