"""One call of the pipeline at work: the UNet calls, inversion, and single denoising steps.

The loop that puts them together is `SowPipeline.__call__`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from sow.batch import Batch, Job
from sow.condition import seed_canvas
from sow.guidance import branch_prompts, mix
from sow.modulation import Modulation
from sow.noise import NoiseTape, background
from sow.plan import Box
from sow.processors import steered
from sow.quiet import quiet
from sow.schedule import Schedule

if TYPE_CHECKING:
    from sow.pipeline import SowPipeline

Callback = Callable[["SowPipeline", int, Any, dict[str, Any]], dict[str, Any]]


class Run:
    """One call at work: what stays the same from step to step, and the UNet calls."""

    bar: Any

    def __init__(
        self,
        pipe: SowPipeline,
        jobs: Sequence[Job],
        callback: Callback | None,
        tensor_inputs: Sequence[str],
        measure: bool = False,
    ) -> None:
        self.pipe, self.jobs, self.how = pipe, jobs, jobs[0].settings
        self.callback, self.tensor_inputs = callback, tensor_inputs
        self.device = pipe._execution_device
        self.dtype = pipe.unet.dtype  # asked once: the answer looks through all modules
        self.stride = pipe.vae_scale_factor
        self.schedule = Schedule.from_scheduler(pipe.scheduler, self.how.steps)
        self.times = torch.tensor(self.schedule.times, device=self.device)
        self.batch = Batch.of(jobs, self.stride, self.device)
        self.canvases = torch.stack(
            [
                seed_canvas(
                    job.condition,
                    job.plan.box,
                    background(self.how.seed_canvas, job.plan.canvas, job.generator),
                )
                for job in jobs
            ]
        )
        width, height = jobs[0].plan.canvas
        shape = (pipe.unet.config.in_channels, height // self.stride, width // self.stride)
        generators = [job.generator for job in jobs]
        self.tape = NoiseTape([job.settings for job in jobs], shape, generators, self.device)
        self.modulation = Modulation(jobs, self.batch.condition, measure)
        self.branches, self.inversion_branches = self._encode_prompts()
        self.calls = 0

    @contextmanager
    def attention(self) -> Iterator[None]:
        """While open, self-attention asks `modulation` what to do, and a trace looks on."""
        observer, condition = self.pipe.observer, self.batch.condition
        with ExitStack() as stack:
            if self.modulation.wanted:
                stack.enter_context(steered(self.pipe.unet, self.modulation))
            if observer is not None:
                stack.enter_context(
                    observer.watching(self.pipe, self.jobs, condition, self.modulation)
                )
            yield

    @property
    def unet_calls(self) -> int:
        """UNet calls of the whole run, for the progress bar."""
        how = self.how
        alone = how.inversion == "alone"
        sizes = len({(j.plan.box.width, j.plan.box.height) for j in self.jobs})
        inversion = how.t1 + how.t2 * sizes if alone else how.t2
        start = how.steps - how.t1 if how.seed_canvas == "none" else 0
        return inversion + start + how.cycles * (how.t2 - how.t1) + how.t1

    def _encode_prompts(self) -> tuple[Tensor, Tensor]:
        """Embeddings `[K, B, tokens, width]` of guidance and of inversion; each text once."""
        texts = [branch_prompts(job.plan, job.settings) for job in self.jobs]
        inversion = [self._inversion_prompts(job) for job in self.jobs]
        unique = list(dict.fromkeys(text for some in texts + inversion for text in some))
        with quiet():  # the library remarks on every text that is too long, ours included
            embeddings: Tensor = self.pipe.encode_prompt(unique, self.device, 1, False)[0]

        def stack(rows: Sequence[Sequence[str]]) -> Tensor:
            index = torch.tensor([[unique.index(t) for t in row] for row in rows]).T
            return embeddings[index.to(embeddings.device)]

        return stack(texts), stack(inversion)

    def _inversion_prompts(self, job: Job) -> tuple[str, ...]:
        prompt = job.plan.prompt if self.how.inversion_prompt == "plan" else ""
        return (prompt,) if self.how.inversion_guidance_scale == 1 else (prompt, "")

    def plant(self) -> tuple[list[Tensor], Tensor]:
        """The condition's latents at every state up to t2, and x_t1 to start the cycles from."""
        how = self.how
        if how.inversion == "canvas":
            # The condition is a part of the seed canvas: one inversion serves both.
            inverted = self.invert(self.canvases, self.inversion_branches, how.t2)
            seed = inverted[how.t1]
        else:
            seed = self.invert(self.canvases, self.inversion_branches, how.t1)[how.t1]
            inverted = self._invert_alone()
        if how.seed_canvas != "none":
            return inverted, seed
        latents = self.tape("start")
        for state in range(how.steps, how.t1, -1):
            if state <= how.t2:
                latents = torch.where(self.batch.condition, inverted[state], latents)
            latents, _ = self.denoise(latents, state)
        return inverted, torch.where(self.batch.condition, inverted[how.t1], latents)

    def _invert_alone(self) -> list[Tensor]:
        """Every condition inverted at its own size; conditions of one size share the calls."""
        batch, _, height, width = self.canvases.shape
        shape = (batch, self.pipe.unet.config.in_channels, height // self.stride,
                 width // self.stride)  # fmt: skip
        inverted = [torch.zeros(shape, device=self.device) for _ in range(self.how.t2 + 1)]
        by_size: dict[tuple[int, int], list[int]] = {}
        for number, job in enumerate(self.jobs):
            by_size.setdefault((job.plan.box.width, job.plan.box.height), []).append(number)
        for size, members in by_size.items():
            # The UNet wants multiples of its stride: what is missing is grey, right and below.
            stride = self.pipe.canvas_stride
            canvas = (-(-size[0] // stride) * stride, -(-size[1] // stride) * stride)
            frame = Box(x=0, y=0, width=size[0], height=size[1])
            alone = torch.stack([
                seed_canvas(self.jobs[n].condition, frame, background("grey", canvas, None))
                for n in members
            ])  # fmt: skip
            trajectory = self.invert(alone, self.inversion_branches[:, members], self.how.t2)
            for state, latents in enumerate(trajectory):
                for row, number in enumerate(members):
                    box = self.jobs[number].plan.box.scaled(1 / self.stride, 1 / self.stride)
                    inverted[state][number, :, box.y : box.bottom, box.x : box.right] = (
                        latents[row, :, : box.height, : box.width]
                    )  # fmt: skip
        return inverted

    def invert(self, pixels: Tensor, branches: Tensor, until: int) -> list[Tensor]:
        """DDIM inversion: the latents of states 0 to `until`, each `[B, 4, h, w]`."""
        vae = self.pipe.vae
        encoded = vae.encode(pixels.to(self.device, vae.dtype)).latent_dist.mode()
        states = [encoded.float() * vae.config.scaling_factor]
        for state in range(until):
            outputs = self.unet(states[-1], state + 1, branches)
            output = outputs[0]
            if len(outputs) == 2:
                scale = self.how.inversion_guidance_scale
                output = outputs[1] + scale * (outputs[0] - outputs[1])
            latents = self.schedule.invert(states[-1], output, state)
            states.append(self._step_end(latents, state + 1))
        return states

    def denoise(
        self, latents: Tensor, state: int, eta: Tensor | float = 0.0, noise: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """x_s -> x_{s-1} with region-mixed guidance; also the clean latents it points to."""
        if self.pipe.interrupt:
            return latents, latents
        outputs = self.unet(latents, state, self.branches)
        self.modulation.after_call()
        output = mix(outputs, self.batch.condition, self.batch.guidance_scale)
        latents, clean = self.schedule.denoise(latents, output, state, eta, noise)
        return self._step_end(latents, state), clean

    def unet(self, latents: Tensor, state: int, branches: Tensor) -> Tensor:
        """All branches of all jobs in one UNet call: `[K, B, 4, h, w]` in float32."""
        if self.pipe.interrupt:
            return torch.zeros_like(latents).expand(len(branches), *latents.shape)
        samples = latents.repeat(len(branches), 1, 1, 1)
        answer = self.pipe.unet(
            samples.to(self.dtype),
            self.times[state],
            encoder_hidden_states=branches.flatten(0, 1),
            return_dict=False,
        )[0]
        answer = answer.float().view(len(branches), *latents.shape)
        return cast(Tensor, answer)

    def _step_end(self, latents: Tensor, state: int) -> Tensor:
        if self.pipe.interrupt:
            return latents
        self.bar.update()
        if self.callback is not None:
            tensors = {"latents": latents, "condition_mask": self.batch.condition}
            chosen = {name: tensors[name] for name in self.tensor_inputs}
            answer = self.callback(self.pipe, self.calls, self.times[state], chosen)
            latents = (answer or {}).get("latents", latents)
        self.calls += 1
        return latents
