"""From the lists a user passes to the tensors the loop works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from PIL import Image
from torch import Tensor

from sow.condition import Condition, latent_mask
from sow.errors import PlanError, UsageError
from sow.plan import Plan
from sow.settings import Settings

T = TypeVar("T")
Picture = Image.Image | Condition


@dataclass(frozen=True)
class Job:
    """One picture to make."""

    condition: Condition
    plan: Plan
    settings: Settings
    generator: torch.Generator | None


def make_jobs(
    image: Picture | Sequence[Picture],
    plan: Plan | Sequence[Plan],
    settings: Settings | Sequence[Settings],
    mask: Image.Image | Sequence[Image.Image | None] | None,
    generator: torch.Generator | Sequence[torch.Generator] | None,
    stride: int,
) -> list[Job]:
    """One job per picture: single values serve all jobs, lists must be equally long.

    `stride` is the pixels of one latent.

    Raises:
        UsageError: if lists differ in length, or the jobs cannot share one batch.
    """
    lists = [v for v in (image, plan, settings, mask, generator) if isinstance(v, (list, tuple))]
    lengths = {len(v) for v in lists} or {1}
    if len(lengths) > 1 or 0 in lengths:
        raise UsageError(
            f"lists of different lengths: {sorted(lengths)}", "one entry per job, or a single value"
        )
    count = lengths.pop()
    plans = [p.aligned(stride) for p in _spread(plan, count)]
    each = _spread(settings, count)
    _check_alike(plans, each)
    pictures: list[Picture] = _spread(image, count)
    masks: list[Image.Image | None] = _spread(mask, count)
    conditions = [
        picture if isinstance(picture, Condition) else Condition.prepare(picture, p, kept)
        for picture, p, kept in zip(pictures, plans, masks, strict=True)
    ]
    for condition, p in zip(conditions, plans, strict=True):
        if condition.picture.size != (p.box.width, p.box.height):
            raise PlanError(
                f"the condition is {condition.picture.size} but its box is {p.box.model_dump()}"
            )
    generators = _spread(generator, count)
    return [Job(*job) for job in zip(conditions, plans, each, generators, strict=True)]


def _spread(value: T | Sequence[T], count: int) -> list[T]:
    return list(value) if isinstance(value, (list, tuple)) else [value] * count  # type: ignore[list-item]


def _check_alike(plans: Sequence[Plan], settings: Sequence[Settings]) -> None:
    for plan in plans:
        if plan.canvas != plans[0].canvas:
            raise UsageError(
                f"canvases {plans[0].canvas} and {plan.canvas} in one batch",
                "run pictures of different sizes in calls of their own",
            )
    for other in settings:
        for name, value in settings[0].shape.items():
            if other.shape[name] != value:
                raise UsageError(
                    f"{name} differs within the batch ({value} and {other.shape[name]})",
                    "run them in calls of their own",
                )


@dataclass(frozen=True)
class Batch:
    """What differs from job to job, as tensors on the device; `[B, 1, h, w]` or `[B, 1, 1, 1]`."""

    condition: Tensor
    guidance_scale: Tensor
    noise_level: Tensor
    eta: Tensor
    cycle_eta: Tensor
    preserved: dict[int, Tensor]

    @classmethod
    def of(cls, jobs: Sequence[Job], stride: int, device: torch.device) -> Batch:
        """The tensors of these jobs."""
        masks = [latent_mask(j.condition, j.plan.box, j.plan.canvas, stride) for j in jobs]
        condition = torch.stack(masks).to(device)

        def column(values: list[float]) -> Tensor:
            return torch.tensor(values, dtype=torch.float32).view(-1, 1, 1, 1).to(device)

        # Where a state is a preserve step for some jobs, C of the others is left out.
        preserved = {}
        for state in {state for job in jobs for state in job.settings.preserve}:
            here = column([float(state in j.settings.preserve) for j in jobs]).bool()
            preserved[state] = condition & here
        return cls(
            condition=condition,
            guidance_scale=column([j.settings.guidance_scale for j in jobs]),
            noise_level=column([j.settings.noise_level for j in jobs]),
            eta=column([j.settings.eta for j in jobs]),
            cycle_eta=column([j.settings.cycle_eta for j in jobs]),
            preserved=preserved,
        )
