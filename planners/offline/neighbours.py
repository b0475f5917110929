"""Tell several people in one picture apart: which face is meant, and what belongs to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sow.plan.box import Box

MIN_PART = 8
"""The least width and height in pixels of what may belong to a face."""
MAX_OVERLAP = 0.5
"""Two boxes that overlap by more of the smaller one are not parted: one lies within the other."""


def side_of_face(chosen: Box, faces: Sequence[Box]) -> str:
    """Return in words which of several faces one is."""
    order = sorted(faces, key=lambda face: face.centre[0])
    place = order.index(chosen)
    if place in (0, len(order) - 1):
        return "on the left" if place == 0 else "on the right"
    return f"number {place + 1} from the left"


def own_part(face: Box, others: Iterable[Box], picture: tuple[int, int]) -> Box:
    """Return the part of a picture that belongs to a face and not to any of the others.

    The border of two faces is between their boxes, nearer to the smaller one.
    """
    low, high = [0, 0], [*picture]
    for other in others:
        gaps = [
            max(face.corners[axis], other.corners[axis])
            - min(face.corners[axis + 2], other.corners[axis + 2])
            for axis in (0, 1)
        ]
        axis = 0 if gaps[0] >= gaps[1] else 1
        sides = [(box.width, box.height)[axis] for box in (face, other)]
        if gaps[axis] < -MAX_OVERLAP * min(sides):
            continue
        reach = round(gaps[axis] * sides[0] / sum(sides))
        if other.centre[axis] >= face.centre[axis]:
            high[axis] = min(high[axis], face.corners[axis + 2] + reach)
        else:
            low[axis] = max(low[axis], face.corners[axis] - reach)
    if min(high[0] - low[0], high[1] - low[1]) < MIN_PART:
        return Box(x=0, y=0, width=picture[0], height=picture[1])
    return Box(x=low[0], y=low[1], width=high[0] - low[0], height=high[1] - low[1])
