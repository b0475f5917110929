"""What fits its model: the plan, on its canvas and grid, and the settings, as the user decided."""

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
"""What can change a preset; not what can be walked only once."""


def plan_request(asked: ResolvedRequest, checkpoint: CheckpointSpec) -> PlanRequest:
    """What a planner is asked, on the model's grid and, unless decided, on its own canvas.

    Raises:
        PlanError: if the model cannot make a picture of the canvas decided on, or a box or a
            region that was given leaves it.
    """
    canvas = asked.canvas or checkpoint.canvas
    check_canvas(canvas, checkpoint.canvas_stride)
    if asked.box is not None:
        check_inside("box", asked.box, canvas)
    for region in asked.related or ():
        check_inside(f"related region {region.label!r}", region.box, canvas)
    values = values_for(PlanRequest, asked)
    return PlanRequest(**values | {
        "canvas": canvas, "stride": checkpoint.stride, "matte": asked.matte or "auto"
    })  # fmt: skip


def adapt_plan(
    plan: Plan, asked: ResolvedRequest, checkpoint: CheckpointSpec, note: Callable[[str], None]
) -> Plan:
    """A plan that was made before, with what is decided otherwise now; `note` takes remarks.

    A plan made for a model of another size keeps its composition.

    Raises:
        PlanError: if the model cannot make a picture of the plan's canvas.
    """
    if asked.canvas:
        plan = plan.scaled(asked.canvas)
    elif checkpoint.canvas_known or not plan.has_canvas:
        before, plan = plan, checkpoint.fit_plan(plan)
        if before.has_canvas and plan.canvas != before.canvas:
            (width, height), (own_width, own_height) = before.canvas, plan.canvas
            note(
                f"the plan is scaled from {width}x{height} to {own_width}x{own_height}, the "
                "model's own size, because no canvas was given"
            )
    if asked.box:
        check_inside("box", asked.box, plan.canvas)
        related = related_regions(asked.box, plan.canvas, plan.subject)
        plan = plan.with_box(asked.box).changed(related=related)
    changes: dict[str, Any] = {}
    if asked.matte == "ellipse" and plan.ellipse is None:
        raise PlanError("the plan has no ellipse", "make the plan again with matte=ellipse")
    if asked.matte:
        changes["matte"] = None
    if asked.matte == "box":
        changes["ellipse"] = None
    if asked.prompt:
        changes["prompt"] = asked.prompt
    if asked.setting:
        changes["setting"] = asked.setting
    if asked.related:
        changes["related"] = asked.related
    check_canvas(plan.canvas, checkpoint.canvas_stride)
    return plan.changed(**changes)


def condition_of(asked: ResolvedRequest, plan: Plan) -> Condition:
    """What is planted by a plan that was made for this request.

    Raises:
        SowError: as `Condition.prepare`.
    """
    if plan.text_only or asked.image is None:
        return Condition.empty(plan.canvas)
    return Condition.prepare(asked.image, plan, asked.mask)


def in_known_words(plan: Plan, name: str, known: Collection[str]) -> Plan:
    """A plan for a model that lists the words it knows, with its prompt in these and a note.

    Planners read the user's own words, so what they decided stays as it is. Words of which the
    model knows none end as an empty street: with a face there is somebody it belongs to.
    """
    from sow.planners.rewording import reword, with_person

    if not known:
        return plan
    said = reword(plan.prompt, known)
    text = said.text
    if plan.subject == "face":
        text = with_person(text, known)
    elif not text and set(plan.subject.split()) <= set(known):
        text = f"a {plan.subject}"
    if text == plan.prompt:
        return plan
    notes = []
    if said.summary():
        notes.append(f"{name} does not know {said.summary()}")
    if not said.text:
        notes.append(f"nothing of the prompt is left: `sow words` lists what {name} knows")
    if text != said.text:
        notes.append(f'{name} is asked for "{text}": the prompt named nobody for the face')
    return plan.changed(
        prompt=(text or plan.prompt)[:MAX_PROMPT],
        objects=[_known(thing, known) for thing in plan.objects],
        notes=(*plan.notes, *(note[:500] for note in notes)),
    )


def _known(thing: SceneObject, known: Collection[str]) -> SceneObject:
    """A thing by the words for it in the prompt, where it is found by them; what cannot be said
    has no box, since nothing could be drawn there."""
    from sow.planners.graph.nouns import words_of
    from sow.planners.rewording import reword

    if thing.box is None:
        return thing
    said = " ".join(words_of(reword(thing.label, known).text))
    return thing.model_copy(update={"label": said} if said else {"box": None})


def resolve_settings(
    preset: Settings,
    changes: SettingsChanges,
    likeness: float | None,
) -> Settings:
    """A preset with what is decided otherwise; all settings at once replace it.

    Raises:
        UsageError: if there is no such setting, or it cannot have that value.
    """
    check_type("settings", changes, CHANGES, "names and values, texts, or Settings")
    dial = {} if likeness is None else {"likeness": likeness}
    if isinstance(changes, Settings):
        return changes.changed(**dial)
    if changes is None or isinstance(changes, Mapping):
        return as_settings({**dial, **(changes or {})}, preset)
    texts = [changes] if isinstance(changes, str) else list(map(str, changes))
    return preset.with_assignments([*(f"{name}={dial[name]}" for name in dial), *texts])
