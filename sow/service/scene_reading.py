"""Reading scenes from pictures: where objects are, and on which side of each other."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from sow.errors import UsageError
from sow.pictures.drawing import draw_graph_over
from sow.pictures.formats import is_photograph
from sow.plan.box import iou
from sow.plan.scene_graph import Relation, SceneObject, unused_id
from sow.planners.graph_spec import GraphSpec
from sow.service.presence import (
    PERSON,
    Presence,
    PresenceScore,
    PresenceThresholds,
    noun_to_judge,
    score_presence,
)
from sow.utils.files import write_text
from sow.utils.type_checks import check_type

if TYPE_CHECKING:
    from sow.checkpoints.spec import CheckpointSpec
    from sow.pipeline.pipeline import SowPipeline
    from sow.planners.graph.detection import DetectedObject

MAX_LABELS = 8
"""Labels of one picture; every pair of them is looked for together."""
MIN_AGREEMENT = 0.3
"""The least intersection over union of two boxes that are taken for the same thing."""
MAX_ASPECT_RATIO = 3.0
"""The longer side of the canvas divided by the shorter; longer pictures are squeezed."""


@dataclass(frozen=True)
class DetectedGraph:
    """A scene graph that was read from a picture.

    Attributes:
        graph: objects with their boxes in canvas pixels (for people, their heads); for every two
            that are apart, on which side of the second the first is.
        picture: the picture on the canvas on which it was read.
        absent: labels that are not in the picture, and so not in the graph.
        unjudged: labels of which it cannot be judged whether they are in the picture; their boxes
            are where it looks most like them.
    """

    graph: GraphSpec
    picture: Image.Image
    absent: tuple[str, ...] = ()
    unjudged: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the graph leaves out, and what it only guesses."""
        return (
            *(f"no {label} was found: it is left out" for label in self.absent),
            *(
                f"whether there is a {label} cannot be judged: its box is a guess"
                for label in self.unjudged
            ),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the graph as JSON data, which `--graph` reads."""
        graph: dict[str, Any] = self.graph.model_dump(mode="json", exclude_defaults=True)
        return {"objects": [], "relations": [], **graph}

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the graph as JSON.

        Raises:
            OutputError: if the file exists and `force` is not set, or cannot be written.
        """
        write_text(json.dumps(self.to_dict(), indent=2) + "\n", Path(path), force=force)

    def draw(self) -> Image.Image:
        """Draw the boxes and relations over the picture."""
        objects = [
            SceneObject(id=node.id or "", label=node.label, box=node.box)
            for node in self.graph.objects
        ]
        relations = [
            Relation(subject=subject, predicate=predicate, object=object_)
            for subject, predicate, object_ in self.graph.relations
        ]
        return draw_graph_over(self.picture, objects, relations)


def parse_labels(value: str | Iterable[str]) -> tuple[str, ...]:
    """Return labels from a list, or from one text with commas.

    Raises:
        UsageError: if there are none, too many, or one twice.
    """
    items = value.split(",") if isinstance(value, str) else list(value)
    for item in items:
        check_type("labels", item, (str,), "names of things: person,dog")
    labels = tuple(" ".join(item.split()) for item in items)
    if not labels or not all(0 < len(label) <= 80 and label.isprintable() for label in labels):
        raise UsageError("a label is empty, too long or not printable", 'write labels="person,dog"')
    if len(labels) > MAX_LABELS:
        raise UsageError(f"{len(labels)} labels are too many", f"give at most {MAX_LABELS}")
    if len({label.lower() for label in labels}) < len(labels):
        raise UsageError("a label is repeated", "give each label once")
    return labels


def read_graph(
    pipe: SowPipeline,
    image: Image.Image,
    labels: Sequence[str],
    presence: Presence,
    condition: str | None = None,
) -> DetectedGraph:
    """Return where the labelled objects are in a picture, and on which side of each other.

    presence: the thresholds measured on the model; in photographs nothing was measured.
    condition: the label of what is planted when the graph is laid out again.
    """
    from sow.planners.graph.detection import consistent_boxes

    picture = image.resize(canvas_for(image.size, pipe.checkpoint_spec), Image.Resampling.LANCZOS)
    pairs = [frozenset(pair) for pair in combinations(labels, 2)]
    measured = {} if is_photograph(image) else presence
    found = find_objects(pipe, picture, labels, pairs, measured)
    boxes, sides = consistent_boxes(
        {label: found.places[label] for label in labels if found.present[label] is not False}
    )
    ids = dict[str, str]()
    for label in boxes:
        ids[label] = unused_id(label, ids.values())
    objects = [
        {"id": ids[label], "label": label, "box": box, "condition": label == condition}
        for label, box in boxes.items()
    ]
    relations = [(ids[subject], side, ids[object_]) for subject, side, object_ in sides]
    graph = GraphSpec.model_validate({"objects": objects, "relations": relations})
    absent, unjudged = (
        tuple(label for label in labels if found.present[label] is answer)
        for answer in (False, None)
    )
    return DetectedGraph(graph, picture, absent, unjudged)


def canvas_for(size: tuple[int, int], checkpoint: CheckpointSpec) -> tuple[int, int]:
    """Return the canvas with a picture's proportions and about the model's own area."""
    ratio = min(MAX_ASPECT_RATIO, max(1 / MAX_ASPECT_RATIO, size[0] / size[1]))
    multiple, area = checkpoint.canvas_multiple, checkpoint.canvas[0] * checkpoint.canvas[1]
    exact = ((area * factor) ** 0.5 for factor in (ratio, 1 / ratio))
    width, height = (max(multiple, round(side / multiple) * multiple) for side in exact)
    return width, height


@dataclass(frozen=True)
class FoundObjects:
    """Where labelled things look most likely to be in a picture, and whether they are there.

    Attributes:
        places: by label.
        present: by label; None if that cannot be judged.
    """

    places: dict[str, DetectedObject]
    present: dict[str, bool | None]


def find_objects(
    pipe: SowPipeline,
    image: Image.Image,
    labels: Sequence[str],
    pairs: Collection[frozenset[str]],
    presence: Presence,
) -> FoundObjects:
    """Find the labelled things in a picture.

    Args:
        image: of the size of a canvas.
        labels: what to look for.
        pairs: labels that are looked for together; one of them need not be in `labels`.
        presence: the thresholds measured on the model. What is not among them is not judged, nor
            anything in a picture of another size than the model's own: that was not measured.
    """
    from sow.pipeline.grounding import phrase_heat
    from sow.planners.graph.detection import detect_objects, find_duplicates, phrase_queries

    queries = phrase_queries(labels, pairs)
    maps = [[heat.numpy() for heat in row] for row in phrase_heat(pipe, image, queries)]
    places = detect_objects(labels, queries, maps, image.size)
    nouns = {label: noun_to_judge(label) for label in labels}
    measured = presence if image.size == pipe.checkpoint_spec.canvas else {}
    judged = {noun for noun in nouns.values() if noun in measured}
    scores = score_presence(pipe, image, sorted(judged), presence) if judged else {}
    present = dict.fromkeys(labels, None) | {
        label: _is_present(presence[noun], scores[noun], places[label])
        for label, noun in nouns.items()
        if noun in scores
    }
    rivals = {
        label: scores[noun].score
        for label, noun in nouns.items()
        if present[label] and noun != PERSON
    }
    return FoundObjects(places, present | dict.fromkeys(find_duplicates(places, rivals), None))


def _is_present(
    thresholds: PresenceThresholds, found: PresenceScore, place: DetectedObject
) -> bool | None:
    """Return whether a thing is there; None too if two sentences find it in different places."""
    present = thresholds.read(found.score)
    elsewhere = iou(found.box.corners, place.box.corners) < MIN_AGREEMENT
    return None if present and elsewhere else present
