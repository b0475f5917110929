"""Looking at what was made: whether the planted face is still there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sow.pictures.drawing import planted

if TYPE_CHECKING:
    from PIL import Image

    from sow.plan.box import Box
    from sow.service.results import GenerationSpec, Picture

MIN_CONFIDENCE = 0.3
"""The chance of a face that is enough where one is expected."""
MAX_SHIFT = 0.5
"""How far the face may have moved, in its widths and heights."""
MAX_SCALE = 1.8
"""How much larger or smaller it may have become."""


class FaceCheck:
    """Looks for the face that a work plants, where it was planted.

    It asks the planner's detectors, the one that finds the condition itself as it is planted. What
    neither finds there it cannot miss in a picture either: then nothing is said.

    Attributes:
        planted: the face, in canvas pixels, if one is planted and seen.
    """

    def __init__(self, spec: GenerationSpec) -> None:
        self.planted: Box | None = None
        if spec.plan.subject == "face":
            self.planted, self._find = _find_face(planted(spec.plan, spec.condition))

    def gone(self, picture: Picture) -> bool:
        """Whether the planted face cannot be made out any more."""
        return self.planted is not None and not picture.flagged and self.missing(picture.image)

    def missing(self, image: Image.Image) -> bool:
        """The same of a picture of the plan's canvas; False where nothing was planted."""
        there = self.planted
        return there is not None and not any(is_same_face(there, f) for f in self._find(image))


def is_same_face(one: Box, other: Box) -> bool:
    """Whether two boxes may be of the same face."""
    (x, y), (u, v) = one.centre, other.centre
    grown = (other.width * other.height / (one.width * one.height)) ** 0.5
    near = abs(x - u) <= MAX_SHIFT * one.width and abs(y - v) <= MAX_SHIFT * one.height
    return near and 1 / MAX_SCALE <= grown <= MAX_SCALE


def _find_face(image: Image.Image) -> tuple[Box | None, Callable[[Image.Image], list[Box]]]:
    """The largest face in a picture, and who finds it."""
    from sow.planners.offline.drawn_faces import find_drawn_faces
    from sow.planners.offline.faces import possible_faces

    def drawn(image: Image.Image) -> list[Box]:
        return find_drawn_faces(image, MIN_CONFIDENCE)

    def photographed(image: Image.Image) -> list[Box]:
        return possible_faces(image, MIN_CONFIDENCE)

    if found := find_drawn_faces(image):
        return found[0], drawn
    return next(iter(photographed(image)), None), photographed
