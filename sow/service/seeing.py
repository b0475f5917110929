"""What can be seen in a picture: where things are, and whether the relations of a plan hold."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from sow.box import Box
from sow.errors import UsageError
from sow.files import write_text
from sow.kinds import check_kind
from sow.pictures.drawing import draw_over
from sow.pictures.given import with_notes
from sow.plan import NOTHING, Plan
from sow.planners.graph.kinds import kind_of
from sow.planners.graph.phrases import WORN
from sow.planners.graph.predicates import read_predicate
from sow.planners.scenes import GivenGraph
from sow.scene import CONDITION, Relation, free_id
from sow.service.model import OneModel

if TYPE_CHECKING:
    from sow.checkpoints.facts import Facts
    from sow.pictures.given import PictureLike
    from sow.pipeline import SowPipeline
    from sow.planners.graph.seeing import Sight

MOST_LABELS = 8
"""Of a picture; every pair of them is looked at together."""
MISSING = -0.15
"""The presence (see `sow.inverting`) below which a thing is taken to be missing; of
drawn ones that were there it took 6 % for missing, of those that were not it missed 11 %."""
LONGEST_SIDE = 3.0
"""How many times as long as the other a side is at most; more is squeezed."""


def see(
    pipe: SowPipeline, image: Image.Image, labels: Sequence[str],
    pairs: Collection[frozenset[str]],
) -> tuple[dict[str, Sight], set[str]]:  # fmt: skip
    """Where all of these are in a picture of a canvas's size, and which seem to be missing.

    What is missing has a place too: the one that looks most like it.

    pairs: of things that are looked for together.
    """
    from sow.inverting import phrase_heat, presence
    from sow.planners.graph.seeing import doubles, sentences, sights

    asked = sentences(labels, pairs)
    maps = [[heat.numpy() for heat in row] for row in phrase_heat(pipe, image, asked)]
    found = sights(labels, asked, maps, image.size)
    # The last sentence that names it: of somebody, the first is about hair and glasses.
    naming = {phrase: sentence for sentence, phrases in asked for phrase in phrases}
    known = [label for label in labels if label in naming]
    there = presence(pipe, image, [(naming[label], found[label].whole) for label in known])
    sure = dict(zip(known, there, strict=True))
    return found, {label for label in known if sure[label] < MISSING} | doubles(found, sure)


@dataclass(frozen=True)
class SeenGraph:
    """A scene graph that was read from a picture.

    Attributes:
        graph: things with their boxes in canvas pixels, of people their heads; for every two of
            them that lie apart, on which side of the other the first is.
        picture: on the canvas on which it was read.
        missing: what does not seem to be there, and is not in the graph.
    """

    graph: GivenGraph
    picture: Image.Image
    missing: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """As JSON has it, and `--graph` reads it."""
        read: dict[str, Any] = self.graph.model_dump(mode="json", exclude_defaults=True)
        return {"objects": [], "relations": [], **read}

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Writes it as JSON.

        Raises:
            OutputError: if the file exists and `force` is not set, or cannot be written.
        """
        write_text(json.dumps(self.plain(), indent=2) + "\n", Path(path), force=force)

    def drawn(self) -> Image.Image:
        """The boxes and relations over the picture."""
        things = [
            {"id": thing.id, "label": thing.label, "box": thing.box} for thing in self.graph.objects
        ]
        edges = [
            Relation(subject=one, predicate=name, object=other)
            for one, name, other in self.graph.relations
        ]
        return draw_over(self.picture, bare(self.picture.size, objects=things, relations=edges))


def bare(canvas: tuple[int, int], **more: object) -> Plan:
    """A plan for a picture that is there already."""
    whole = Box(x=0, y=0, width=canvas[0], height=canvas[1])
    return Plan.parse({"canvas": canvas, "prompt": "a picture", "box": whole, "subject": NOTHING,
                       "suppress": "", **more})  # fmt: skip


def as_labels(value: str | Iterable[str]) -> tuple[str, ...]:
    """Names of things, from a list or one text with commas.

    Raises:
        UsageError: if there are none, too many, or one twice.
    """
    rows = value.split(",") if isinstance(value, str) else list(value)
    for row in rows:
        check_kind("labels", row, (str,), "names of things: person,dog")
    labels = tuple(" ".join(row.split()) for row in rows)
    if not labels or not all(0 < len(label) <= 80 and label.isprintable() for label in labels):
        raise UsageError("a label is empty or no name", 'write labels="person,dog"')
    if len(labels) > MOST_LABELS:
        raise UsageError(f"{len(labels)} labels", f"name {MOST_LABELS} things at most")
    if len({label.lower() for label in labels}) < len(labels):
        raise UsageError("a label stands there twice", "name each thing once")
    return labels


def graph_of(
    pipe: SowPipeline, image: Image.Image, labels: Sequence[str], condition: str | None = None
) -> SeenGraph:
    """Where these things are in a picture, and on which side of one another."""
    from sow.planners.graph.seeing import settled

    picture = image.resize(canvas_for(image.size, pipe.facts), Image.Resampling.LANCZOS)
    pairs = [frozenset(pair) for pair in combinations(labels, 2)]
    seen, missing = see(pipe, picture, labels, pairs)
    boxes, sides = settled({label: seen[label] for label in labels if label not in missing})
    ids = dict[str, str]()
    for label in boxes:
        ids[label] = free_id(label, ids.values())
    things = [
        {"id": ids[label], "label": label, "box": box, "condition": label == condition}
        for label, box in boxes.items()
    ]
    edges = [(ids[one], side, ids[other]) for one, side, other in sides]
    graph = GivenGraph.model_validate({"objects": things, "relations": edges})
    return SeenGraph(graph, picture, tuple(label for label in labels if label in missing))


def canvas_for(size: tuple[int, int], facts: Facts) -> tuple[int, int]:
    """The canvas of about the model's own area and a picture's proportions."""
    ratio = min(LONGEST_SIDE, max(1 / LONGEST_SIDE, size[0] / size[1]))
    stride, area = facts.canvas_stride, facts.canvas[0] * facts.canvas[1]
    wide, tall = ((area * share) ** 0.5 for share in (ratio, 1 / ratio))
    width, height = (max(stride, round(side / stride) * stride) for side in (wide, tall))
    return width, height


class Seer(OneModel):
    """A model that also reads pictures."""

    def graph(
        self, image: PictureLike, labels: str | Sequence[str], condition: str | None = None
    ) -> SeenGraph:
        """Where things are in a picture and on which side of one another, as a scene graph.

        The picture is inverted under "[subject] is near [object]", and read from where its words
        are looked for (SPADE's prior, without its training).

        Args:
            image: a file, a PIL picture or an array.
            labels: what is to be found, up to 8 names: `person,dog`. What does not seem to be
                there is left out, with a note.
            condition: which of them is what is planted, where the graph is laid out again.

        Raises:
            SowError: with one line that says what is wrong.
        """
        names, (picture, notes) = as_labels(labels), with_notes(image)
        if condition is not None and condition not in names:
            raise UsageError(f"condition={condition} is no label", f"one of {', '.join(names)}")
        unknown = [word for name in names for word in self.model.facts.unknown_words(name)]
        if unknown:
            said = f"{self.model.name} does not know {', '.join(map(repr, unknown))}: `sow words`"
            notes = (*notes, said)
        self._told(notes)
        seen = graph_of(self.pipe, picture, names, condition)
        self._told(f"no {label} can be made out in it" for label in seen.missing)
        return seen


@dataclass(frozen=True)
class Check:
    """A relation of a plan, and whether it can be seen in a picture.

    holds: None where boxes cannot show it (in front of, behind), or one thing could be taken for
    another of its name, somebody for somebody else.
    """

    relation: Relation
    said: str
    holds: bool | None


def checks(pipe: SowPipeline, plan: Plan, image: Image.Image) -> tuple[Check, ...]:
    """The relations of a plan, looked for in a picture that was made by it.

    Where the condition is, is known; everything else is found as by `graph_of`, of each relation
    its two things together. Of what seems to be missing nothing holds.
    """
    from sow.planners.graph.seeing import Sight

    names = {thing.id: plain(thing.label) for thing in plan.objects}
    called = "person" if plan.subject == "face" else plan.subject
    labels = sorted({name for edge in plan.relations for end in (edge.subject, edge.object)
                     if (name := names.get(end)) is not None})  # fmt: skip
    if not plan.relations or (not labels and not plan.bare):
        return ()
    pairs = {
        frozenset(names.get(end, called) for end in (edge.subject, edge.object))
        for edge in plan.relations
    }
    found, missing = see(pipe, image, labels, [pair for pair in pairs if len(pair) == 2])
    gone = {end for end, name in names.items() if name in missing}
    at = {end: found[name] for end, name in names.items() if name in found}
    at[CONDITION] = Sight(called, plan.box, _body(plan))
    told = names if plan.bare else {**names, CONDITION: called}
    unsure = _unsure(told)
    return tuple(
        Check(
            relation=edge,
            said=f"{told[edge.subject]} {edge.predicate} {told[edge.object]}",
            holds=_judged(edge, at, gone, unsure, plan.canvas),
        )
        for edge in plan.relations
    )


def _unsure(names: dict[str, str]) -> set[str]:
    """Which of these could be taken for one another: of one name, or one of several people."""
    all_of = list(names.values())
    people = {end for end, name in names.items() if kind_of(name) == "person"}
    alike = {end for end, name in names.items() if all_of.count(name) > 1}
    return (alike | (people if len(people) > 1 else set())) - {CONDITION}


def _judged(
    edge: Relation, at: dict[str, Sight], gone: set[str], unsure: set[str], canvas: tuple[int, int]
) -> bool | None:
    from sow.planners.graph.seeing import holds

    both = {edge.subject, edge.object}
    said = read_predicate(edge.predicate)
    if said is None or both & unsure:
        return None
    if both & gone:
        return False
    one, other = (edge.object, edge.subject) if said.turned else (edge.subject, edge.object)
    return holds(said.predicate, at[one], at[other], canvas)


def _body(plan: Plan) -> Box | None:
    """The region of the body of somebody planted."""
    own = next((r.box for r in plan.related if r.label == "body"), None)
    return own if plan.subject == "face" else None


def plain(label: str) -> str:
    """A label without what somebody wears: "man in a red coat" is looked for as a man."""
    return re.split(WORN, label, maxsplit=1, flags=re.IGNORECASE)[0]
