"""Arguments of diffusers' pipelines that `SowPipeline` does not have, and what to give instead."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

from sow.errors import ModelError, UsageError
from sow.utils.suggestions import did_you_mean

HOW_TO_PLAN = (
    "make a plan first: plan=sow.OfflinePlanner().plan(sow.PlanRequest(image, prompt)); or call "
    'sow.generate(image, prompt, model="figures")'
)
INSTEAD = {
    "prompt": HOW_TO_PLAN,
    "negative_prompt": 'give plan=plan.changed(negative="glasses")',
    "num_inference_steps": 'give settings={"num_inference_steps": 20}',
    "guidance_scale": 'give settings={"guidance_scale": 7.5}',
    "eta": 'give settings={"eta": 1}',
    "strength": 'give settings={"likeness": 0.5}: 0 is free to change, 1 as planted',
    "width": "a plan has the canvas: sow.PlanRequest(…, canvas=(640, 448))",
    "height": "a plan has the canvas: sow.PlanRequest(…, canvas=(640, 448))",
    "num_images_per_prompt": "for four pictures, give plan=[plan] * 4",
    "mask_image": "give mask=",
    "seed": "give generator=torch.Generator().manual_seed(7)",
    "callback": "give callback_on_step_end=",
    "callback_steps": "give callback_on_step_end=",
}  # fmt: skip
SAMPLED_AS = "DDIMScheduler"


def refuse_other_arguments(others: Mapping[str, Any], call: Callable[..., Any]) -> None:
    """Check that a call has no arguments but its own.

    Args:
        others: the arguments that are not.
        call: what was called.

    Raises:
        UsageError: if it has; the message says what to give instead.
    """
    kinds = {name: parameter.kind for name, parameter in signature(call).parameters.items()}
    known = [name for name, kind in kinds.items() if kind is not Parameter.VAR_KEYWORD]
    for name in others:
        hint = INSTEAD.get(name) or did_you_mean(name, known, f"choose from {', '.join(known)}")
        raise UsageError(f"the pipeline has no argument {name!r}", hint)


def check_is_plan(plan: object) -> None:
    """Check that a plan is given, and not a prompt in its place.

    Raises:
        UsageError: if it is not.
    """
    if plan is None:
        raise UsageError("there is no plan", HOW_TO_PLAN)
    if isinstance(plan, str) and not plan.endswith(".json") and not _exists(plan):
        raise UsageError(f"plan={plan!r} is neither a plan nor its file", HOW_TO_PLAN)


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def check_scheduler(scheduler: Any, before: Any = None) -> None:
    """Check that a scheduler that somebody chose is one whose steps are taken.

    A pipeline reads the levels of noise from its scheduler, and takes DDIM's steps between them. A
    checkpoint's own scheduler may be of any class; `before` is the one that is replaced.

    Raises:
        UsageError: for another solver, which would be ignored.
    """
    kind = type(scheduler).__name__
    if scheduler is None or kind == SAMPLED_AS or kind == type(before).__name__:
        return
    if not hasattr(scheduler, "alphas_cumprod"):
        return  # the call says what it lacks
    raise UsageError(
        f"{kind} would not be used: pictures are sampled with DDIM",
        f"set a {SAMPLED_AS}; settings num_inference_steps, eta and cycle_eta change sampling",
    )


def check_model_name(name: object) -> None:
    """Check that a checkpoint is a folder or a hub id.

    Raises:
        ModelError: for one of the names that `sow.load_pipeline` takes, and for any other word.
    """
    text = os.fspath(name) if isinstance(name, (str, os.PathLike)) else ""
    if text and "/" not in text and os.sep not in text and not _exists(text):
        raise ModelError(
            f"from_pretrained takes a folder or a hub id, and {text!r} is neither",
            f'sow.load_pipeline("{text}") takes auto, sd2.1, sdxl and figures too',
        )
