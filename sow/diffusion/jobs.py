"""From what a user passes to the jobs of one call, and to the tensors the sampler works on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from sow.diffusion.planting import Planted, coverage_of, membership, planted
from sow.errors import PlanError, UsageError
from sow.pictures.condition import Condition
from sow.plan import Plan
from sow.settings import SHARED, Settings

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

    `stride` is the pixels of one latent: boxes are brought onto its grid.

    Raises:
        UsageError: if something is not what it should be, lists differ in length, or the jobs
            cannot share one batch.
    """
    given: dict[str, Any] = {"image": image, "plan": plan, "settings": settings, "mask": mask,
                             "generator": generator}  # fmt: skip
    lengths = {len(v) for v in given.values() if isinstance(v, (list, tuple))} or {1}
    if len(lengths) > 1 or 0 in lengths:
        raise UsageError(
            f"lists of different lengths: {sorted(lengths)}", "one entry per job, or a single value"
        )
    count = lengths.pop()
    lists = {name: _spread(value, count) for name, value in given.items()}
    for name, values in lists.items():
        for value in values:
            _check_kind(name, value)
    plans = [p.aligned(stride) for p in lists["plan"]]
    _check_alike(plans, lists["settings"])
    conditions = [
        _condition_of(picture, p, kept)
        for picture, p, kept in zip(lists["image"], plans, lists["mask"], strict=True)
    ]
    columns = (conditions, plans, lists["settings"], lists["generator"])
    return [Job(*job) for job in zip(*columns, strict=True)]


def _spread(value: Any, count: int) -> list[Any]:
    """One value per job; of what kind they are is looked at next."""
    return list(value) if isinstance(value, (list, tuple)) else [value] * count


KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "image": ((Image.Image, Condition), "a PIL picture (sow.load_image reads files), a Condition"),
    "plan": ((Plan,), "a sow.Plan"),
    "settings": ((Settings,), "a sow.Settings, such as pipe.preset('normal')"),
    "mask": ((Image.Image, type(None)), "a PIL picture: white is kept"),
    "generator": ((torch.Generator, type(None)), "a torch.Generator"),
}


def _check_kind(name: str, value: object) -> None:
    kinds, wanted = KINDS[name]
    if not isinstance(value, kinds):
        raise UsageError(
            f"{name}= is a {type(value).__name__}", f"give {wanted}, or a list of them"
        )


def _condition_of(picture: Picture, plan: Plan, mask: Image.Image | None) -> Condition:
    if not isinstance(picture, Condition):
        return Condition.prepare(picture, plan, mask)
    if mask is not None:
        raise UsageError(
            "mask= goes with a picture, but image= is a Condition, which has its own",
            "give the picture, or make the Condition with the mask",
        )
    if picture.picture.size != (plan.box.width, plan.box.height):
        raise PlanError(
            f"the condition is {picture.picture.size} but its box is {plan.box.model_dump()}"
        )
    return picture


def _check_alike(plans: Sequence[Plan], settings: Sequence[Settings]) -> None:
    for plan in plans:
        if plan.canvas != plans[0].canvas:
            raise UsageError(
                f"canvases {plans[0].canvas} and {plan.canvas} in one batch",
                "run pictures of different sizes in calls of their own",
            )
    for other in settings:
        for name in Settings.names(SHARED):
            value, others = getattr(settings[0], name), getattr(other, name)
            if others != value:
                raise UsageError(
                    f"{name} differs within the batch ({value} and {others})",
                    "run them in calls of their own",
                )


@dataclass(frozen=True)
class PerJob:
    """What differs from job to job, as tensors on the device.

    Attributes:
        planted: what is pasted into canvases.
        inside, first_inside: C, how far each latent belongs to it, `[B, 1, h, w]`, 0 to 1; and
            before the condition is planted again.
        guidance_scale, condition_guidance_scale, noise_level, eta, cycle_eta: `[B, 1, 1, 1]`.
        preserving: by state, 1 for the jobs that preserve it and 0 for others, `[B, 1, 1, 1]`.
    """

    planted: Planted
    inside: Tensor
    first_inside: Tensor
    guidance_scale: Tensor
    condition_guidance_scale: Tensor
    noise_level: Tensor
    eta: Tensor
    cycle_eta: Tensor
    preserving: Mapping[int, Tensor]

    @property
    def condition_mask(self) -> Tensor:
        """C where a latent belongs to it or does not: boolean `[B, 1, h, w]`."""
        return self.inside >= 0.5

    @classmethod
    def of(cls, jobs: Sequence[Job], stride: int, device: torch.device) -> PerJob:
        """The tensors of these jobs."""
        coverage = [coverage_of(j.condition, j.plan.box, j.plan.canvas, stride) for j in jobs]

        def inside(name: str) -> Tensor:
            rims = [getattr(job.settings, name) for job in jobs]
            parts = [membership(each, rim) for each, rim in zip(coverage, rims, strict=True)]
            return torch.stack(parts).to(device)

        def column(values: list[float]) -> Tensor:
            return torch.tensor(values, dtype=torch.float32).view(-1, 1, 1, 1).to(device)

        def own(name: str) -> Tensor:
            return column([getattr(job.settings, name) for job in jobs])

        states = {state for job in jobs for state in job.settings.preserve}
        return cls(
            planted=Planted.stacked(
                [planted(j.condition, j.plan.box, j.plan.canvas, j.settings.planted) for j in jobs]
            ).to(device),
            inside=inside("rim"),
            first_inside=inside("first_rim" if jobs[0].settings.replant else "rim"),
            guidance_scale=own("guidance_scale"),
            condition_guidance_scale=own("condition_guidance_scale"),
            noise_level=own("noise_level"),
            eta=own("eta"),
            cycle_eta=own("cycle_eta"),
            preserving={
                state: column([float(state in job.settings.preserve) for job in jobs])
                for state in states
            },
        )
