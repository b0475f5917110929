"""The texts that guidance asks the UNet with, and which of them a plan has a use for."""

from __future__ import annotations

from sow.plan.plan import Plan
from sow.settings.settings import BRANCHES, Outside, Settings


def branch_prompts(plan: Plan, settings: Settings) -> tuple[str, ...]:
    """The texts of one job's UNet samples, the prompt first; `settings.branches` of them.

    Without a noun to suppress, both texts of the pair are empty and cancel out: a batch asks for
    them only beside a job whose do not.
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


def outside_of(plan: Plan, settings: Settings) -> Outside:
    """The guidance outside C that a plan really needs: `none` where its texts cancel out.

    That is so for every plan without a noun to suppress: both texts of the pair are the same, and
    the second negative prompt is the first.
    """
    if settings.outside in ("pair", "joined"):
        *_, one, other = branch_prompts(plan, settings)
        if one == other:
            return "none"
    return settings.outside


def branches_for(plan: Plan, settings: Settings) -> int:
    """The most UNet samples that a picture of this plan takes in one denoising step."""
    return BRANCHES[outside_of(plan, settings)]


def inversion_prompts(plan: Plan, settings: Settings) -> tuple[str, ...]:
    """The texts of the inversion: one, or two where it is guided."""
    prompt = plan.prompt if settings.inversion_prompt == "plan" else ""
    return (prompt,) if settings.inversion_guidance_scale == 1 else (prompt, "")
