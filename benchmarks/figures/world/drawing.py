"""The drawn world: from a seed to a picture and its complete truth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sow.benchmarks.figures.world import layout
from sow.benchmarks.figures.world.captions import Caption, describe
from sow.benchmarks.figures.world.layout import Spec
from sow.benchmarks.figures.world.paper import BODY, FACE, HAIR, HAND, NECK, SIZE, THING, Paper
from sow.benchmarks.figures.world.people import Identity, make_identity
from sow.benchmarks.figures.world.portrait import Portrait
from sow.benchmarks.figures.world.scenes import apply_style, draw_scene
from sow.benchmarks.figures.world.things import draw_thing
from sow.plan.box import Box

TRAINING, JUDGING, TUNING, TESTING, UNSEEN = (n * 10_000_000 for n in range(1, 6))
"""First seeds of the sets of pictures. No seed of one set is used in another: TRAINING for the
model, JUDGING for the judge, TUNING to choose settings, TESTING to report, and UNSEEN for
identities that are kept back from all of these."""

PARTS = {"hair": HAIR, "face": FACE, "neck": NECK, "body": BODY, "hand": HAND}


@dataclass(frozen=True)
class Drawing:
    """A picture and its truth.

    image: 128 x 128 RGB. parts: what every pixel shows, (128, 128), the numbers of
    :mod:`sow.benchmarks.figures.world.paper`. caption: what is said of it, not all there is to say.
    """

    spec: Spec
    image: Image.Image
    parts: NDArray[np.uint8]
    caption: Caption

    def mask(self, *parts: int) -> NDArray[np.bool_]:
        """Return where any of these parts can be seen, (128, 128)."""
        return np.isin(self.parts, parts)

    def box(self, *parts: int) -> Box | None:
        """Return the smallest box round what can be seen of these parts; None where nothing can."""
        return box_of(self.mask(*parts))

    @cached_property
    def head(self) -> Box | None:
        """The smallest box round face and hair."""
        return self.box(FACE, HAIR)

    @cached_property
    def scene_graph(self) -> dict[str, object]:
        """Who and what is there, where, and how they relate.

        nodes: name -> {kind, attributes, box}; edges: (subject, relation, object), names.
        """
        spec, nodes = self.spec, dict[str, object]()
        if spec.person is not None:
            person = spec.person
            nodes["person"] = {
                "kind": "woman" if person.identity.woman else "man",
                "attributes": [
                    person.identity.age,
                    person.pose.expression,
                    f"{person.identity.hair} {person.identity.hair_style} hair",
                    f"{person.clothing_colour} {person.clothing}",
                    *["glasses"] * person.identity.glasses,
                    *["beard"] * person.identity.beard,
                ],
                "box": _corners(self.box(*PARTS.values())),
            }
        for number, thing in enumerate(spec.things):
            nodes[f"thing{number}"] = {
                "kind": thing.kind,
                "attributes": [thing.colour],
                "box": _corners(self.box(THING + number)),
            }
        return {"scene": spec.scene, "style": spec.style, "nodes": nodes, "edges": spec.edges}


def _corners(box: Box | None) -> list[int] | None:
    return None if box is None else [box.x, box.y, box.width, box.height]


def box_of(mask: NDArray[np.bool_]) -> Box | None:
    """Return the smallest box round a mask of shape (height, width), or None for an empty one."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    return Box(
        x=int(columns[0]),
        y=int(rows[0]),
        width=int(columns[-1] - columns[0] + 1),
        height=int(rows[-1] - rows[0] + 1),
    )


def draw(spec: Spec, random: Random, size: int = SIZE) -> tuple[Image.Image, NDArray[np.uint8]]:
    """Return the picture of a spec and the part of every pixel; the scenery is random.

    size: width of the picture in pixels, at most 512; the parts are always 128 x 128.
    """
    paper = Paper()
    draw_scene(paper, spec.scene, random)
    person = spec.person
    if person is None:
        # The second is drawn first: what stands on something hides its edge.
        for number, thing in reversed(list(enumerate(spec.things))):
            with paper.drawing(THING + number):
                draw_thing(paper, thing)
    else:
        portrait = Portrait(paper, person)
        behind = spec.relation in ("left of", "right of", "near")
        for in_front in (False, True):
            if in_front:
                portrait.draw()
                portrait.holding_arm()
            for number, thing in enumerate(spec.things):
                if behind != in_front:
                    with paper.drawing(THING + number):
                        draw_thing(paper, thing)
        portrait.hand()
    image, parts = paper.finish(size)
    return apply_style(image, spec.style), parts


def make(seed: int, **wishes: object) -> Drawing:
    """Return the drawing of a seed; always the same for the same seed and wishes.

    wishes: fields of :class:`Spec` or of its person to have as given (see
    :func:`sow.benchmarks.figures.world.layout.sample`).
    """
    random = Random(seed)
    spec = layout.sample(random, **wishes)
    image, parts = draw(spec, random)
    return Drawing(spec, image, parts, describe(spec, random))


def portrait(identity: Identity, seed: int, **wishes: object) -> Drawing:
    """Return a person alone, in colour by default: a picture to cut a condition from."""
    return make(seed, **{"identity": identity, "things": (), "style": "none", **wishes})


def head_crop(drawing: Drawing, margin: float = 0.08, size: int = 128) -> Image.Image:
    """Return the head with its hair and a margin as a square: a condition.

    margin: share of the head's longer side that is added on every side. The square is moved
    into the picture where it would leave it.

    Raises:
        ValueError: the drawing has no head.
    """
    if drawing.head is None:
        raise ValueError(f"no head in the drawing: {drawing.spec}")
    square = square_around(drawing.head, margin)
    cut = drawing.image.crop(square.corners)
    return cut.resize((size, size), Image.Resampling.LANCZOS)


def square_around(box: Box, margin: float) -> Box:
    """Return a square round a box, kept inside the picture."""
    side = min(128, round(max(box.width, box.height) * (1 + 2 * margin)))
    x = round(box.x + box.width / 2 - side / 2)
    y = round(box.y + box.height / 2 - side / 2)
    return Box(x=min(max(x, 0), 128 - side), y=min(max(y, 0), 128 - side), width=side, height=side)


def identity_of(seed: int) -> Identity:
    """Return the identity of a seed (see the names of the sets above)."""
    return make_identity(Random(seed))
