"""A finished picture on its way to the disk, and what is said of it beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sow.batch.ledger.ledger import ClaimedJob
from sow.batch.runners.job_queue import JobQueue
from sow.pictures.recipe import recipe_png_bytes
from sow.service.face_check import FaceCheck
from sow.service.results import GenerationSpec, Picture


@dataclass(frozen=True)
class GeneratedPicture:
    """A picture that was made, and for whom."""

    claimed: ClaimedJob
    spec: GenerationSpec
    seed: int
    picture: Picture


ExtraFiles = Callable[[GeneratedPicture, str], dict[str, bytes]]
"""Files that belong to a picture of this name."""


def save(made: GeneratedPicture, ledger: JobQueue, extra: ExtraFiles) -> bool:
    """Looks at a picture, and has it written and noted in the ledger.

    Returns:
        False if the job is somebody else's by now: nothing is kept then.

    Raises:
        OutputError: if it cannot be written.
    """
    picture = replace(made.picture, gone=FaceCheck(made.spec).gone(made.picture))
    made, name = replace(made, picture=picture), made.claimed.file_of(made.seed)
    files = {**extra(made, name), name: recipe_png_bytes(picture.image, picture.recipe, picture.condition)}
    return ledger.record(made.claimed, made.seed, files, metadata_of(made), picture.seconds)


def metadata_of(made: GeneratedPicture) -> dict[str, Any]:
    """A line of `metadata.jsonl`."""
    job, recipe = made.claimed.job, made.picture.recipe
    told: dict[str, Any] = {
        "file_name": made.claimed.file_of(made.seed),
        "id": job.id,
        "prompt": job.prompt or recipe.plan.prompt,
        "seed": made.seed,
        "picture": job.image,  # ImageFolder has a column `image`: what file_name names
        "plan_prompt": recipe.plan.prompt,
        "box": recipe.plan.box.model_dump() if not recipe.plan.text_only else None,
        "setting": recipe.plan.setting,
        "model": recipe.model,
        "method": recipe.method or None,
        "seconds": round(made.picture.seconds, 3),
        "unet_calls": made.picture.calls,
        "unet_samples": made.picture.samples,
        "notes": [*made.spec.notes, *made.picture.notes],
    }
    return {name: value for name, value in told.items() if value is not None}
