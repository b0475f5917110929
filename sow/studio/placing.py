"""Where somebody put things on the page: what of it is legal, and the plan that comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field, ValidationError

from sow.errors import UsageError
from sow.plan.box import MAX_CONDITION_SHARE, MIN_CONDITION_SHARE, Box, check_inside
from sow.plan.plan import Plan
from sow.utils.validation import StrictModel

MAX_REGIONS = 200


@dataclass(frozen=True)
class Placing:
    """What somebody moved, in canvas pixels; what is left out stays as it was planned.

    Attributes:
        box: of the planted piece.
        regions: of related regions, by label. They no longer follow the piece.
        version: the `Session.version` of what was moved; None for what is there now.
    """

    box: Box | None = None
    regions: Mapping[str, Box] = field(default_factory=dict)
    version: int | None = None


NOTHING_MOVED = Placing()


class _Sent(StrictModel):
    """What the page sends of it."""

    box: Box | None = None
    regions: dict[str, Box] = Field(default={})
    version: int | None = None


def read_placing(value: Any) -> Placing:
    """Return what the stage's value says, which comes from a browser and may be anything.

    Raises:
        UsageError: if it has something else than boxes of whole numbers.
    """
    if not isinstance(value, Mapping):
        return NOTHING_MOVED
    known = {name: value[name] for name in _Sent.model_fields if value.get(name) is not None}
    try:
        sent = _Sent.model_validate(known)
    except ValidationError:
        raise UsageError(
            "a box is not four whole numbers: x, y, width and height", "place it again"
        ) from None
    if len(sent.regions) > MAX_REGIONS:
        raise UsageError("there are too many regions", "place it again")
    return Placing(sent.box, sent.regions, sent.version)


def placed(plan: Plan, placing: Placing, grid: int) -> Plan:
    """Return a plan with what somebody moved; what hangs on the piece and was not moved follows.

    grid: the pixels that the piece's box is a multiple of.

    Raises:
        PlanError: if a box is not on the canvas.
    """
    box = placing.box
    if box is not None:
        check_inside("the piece", box, plan.canvas)
        # The note that others moved along is for those who did not see it.
        plan = plan.changed(box=box.aligned(grid, plan.canvas)).changed(notes=plan.notes)
    if not placing.regions:
        return plan
    for label, region in placing.regions.items():
        check_inside(f"the region {label!r}", region, plan.canvas)
    return plan.changed(
        related=[
            region.model_copy(update={"box": placing.regions.get(region.label, region.box)})
            for region in plan.related
        ]
    )


def with_own_labels(plan: Plan) -> Plan:
    """Return the plan with a label of its own for each region: "tree", "tree 2"."""
    labels: list[str] = []
    for region in plan.related:
        label, number = region.label, 1
        while label in labels:
            number += 1
            label = f"{region.label[:190]} {number}"
        labels.append(label)
    regions = [
        region.model_copy(update={"label": label})
        for region, label in zip(plan.related, labels, strict=True)
    ]
    return plan if list(plan.related) == regions else plan.changed(related=regions)


def usual_sizes(canvas: tuple[int, int]) -> tuple[int, int]:
    """Return between which pixels the longer side of a piece works best; others are legal too."""
    shorter = min(canvas)
    return round(MIN_CONDITION_SHARE * shorter), round(MAX_CONDITION_SHARE * shorter)
