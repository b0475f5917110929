"""`SowPipeline`: Cyclic One-Way Diffusion on a frozen text-to-image model.

It has a subclass for each family of models, which is one of diffusers' own pipelines too: loading,
saving, moving, offloading, LoRA, callbacks and the progress bar are diffusers'. The call runs
`sow.diffusion.algorithm` with `sow.diffusion.sampler`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from diffusers.schedulers import KarrasDiffusionSchedulers
from diffusers.utils import BaseOutput
from torch import Tensor
from transformers import (
    CLIPImageProcessor,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionModelWithProjection,
    SiglipImageProcessor,
    SiglipVisionModel,
    T5EncoderModel,
    T5TokenizerFast,
)

from sow.attention.chain import build_chain
from sow.attention.control import AttentionControl, RunContext
from sow.attention.indicator import Indicator
from sow.attention.trace import Trace
from sow.backbones.base import Backbone
from sow.backbones.registry import backbone_of
from sow.checkpoints.adapters import Adapters
from sow.checkpoints.checked_pipeline import CheckedPipeline
from sow.checkpoints.families import SD, SD3, SDXL, Family
from sow.checkpoints.spec import CheckpointSpec, words_of
from sow.diffusion.jobs import BatchTensors, make_jobs
from sow.diffusion.sampler import Sampler
from sow.errors import ModelError, UsageError
from sow.pipeline.calls import (
    CALLBACK_TENSORS,
    Progress,
    ProgressReports,
    check_finite,
    check_tensor_inputs,
    job_indices,
    make_step_end,
    unet_lock,
)
from sow.pipeline.other_arguments import (
    check_is_plan,
    check_model_name,
    check_scheduler,
    refuse_other_arguments,
)
from sow.pipeline.prefix_cache import PrefixCache
from sow.plan.plan import Plan
from sow.settings.settings import PromptSyntax, Settings
from sow.utils.representation import represent
from sow.utils.type_checks import check_type

if TYPE_CHECKING:
    from sow.diffusion.jobs import Picture
    from sow.pictures.inputs import PictureLike
    from sow.settings.inputs import PlanLike, SettingsLike

Callback = Callable[["SowPipeline", int, Any, dict[str, Any]], dict[str, Any]]
OUTPUT_TYPES = ("pil", "np", "pt", "latent")


@dataclass(repr=False)
class SowPipelineOutput(BaseOutput):  # type: ignore[misc]
    """The output of a call.

    Attributes:
        images: B pictures: a PIL list, an array or a tensor, by `output_type`.
        plans: B plans as they were run (boxes on the latent grid).
        nsfw_content_detected: B booleans, or None if the checkpoint has no safety checker.
        cycles: on request, for each job the picture after each cycle.
        indicators: on request, `[B, cycles]` in float32 on the CPU: the share of R's attention to
            the condition that comes from near it (Eq. 7); about 0.2 if it is spread evenly, nan if
            it could not be measured.
    """

    images: Any
    plans: list[Plan]
    nsfw_content_detected: list[bool] | None
    cycles: list[list[Any]] | None
    indicators: Tensor | None = None

    def __repr__(self) -> str:
        """Return what there is, not the pixels."""
        return represent(
            self, images=self.images, plans=self.plans, cycles=self.cycles,
            nsfw_content_detected=self.nsfw_content_detected, indicators=self.indicators,
        )  # fmt: skip


class SowPipeline(CheckedPipeline):
    """A pipeline that generates pictures around a visual condition.

    Attributes:
        adapters: the LoRAs and embeddings of a request, while its pictures are made; not those
            that `load_lora_weights` loads.
        controls: attention controls besides modulation (`sow.attention.control`).
        warn: called with notes on unusual but valid arguments; logs a warning by default.

    Example:
        >>> pipe = SowPipeline.from_pretrained(model_id, torch_dtype=torch.float16).to("cuda")
        >>> picture = pipe(image=face, plan=plan, generator=generator).images[0]
    """

    _callback_tensor_inputs: ClassVar[list[str]] = list(CALLBACK_TENSORS)

    def __new__(cls, *_: Any, **components: Any) -> Self:
        """Return a pipeline of the components' family, to be initialised with them."""
        made: Self = super().__new__(cls._of_family(_family_of(components)))
        return made

    @classmethod
    def _of_family(cls, family: Family) -> type[Self]:
        """Return the pipeline of a family.

        Raises:
            ModelError: if this class is that of another family.
        """
        made = PIPELINES[family]
        if issubclass(cls, made):
            return cls
        if not issubclass(made, cls):
            raise ModelError(
                f"{cls.__name__} does not run {family.title}", "use sow.SowPipeline, which finds it"
            )
        return made

    def _take(
        self,
        sow_settings: dict[str, Any] | None,
        sow_presets: dict[str, dict[str, Any]] | None,
        sow_words: str | None,
    ) -> None:
        """Take this checkpoint's own entries of `model_index.json`.

        Args:
            sow_settings: settings that it changes in all presets. A model that was not trained on
                the words of the paper's negative prompt, for example, does better without it.
            sow_presets: its own numbers for `normal`, `attribute` and `style`, measured on it;
                without them these presets are the published method.
            sow_words: the only words that it understands, separated by spaces, if they can be
                listed.
        """
        self.register_to_config(
            sow_settings=sow_settings, sow_presets=sow_presets, sow_words=sow_words
        )
        self.controls: list[AttentionControl] = []
        self.adapters = Adapters()
        self.warn: Callable[[str], None] = logging.getLogger(__name__).warning
        self._guidance_scale, self._num_timesteps, self._interrupt = 0.0, 0, False

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, **kwargs: Any) -> Self:
        """Load a checkpoint, a folder or a hub id, as diffusers does; pickles are never loaded.

        Returns the pipeline of its family, also a subclass of this one. `sow.load_pipeline` takes
        the names of `--model` too.

        Raises:
            ModelError: if it is neither, is not trusted, or lacks weights.
            UsageError: for a scheduler whose steps would not be taken.
        """
        check_model_name(pretrained_model_name_or_path)
        check_scheduler(kwargs.get("scheduler"))
        return super().from_pretrained(pretrained_model_name_or_path, **kwargs)

    @classmethod
    def from_pipe(cls, pipeline: Any, **kwargs: Any) -> Self:
        """Return a pipeline with the components of another one, as diffusers does."""
        of_family = cls._of_family(_family_of(pipeline.components))
        made: Self = super(SowPipeline, of_family).from_pipe(pipeline, **kwargs)
        return made

    def to_json_string(self) -> str:
        """Return the `model_index.json`; it names diffusers' own class, which can load it too."""
        index = json.loads(super().to_json_string())
        index["_class_name"] = next(
            base.__name__ for base in type(self).mro() if base.__module__.startswith("diffusers.")
        )
        return json.dumps(index, indent=2, sort_keys=True) + "\n"

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; a scheduler that would not be used is refused.

        Raises:
            UsageError: for such a scheduler.
        """
        before = self.__dict__.get("scheduler") if name == "scheduler" else None
        if before is not None:
            check_scheduler(value, before)
        super().__setattr__(name, value)

    @property
    def denoiser(self) -> Any:
        """The network that denoises: the UNet, or the transformer."""
        return getattr(self, "transformer", None) or self.unet

    @property
    def checkpoint_spec(self) -> CheckpointSpec:
        """This checkpoint's canvas, grid, words, token limit and presets."""
        return CheckpointSpec.from_configs(
            denoiser=self.denoiser.config,
            vae=self.vae.config,
            text_encoder=vars(self.text_encoder.config),
            tokenizer={"model_max_length": self.tokenizer.model_max_length},
            scheduler=self.scheduler.config,
            index=self.config,
        )

    @property
    def canvas(self) -> tuple[int, int]:
        """`(width, height)` in pixels of the pictures that the UNet was trained on."""
        return self.checkpoint_spec.canvas

    @property
    def canvas_multiple(self) -> int:
        """The pixels of which both sides of a canvas must be multiples."""
        return self.checkpoint_spec.canvas_multiple

    def preset(self, name: str) -> Settings:
        """Return the preset of this name with this checkpoint's changes."""
        return self.checkpoint_spec.preset(name)

    def num_truncated_tokens(self, prompt: str, syntax: PromptSyntax = "weights") -> int:
        """Return the number of tokens of a prompt that are not read."""
        return backbone_of(self).lost_tokens(prompt, syntax)

    def unknown_words(self, prompt: str) -> list[str]:
        """Return the words of a prompt that this checkpoint does not know, in order.

        Empty for a checkpoint that does not list its words, such as Stable Diffusion's.
        """
        known = {word for token in self.adapters.words for word in words_of(token)}
        return [w for w in self.checkpoint_spec.unknown_words(prompt) if w not in known]

    def maybe_convert_prompt(self, prompt: Any, tokenizer: Any) -> Any:
        """Replace the word of an embedding by its tokens, one for each vector.

        diffusers' own version is case-sensitive, and finds the word inside of others too.
        """
        if not self.adapters.embeddings:
            return super().maybe_convert_prompt(prompt, tokenizer)
        if isinstance(prompt, list):
            return [self.maybe_convert_prompt(text, tokenizer) for text in prompt]
        for embedding in self.adapters.embeddings:
            tokens = " ".join(embedding.tokens).replace("\\", r"\\")
            prompt = embedding.pattern.sub(tokens, prompt)
        return prompt

    @torch.no_grad()
    def __call__(
        self,
        image: Picture | Sequence[Picture],
        plan: PlanLike | Sequence[PlanLike] | None = None,
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
        on_progress: Callable[[Progress], object] | None = None,
        prefix_cache: PrefixCache | None = None,
        traces: Sequence[Trace] = (),
        **others: Any,
    ) -> SowPipelineOutput:
        """Make one picture per job (the paper's Algorithm 1).

        `image`, `plan`, `settings`, `mask` and `generator` may be lists with one entry per job;
        single values are used for all jobs. Several generators with single values are refused. Jobs
        of one call may differ in everything except the canvas and the settings that are shared by a
        batch (`Settings.names(SHARED)`). Calls of pipelines that share a UNet wait for one another.

        Args:
            image: the user's picture, of which the plan's crop is planted: a file, a PIL picture or
                an array as in diffusers; or a `Condition`. None for a text-only plan.
            plan: a plan, its file, or its fields as a mapping. A plan without a canvas is scaled to
                the model's own.
            settings: changes of `pipe.preset(plan.preset)`, or settings that replace it.
            mask: the part of `image` that is the condition, instead of the plan's outline.
            generator: a list gives every job its own; a single one is used for the jobs in turn.
            output_type: `pil`, `np`, `pt` or `latent`.
            return_dict: False returns `(images, nsfw_content_detected)`.
            return_cycles: also return the picture after each cycle, of all jobs or of those with
                these indices.
            return_indicators: also return the indicator of each cycle.
            callback_on_step_end: called after every UNet call, inversion included, with the
                pipeline, the index of the call, its timestep and the requested tensors; may return
                replacements. Setting `pipe._interrupt = True` in it stops the run: the pictures are
                then the latest prediction of the clean latents. diffusers' own callbacks for Stable
                Diffusion work. What SDXL and 3 have of a text as a whole is kept.
            callback_on_step_end_tensor_inputs: some of `latents`, `condition_mask`, `prompt_embeds`
                (the guidance branches one after another, the prompt's last).
            on_progress: called after every UNet call and every cycle; unlike a callback it changes
                nothing, so caches are used. An exception that it raises ends the call.
            prefix_cache: caches the UNet calls that all seeds of a plan share; each picture's are
                then computed alone. Not used with a callback, nor with `controls` other than a
                `trace`, which only observes later calls.
            traces: observe this call only, unlike `trace`, which also observes other threads'.
            others: arguments of diffusers' pipelines are refused with what to give instead.

        Raises:
            SowError: if an argument is invalid; the message is one line.
        """
        refuse_other_arguments(others, self.__call__)
        check_is_plan(plan)
        assert plan is not None
        if output_type not in OUTPUT_TYPES:
            raise UsageError(
                f"unknown output_type {output_type!r}", f"choose one of {', '.join(OUTPUT_TYPES)}"
            )
        tensor_inputs = check_tensor_inputs(
            callback_on_step_end, callback_on_step_end_tensor_inputs
        )
        checkpoint = self.checkpoint_spec
        jobs = make_jobs(
            image, plan, settings, mask, generator,
            checkpoint.vae_scale_factor, checkpoint.preset, checkpoint.fit_plan,
        )  # fmt: skip
        cycle_jobs = job_indices(return_cycles, len(jobs))
        checkpoint.check_canvas(jobs[0].plan.canvas)
        for note in checkpoint.canvas_notes(jobs[0].plan.canvas):
            self.warn(note)

        with unet_lock(self.denoiser), self.offload_after_use():
            self._interrupt, self._guidance_scale = False, jobs[0].settings.guidance_scale
            backbone = backbone_of(self)
            tensors = BatchTensors.of(jobs, backbone.vae_scale_factor, backbone.device)
            indicator = Indicator() if return_indicators else None
            context = RunContext.of(jobs, tensors.condition_mask, backbone)
            chain = build_chain(context, (*self.controls, *traces), indicator)
            sampler = Sampler(backbone, jobs, tensors, self.canvas_multiple, chain)
            self._num_timesteps = sampler.unet_calls
            with self.progress_bar(total=sampler.unet_calls) as bar:
                reports = ProgressReports(
                    sampler.unet_calls, bar, on_progress,
                    lambda clean: self.decode_images(backbone, clean, "pil")[0], len(jobs),
                )  # fmt: skip
                prefix = None
                if prefix_cache is not None and callback_on_step_end is None:
                    prefix = prefix_cache.get(self, sampler, reports.count)
                result = sampler.run(
                    step_end=make_step_end(self, callback_on_step_end, tensor_inputs, reports),
                    cancelled=lambda: self._interrupt,
                    prefix=prefix,
                    cycle_end=reports.cycle_end,
                )

            images, flagged = self.decode_images(backbone, result.latents, output_type)
            cycles = None
            if cycle_jobs:
                latents = [clean[cycle_jobs] for clean in result.cycles]
                decoded = [self.decode_images(backbone, clean, output_type)[0] for clean in latents]
                cycles = [[pictures[n] for pictures in decoded] for n in range(len(cycle_jobs))]
        if not return_dict:
            return images, flagged  # type: ignore[return-value]  # as in diffusers
        indicators = indicator.history.T if indicator else None
        return SowPipelineOutput(images, [job.plan for job in jobs], flagged, cycles, indicators)

    @contextmanager
    def offload_after_use(self) -> Iterator[None]:
        """Offload the models at the end, also after an error."""
        try:
            yield
        finally:
            self.maybe_free_model_hooks()

    def decode_images(
        self, backbone: Backbone, latents: Tensor, output_type: str
    ) -> tuple[Any, list[bool] | None]:
        """Decode clean latents `[B, c, h, w]` to pictures; also return the safety checker's flags.

        Raises:
            ModelError: if they have nan or infinity.
        """
        if output_type == "latent":
            check_finite(latents)
            return latents, None
        pixels = backbone.decode(latents)
        check_finite(pixels)  # an earlier failure shows here too
        flagged = None
        if getattr(self, "safety_checker", None) is not None:
            pixels, flagged = self.run_safety_checker(pixels, pixels.device, pixels.dtype)
        # As in diffusers: what the safety checker blacked out is not denormalised.
        denormalize = [not flag for flag in flagged] if flagged else [True] * len(pixels)
        images = self.image_processor.postprocess(
            pixels.float(), output_type=output_type, do_denormalize=denormalize
        )
        return images, flagged


def _family_of(components: Mapping[str, Any]) -> Family:
    if components.get("transformer") is not None:
        return SD3
    return SDXL if components.get("text_encoder_2") is not None else SD


class StableDiffusionSowPipeline(SowPipeline, StableDiffusionPipeline):  # type: ignore[misc]
    """A `SowPipeline` of Stable Diffusion 1.x or 2.x."""

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
        """Take diffusers' components, and the checkpoint's own entries (`SowPipeline`)."""
        super().__init__(
            vae, text_encoder, tokenizer, unet, scheduler, safety_checker, feature_extractor,
            image_encoder, requires_safety_checker,
        )  # fmt: skip
        self._take(sow_settings, sow_presets, sow_words)


class StableDiffusionXLSowPipeline(SowPipeline, StableDiffusionXLPipeline):  # type: ignore[misc]
    """A `SowPipeline` of SDXL, without its refiner."""

    def __init__(
        self,
        vae: AutoencoderKL,
        text_encoder: CLIPTextModel,
        text_encoder_2: CLIPTextModelWithProjection,
        tokenizer: CLIPTokenizer,
        tokenizer_2: CLIPTokenizer,
        unet: UNet2DConditionModel,
        scheduler: KarrasDiffusionSchedulers,
        image_encoder: CLIPVisionModelWithProjection = None,
        feature_extractor: CLIPImageProcessor = None,
        force_zeros_for_empty_prompt: bool = True,
        add_watermarker: bool | None = None,
        sow_settings: dict[str, Any] | None = None,
        sow_presets: dict[str, dict[str, Any]] | None = None,
        sow_words: str | None = None,
    ) -> None:
        """Take diffusers' components, and the checkpoint's own entries (`SowPipeline`)."""
        super().__init__(
            vae, text_encoder, text_encoder_2, tokenizer, tokenizer_2, unet, scheduler,
            image_encoder, feature_extractor, force_zeros_for_empty_prompt,
            add_watermarker=False,  # this call does not put watermarks into pictures
        )  # fmt: skip
        self._take(sow_settings, sow_presets, sow_words)


class StableDiffusion3SowPipeline(SowPipeline, StableDiffusion3Pipeline):  # type: ignore[misc]
    """A `SowPipeline` of Stable Diffusion 3 and 3.5, with or without T5."""

    _optional_components: ClassVar[list[str]] = [
        *StableDiffusion3Pipeline._optional_components, "text_encoder_3", "tokenizer_3"
    ]  # fmt: skip

    def __init__(
        self,
        transformer: SD3Transformer2DModel,
        scheduler: FlowMatchEulerDiscreteScheduler,
        vae: AutoencoderKL,
        text_encoder: CLIPTextModelWithProjection,
        tokenizer: CLIPTokenizer,
        text_encoder_2: CLIPTextModelWithProjection,
        tokenizer_2: CLIPTokenizer,
        text_encoder_3: T5EncoderModel,
        tokenizer_3: T5TokenizerFast,
        image_encoder: SiglipVisionModel = None,
        feature_extractor: SiglipImageProcessor = None,
        sow_settings: dict[str, Any] | None = None,
        sow_presets: dict[str, dict[str, Any]] | None = None,
        sow_words: str | None = None,
    ) -> None:
        """Take diffusers' components, and the checkpoint's own entries (`SowPipeline`)."""
        super().__init__(
            transformer, scheduler, vae, text_encoder, tokenizer, text_encoder_2, tokenizer_2,
            text_encoder_3, tokenizer_3, image_encoder, feature_extractor,
        )  # fmt: skip
        self._take(sow_settings, sow_presets, sow_words)

    def maybe_convert_prompt(self, prompt: Any, tokenizer: Any) -> Any:
        """Return the prompt as it is: there are no embeddings for this family."""
        return prompt


PIPELINES: dict[Family, type[SowPipeline]] = {
    SD: StableDiffusionSowPipeline,
    SDXL: StableDiffusionXLSowPipeline,
    SD3: StableDiffusion3SowPipeline,
}


@contextmanager
def trace(pipe: SowPipeline) -> Iterator[Trace]:
    """Trace the attention of a pipeline's calls in the block; the last call is kept.

    Example:
        >>> with sow.trace(pipe) as t:
        ...     picture = pipe(image=face, plan=plan).images[0]
        >>> for word, heat in t.words(): ...

    Raises:
        UsageError: if it is not a `SowPipeline`.
    """
    check_type("pipe", pipe, (SowPipeline,), "a sow.SowPipeline")
    control = Trace()
    pipe.controls.append(control)
    try:
        yield control
    finally:
        pipe.controls.remove(control)
