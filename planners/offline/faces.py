"""Finding faces: MTCNN's (facenet-pytorch; its weights come with the package), or drawn ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from PIL import Image

from sow.box import Box
from sow.pictures.kinds import photographed
from sow.pictures.reading import GREY, over_grey
from sow.quiet import without_warnings
from sow.threads import BUILDING

CERTAIN, SURE_SCORE = 0.95, 0.99
# A face in another style, or one half hidden, is seen less surely; then it must fill the picture.
LIKELY, LIKELY_SHARE, LIKELY_THRESHOLDS = 0.3, 0.4, (0.4, 0.4, 0.3)
STAGES = (0.6, 0.7, 0.7)
# Larger pictures are shrunk before looking: faces that matter are not small; those in a tiny
# picture are, and it is enlarged.
LONGEST, TINY = 1024, 256
TURNS = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180,
         270: Image.Transpose.ROTATE_270}  # fmt: skip
SHORTEST = 20  # the detector cannot look at less

Stages = tuple[float, float, float]
Seen = tuple[float, float, float, float, float]
"""Centre, width, height and chance of a face."""


@cache
def _detector(stages: tuple[float, float, float]) -> Any:
    """MTCNN; `stages` are the least chances of its three networks, its own by default."""
    from facenet_pytorch import MTCNN

    with BUILDING:
        return MTCNN(keep_all=True, device="cpu", thresholds=list(stages))


def find_faces(image: Image.Image) -> list[Box]:
    """The faces in a picture, the largest first, in its pixels; they may stick out of it.

    What looks drawn is looked at by the detector of drawn faces first, all else by MTCNN.
    """
    from sow.planners.offline.drawn_faces import find_drawn_faces

    if photographed(over_grey(image)):
        return find_photographed_faces(image) or find_drawn_faces(image)
    return find_drawn_faces(image) or find_photographed_faces(image)


def has_turned_face(image: Image.Image) -> bool:
    """Whether a face would be found if the picture were turned."""
    small, _ = _shrunk(image)
    return any(_detect(small.transpose(turn), CERTAIN, STAGES) for turn in TURNS.values())


def find_photographed_faces(image: Image.Image) -> list[Box]:
    """Those of which MTCNN is certain.

    A crop so tight that a face has no surroundings is padded and looked at again. A face that
    lies on its side may be seen as one that stands, though less surely.
    """
    small, scale = _shrunk(image)
    faces = _detect(small, CERTAIN, STAGES) or _detect_padded(small, CERTAIN, STAGES)
    if faces and max(face[4] for face in faces) < SURE_SCORE and has_turned_face(image):
        return []
    return _largest_first(faces, scale)


def possible_faces(image: Image.Image, least: float) -> list[Box]:
    """Whatever may be a face in a photograph with this chance, the largest first."""
    small, scale = _shrunk(image)
    return _largest_first(_detect(small, least, LIKELY_THRESHOLDS), scale)


def likely_face(image: Image.Image) -> Box | None:
    """The likeliest face that fills a picture in which none is certain, in its pixels."""
    small, scale = _shrunk(image)
    faces = _detect(small, LIKELY, LIKELY_THRESHOLDS) + _detect_padded(
        small, LIKELY, LIKELY_THRESHOLDS
    )
    large = [face for face in faces if face[2] >= LIKELY_SHARE * min(small.size)]
    if not large:
        return None
    return _largest_first([max(large, key=lambda face: face[4])], scale)[0]


def _largest_first(faces: Sequence[Seen], scale: float) -> list[Box]:
    """In pixels of the picture that was looked at at this scale."""
    boxes = [Box.around(*(value / scale for value in face[:4])) for face in faces]
    return sorted(boxes, key=lambda box: box.width * box.height, reverse=True)


def _shrunk(image: Image.Image) -> tuple[Image.Image, float]:
    longest = max(image.size)
    scale = min(1.0, LONGEST / longest) if longest > TINY else TINY / longest
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return over_grey(image).resize(size), scale


def _detect_padded(image: Image.Image, least: float, stages: Stages) -> list[Seen]:
    """The same for a picture without surroundings."""
    if min(image.size) < SHORTEST:
        return []
    margin = max(image.size) // 2
    padded = Image.new("RGB", (image.width + 2 * margin, image.height + 2 * margin), GREY)
    padded.paste(image, (margin, margin))
    return [
        (x - margin, y - margin, width, height, chance)
        for x, y, width, height, chance in _detect(padded, least, stages)
    ]


def _detect(image: Image.Image, least: float, stages: Stages) -> list[Seen]:
    """Every upright face of at least this chance."""
    if min(image.size) < SHORTEST:
        return []
    with without_warnings():
        boxes, chances, points = _detector(stages).detect(image, landmarks=True)
    if boxes is None:
        return []
    return [
        ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top, float(chance))
        for (left, top, right, bottom), chance, (one, other, *_) in zip(
            boxes.tolist(), chances, points.tolist(), strict=True
        )
        if chance is not None and chance >= least and _beside(one, other)
    ]


def _beside(one: list[float], other: list[float]) -> bool:
    """Whether two eyes are beside each other, the left one on the left."""
    return other[0] - one[0] > abs(other[1] - one[1])
