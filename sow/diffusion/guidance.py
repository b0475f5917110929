"""Region-mixed classifier-free guidance.

Inside the condition C the unconditional branch is the negative prompt. Outside it COW pushes the
condition's noun away, so that no second one appears, and draws "a high quality and colorful image"
in (design: eps_neg + eps_suppress - eps_encourage).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sow.diffusion.algorithm import Denoise
from sow.diffusion.jobs import BatchTensors, Job
from sow.diffusion.prompts import branch_prompts
from sow.diffusion.recording import num_conditions
from sow.settings.settings import BRANCHES


def guidance_texts(jobs: Sequence[Job]) -> list[tuple[str, ...]]:
    """Return the texts of a batch's guidance: as many branches as one of its jobs needs, of B."""
    branches = max(BRANCHES[job.outside] for job in jobs)
    texts = [branch_prompts(job.plan, job.settings)[:branches] for job in jobs]
    return list(zip(*texts, strict=True))


class Guidance:
    """The guidance of a batch: its regions, its interval, and its number of conditions."""

    def __init__(self, jobs: Sequence[Job], tensors: BatchTensors) -> None:
        self._jobs, self._tensors = jobs, tensors
        self.max_conditions = max(BRANCHES[job.outside] for job in jobs)

    def num_conditions(self, step: Denoise) -> int:
        """Return the number of conditions of a UNet call: the largest that a job needs."""
        return max(self._per_job(step))

    def __call__(self, outputs: Tensor, step: Denoise, region_mask: Tensor) -> Tensor:
        """Return the guided output, `[B, c, h, w]`.

        Args:
            outputs: `[K, B, c, h, w]`, with K of `num_conditions`.
            step: the step of the UNet call.
            region_mask: C, `[B, 1, h, w]`, 0 to 1.
        """
        tensors, per_job = self._tensors, self._per_job(step)
        output = regional_guidance(
            outputs, region_mask, tensors.guidance_scale, tensors.condition_guidance_scale
        )
        unguided = [number == BRANCHES["prompt"] for number in per_job]
        if any(unguided) and not all(unguided):  # the interval of some jobs has ended
            prompt = outputs[0]
            output = torch.stack(
                [prompt[n] if alone else output[n] for n, alone in enumerate(unguided)]
            )
        return output

    def _per_job(self, step: Denoise) -> list[int]:
        """Return the number of conditions that each job needs."""
        return [num_conditions(step, job.settings, job.outside) for job in self._jobs]


def regional_guidance(
    outputs: Tensor,
    region_mask: Tensor,
    guidance_scale: Tensor | float,
    condition_guidance_scale: Tensor | float,
) -> Tensor:
    """Combine the UNet's outputs for all conditions into one.

    Written for epsilon; v-prediction is linear in it, so the same formula holds.

    Args:
        outputs: `[K, B, c, h, w]`, K conditions in the order of `branch_prompts`.
        region_mask: C, how far each latent belongs to it, `[B, 1, h, w]`, 0 to 1.
        guidance_scale: outside C, a number or `[B, 1, 1, 1]`.
        condition_guidance_scale: inside C, likewise; 1 is the prompt's output alone.

    Returns:
        `[B, c, h, w]`: eps_u + scale * (eps_prompt - eps_u), where eps_u is eps_neg inside C and,
        outside it, eps_neg + eps_suppress - eps_encourage (K = 4), the epsilon of the second
        negative prompt (K = 3) or eps_neg (K = 2); without guidance, eps_prompt (K = 1). At the
        edge of C both eps_u and scale are between the two.
    """
    if len(outputs) == 1:
        return outputs[0]
    prompt, unconditional = outputs[0], outputs[1]
    if len(outputs) == 3:
        unconditional = torch.lerp(outputs[2], unconditional, region_mask)
    elif len(outputs) == 4:
        outside = unconditional + outputs[2] - outputs[3]
        unconditional = torch.lerp(outside, unconditional, region_mask)
    scale = guidance_scale + region_mask * (condition_guidance_scale - guidance_scale)
    return unconditional + scale * (prompt - unconditional)


def classifier_free_guidance(outputs: Tensor, guidance_scale: Tensor | float) -> Tensor:
    """Guide without regions: `outputs` are the prompt's, then perhaps the unconditional one's."""
    if len(outputs) == 1:
        return outputs[0]
    return outputs[1] + guidance_scale * (outputs[0] - outputs[1])
