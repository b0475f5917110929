"""A finished picture on its way to the disk, and what is said of it beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sow.files import aside
from sow.jobs.ledger import Claimed, Ledger
from sow.jobs.schema import OWN_FOLDER
from sow.recipe import save_png
from sow.service.looking import Looker
from sow.service.results import Picture, Work


@dataclass(frozen=True)
class Made:
    """A picture that was made, and for whom."""

    claimed: Claimed
    work: Work
    seed: int
    picture: Picture


def save(made: Made, ledger: Ledger, extra: Callable[[Made, Path], dict[str, Any]]) -> bool:
    """Looks at a picture, writes it, and notes it in the ledger once it is where it belongs.

    extra: writes what belongs to it, and says more of it.

    Returns:
        False if the job is somebody else's by now: nothing is kept then.

    Raises:
        OutputError: if it cannot be written.
    """
    picture = replace(made.picture, gone=Looker(made.work).gone(made.picture))
    made = replace(made, picture=picture)
    target = ledger.folder / made.claimed.file_of(made.seed)
    with aside(ledger.folder / OWN_FOLDER) as file:
        save_png(picture.image, file, picture.recipe, picture.condition)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        told = {**told_of(made), **extra(made, target)}
        return ledger.record(made.claimed, made.seed, digest, told, picture.seconds,
                             lambda: file.replace(target))  # fmt: skip


def told_of(made: Made) -> dict[str, Any]:
    """A line of `metadata.jsonl`."""
    job, recipe = made.claimed.job, made.picture.recipe
    told: dict[str, Any] = {
        "file_name": made.claimed.file_of(made.seed),
        "id": job.id,
        "prompt": job.prompt or recipe.plan.prompt,
        "seed": made.seed,
        "picture": job.image,  # ImageFolder has a column `image`: what file_name names
        "plan_prompt": recipe.plan.prompt,
        "box": recipe.plan.box.model_dump() if not recipe.plan.bare else None,
        "setting": recipe.plan.setting,
        "model": recipe.model,
        "seconds": round(made.picture.seconds, 3),
        "notes": [*made.work.notes, *made.picture.remarks],
    }
    return {name: value for name, value in told.items() if value is not None}
