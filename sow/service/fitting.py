"""Fit a request to its model: plan, canvas, words, settings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from sow.checkpoints.spec import CheckpointSpec
from sow.errors import PlanError
from sow.pictures.condition import Condition
from sow.plan.box import Box, check_inside
from sow.plan.canvas import CanvasShape, nearest_size
from sow.plan.plan import Plan
from sow.planners.base import PlanRequest
from sow.planners.offline.planner import related_regions
from sow.planners.request import values_for
from sow.service.notes import box_text
from sow.service.resolved import ResolvedRequest
from sow.settings.inputs import as_settings
from sow.settings.settings import Settings
from sow.utils.type_checks import check_type

SettingsChanges = Mapping[str, Any] | Collection[str] | Settings | None
CHANGES = (Collection, Settings, type(None))
"""Types that change a preset; iterators are not among them, as they can be read only once."""


def fit_request(
    resolved: ResolvedRequest, checkpoint: CheckpointSpec, note: Callable[[str], None]
) -> ResolvedRequest:
    """Fit the canvas, the box and the regions of a request to a model and to each other.

    The canvas becomes the nearest that the model can make; a box that does not fit is moved and
    shrunk, a region cut off. `note` is called with what is changed.

    Raises:
        PlanError: if a box or region does not touch the canvas.
    """
    requested, canvas = resolved.canvas, None
    if isinstance(requested, CanvasShape):
        canvas = requested.size(checkpoint.canvas, checkpoint.canvas_multiple)
        note(f"a canvas of {requested} is {canvas[0]}x{canvas[1]} on this model")
    elif requested is not None:
        canvas = _nearest(requested, checkpoint, note)
    final = canvas or _canvas_of(resolved.plan, checkpoint)
    related = resolved.related and tuple(
        region.model_copy(
            update={"box": _fit(f"related region {region.label!r}", region.box, final, note)}
        )
        for region in resolved.related
    )
    box = resolved.box and _fit("box", resolved.box, final, note)
    return replace(resolved, canvas=canvas, box=box, related=related)


def _nearest(
    canvas: tuple[int, int], checkpoint: CheckpointSpec, note: Callable[[str], None]
) -> tuple[int, int]:
    multiple = checkpoint.canvas_multiple
    nearest = nearest_size(canvas, multiple)
    if nearest != canvas:
        note(
            f"the canvas {canvas[0]}x{canvas[1]} was changed to {nearest[0]}x{nearest[1]}: this "
            f"model needs multiples of {multiple} px"
        )
    return nearest


def _canvas_of(plan: Plan | None, checkpoint: CheckpointSpec) -> tuple[int, int]:
    """Return the canvas of a request that does not name one: the plan's, or the model's."""
    if plan is None:
        return checkpoint.canvas
    if checkpoint.canvas_known or not plan.has_canvas:
        return checkpoint.fit_plan(plan).canvas
    return nearest_size(plan.canvas, checkpoint.canvas_multiple)


def _fit(name: str, box: Box, canvas: tuple[int, int], note: Callable[[str], None]) -> Box:
    """Return a box or region as large as fits into the canvas."""
    inside = box.cut(canvas)
    if inside is None:
        check_inside(name, box, canvas)  # raises
    if box.is_inside(canvas):
        return box
    fitted = box.fitted(canvas) if name == "box" or inside is None else inside
    note(
        f"the {name} {box_text(box)} does not fit into the canvas {canvas[0]}x{canvas[1]}: using "
        f"{box_text(fitted)}"
    )
    return fitted


def plan_request(resolved: ResolvedRequest, checkpoint: CheckpointSpec) -> PlanRequest:
    """Return the request for a planner, on the model's grid and by default on its own canvas.

    resolved: as `fit_request` returns it.
    """
    values = values_for(PlanRequest, resolved)
    values |= {"canvas": resolved.canvas or checkpoint.canvas, "matte": resolved.matte or "auto"}
    return PlanRequest(**values, vae_scale_factor=checkpoint.vae_scale_factor)


def adapt_plan(
    plan: Plan, resolved: ResolvedRequest, checkpoint: CheckpointSpec, note: Callable[[str], None]
) -> Plan:
    """Apply the fields of a request to an existing plan; `note` is called with notes for the user.

    A plan for a model of another size keeps its composition.

    resolved: as `fit_request` returns it.

    Raises:
        PlanError: if the plan has no ellipse, but the request asks for it.
    """
    if isinstance(resolved.canvas, tuple):
        plan = plan.scaled(resolved.canvas)
    elif checkpoint.canvas_known or not plan.has_canvas:
        before, plan = plan, checkpoint.fit_plan(plan)
        if before.has_canvas and plan.canvas != before.canvas:
            (width, height), (own_width, own_height) = before.canvas, plan.canvas
            note(
                f"the plan is scaled from {width}x{height} to {own_width}x{own_height}, the "
                "model's own size, because no canvas was given"
            )
    else:
        plan = plan.scaled(_nearest(plan.canvas, checkpoint, note))
    if resolved.box:
        related = related_regions(resolved.box, plan.canvas, plan.subject)
        plan = plan.with_box(resolved.box).changed(related=related)
    changes: dict[str, Any] = {}
    if resolved.matte == "ellipse" and plan.ellipse is None:
        raise PlanError("the plan has no ellipse", "make the plan again with matte=ellipse")
    if resolved.matte:
        changes["matte"] = None
    if resolved.matte == "box":
        changes["ellipse"] = None
    if resolved.prompt:
        changes["prompt"] = resolved.prompt
    if resolved.setting:
        changes["setting"] = resolved.setting
    if resolved.related:
        changes["related"] = resolved.related
    return plan.changed(**changes)


def condition_of(resolved: ResolvedRequest, plan: Plan) -> Condition:
    """Cut out what the plan plants; nothing if it plants nothing.

    Raises:
        SowError: as `Condition.prepare`.
    """
    if plan.text_only or resolved.image is None:
        return Condition.empty(plan.canvas)
    return Condition.prepare(resolved.image, plan, resolved.mask)


def resolve_settings(
    preset: Settings,
    changes: SettingsChanges,
    likeness: float | None,
) -> Settings:
    """Return a preset with changes: names and values, text (`cycles=5`), or all settings.

    Raises:
        UsageError: for an unknown setting or an invalid value.
    """
    check_type("settings", changes, CHANGES, "names and values, texts, or Settings")
    dial: dict[str, float] = {} if likeness is None else {"likeness": likeness}
    if isinstance(changes, Settings):
        return changes.changed(**dial)
    if changes is None or isinstance(changes, Mapping):
        return as_settings({**dial, **(changes or {})}, preset)
    texts = [changes] if isinstance(changes, str) else list(map(str, changes))
    return preset.with_assignments([*(f"{name}={dial[name]}" for name in dial), *texts])
