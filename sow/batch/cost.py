"""The cost of what is left of a batch, counted before its first picture."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sow.batch.ledger.schema import PASS
from sow.errors import SowError
from sow.models.tuned import default_preset
from sow.service.budget import REFERENCE_AREA, USER_BUDGET, Agree, confirm, count_unet_samples
from sow.service.fitting import resolve_settings
from sow.settings.inputs import as_canvas
from sow.settings.settings import Settings

if TYPE_CHECKING:
    from sow.batch.ledger.ledger import Ledger
    from sow.models.find import Model
    from sow.service.service import Service

LARGE_AREA = 1024 * 1024
"""Pixels that no model has been trained on; larger canvases are asked for."""
KINDS = f"""
SELECT json_extract(job, '$.preset'), coalesce(json_extract(job, '$.setting'),
json_extract(job, '$.plan.setting'), 'normal'), json_extract(job, '$.settings'),
json_extract(job, '$.likeness'), json_extract(job, '$.canvas'),
sum(pictures - (SELECT count(*) FROM pictures WHERE pictures.job = jobs.id))
FROM jobs WHERE pass = {PASS} AND state IN ('waiting', 'running') GROUP BY 1, 2, 3, 4, 5
"""
"""SQL: preset, setting, settings, likeness and canvas of jobs, and how many pictures are left."""


def confirm_cost(ledger: Ledger, service: Service, agree: Agree) -> None:
    """Ask the user to confirm a batch whose pictures exceed the budget in all.

    Pictures that are made already do not count. The model is looked up if the answer depends on
    its size. A picture that costs too much by itself fails its own job.

    Raises:
        UsageError: if the user does not agree.
        ModelError: if the model cannot be found.
    """
    if _find_excess(ledger, None) is not None:
        confirm(_find_excess(ledger, service.model), agree)


def _find_excess(ledger: Ledger, model: Model | None) -> str | None:
    """Return in one line how a batch exceeds the budget, or None.

    model: None counts as much as any model may take.
    """
    pictures, samples = 0, 0.0
    for left, each in _costs(ledger, model):
        pictures, samples = pictures + left, samples + left * each
    return USER_BUDGET.find_total_excess(pictures, samples)


def _costs(ledger: Ledger, model: Model | None) -> Iterator[tuple[int, float]]:
    """Yield numbers of pictures, and the UNet samples of 512x512 that each of them takes."""
    samples_of = lru_cache(10_000)(lambda *kind: _samples(model, *kind))
    own_area = LARGE_AREA if model is None else math.prod(model.checkpoint_spec.canvas)
    for *kind, canvas, left in ledger.stream(KINDS):
        area = own_area
        if canvas is not None:
            size = as_canvas(json.loads(canvas) if str(canvas)[0] == "[" else canvas)
            # A shape without a size gets about as many pixels as the model's own canvas.
            area = size[0] * size[1] if isinstance(size, tuple) else own_area
        yield left, samples_of(*kind) * area / REFERENCE_AREA


def _samples(
    model: Model | None, preset: str | None, setting: str, changes: str | None, likeness: Any
) -> int:
    """Return the most UNet samples that a picture of these settings takes."""
    base = Settings.preset(preset or "normal")
    if model is not None:
        base = model.checkpoint_spec.preset(preset) if preset else default_preset(model, setting)[0]
    try:
        settings = resolve_settings(base, json.loads(changes) if changes else None, likeness)
    except SowError:  # its job fails
        return 0
    return count_unet_samples(settings, USER_BUDGET.samples)
