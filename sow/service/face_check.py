"""Checking whether a planted face is still in the generated picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sow.pictures.drawing import draw_condition

if TYPE_CHECKING:
    from PIL import Image

    from sow.plan.box import Box
    from sow.service.results import GenerationSpec, Picture

MIN_CONFIDENCE = 0.3
"""The detector's confidence that suffices where a face is expected."""
MAX_SHIFT = 0.5
"""How far the face may have moved, in its widths and heights."""
MAX_SCALE = 1.8
"""By what factor it may have grown or shrunk."""


class FaceCheck:
    """Searches pictures for the face that a spec plants, where it was planted.

    It uses the planner's detectors: the one that finds the face in the planted condition itself. If
    neither does, the face cannot be missed in a picture either, and is never reported as lost.

    Attributes:
        face: the planted face in canvas pixels; None if none is planted or detected.
    """

    def __init__(self, spec: GenerationSpec) -> None:
        self.face: Box | None = None
        if spec.plan.subject == "face":
            self.face, self._detect = _detect_face(draw_condition(spec.plan, spec.condition))

    def is_lost(self, picture: Picture) -> bool:
        """Return whether the planted face is not found in a picture that is not blackened."""
        return not picture.flagged and self.is_missing_from(picture.image)

    def is_missing_from(self, image: Image.Image) -> bool:
        """Return whether the planted face is not found in an image of the plan's canvas."""
        face = self.face
        if face is None:
            return False
        return not any(is_same_face(face, box) for box in self._detect(image))


def is_same_face(planted: Box, found: Box) -> bool:
    """Return whether a box that was found is close to the planted one in position and size."""
    (x, y), (u, v) = planted.centre, found.centre
    scale = (found.width * found.height / (planted.width * planted.height)) ** 0.5
    near = abs(x - u) <= MAX_SHIFT * planted.width and abs(y - v) <= MAX_SHIFT * planted.height
    return near and 1 / MAX_SCALE <= scale <= MAX_SCALE


def _detect_face(image: Image.Image) -> tuple[Box | None, Callable[[Image.Image], list[Box]]]:
    """Return the largest face in a picture, and the detector that finds it."""
    from sow.planners.offline.drawn_faces import find_drawn_faces
    from sow.planners.offline.faces import possible_faces

    def detect_drawn(image: Image.Image) -> list[Box]:
        return find_drawn_faces(image, MIN_CONFIDENCE)

    def detect_photographed(image: Image.Image) -> list[Box]:
        return possible_faces(image, MIN_CONFIDENCE)

    if found := find_drawn_faces(image):
        return found[0], detect_drawn
    return next(iter(detect_photographed(image)), None), detect_photographed
