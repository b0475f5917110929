"""Plan with a scene graph: the condition gets its place, every other object a box and its words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from sow.plan.box import Box, check_inside
from sow.plan.plan import NOTHING, Plan, Region
from sow.plan.scene_graph import CONDITION, Relation, SceneObject
from sow.planners.base import Planner, PlanRequest
from sow.planners.graph.build import build_graph
from sow.planners.graph.flow import distant, flow
from sow.planners.graph.layout import Layout, lay_out
from sow.planners.graph.nouns import kind_of, noun_of
from sow.planners.graph.prompt_text import add_graph_to_prompt, phrase_of
from sow.planners.graph.scene_graph import SceneGraph
from sow.planners.graph.search import LayoutInput
from sow.planners.graph_spec import GraphSpec
from sow.planners.offline.planner import OfflinePlanner, related_regions


@dataclass
class GraphPlanner:
    """Lays out a scene graph around the condition of another planner.

    Without a picture there is no condition.

    Attributes:
        inner: the planner for the condition; rules by default.
    """

    inner: Planner = field(default_factory=OfflinePlanner)

    def plan(self, request: PlanRequest) -> Plan:
        """Return a legal plan; its objects have boxes if the request has a graph.

        Raises:
            PlanError: if the graph contradicts itself, or there is not enough room for it.
            SowError: whatever the inner planner raises.
        """
        check_graph(request)
        if request.image is None:
            return add_graph(text_only_plan(request), request)
        plan = self.inner.plan(without_graph(request))
        return add_graph(plan, request) if request.has_graph else plan


def check_graph(request: PlanRequest) -> None:
    """Check the graph of a request before anything slow is done.

    Raises:
        PlanError: if its relations contradict each other, or it has too many objects.
    """
    if request.has_graph and request.graph != "planner":
        build_graph(request, text_only_plan(request))


def without_graph(request: PlanRequest) -> PlanRequest:
    """Return the request for the condition alone, with the box that the graph gives it."""
    return replace(request, graph=None, triples=None, box=_condition_box(request))


def _condition_box(request: PlanRequest) -> Box | None:
    spec = request.graph.condition if isinstance(request.graph, GraphSpec) else None
    return request.box or (spec.box if spec else None)


def text_only_plan(request: PlanRequest) -> Plan:
    """Return the plan without a condition."""
    width, height = request.size
    return Plan.parse(
        {
            **({"canvas": request.canvas} if request.canvas else {}),
            "prompt": request.prompt.strip(),
            "box": Box(x=0, y=0, width=width, height=height),
            "setting": request.setting or "normal",
            "subject": NOTHING,
            "suppress": "",
            "planner": "graph",
        }
    )


def add_graph(plan: Plan, request: PlanRequest) -> Plan:
    """Return a plan with the graph of a request around its condition.

    Raises:
        PlanError: if the graph contradicts itself, or there is not enough room for it.
    """
    built = build_graph(request, plan)
    graph, canvas = built.graph, plan.canvas
    for obj in graph.objects:
        if obj.box is not None:
            check_inside(f"object {obj.id!r}", obj.box, canvas)
    fixed = _condition_box(request) is not None
    layout_input = LayoutInput(canvas, request.vae_scale_factor, plan.subject, plan.box, fixed)
    layout = lay_out(graph, layout_input)
    prompt = add_graph_to_prompt(plan.prompt, graph, built.in_prompt, built.condition_name)
    notes = [*plan.notes, *built.notes, *layout.notes]
    if prompt != plan.prompt:
        notes.append(f'the graph was added to the prompt: "{prompt}"'[:500])
    placed = plan.with_box(layout.boxes[CONDITION]) if not plan.text_only else plan
    related = () if plan.text_only else placed.related
    if not plan.text_only and request.related is None:
        body = plan.related if placed.box == plan.box else None
        body = body or related_regions(placed.box, canvas, plan.subject)
        related = (*_trimmed(body, layout), *flow(graph, layout.full_boxes, canvas))
    return placed.changed(
        prompt=prompt,
        related=related,
        suppress="" if _has_second(graph, plan.subject) else plan.suppress,
        objects=_objects(graph, layout, prompt),
        relations=list(_relations(graph, layout.full_boxes, canvas)),
        planner=plan.planner if plan.text_only else f"{plan.planner}, graph"[:200],
        notes=notes,
    )


def _objects(graph: SceneGraph, layout: Layout, prompt: str) -> list[SceneObject]:
    """Return the objects with the phrases and boxes to draw them by."""
    labels = {obj.label for obj in graph.objects}
    return [
        SceneObject(
            id=obj.id,
            label=phrase_of(obj.label, prompt, labels - {obj.label})[:200],
            box=layout.boxes[obj.id] if obj.box or needs_box(graph, obj.id) else None,
        )
        for obj in graph.objects
    ]


def needs_box(graph: SceneGraph, name: str) -> bool:
    """Return whether an object is to be drawn in its box.

    Without a condition, objects that are held or worn, or near a person, find their place by their
    words: in boxes fewer of these relations hold.
    """
    labels = graph.labels
    if not graph.text_only:
        return True

    def near_person(subject: str, obj: str) -> bool:
        other = obj if subject == name else subject
        return other == CONDITION or "person" in (kind_of(labels[other]), kind_of(labels[name]))

    edges = [edge for edge in graph.edges if name in (edge.subject, edge.object)]
    return not edges or any(
        not edge.predicate.is_action
        and (edge.predicate.directional or not near_person(edge.subject, edge.object))
        for edge in edges
    )


def _has_second(graph: SceneGraph, subject: str) -> bool:
    """Return whether an object is of the condition's kind: then it must not be suppressed."""
    if subject == "face":
        return any(kind_of(obj.label) == "person" for obj in graph.objects)
    return any(noun_of(obj.label) == noun_of(subject) for obj in graph.objects)


def _relations(
    graph: SceneGraph, boxes: Mapping[str, Box], canvas: tuple[int, int]
) -> Iterator[Relation]:
    for edge in graph.edges:
        far = distant(boxes[edge.subject], boxes[edge.object], canvas)
        yield Relation(subject=edge.subject, predicate=edge.name, object=edge.object, distant=far)


def _trimmed(regions: tuple[Region, ...], layout: Layout) -> Iterator[Region]:
    """Yield the condition's own regions, cut where objects beside the condition begin."""
    full = layout.full_boxes[CONDITION]
    others = [box for name, box in layout.boxes.items() if name != CONDITION]
    for region in regions:
        left, top, right, bottom = region.box.corners
        left = max([left, *(box.right for box in others if box.right <= full.x)])
        right = min([right, *(box.x for box in others if box.x >= full.right)])
        top = max([top, *(box.bottom for box in others if box.bottom <= full.y)])
        if right > left and bottom > top:
            box = Box(x=left, y=top, width=right - left, height=bottom - top)
            yield region.model_copy(update={"box": box})
