"""Reading scenes from pictures: where objects are, and on which side of each other."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from sow.errors import UsageError
from sow.pictures.drawing import draw_graph_over
from sow.plan.scene_graph import Relation, SceneObject, unused_id
from sow.planners.graph_spec import GraphSpec
from sow.utils.files import write_text
from sow.utils.type_checks import check_type

if TYPE_CHECKING:
    from sow.checkpoints.spec import CheckpointSpec
    from sow.pipeline.pipeline import SowPipeline
    from sow.planners.graph.detection import DetectedObject

MAX_LABELS = 8
"""Labels of one picture; every pair of them is looked for together."""
MIN_PRESENCE = -0.15
"""The presence (see `sow.pipeline.grounding`) below which an object counts as missing: in pictures
made by the model, 6 % of those that were there and 89 % of those that were not."""
MAX_ASPECT_RATIO = 3.0
"""The longer side of the canvas divided by the shorter; longer pictures are squeezed."""


@dataclass(frozen=True)
class DetectedGraph:
    """A scene graph that was read from a picture.

    Attributes:
        graph: objects with their boxes in canvas pixels (for people, their heads); for every two
            that are apart, on which side of the second the first is.
        picture: the picture on the canvas on which it was read.
        missing: labels that may not be in the picture; their boxes are where it looks most like
            them.
    """

    graph: GraphSpec
    picture: Image.Image
    missing: tuple[str, ...] = ()

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
    pipe: SowPipeline, image: Image.Image, labels: Sequence[str], condition: str | None = None
) -> DetectedGraph:
    """Return where the labelled objects are in a picture, and on which side of each other.

    condition: the label of what is planted when the graph is laid out again.
    """
    from sow.planners.graph.detection import consistent_boxes

    picture = image.resize(canvas_for(image.size, pipe.checkpoint_spec), Image.Resampling.LANCZOS)
    pairs = [frozenset(pair) for pair in combinations(labels, 2)]
    found, missing = find_objects(pipe, picture, labels, pairs)
    boxes, sides = consistent_boxes({label: found[label] for label in labels})
    ids = dict[str, str]()
    for label in boxes:
        ids[label] = unused_id(label, ids.values())
    objects = [
        {"id": ids[label], "label": label, "box": box, "condition": label == condition}
        for label, box in boxes.items()
    ]
    relations = [(ids[subject], side, ids[object_]) for subject, side, object_ in sides]
    graph = GraphSpec.model_validate({"objects": objects, "relations": relations})
    return DetectedGraph(graph, picture, tuple(label for label in labels if label in missing))


def canvas_for(size: tuple[int, int], checkpoint: CheckpointSpec) -> tuple[int, int]:
    """Return the canvas with a picture's proportions and about the model's own area."""
    ratio = min(MAX_ASPECT_RATIO, max(1 / MAX_ASPECT_RATIO, size[0] / size[1]))
    multiple, area = checkpoint.canvas_multiple, checkpoint.canvas[0] * checkpoint.canvas[1]
    exact = ((area * factor) ** 0.5 for factor in (ratio, 1 / ratio))
    width, height = (max(multiple, round(side / multiple) * multiple) for side in exact)
    return width, height


def find_objects(
    pipe: SowPipeline,
    image: Image.Image,
    labels: Sequence[str],
    pairs: Collection[frozenset[str]],
    known: str | None = None,
) -> tuple[dict[str, DetectedObject], set[str]]:
    """Return where the labelled objects are in a picture, and which of them seem to be missing.

    A missing object has a place too: the one that looks most like it.

    Args:
        image: of the size of a canvas.
        pairs: labels that are looked for together.
        known: something that is certainly in the picture; in `pairs`, but not in `labels`.
    """
    from sow.pipeline.grounding import phrase_heat, presence_scores
    from sow.planners.graph.detection import detect_objects, find_duplicates, phrase_queries

    queries = phrase_queries(labels, pairs)
    maps = [[heat.numpy() for heat in row] for row in phrase_heat(pipe, image, queries)]
    found = detect_objects(labels, queries, maps, image.size)
    # Only sentences with the label itself: a person's hair and glasses do not tell their presence.
    naming = [
        (label, sentence) for label in labels for sentence, phrases in queries if label in phrases
    ]
    values = presence_scores(pipe, image, [(text, found[label].full_box) for label, text in naming])
    certainty = presence_by_name(dict(zip(naming, values, strict=True)), known)
    missing = {name for name, value in certainty.items() if value < MIN_PRESENCE}
    return found, missing | find_duplicates(found, certainty)


def presence_by_name(
    presences: Mapping[tuple[str, str], float], known: str | None
) -> dict[str, float]:
    """Return the presence of each object, from sentences that name it and another one.

    A sentence misleads if the other object is missing. So the presence is taken from sentences with
    what is known to be there, or else with the object that is the most certain on average.

    presences: by name and sentence.
    """
    by_name: dict[str, dict[str, float]] = {}
    for (name, sentence), value in presences.items():
        by_name.setdefault(name, {})[sentence] = value
    means = {name: sum(values.values()) / len(values) for name, values in by_name.items()}
    anchor = known or max(means, key=lambda name: means[name], default="")
    anchor_sentences = by_name.get(anchor, {})

    def beside_anchor(name: str) -> list[float]:
        return [
            value
            for sentence, value in by_name[name].items()
            if name != anchor
            and (sentence in anchor_sentences or (known and sentence.startswith(known)))
        ]

    return {name: max(beside_anchor(name) or by_name[name].values()) for name in by_name}
