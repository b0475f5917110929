"""Small pictures, plans and calls that many tests need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from PIL import Image

from sow.pipeline import pipeline
from sow.plan.plan import Plan
from sow.settings.settings import Settings

PAPER = Settings.preset("paper-normal")
QUICK = PAPER.changed(cycles=2, alpha_plus=0.0)
OFF = PAPER.changed(cycles=2, alpha_minus=0, alpha_plus=0, gate="none")
ON = OFF.changed(alpha_minus=0.5, alpha_plus=0.7, lambda_c=0.1, lambda_d=0.5)


def seeded(seed: int) -> torch.Generator:
    """A generator on the CPU."""
    return torch.Generator("cpu").manual_seed(seed)


def noise_picture(seed: int, size: tuple[int, int] = (48, 40)) -> Image.Image:
    """A picture of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def plan(box=(16, 8, 32, 32), canvas=(64, 64), prompt="a person", **more) -> Plan:
    """A plan for the tiny checkpoint."""
    return Plan.parse({"canvas": canvas, "prompt": prompt, "box": box, **more})


def with_body(box=(16, 8, 32, 32), related=(8, 40, 48, 24), **more) -> Plan:
    """The same with a region that belongs to the condition, or None."""
    regions = [{"label": "body", "box": related}] if related else []
    return plan(box, related=regions, **more)


def job(settings: Settings = ON, seed: int = 0, **more) -> dict:
    """Arguments of a call."""
    return {
        "image": noise_picture(1), "plan": with_body(**more), "settings": settings,
        "generator": seeded(seed),
    }  # fmt: skip


def few_steps(settings: Settings) -> Settings:
    """The same settings with four steps and at most one cycle: a quarter of the UNet calls."""
    if settings.steps <= 4:
        return settings
    return settings.changed(
        steps=4, t1=2, t2=3, cycles=min(settings.cycles, 1),
        first_cycles=min(settings.first_cycles, 1), replant=min(settings.replant, 1),
        preserve=[state for state in settings.preserve if state <= 2],
    )  # fmt: skip


def draw_quickly(set_attribute: Callable[..., None] = setattr) -> None:
    """Let every pipeline draw with `few_steps`, whatever settings a call, a preset or a recipe has.

    What is recorded are the settings that were asked for.
    """
    make_jobs = pipeline.make_jobs

    def quick_jobs(*arguments, **named):
        jobs = make_jobs(*arguments, **named)
        return [replace(job, settings=few_steps(job.settings)) for job in jobs]

    set_attribute(pipeline, "make_jobs", quick_jobs)


def latents(pipe, **arguments) -> torch.Tensor:
    """The clean latents that a call leads to."""
    return pipe(output_type="latent", **arguments).images
