"""From a graph to a plan: what is planted gets its place, everything else a box and its words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from sow.box import Box, check_inside
from sow.plan import NOTHING, Plan, Region
from sow.planners.base import Planner, PlanRequest
from sow.planners.graph.flow import distant, flow
from sow.planners.graph.graph import SceneGraph
from sow.planners.graph.kinds import kind_of, noun_of
from sow.planners.graph.layout import Laid, lay_out
from sow.planners.graph.phrases import phrase_of, steers
from sow.planners.graph.reading import read_graph
from sow.planners.graph.saying import with_words
from sow.planners.graph.search import Ground
from sow.planners.offline.planner import OfflinePlanner, related_regions
from sow.planners.scenes import GivenGraph
from sow.scene import CONDITION, Relation, SceneObject


@dataclass
class GraphPlanner:
    """Lays out scene graphs around what another planner plants; without a picture, nothing is.

    Attributes:
        inner: who plans for the picture; the rules, unless it is said.
    """

    inner: Planner = field(default_factory=OfflinePlanner)

    def plan(self, request: PlanRequest) -> Plan:
        """A legal plan, whose objects have boxes if there is a graph.

        Raises:
            PlanError: if the graph contradicts itself, or there is no room for it.
            SowError: whatever the inner planner raises.
        """
        check_graph(request)
        if request.image is None:
            return laid_out(bare(request), request)
        plan = self.inner.plan(without_graph(request))
        return laid_out(plan, request) if request.has_graph else plan


def check_graph(request: PlanRequest) -> None:
    """Refuses what can be seen to be no graph before anything is looked for in a picture.

    Raises:
        PlanError: if its relations contradict each other, or it is too large.
    """
    if request.has_graph and request.graph != "planner":
        read_graph(request, bare(request))


def without_graph(request: PlanRequest) -> PlanRequest:
    """What the planner of the picture is asked; a file may say where it goes."""
    return replace(request, graph=None, triples=None, box=_given_box(request))


def _given_box(request: PlanRequest) -> Box | None:
    own = request.graph.condition if isinstance(request.graph, GivenGraph) else None
    return request.box or (own.box if own else None)


def bare(request: PlanRequest) -> Plan:
    """The plan by which nothing is planted."""
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


def laid_out(plan: Plan, request: PlanRequest) -> Plan:
    """A plan with the graph of a request around what it plants.

    Raises:
        PlanError: if the graph contradicts itself, or there is no room for it.
    """
    read = read_graph(request, plan)
    graph, canvas = read.graph, plan.canvas
    for thing in graph.objects:
        if thing.box is not None:
            check_inside(f"object {thing.id!r}", thing.box, canvas)
    fixed = _given_box(request) is not None
    laid = lay_out(graph, Ground(canvas, request.stride, plan.subject, plan.box, fixed))
    prompt = with_words(plan.prompt, graph, read.spoken, read.called)
    notes = [*plan.notes, *read.notes, *laid.notes]
    if prompt != plan.prompt:
        notes.append(f'the graph was added to the prompt: "{prompt}"'[:500])
    placed = plan.with_box(laid.boxes[CONDITION]) if not plan.bare else plan
    related = () if plan.bare else placed.related
    if not plan.bare and request.related is None:
        own = plan.related if placed.box == plan.box else None
        own = own or related_regions(placed.box, canvas, plan.subject)
        related = (*_trimmed(own, laid), *flow(graph, laid.wholes, canvas))
    return placed.changed(
        prompt=prompt,
        related=related,
        suppress="" if _another(graph, plan.subject) else plan.suppress,
        objects=_objects(graph, laid, prompt),
        relations=list(_relations(graph, laid.wholes, canvas)),
        planner=plan.planner if plan.bare else f"{plan.planner}, graph"[:200],
        notes=notes,
    )


def _objects(graph: SceneGraph, laid: Laid, prompt: str) -> list[SceneObject]:
    """The things as they are to be drawn."""
    labels = {thing.label for thing in graph.objects}
    return [
        SceneObject(
            id=thing.id,
            label=phrase_of(thing.label, prompt, labels - {thing.label})[:200],
            box=laid.boxes[thing.id] if thing.box or steers(graph, thing.id) else None,
        )
        for thing in graph.objects
    ]


def _another(graph: SceneGraph, subject: str) -> bool:
    """Whether there is a second one of what is planted: then it may well appear."""
    if subject == "face":
        return any(kind_of(thing.label) == "person" for thing in graph.objects)
    return any(noun_of(thing.label) == noun_of(subject) for thing in graph.objects)


def _relations(
    graph: SceneGraph, boxes: Mapping[str, Box], canvas: tuple[int, int]
) -> Iterator[Relation]:
    for edge in graph.edges:
        apart = distant(boxes[edge.subject], boxes[edge.object], canvas)
        yield Relation(subject=edge.subject, predicate=edge.name, object=edge.object, distant=apart)


def _trimmed(regions: tuple[Region, ...], laid: Laid) -> Iterator[Region]:
    """What belongs to the condition, without what lies beside it: others stand there."""
    whole = laid.wholes[CONDITION]
    others = [box for thing, box in laid.boxes.items() if thing != CONDITION]
    for region in regions:
        left, top, right, bottom = region.box.corners
        left = max([left, *(box.right for box in others if box.right <= whole.x)])
        right = min([right, *(box.x for box in others if box.x >= whole.right)])
        top = max([top, *(box.bottom for box in others if box.bottom <= whole.y)])
        if right > left and bottom > top:
            box = Box(x=left, y=top, width=right - left, height=bottom - top)
            yield region.model_copy(update={"box": box})
