"""The prompts of the guidance branches, and which branches a plan needs."""

from __future__ import annotations

from sow.plan.plan import Plan
from sow.plan.prompt_syntax import closed
from sow.settings.settings import BRANCHES, Outside, Settings


def branch_prompts(plan: Plan, settings: Settings) -> tuple[str, ...]:
    """Return the texts of one job's `settings.branches` guidance branches, the prompt first.

    What the plan's picture must not show comes before the negative prompt of the settings, in the
    unconditional branch: it is pushed away everywhere, inside the condition as far as that is
    guided. `joined` replaces this branch outside the condition, and names it there too.

    Without a noun to suppress, both texts of the pair are empty and cancel out. A batch then only
    needs them for its other jobs.
    """
    negative = negative_prompt(plan, settings)
    if settings.outside == "none":
        return plan.prompt, negative
    if settings.outside == "joined":
        return plan.prompt, negative, _joined(settings, plan.suppress, negative)
    if not plan.suppress:
        return plan.prompt, negative, "", ""
    return plan.prompt, negative, plan.suppress, settings.encourage_prompt


def negative_prompt(plan: Plan, settings: Settings) -> str:
    """Return the text of the unconditional branch: the plan's words first, then the settings'."""
    return _joined(settings, plan.negative, settings.negative_prompt)


def _joined(settings: Settings, *texts: str) -> str:
    """Return the texts that are not empty, as one. A bracket that one leaves open ends with it."""
    *first, last = [text for text in texts if text] or [""]
    if settings.prompt_syntax == "weights":
        first = [closed(text) for text in first]
    return ", ".join([*first, last])


def outside_of(plan: Plan, settings: Settings) -> Outside:
    """Return the guidance outside C that a plan needs: `none` if its texts cancel out.

    They cancel out in every plan without a noun to suppress: the texts of the pair are equal, and
    so are the two negative prompts.
    """
    if settings.outside in ("pair", "joined"):
        *_, second_last, last = branch_prompts(plan, settings)
        if second_last == last:
            return "none"
    return settings.outside


def branches_for(plan: Plan, settings: Settings) -> int:
    """Return the largest number of UNet samples of a plan's picture in one denoising step."""
    return BRANCHES[outside_of(plan, settings)]


def inversion_prompts(plan: Plan, settings: Settings) -> tuple[str, ...]:
    """Return the texts of the inversion: one, or two if it is guided."""
    prompt = plan.prompt if settings.inversion_prompt == "plan" else ""
    return (prompt,) if settings.inversion_guidance_scale == 1 else (prompt, "")
