"""Batches of the inversion: the seed canvases, and conditions inverted alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sow.diffusion.jobs import Job
from sow.diffusion.noise import background
from sow.diffusion.planting import coverage_of, membership, planted
from sow.diffusion.prompts import inversion_prompts
from sow.plan.box import Box


@dataclass(frozen=True)
class InversionBatch:
    """The b pictures of one size that are inverted in the same calls.

    Attributes:
        members: indices of their jobs.
        texts: the inversion's prompts, K branches of b.
        condition_mask: C in these latents, `[b, 1, h, w]`.
        origins: row and column of each picture's first latent in the latents of its canvas.
        size: height and width in latents, without padding.
    """

    members: tuple[int, ...]
    texts: tuple[tuple[str, ...], ...]
    condition_mask: Tensor
    origins: tuple[tuple[int, int], ...]
    size: tuple[int, int]


def inversion_batches(
    jobs: Sequence[Job], condition_mask: Tensor, vae_scale_factor: int, grid: int
) -> tuple[list[InversionBatch], list[Tensor]]:
    """Return the seed canvases, then one batch per size of box for conditions inverted alone.

    grid: widths and heights are padded to multiples of this many pixels, with grey to the right
    and below.

    Returns:
        The batches, and the pixels of each, `[b, 3, H, W]` in [-1, 1].
    """
    settings = jobs[0].settings
    width, height = jobs[0].plan.canvas
    area = settings.planted
    canvases = [
        planted(job.condition, job.plan.box, job.plan.canvas, area).into(
            background(settings.seed_canvas, job.plan.canvas, job.generator)
        )
        for job in jobs
    ]
    batches = [
        InversionBatch(
            members=tuple(range(len(jobs))),
            texts=_texts(jobs),
            condition_mask=condition_mask,
            origins=((0, 0),) * len(jobs),
            size=(height // vae_scale_factor, width // vae_scale_factor),
        )
    ]
    pixels = [torch.stack(canvases)]
    by_size: dict[tuple[int, int], list[int]] = {}
    for index, job in enumerate(jobs) if settings.inversion == "alone" else ():
        if job.plan.text_only:
            continue
        by_size.setdefault((job.plan.box.width, job.plan.box.height), []).append(index)
    for (width, height), members in by_size.items():
        batch = [jobs[index] for index in members]
        canvas = (-(-width // grid) * grid, -(-height // grid) * grid)
        box = Box(x=0, y=0, width=width, height=height)
        grey = background("grey", canvas, None)
        masks = [
            membership(coverage_of(job.condition, box, canvas, vae_scale_factor), job.settings.rim)
            >= 0.5
            for job in batch
        ]
        batches.append(
            InversionBatch(
                members=tuple(members),
                texts=_texts(batch),
                condition_mask=torch.stack(masks).to(condition_mask.device),
                origins=tuple(
                    (j.plan.box.y // vae_scale_factor, j.plan.box.x // vae_scale_factor)
                    for j in batch
                ),
                size=(height // vae_scale_factor, width // vae_scale_factor),
            )
        )
        alone = [planted(job.condition, box, canvas, area).into(grey) for job in batch]
        pixels.append(torch.stack(alone))
    return batches, pixels


def _texts(jobs: Sequence[Job]) -> tuple[tuple[str, ...], ...]:
    """Return the jobs' inversion prompts, K branches of b."""
    rows = [inversion_prompts(job.plan, job.settings) for job in jobs]
    return tuple(zip(*rows, strict=True))
