"""One call of the pipeline, and the pictures with their recipes that come out of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from sow.recipe import Recipe, versions
from sow.service.results import Picture, Work

if TYPE_CHECKING:
    from sow.models.find import Model
    from sow.pipeline import SowPipeline


def one_call(
    pipe: SowPipeline, model: Model, work: Work, seeds: Sequence[int], cycles: bool, explain: bool
) -> list[Picture]:
    """One picture per seed.

    cycles: also what they looked like after each cycle. explain: also a sheet of what their words
    and the condition did.
    """
    import torch

    from sow.attention.explain import explain as sheet_of
    from sow.pipeline import trace

    started = time.monotonic()
    with trace(pipe) if explain else nullcontext() as seen:
        out = pipe(
            image=[work.condition] * len(seeds),
            plan=work.plan,
            settings=work.settings,
            generator=[torch.Generator("cpu").manual_seed(seed) for seed in seeds],
            return_cycles=cycles,
        )
    seconds = (time.monotonic() - started) / len(seeds)
    flagged = out.nsfw_content_detected or [False] * len(seeds)
    return [
        Picture(
            image=image,
            recipe=_recipe(pipe, model, work, seed, len(seeds), place),
            condition=work.condition,
            cycles=tuple(out.cycles[place]) if out.cycles else (),
            explained=sheet_of(seen, image, work.plan, work.condition, place) if seen else None,
            flagged=flagged[place],
            seconds=seconds,
        )
        for place, (seed, image) in enumerate(zip(seeds, out.images, strict=True))
    ]


def _recipe(
    pipe: SowPipeline, model: Model, work: Work, seed: int, batch_size: int, place: int
) -> Recipe:
    return Recipe(
        plan=work.plan,
        settings=work.settings,
        seed=seed,
        model=model.name,
        revision=model.revision,
        device=pipe.device.type,
        dtype=str(pipe.unet.dtype).removeprefix("torch."),
        picture_sha256=work.picture_sha256,
        versions=versions(),
        batch_size=batch_size,
        place=place,
    )
