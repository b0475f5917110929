"""Prompt branches and region-mixed classifier-free guidance.

Inside the condition C the unconditional branch is the negative prompt. Outside it COW pushes the
condition's noun away, so that no second one appears, and draws "a high quality and colorful image"
in (design: eps_neg + eps_suppress - eps_encourage).
"""

from __future__ import annotations

import torch
from torch import Tensor

from sow.plan import Plan
from sow.settings import Settings


def branch_prompts(plan: Plan, settings: Settings) -> tuple[str, ...]:
    """The texts of one job's UNet samples, the prompt first; `settings.branches` of them.

    Without a noun to suppress, both texts of the pair are empty and cancel out.
    """
    negative = settings.negative_prompt
    if settings.outside == "none":
        return plan.prompt, negative
    if settings.outside == "joined":
        outside = ", ".join(text for text in (plan.suppress, negative) if text)
        return plan.prompt, negative, outside
    if not plan.suppress:
        return plan.prompt, negative, "", ""
    return plan.prompt, negative, plan.suppress, settings.encourage_prompt


def inversion_prompts(plan: Plan, settings: Settings) -> tuple[str, ...]:
    """The texts of the inversion: one, or two where it is guided."""
    prompt = plan.prompt if settings.inversion_prompt == "plan" else ""
    return (prompt,) if settings.inversion_guidance_scale == 1 else (prompt, "")


def mix(
    outputs: Tensor,
    inside: Tensor,
    guidance_scale: Tensor | float,
    condition_guidance_scale: Tensor | float,
) -> Tensor:
    """One answer out of the branches of the UNet.

    Written for epsilon; v-prediction is linear in it, so the same mix holds.

    Args:
        outputs: `[K, B, c, h, w]`, K branches in the order of `branch_prompts`.
        inside: C, how far each latent belongs to it, `[B, 1, h, w]`, 0 to 1.
        guidance_scale: outside C, a number or `[B, 1, 1, 1]`.
        condition_guidance_scale: inside C, likewise; 1 is the prompt's answer alone.

    Returns:
        `[B, c, h, w]`: eps_u + scale * (eps_prompt - eps_u), where eps_u is eps_neg inside C and,
        outside it, eps_neg + eps_suppress - eps_encourage (K = 4), the epsilon of the second
        negative prompt (K = 3) or eps_neg (K = 2); without guidance, eps_prompt (K = 1). At the
        rim both unconditional answer and scale are between the two.
    """
    if len(outputs) == 1:
        return outputs[0]
    prompt, unconditional = outputs[0], outputs[1]
    if len(outputs) == 3:
        unconditional = torch.lerp(outputs[2], unconditional, inside)
    elif len(outputs) == 4:
        outside = unconditional + outputs[2] - outputs[3]
        unconditional = torch.lerp(outside, unconditional, inside)
    scale = guidance_scale + inside * (condition_guidance_scale - guidance_scale)
    return unconditional + scale * (prompt - unconditional)


def guided(outputs: Tensor, guidance_scale: Tensor | float) -> Tensor:
    """Guidance without regions: the prompt first, then perhaps what it is guided away from."""
    if len(outputs) == 1:
        return outputs[0]
    return outputs[1] + guidance_scale * (outputs[0] - outputs[1])
