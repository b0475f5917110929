"""Fit a request to its model: plan, canvas, words, settings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from sow.checkpoints.spec import CheckpointSpec
from sow.errors import PlanError
from sow.pictures.condition import Condition
from sow.plan.box import check_inside
from sow.plan.plan import Plan, check_canvas
from sow.plan.scene_graph import SceneObject
from sow.planners.base import PlanRequest
from sow.planners.offline.planner import related_regions
from sow.planners.request import values_for
from sow.service.resolved import ResolvedRequest
from sow.settings.inputs import MAX_PROMPT, as_settings
from sow.settings.settings import Settings
from sow.utils.type_checks import check_type

SettingsChanges = Mapping[str, Any] | Collection[str] | Settings | None
CHANGES = (Collection, Settings, type(None))
"""Types that change a preset; iterators are not among them, as they can be read only once."""


def plan_request(resolved: ResolvedRequest, checkpoint: CheckpointSpec) -> PlanRequest:
    """What a planner is resolved, on the model's grid and, unless decided, on its own canvas.

    Raises:
        PlanError: if the model cannot make a picture of the canvas decided on, or a box or a
            region that was given leaves it.
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


def in_known_words(plan: Plan, name: str, known: Collection[str]) -> Plan:
    """Reword a plan's prompt for a model that lists the words it knows, and add notes.

    Planners read the user's own words, so the rest of the plan stays as it is. Without a known
    word the model would draw an empty street, so a face always gets a person to belong to.
    """
    from sow.planners.rewording import reword, with_person

    if not known:
        return plan
    reworded = reword(plan.prompt, known)
    text = reworded.text
    if plan.subject == "face":
        text = with_person(text, known)
    elif not text and set(plan.subject.split()) <= set(known):
        text = f"a {plan.subject}"
    if text == plan.prompt:
        return plan
    notes = []
    if reworded.summary():
        notes.append(f"{name} does not know {reworded.summary()}")
    if not reworded.text:
        notes.append(f"nothing of the prompt is left: `sow words` lists what {name} knows")
    if text != reworded.text:
        notes.append(f'{name} is asked for "{text}": the prompt names no person')
    return plan.changed(
        prompt=(text or plan.prompt)[:MAX_PROMPT],
        objects=[_known(thing, known) for thing in plan.objects],
        notes=(*plan.notes, *(note[:500] for note in notes)),
    )


def _known(thing: SceneObject, known: Collection[str]) -> SceneObject:
    """Return an object labelled in known words, as in the prompt; without any, without its box,
    since nothing could be drawn there."""
    from sow.planners.graph.nouns import words_of
    from sow.planners.rewording import reword

    if thing.box is None:
        return thing
    words = " ".join(words_of(reword(thing.label, known).text))
    return thing.model_copy(update={"label": words} if words else {"box": None})


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
