"""Saving finished pictures with their metadata."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sow.batch.ledger.ledger import ClaimedJob
from sow.batch.ledger.private_paths import public_name
from sow.batch.runners.job_queue import JobQueue
from sow.pictures.recipe import recipe_png_bytes
from sow.service.face_check import FaceCheck
from sow.service.results import GenerationSpec, Picture


@dataclass(frozen=True)
class GeneratedPicture:
    """A finished picture and its job."""

    claimed: ClaimedJob
    spec: GenerationSpec
    seed: int
    picture: Picture


ExtraFiles = Callable[[GeneratedPicture, str], dict[str, bytes]]
"""Makes further files, by name, that belong to a picture of a given name."""


def save(generated: GeneratedPicture, queue: JobQueue, extra_files: ExtraFiles) -> bool:
    """Check a picture, then write and record it.

    Returns:
        False, with nothing written, if this runner does not hold the job any more.

    Raises:
        OutputError: if it cannot be written.
    """
    picture = generated.picture
    if not picture.flagged:
        picture = replace(
            picture,
            faces=FaceCheck(generated.spec.condition, generated.spec.plan).look(picture.image),
        )
    generated, name = replace(generated, picture=picture), generated.claimed.file_of(generated.seed)
    files = {
        **extra_files(generated, name),
        name: recipe_png_bytes(picture.image, picture.recipe, picture.condition),
    }
    return queue.record(
        generated.claimed, generated.seed, files, metadata_of(generated), picture.seconds
    )


def metadata_of(generated: GeneratedPicture) -> dict[str, Any]:
    """Return the line of `metadata.jsonl` for a picture."""
    job, recipe = generated.claimed.job, generated.picture.recipe
    metadata: dict[str, Any] = {
        "file_name": generated.claimed.file_of(generated.seed),
        "id": job.id,
        "prompt": job.prompt or recipe.plan.prompt,
        "seed": generated.seed,
        # Not "image": ImageFolder uses that column for file_name.
        "picture": public_name(str(job.image)) if job.image else None,
        "plan_prompt": recipe.plan.prompt,
        "negative": recipe.plan.negative or None,
        "box": recipe.plan.box.model_dump() if not recipe.plan.text_only else None,
        "setting": recipe.plan.setting,
        "model": recipe.model,
        "method": recipe.method or None,
        "seconds": round(generated.picture.seconds, 3),
        "unet_calls": generated.picture.calls,
        "unet_samples": generated.picture.samples,
        "notes": [*generated.spec.notes, *generated.picture.notes],
    }
    return {name: value for name, value in metadata.items() if value is not None}
