"""Checking whether the planted faces are still in the generated picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sow.pictures.drawing import draw_condition
from sow.plan.box import Box
from sow.planners.offline.prompt_rules import names_person

if TYPE_CHECKING:
    from PIL import Image

    from sow.pictures.condition import Condition
    from sow.plan.plan import Plan

MIN_DRAWN_SCORE, MIN_PHOTOGRAPHED_SCORE = 0.7, 0.6
"""The detectors' scores that suffice where a face is expected."""
MAX_SHIFT = 0.3
"""How far the face may have moved, in its widths and heights."""
MAX_SCALE = 1.4
"""By what factor it may have grown or shrunk."""
SURROUNDINGS = 1.0
"""What is shown to a detector on every side of a face, in its widths and heights."""
Detector = Callable[["Image.Image"], list[Box]]


@dataclass(frozen=True)
class FaceFindings:
    """What became of the planted faces in a result.

    Attributes:
        planted: how many faces a detector finds in what is planted; with 0, none was checked.
        lost: how many of them are not found in the result.
    """

    planted: int
    lost: int = 0


@dataclass(frozen=True)
class PlantedFace:
    """A planted face, and the detectors that find it in the condition.

    Attributes:
        box: in canvas pixels.
        detectors: the only ones that could miss it in a result.
    """

    box: Box
    detectors: tuple[Detector, ...]

    def is_in(self, image: Image.Image) -> bool:
        """Return whether one of its detectors finds the face in its place in a picture."""
        width, height = self.box.width, self.box.height
        around = Box.around(
            *self.box.centre, width * (1 + 2 * SURROUNDINGS), height * (1 + 2 * SURROUNDINGS)
        )
        return any(
            is_same_face(self.box, found)
            for detect in self.detectors
            for found in _detect_inside(detect, image, around)
        )


class FaceCheck:
    """Looks for the faces that a plan plants in pictures, where they were planted.

    MTCNN looks for photographed faces, another detector for drawn ones (see `planners/offline`):
    each for the faces that it finds in the planted condition itself, and only close by, so that
    small faces are seen on large canvases too.

    Attributes:
        faces: the faces found in the condition.
        expects_face: the plan says that a face is planted.
    """

    def __init__(self, condition: Condition, plan: Plan) -> None:
        self.expects_face = plan.subject == "face"
        self.faces: tuple[PlantedFace, ...] = ()
        if self.expects_face or (not plan.text_only and names_person(plan.subject)):
            self.faces = _planted_faces(draw_condition(plan, condition), plan)

    def look(self, image: Image.Image) -> FaceFindings | None:
        """Return what became of the planted faces in a picture; None if no face is planted."""
        if not self.faces:
            return FaceFindings(0) if self.expects_face else None
        return FaceFindings(len(self.faces), sum(not face.is_in(image) for face in self.faces))


def is_same_face(planted: Box, found: Box) -> bool:
    """Return whether a box that was found is close to the planted one in position and size."""
    (x, y), (u, v) = planted.centre, found.centre
    scale = (found.width * found.height / (planted.width * planted.height)) ** 0.5
    near = abs(x - u) <= MAX_SHIFT * planted.width and abs(y - v) <= MAX_SHIFT * planted.height
    return near and 1 / MAX_SCALE <= scale <= MAX_SCALE


def _planted_faces(canvas: Image.Image, plan: Plan) -> tuple[PlantedFace, ...]:
    """Return the faces in the planted condition on its grey canvas.

    If none is certain, the largest possible one counts.
    """
    from sow.planners.offline.drawn_faces import find_drawn_faces
    from sow.planners.offline.faces import find_photographed_faces, possible_faces

    drawn = partial(find_drawn_faces, min_score=MIN_DRAWN_SCORE)
    photographed = partial(possible_faces, min_score=MIN_PHOTOGRAPHED_SCORE)
    box = plan.box
    around = Box.around(*box.centre, 1.5 * box.width, 1.5 * box.height)
    found = [
        *((face, drawn) for face in _detect_inside(find_drawn_faces, canvas, around)),
        *((face, photographed) for face in _detect_inside(find_photographed_faces, canvas, around)),
    ]
    if not found:
        possible = _detect_inside(photographed, canvas, around)
        found = [(face, photographed) for face in possible[:1]]
    return _merged(found)


def _merged(found: Iterable[tuple[Box, Detector]]) -> tuple[PlantedFace, ...]:
    """Return faces that several detectors found as one, with the box of the first."""
    faces: list[PlantedFace] = []
    for box, detector in found:
        same = [n for n, face in enumerate(faces) if _share_centre(face.box, box)]
        if same:
            known = faces[same[0]]
            faces[same[0]] = PlantedFace(known.box, (*known.detectors, detector))
        else:
            faces.append(PlantedFace(box, (detector,)))
    return tuple(faces)


def _share_centre(one: Box, other: Box) -> bool:
    """Return whether the centre of one box is inside the other."""
    (x, y), (u, v) = one.centre, other.centre
    return (other.x <= x <= other.right and other.y <= y <= other.bottom) or (
        one.x <= u <= one.right and one.y <= v <= one.bottom
    )


def _detect_inside(detect: Detector, image: Image.Image, region: Box) -> list[Box]:
    """Return what a detector finds in a region, in pixels of the whole picture."""
    part = region.cut(image.size)
    if part is None:
        return []
    found = detect(image.crop(part.corners))
    return [box.model_copy(update={"x": box.x + part.x, "y": box.y + part.y}) for box in found]
