"""The jobs of one call, made from the user's arguments, and their settings as tensors."""

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
        """The guidance outside C that the job needs."""
        return outside_of(self.plan, self.settings)


def make_jobs(
    image: Picture | Sequence[Picture],
    plan: PlanLike | Sequence[PlanLike],
    settings: SettingsLike | Sequence[SettingsLike],
    mask: PictureLike | Sequence[PictureLike | None] | None,
    generator: torch.Generator | Sequence[torch.Generator] | None,
    vae_scale_factor: int,
    preset: Callable[[str], Settings] = Settings.preset,
    fit_plan: Callable[[Plan], Plan] = lambda plan: plan,
) -> list[Job]:
    """Make one job per picture: single values are used for all jobs, lists have equal lengths.

    Args:
        image: pictures, of which the plans' crops are planted, or conditions.
        plan: plans; their boxes are aligned to `vae_scale_factor`.
        settings: changes of each plan's preset, or settings that replace it.
        mask: masks of the pictures.
        generator: one for each job, or one for all.
        vae_scale_factor: width and height of one latent in pixels.
        preset: returns the model's preset of a name.
        fit_plan: fits a plan without a canvas to the model.

    Raises:
        UsageError: if an argument has the wrong type, lists differ in length, or the jobs cannot
            share one batch.
        PictureError, PlanError: if a picture, a mask or a plan is invalid.
    """
    arguments = {
        "image": image,
        "plan": plan,
        "settings": settings,
        "mask": mask,
        "generator": generator,
    }
    count = _count_jobs(arguments)
    lists = {name: _broadcast(value, count) for name, value in arguments.items()}
    for job_generator in lists["generator"]:
        check_type("generator", job_generator, (torch.Generator, NoneType), GENERATOR_EXAMPLE)
    plans = [p if p.has_canvas else fit_plan(p) for p in map(as_plan, lists["plan"])]
    plans = [p.aligned(vae_scale_factor) for p in plans]
    job_settings = [
        as_settings(changes, preset(p.preset))
        for changes, p in zip(lists["settings"], plans, strict=True)
    ]
    _check_shared(plans, job_settings)
    conditions = [
        _prepare_condition(picture, p, job_mask)
        for picture, p, job_mask in zip(lists["image"], plans, lists["mask"], strict=True)
    ]
    fields = zip(conditions, plans, job_settings, lists["generator"], strict=True)
    return [Job(*job) for job in fields]


def _count_jobs(arguments: Mapping[str, Any]) -> int:
    """Return the number of jobs.

    A list of generators does not count: with one picture and one plan it is more often a mistake
    than intended. diffusers refuses it too.
    """
    lengths = {name: len(v) for name, v in arguments.items() if isinstance(v, (list, tuple))}
    if 0 in lengths.values():
        raise UsageError("an empty list", "give one entry per job, or a single value")
    if len(set(lengths.values())) > 1:
        raise UsageError(
            f"lists of different lengths: {', '.join(f'{n}= {k}' for n, k in lengths.items())}",
            "give one entry per job, or a single value",
        )
    seeds = lengths.pop("generator", 1)
    if seeds > 1 and not lengths:
        raise UsageError(
            f"{seeds} generators for one picture",
            f"for {seeds} pictures, give plan=[plan] * {seeds}",
        )
    return max(lengths.values(), default=1)


def _broadcast(value: Any, count: int) -> list[Any]:
    """Return one value per job; a single value is repeated."""
    return list(value) if isinstance(value, (list, tuple)) else [value] * count


def _prepare_condition(picture: Picture, plan: Plan, mask: PictureLike | None) -> Condition:
    if plan.text_only:
        return Condition.empty(plan.canvas)
    if not isinstance(picture, Condition):
        return Condition.prepare(picture, plan, mask)
    if mask is not None:
        raise UsageError(
            "mask= requires a picture, but image= is a Condition, which has its own mask",
            "give the picture, or make the Condition with the mask",
        )
    if picture.picture.size != (plan.box.width, plan.box.height):
        raise PlanError(
            f"the condition is {picture.picture.size} but its box is {plan.box.model_dump()}"
        )
    return picture


def _check_shared(plans: Sequence[Plan], settings: Sequence[Settings]) -> None:
    """Check that the jobs have the same canvas and shared settings; raise `UsageError` if not."""
    for plan in plans:
        if plan.canvas != plans[0].canvas:
            raise UsageError(
                f"canvases {plans[0].canvas} and {plan.canvas} in one batch",
                "make pictures of different sizes in separate calls",
            )
    for job_settings in settings:
        for name in Settings.names(SHARED):
            first, value = getattr(settings[0], name), getattr(job_settings, name)
            if value != first:
                raise UsageError(
                    f"{name} differs within the batch ({first} and {value})",
                    "make these pictures in separate calls",
                )


@dataclass(frozen=True)
class BatchTensors:
    """The settings that may differ between jobs, as tensors on the device.

    Attributes:
        planted: the pixels pasted into canvases.
        region_mask: C, how far each latent belongs to it, `[B, 1, h, w]`, 0 to 1.
        first_region_mask: C before the condition is planted again, likewise.
        guidance_scale, condition_guidance_scale, noise_level, eta, cycle_eta: `[B, 1, 1, 1]`.
        preserving: by state, `[B, 1, 1, 1]`, 1 for jobs that preserve it and 0 for the others.
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
        """C as a binary mask: boolean `[B, 1, h, w]`."""
        return self.region_mask >= 0.5

    @classmethod
    def of(cls, jobs: Sequence[Job], vae_scale_factor: int, device: torch.device) -> BatchTensors:
        """Return the tensors of these jobs.

        Raises:
            PlanError: if a condition is smaller than one latent.
        """
        coverage = [
            coverage_of(j.condition, j.plan.box, j.plan.canvas, vae_scale_factor) for j in jobs
        ]

        def region_mask(name: str) -> Tensor:
            rims = [getattr(job.settings, name) for job in jobs]
            parts = [membership(share, rim) for share, rim in zip(coverage, rims, strict=True)]
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
