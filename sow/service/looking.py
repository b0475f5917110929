"""Looking at what was made: whether the planted face is still there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sow.box import Box
from sow.pictures.reading import GREY

if TYPE_CHECKING:
    from PIL import Image

    from sow.service.results import Picture, Work

FARTHEST = 0.5
"""How far the face may have moved, in its widths and heights."""
LARGEST = 1.8
"""How much larger or smaller it may have become."""


class Looker:
    """Looks for the face that a work plants, where it was planted.

    It asks the detectors of the planner. What they do not find in the condition itself, as it is
    planted, they cannot miss in a picture either: then nothing is said.
    """

    def __init__(self, work: Work) -> None:
        self.planted = planted_face(work)

    def gone(self, picture: Picture) -> bool:
        """Whether the planted face is not there any more."""
        if self.planted is None or picture.flagged:
            return False
        return not any(same_place(self.planted, face) for face in _faces(picture.image))


def planted_face(work: Work) -> Box | None:
    """The face that is planted, in canvas pixels, if it is one and can be seen there."""
    from PIL import Image

    plan = work.plan
    if plan.subject != "face":
        return None
    canvas = Image.new("RGB", plan.canvas, GREY)
    canvas.paste(work.condition.picture, (plan.box.x, plan.box.y), work.condition.mask)
    return next(iter(_faces(canvas)), None)


def same_place(one: Box, other: Box) -> bool:
    """Whether two boxes may be of the same face."""
    (x, y), (u, v) = one.centre, other.centre
    grown = (other.width * other.height / (one.width * one.height)) ** 0.5
    near = abs(x - u) <= FARTHEST * one.width and abs(y - v) <= FARTHEST * one.height
    return near and 1 / LARGEST <= grown <= LARGEST


def _faces(image: Image.Image) -> list[Box]:
    from sow.planners.offline.faces import find_faces

    return find_faces(image)
