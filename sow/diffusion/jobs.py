"""From what a user passes to the jobs of one call, and to the tensors the sampler works on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sow.diffusion.planting import Planted, check_membership, coverage_of, membership, planted
from sow.diffusion.prompts import outside_of
from sow.errors import PlanError, UsageError
from sow.pictures.condition import Condition
from sow.plan.plan import Plan
from sow.settings.inputs import PlanLike, SettingsLike, as_plan, as_settings
from sow.settings.settings import SHARED, Outside, Settings
from sow.utils.type_checks import check_type

if TYPE_CHECKING:
    from sow.pictures.inputs import PictureLike

    Picture = PictureLike | Condition | None

GENERATOR_EXAMPLE = "a generator: torch.Generator().manual_seed(0)"


@dataclass(frozen=True)
class Job:
    """One picture to make."""

    condition: Condition
    plan: Plan
    settings: Settings
    generator: torch.Generator | None

    @property
    def outside(self) -> Outside:
        """The guidance outside C that it needs."""
        return outside_of(self.plan, self.settings)


def make_jobs(
    image: Picture | Sequence[Picture],
    plan: PlanLike | Sequence[PlanLike],
    settings: SettingsLike | Sequence[SettingsLike],
    mask: PictureLike | Sequence[PictureLike | None] | None,
    generator: torch.Generator | Sequence[torch.Generator] | None,
    vae_scale_factor: int,
    preset: Callable[[str], Settings] = Settings.preset,
    fitted: Callable[[Plan], Plan] = lambda plan: plan,
) -> list[Job]:
    """One job per picture: single values serve all jobs, lists must be equally long.

    `vae_scale_factor` is the pixels of one latent: boxes are aligned to it. `preset` and `fitted`
    say what the model makes of a setting, and of a plan that leaves its canvas open.

    Raises:
        UsageError: if something is not what it should be, lists differ in length, or the jobs
            cannot share one batch.
        PictureError, PlanError: if a picture, a mask or a plan is no use.
    """
    given = {"image": image, "plan": plan, "settings": settings, "mask": mask,
             "generator": generator}  # fmt: skip
    count = _count_jobs(given)
    lists = {name: _broadcast(value, count) for name, value in given.items()}
    for each in lists["generator"]:
        check_type("generator", each, (torch.Generator, NoneType), GENERATOR_EXAMPLE)
    plans = [p if p.has_canvas else fitted(p) for p in map(as_plan, lists["plan"])]
    plans = [p.aligned(vae_scale_factor) for p in plans]
    chosen = [
        as_settings(changes, preset(p.preset))
        for changes, p in zip(lists["settings"], plans, strict=True)
    ]
    _check_shared(plans, chosen)
    conditions = [
        _condition_of(picture, p, kept)
        for picture, p, kept in zip(lists["image"], plans, lists["mask"], strict=True)
    ]
    return [Job(*job) for job in zip(conditions, plans, chosen, lists["generator"], strict=True)]


def _count_jobs(given: Mapping[str, Any]) -> int:
    """How many pictures are meant.

    Generators are not counted: a list of them beside one picture and one plan is a slip more often
    than a wish, and diffusers takes it for one too.
    """
    lengths = {name: len(v) for name, v in given.items() if isinstance(v, (list, tuple))}
    if 0 in lengths.values():
        raise UsageError("an empty list", "one entry per job, or a single value")
    if len(set(lengths.values())) > 1:
        raise UsageError(
            f"lists of different lengths: {', '.join(f'{n}= {k}' for n, k in lengths.items())}",
            "one entry per job, or a single value",
        )
    seeds = lengths.pop("generator", 1)
    if seeds > 1 and not lengths:
        raise UsageError(
            f"{seeds} generators for one picture",
            f"for {seeds} pictures give plan=[plan] * {seeds}",
        )
    return max(lengths.values(), default=1)


def _broadcast(value: Any, count: int) -> list[Any]:
    """One value per job; what serves all of them is the same."""
    return list(value) if isinstance(value, (list, tuple)) else [value] * count


def _condition_of(picture: Picture, plan: Plan, mask: PictureLike | None) -> Condition:
    if plan.text_only:
        return Condition.empty(plan.canvas)
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


def _check_shared(plans: Sequence[Plan], settings: Sequence[Settings]) -> None:
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
class BatchTensors:
    """What differs from job to job, as tensors on the device.

    Attributes:
        planted: what is pasted into canvases.
        region_mask, first_region_mask: C, how far each latent belongs to it, `[B, 1, h, w]`, 0 to
            1; and before the condition is planted again.
        guidance_scale, condition_guidance_scale, noise_level, eta, cycle_eta: `[B, 1, 1, 1]`.
        preserving: by state, 1 for the jobs that preserve it and 0 for others, `[B, 1, 1, 1]`.
    """

    planted: Planted
    region_mask: Tensor
    first_region_mask: Tensor
    guidance_scale: Tensor
    condition_guidance_scale: Tensor
    noise_level: Tensor
    eta: Tensor
    cycle_eta: Tensor
    preserving: Mapping[int, Tensor]

    @property
    def condition_mask(self) -> Tensor:
        """C where a latent belongs to it or does not: boolean `[B, 1, h, w]`."""
        return self.region_mask >= 0.5

    @classmethod
    def of(cls, jobs: Sequence[Job], vae_scale_factor: int, device: torch.device) -> BatchTensors:
        """The tensors of these jobs."""
        coverage = [
            coverage_of(j.condition, j.plan.box, j.plan.canvas, vae_scale_factor) for j in jobs
        ]

        def region_mask(name: str) -> Tensor:
            rims = [getattr(job.settings, name) for job in jobs]
            parts = [membership(each, rim) for each, rim in zip(coverage, rims, strict=True)]
            for job, part in zip(jobs, parts, strict=True):
                if not job.plan.text_only:
                    check_membership(part)
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
            region_mask=region_mask("rim"),
            first_region_mask=region_mask("first_rim" if jobs[0].settings.replant else "rim"),
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
