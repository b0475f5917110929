"""Fit a request to its model: plan, canvas, words, settings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from sow.checkpoints.spec import CheckpointSpec
from sow.errors import PlanError
from sow.pictures.condition import Condition
from sow.plan.box import check_inside
from sow.plan.plan import Plan, check_canvas
from sow.planners.base import PlanRequest
from sow.planners.offline.planner import related_regions
from sow.planners.request import values_for
from sow.service.resolved import ResolvedRequest
from sow.settings.inputs import as_settings
from sow.settings.settings import Settings
from sow.utils.type_checks import check_type

SettingsChanges = Mapping[str, Any] | Collection[str] | Settings | None
CHANGES = (Collection, Settings, type(None))
"""Types that change a preset; iterators are not among them, as they can be read only once."""


def plan_request(resolved: ResolvedRequest, checkpoint: CheckpointSpec) -> PlanRequest:
    """Return the request for a planner, on the model's grid and by default on its own canvas.

    Raises:
        PlanError: if the model cannot make a picture of the requested canvas, or a requested box
            or region is not inside it.
    """
    canvas = resolved.canvas or checkpoint.canvas
    check_canvas(canvas, checkpoint.canvas_multiple)
    if resolved.box is not None:
        check_inside("box", resolved.box, canvas)
    for region in resolved.related or ():
        check_inside(f"related region {region.label!r}", region.box, canvas)
    values = values_for(PlanRequest, resolved)
    values |= {"canvas": canvas, "matte": resolved.matte or "auto"}
    return PlanRequest(**values, vae_scale_factor=checkpoint.vae_scale_factor)


def adapt_plan(
    plan: Plan, resolved: ResolvedRequest, checkpoint: CheckpointSpec, note: Callable[[str], None]
) -> Plan:
    """Apply the fields of a request to an existing plan; `note` is called with notes for the user.

    A plan for a model of another size keeps its composition.

    Raises:
        PlanError: if the model cannot make a picture of the plan's canvas.
    """
    if resolved.canvas:
        plan = plan.scaled(resolved.canvas)
    elif checkpoint.canvas_known or not plan.has_canvas:
        before, plan = plan, checkpoint.fit_plan(plan)
        if before.has_canvas and plan.canvas != before.canvas:
            (width, height), (own_width, own_height) = before.canvas, plan.canvas
            note(
                f"the plan is scaled from {width}x{height} to {own_width}x{own_height}, the "
                "model's own size, because no canvas was given"
            )
    if resolved.box:
        check_inside("box", resolved.box, plan.canvas)
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
    check_canvas(plan.canvas, checkpoint.canvas_multiple)
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
