"""`SowPipeline`: Cyclic One-Way Diffusion on a frozen Stable Diffusion 1.x or 2.x.

It is diffusers' own `StableDiffusionPipeline` with another `__call__`, so loading, saving,
moving, offloading, LoRA, callbacks and the progress bar are the ones users know.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import StableDiffusionPipeline
from diffusers.utils import BaseOutput
from PIL import Image
from torch import Tensor

from sow.batch import Picture, make_jobs
from sow.engine import Callback, Run
from sow.errors import ModelError, UsageError
from sow.plan import Plan, check_canvas
from sow.quiet import quiet
from sow.settings import Settings
from sow.tracing import Trace


@dataclass
class SowPipelineOutput(BaseOutput):  # type: ignore[misc]
    """What a call returns.

    Attributes:
        images: B pictures; PIL, or an array or tensor as `output_type` says.
        plans: B plans as they were carried out (boxes on the grid of the latents).
        nsfw_content_detected: B booleans, or None if the checkpoint has no safety checker.
        cycles: on request, B lists of what the picture looked like after each cycle.
        indicators: on request, `[B, cycles]` in float32 on the CPU: how much of R's listening to
            the condition is close to it (Eq. 7); about 0.2 where it is even.
    """

    images: Any
    plans: list[Plan]
    nsfw_content_detected: list[bool] | None
    cycles: list[list[Any]] | None
    indicators: Tensor | None = None


class SowPipeline(StableDiffusionPipeline):  # type: ignore[misc]
    """Grows a whole picture around a visual condition.

    Example:
        >>> pipe = SowPipeline.from_pretrained(model_id, torch_dtype=torch.float16).to("cuda")
        >>> picture = pipe(image=face, plan=plan, generator=generator).images[0]
    """

    observer: Trace | None = None

    def __init__(
        self,
        vae: Any,
        text_encoder: Any,
        tokenizer: Any,
        unet: Any,
        scheduler: Any,
        safety_checker: Any,
        feature_extractor: Any,
        image_encoder: Any = None,
        requires_safety_checker: bool = True,
        sow_settings: dict[str, Any] | None = None,
        sow_words: str | None = None,
    ) -> None:
        """diffusers' own parts, and what this checkpoint says of itself in `model_index.json`.

        sow_settings: what it needs set otherwise. A model that was never taught the words of the
        paper's negative prompt, for example, does better without it.
        sow_words: the only words it understands, if they can be listed, with spaces between.
        """
        super().__init__(
            vae, text_encoder, tokenizer, unet, scheduler, safety_checker, feature_extractor,
            image_encoder, requires_safety_checker,
        )  # fmt: skip
        self.register_to_config(sow_settings=sow_settings, sow_words=sow_words)

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> SowPipeline:
        """As in diffusers, but never from pickles: `use_safetensors` is True unless given."""
        pipe: SowPipeline = super().from_pretrained(*args, **{"use_safetensors": True, **kwargs})
        return pipe

    @classmethod
    def from_single_file(cls, path: Any, **kwargs: Any) -> SowPipeline:
        """As in diffusers, but only from `.safetensors` files."""
        if not str(path).endswith(".safetensors"):
            raise ModelError(f"{str(path)!r} is a pickle", "give a .safetensors file")
        pipe: SowPipeline = super().from_single_file(path, **kwargs)
        return pipe

    def preset(self, name: str) -> Settings:
        """The preset of this name with what this checkpoint needs set otherwise."""
        return Settings.preset(name).changed(**(self.config.get("sow_settings") or {}))

    @property
    def canvas(self) -> tuple[int, int]:
        """`(width, height)` in pixels of the pictures the UNet was trained on."""
        side = self.unet.config.sample_size
        height, width = (side, side) if isinstance(side, int) else side
        return width * self.vae_scale_factor, height * self.vae_scale_factor

    @property
    def canvas_stride(self) -> int:
        """Width and height of a canvas must be multiples of this many pixels."""
        return int(self.vae_scale_factor * 2 ** (len(self.unet.config.block_out_channels) - 1))

    @torch.no_grad()
    def __call__(
        self,
        image: Picture | Sequence[Picture],
        plan: Plan | Sequence[Plan],
        settings: Settings | Sequence[Settings] | None = None,
        *,
        mask: Image.Image | Sequence[Image.Image | None] | None = None,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
        return_cycles: bool = False,
        return_indicators: bool = False,
        callback_on_step_end: Callback | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",),
    ) -> SowPipelineOutput:
        """Makes one picture per job (the paper's Algorithm 1).

        Every argument but the last six may be a list, one entry per job; single values serve
        all jobs. Jobs of one call may differ in everything but canvas and `Settings.shape`.

        Args:
            image: the user's picture, of which the plan's crop is planted, or a `Condition`.
            plan: where it goes and what is to grow around it.
            settings: None takes `pipe.preset(plan.setting)`.
            mask: which part of `image` is the condition, instead of what the plan says.
            generator: a list gives every job its own; a single one is drawn from in turn.
            output_type: `pil`, `np`, `pt` or `latent`.
            return_dict: False returns `(images, nsfw_content_detected)`.
            return_cycles: also return the picture as it stood after each cycle.
            return_indicators: also measure and return the indicator of each cycle.
            callback_on_step_end: called after every UNet call, inversion included, with the
                pipeline, the number of the call, its time and the tensors asked for; may return
                changed `latents`. Setting `pipe._interrupt = True` in it cancels the rest.
            callback_on_step_end_tensor_inputs: of `latents`, `condition_mask`.

        Raises:
            SowError: with one line that says what is wrong with the arguments.
        """
        if settings is None:
            settings = (
                self.preset(plan.setting)
                if isinstance(plan, Plan)
                else [self.preset(each.setting) for each in plan]
            )
        jobs = make_jobs(image, plan, settings, mask, generator, self.vae_scale_factor)
        self._check(jobs[0].plan, callback_on_step_end_tensor_inputs)
        measure = return_indicators or self.observer is not None
        run = Run(self, jobs, callback_on_step_end, callback_on_step_end_tensor_inputs, measure)
        self._interrupt = False
        how = jobs[0].settings
        tape, batch, schedule = run.tape, run.batch, run.schedule
        after_cycles: list[Tensor] = []

        with self.progress_bar(total=run.unet_calls) as run.bar:
            inverted, latents = run.plant()

            with run.attention():
                for cycle in run.modulation.during(how.cycles):
                    noise = tape("disturb", cycle)
                    latents = schedule.disturb(latents, noise, how.t1, how.t2, batch.noise_level)
                    for state in range(how.t2, how.t1, -1):
                        latents = torch.where(batch.condition, inverted[state], latents)
                        latents, clean = run.denoise(
                            latents, state, batch.cycle_eta, tape.if_used("cycle", cycle, state)
                        )
                    latents = torch.where(batch.condition, inverted[how.t1], latents)
                    after_cycles.append(clean)

                for state in range(how.t1, 0, -1):
                    if state in batch.preserved:
                        latents = torch.where(batch.preserved[state], inverted[state], latents)
                    latents, _ = run.denoise(
                        latents, state, batch.eta, tape.if_used("finish", state)
                    )

        images, flagged = self._decode(latents, output_type)
        cycles = None
        if return_cycles:
            per_cycle = [self._decode(clean, output_type)[0] for clean in after_cycles]
            cycles = [[pictures[job] for pictures in per_cycle] for job in range(len(jobs))]
        self.maybe_free_model_hooks()
        if not return_dict:
            return images, flagged  # type: ignore[return-value]  # the library's own old habit
        indicators = run.modulation.indicators.T if return_indicators else None
        return SowPipelineOutput(images, [job.plan for job in jobs], flagged, cycles, indicators)

    def tokens_lost(self, prompt: str) -> int:
        """How many tokens at the end of a prompt the text encoder does not read."""
        with quiet():
            count = len(self.tokenizer(prompt, truncation=False).input_ids)
        return int(max(0, count - self.tokenizer.model_max_length))

    def unknown_words(self, prompt: str) -> list[str]:
        """The words of a prompt that say nothing to this checkpoint, in their order.

        Empty for a checkpoint that does not list its words, as Stable Diffusion's do not.
        """
        known = set((self.config.get("sow_words") or "").split())
        if not known:
            return []
        words = dict.fromkeys(re.findall(r"[^\W\d_]+", prompt.lower()))
        return [word for word in words if word not in known]

    def _check(self, plan: Plan, tensor_inputs: Sequence[str]) -> None:
        check_canvas(plan.canvas, self.canvas_stride)
        unknown = set(tensor_inputs) - {"latents", "condition_mask"}
        if unknown:
            raise UsageError(f"no tensor {sorted(unknown)[0]!r} for the callback")

    def _decode(self, latents: Tensor, output_type: str) -> tuple[Any, list[bool] | None]:
        if output_type == "latent":
            return latents, None
        scaled = (latents / self.vae.config.scaling_factor).to(self.vae.dtype)
        pixels = self.vae.decode(scaled, return_dict=False)[0]
        flagged = None
        if self.safety_checker is not None:
            pixels, flagged = self.run_safety_checker(pixels, pixels.device, pixels.dtype)
        shown = [not flag for flag in flagged] if flagged else [True] * len(pixels)
        images = self.image_processor.postprocess(
            pixels.float(), output_type=output_type, do_denormalize=shown
        )
        return images, flagged
