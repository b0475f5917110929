"""Region-mixed classifier-free guidance.

Inside the condition C the unconditional branch is the negative prompt. Outside it COW pushes the
condition's noun away, so that no second one appears, and draws "a high quality and colorful image"
in (design: eps_neg + eps_suppress - eps_encourage).
"""

from __future__ import annotations

import torch
from torch import Tensor


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
