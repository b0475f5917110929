"""What can be seen in a picture: where things are, and on which side of one another."""

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
from sow.pictures.inputs import as_picture_with_notes
from sow.plan.scene_graph import Relation, SceneObject, unused_id
from sow.planners.graph_spec import GraphSpec
from sow.service.lazy_model import LazyModel
from sow.service.notes import prompt_notes
from sow.utils.files import write_text
from sow.utils.type_checks import check_type

if TYPE_CHECKING:
    from sow.checkpoints.spec import CheckpointSpec
    from sow.pictures.inputs import PictureLike
    from sow.pipeline.pipeline import SowPipeline
    from sow.planners.graph.detection import DetectedObject

MAX_LABELS = 8
"""Of a picture; every pair of them is looked at together."""
MIN_PRESENCE = -0.15
"""The presence (see `sow.pipeline.grounding`) below which a thing is taken to be missing: in pictures
that the model made, 6 % of those that were there and 89 % of those that were not."""
MAX_ASPECT_RATIO = 3.0
"""How many times as long as the other a side is at most; more is squeezed."""


def find_objects(
    pipe: SowPipeline, image: Image.Image, labels: Sequence[str],
    pairs: Collection[frozenset[str]], known: str | None = None,
) -> tuple[dict[str, DetectedObject], set[str]]:  # fmt: skip
    """Where all of these are in a picture of a canvas's size, and which seem to be missing.

    What is missing has a place too: the one that looks most like it.

    pairs: of things that are looked for together. known: what is there for certain, in `pairs`
    but not in `labels`.
    """
    from sow.pipeline.grounding import phrase_heat, presence_scores
    from sow.planners.graph.detection import detect_objects, find_duplicates, phrase_queries

    asked = phrase_queries(labels, pairs)
    maps = [[heat.numpy() for heat in row] for row in phrase_heat(pipe, image, asked)]
    found = detect_objects(labels, asked, maps, image.size)
    # What hair and glasses somebody has says nothing of whether they are there.
    naming = [(label, sentence) for label in labels for sentence, phrases in asked
              if label in phrases]  # fmt: skip
    there = presence_scores(pipe, image, [(sentence, found[label].full_box) for label, sentence in naming])
    sure = presence_by_name(dict(zip(naming, there, strict=True)), known)
    return found, {name for name in sure if sure[name] < MIN_PRESENCE} | find_duplicates(found, sure)


def presence_by_name(there: Mapping[tuple[str, str], float], known: str | None) -> dict[str, float]:
    """How certain each thing is, by sentences that name it and something else.

    A sentence misleads where the other thing is missing. So things are believed beside what is
    known to be there, or else beside the one that is the most certain in all of its sentences.

    there: the presence by name and sentence.
    """
    by_name: dict[str, dict[str, float]] = {}
    for (name, sentence), value in there.items():
        by_name.setdefault(name, {})[sentence] = value
    means = {name: sum(values.values()) / len(values) for name, values in by_name.items()}
    anchor = known or max(means, key=lambda name: means[name], default="")
    own = by_name.get(anchor, {})

    def beside(name: str) -> list[float]:
        """Its values beside the anchor."""
        return [
            value
            for sentence, value in by_name[name].items()
            if name != anchor and (sentence in own or (known and sentence.startswith(known)))
        ]

    return {name: max(beside(name) or by_name[name].values()) for name in by_name}


@dataclass(frozen=True)
class DetectedGraph:
    """A scene graph that was read from a picture.

    Attributes:
        graph: things with their boxes in canvas pixels, of people their heads; for every two of
            them that lie apart, on which side of the other the first is.
        picture: on the canvas on which it was read.
        missing: what may not be there: then its box is where something looks most like it.
    """

    graph: GraphSpec
    picture: Image.Image
    missing: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it, and `--graph` reads it."""
        read: dict[str, Any] = self.graph.model_dump(mode="json", exclude_defaults=True)
        return {"objects": [], "relations": [], **read}

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Writes it as JSON.

        Raises:
            OutputError: if the file exists and `force` is not set, or cannot be written.
        """
        write_text(json.dumps(self.to_dict(), indent=2) + "\n", Path(path), force=force)

    def drawn(self) -> Image.Image:
        """The boxes and relations over the picture."""
        things = [
            SceneObject(id=thing.id or "", label=thing.label, box=thing.box)
            for thing in self.graph.objects
        ]
        edges = [
            Relation(subject=one, predicate=name, object=other)
            for one, name, other in self.graph.relations
        ]
        return draw_graph_over(self.picture, things, edges)


def parse_labels(value: str | Iterable[str]) -> tuple[str, ...]:
    """Names of things, from a list or one text with commas.

    Raises:
        UsageError: if there are none, too many, or one twice.
    """
    rows = value.split(",") if isinstance(value, str) else list(value)
    for row in rows:
        check_type("labels", row, (str,), "names of things: person,dog")
    labels = tuple(" ".join(row.split()) for row in rows)
    if not labels or not all(0 < len(label) <= 80 and label.isprintable() for label in labels):
        raise UsageError("a label is empty or no name", 'write labels="person,dog"')
    if len(labels) > MAX_LABELS:
        raise UsageError(f"{len(labels)} labels", f"name {MAX_LABELS} things at most")
    if len({label.lower() for label in labels}) < len(labels):
        raise UsageError("a label stands there twice", "name each thing once")
    return labels


def read_graph(
    pipe: SowPipeline, image: Image.Image, labels: Sequence[str], condition: str | None = None
) -> DetectedGraph:
    """Where these things are in a picture, and on which side of one another."""
    from sow.planners.graph.detection import consistent_boxes

    picture = image.resize(canvas_for(image.size, pipe.checkpoint_spec), Image.Resampling.LANCZOS)
    pairs = [frozenset(pair) for pair in combinations(labels, 2)]
    seen, missing = find_objects(pipe, picture, labels, pairs)
    boxes, sides = consistent_boxes({label: seen[label] for label in labels})
    ids = dict[str, str]()
    for label in boxes:
        ids[label] = unused_id(label, ids.values())
    things = [
        {"id": ids[label], "label": label, "box": box, "condition": label == condition}
        for label, box in boxes.items()
    ]
    edges = [(ids[one], side, ids[other]) for one, side, other in sides]
    graph = GraphSpec.model_validate({"objects": things, "relations": edges})
    return DetectedGraph(graph, picture, tuple(label for label in labels if label in missing))


def canvas_for(size: tuple[int, int], checkpoint: CheckpointSpec) -> tuple[int, int]:
    """The canvas of about the model's own area and a picture's proportions."""
    ratio = min(MAX_ASPECT_RATIO, max(1 / MAX_ASPECT_RATIO, size[0] / size[1]))
    stride, area = checkpoint.canvas_stride, checkpoint.canvas[0] * checkpoint.canvas[1]
    wide, tall = ((area * share) ** 0.5 for share in (ratio, 1 / ratio))
    width, height = (max(stride, round(side / stride) * stride) for side in (wide, tall))
    return width, height


class Seer(LazyModel):
    """A model that also reads pictures."""

    def graph(
        self, image: PictureLike, labels: str | Sequence[str], condition: str | None = None
    ) -> DetectedGraph:
        """Where things are in a picture and on which side of one another, as a scene graph.

        The picture is inverted under "[subject] is near [object]", and read from where its words
        are looked for (SPADE's prior, without its training).

        Args:
            image: a file, a PIL picture or an array.
            labels: what is to be found, up to 8 names: `person,dog`. Of what does not seem to be
                there a note says so.
            condition: which of them is what is planted, where the graph is laid out again.

        Raises:
            SowError: with one line that says what is wrong.
        """
        names, (picture, notes) = parse_labels(labels), as_picture_with_notes(image)
        if condition is not None and condition not in names:
            raise UsageError(f"condition={condition} is no label", f"one of {', '.join(names)}")
        self._told([*notes, *prompt_notes(self.pipe, ", ".join(names))])
        seen = read_graph(self.pipe, picture, names, condition)
        self._told(f"there may be no {label} in it: its box is a guess" for label in seen.missing)
        return seen
