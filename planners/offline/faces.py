"""Find faces: in photographs with MTCNN (facenet-pytorch), in drawings with `drawn_faces`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from PIL import Image

from sow.pictures.formats import is_photograph
from sow.pictures.loading import GREY, TURNS, over_grey, turned
from sow.plan.box import Box
from sow.utils.libraries import MODEL_BUILD_LOCK, ignore_warnings

MIN_SCORE, SURE_SCORE = 0.95, 0.99
# A face in another style, or half hidden, has a lower score; then it has to fill the picture.
LIKELY_SCORE, LIKELY_SHARE, LIKELY_THRESHOLDS = 0.3, 0.4, (0.4, 0.4, 0.3)
THRESHOLDS = (0.6, 0.7, 0.7)
# Pictures are scaled to a size at which MTCNN finds the faces that matter.
MAX_SIDE, TINY = 1024, 256
# A drawn face on its side has a high score only when it is turned upright; an upside-down one looks
# upright to its detector, so drawings are not turned by 180 degrees.
DRAWN_TURNS, SURE_DRAWN_SCORE = (90, 270), 0.85
LIKELY_DRAWN_SCORE = 0.25
MIN_SIDE = 20  # the detector fails on smaller pictures

Thresholds = tuple[float, float, float]
FaceDetection = tuple[float, float, float, float, float]
"""Centre (x, y), width, height and score of a face, in pixels."""


@cache
def _detector(thresholds: tuple[float, float, float]) -> Any:
    """Return MTCNN with the least scores of its three networks."""
    with MODEL_BUILD_LOCK:
        from facenet_pytorch import MTCNN

        return MTCNN(keep_all=True, device="cpu", thresholds=list(thresholds))


def find_faces(image: Image.Image) -> list[Box]:
    """Return the boxes of faces in pixels, the largest first; they may leave the picture.

    Drawings are searched with the detector of drawn faces first, photographs with MTCNN.
    """
    from sow.planners.offline.drawn_faces import find_close_up, find_drawn_faces

    if is_photograph(over_grey(image)):
        found = find_photographed_faces(image) or find_drawn_faces(image)
    else:
        found = find_drawn_faces(image) or find_photographed_faces(image)
    if found:
        return found
    close_up = find_close_up(image)
    return [] if close_up is None else [close_up]


def has_turned_face(image: Image.Image) -> bool:
    """Return whether a face is found after turning the picture, though it may be uncertain."""
    return max(_scores_of_turns(image).values()) >= MIN_SCORE


def turn_to_face(image: Image.Image) -> int:
    """Return by how many degrees to turn a picture clockwise for an upright face; 0 without one.

    The face has to be certain. To be called if no upright face was found.
    """
    scores = _scores_of_turns(image)
    best = max(scores, key=lambda turn: scores[turn])
    if scores[best] >= SURE_SCORE:
        return best
    drawn = {turn: _drawn_score(turned(image, turn)) for turn in DRAWN_TURNS}
    best = max(drawn, key=lambda turn: drawn[turn])
    return best if drawn[best] >= SURE_DRAWN_SCORE else 0


def _scores_of_turns(image: Image.Image) -> dict[int, float]:
    """Return the highest score of a photographed face for each turn of a picture."""
    small, _ = _resized(image)
    return {
        turn: max(
            (face[4] for face in _detect(turned(small, turn), MIN_SCORE, THRESHOLDS)), default=0.0
        )
        for turn in TURNS
    }


def _drawn_score(image: Image.Image) -> float:
    from sow.planners.offline.drawn_faces import scored_faces

    return max((score for _, score in scored_faces(image, SURE_DRAWN_SCORE)), default=0.0)


def find_photographed_faces(image: Image.Image) -> list[Box]:
    """Return the faces that MTCNN finds with certainty, the largest first.

    If there is none the picture is padded and searched again: the crop may be too tight. A face on
    its side may be found as an upright one with a lower score, and is dropped.
    """
    small, scale = _resized(image)
    faces = _detect(small, MIN_SCORE, THRESHOLDS) or _detect_padded(small, MIN_SCORE, THRESHOLDS)
    if faces and max(face[4] for face in faces) < SURE_SCORE and has_turned_face(image):
        return []
    return _largest_first(faces, scale)


def possible_faces(image: Image.Image, min_score: float) -> list[Box]:
    """Return the faces in a photograph with at least this score, the largest first."""
    small, scale = _resized(image)
    return _largest_first(_detect(small, min_score, LIKELY_THRESHOLDS), scale)


def likely_face(image: Image.Image) -> Box | None:
    """Return the most likely face that fills the picture, or None."""
    from sow.planners.offline.drawn_faces import find_close_up

    small, scale = _resized(image)
    faces = _detect(small, LIKELY_SCORE, LIKELY_THRESHOLDS) + _detect_padded(
        small, LIKELY_SCORE, LIKELY_THRESHOLDS
    )
    large = [face for face in faces if face[2] >= LIKELY_SHARE * min(small.size)]
    if not large:
        return find_close_up(image, LIKELY_DRAWN_SCORE)
    return _largest_first([max(large, key=lambda face: face[4])], scale)[0]


def _largest_first(faces: Sequence[FaceDetection], scale: float) -> list[Box]:
    """Return boxes in pixels of the original picture, which was searched at this scale."""
    boxes = [Box.around(*(value / scale for value in face[:4])) for face in faces]
    return sorted(boxes, key=lambda box: box.width * box.height, reverse=True)


def _resized(image: Image.Image) -> tuple[Image.Image, float]:
    longest = max(image.size)
    scale = min(1.0, MAX_SIDE / longest) if longest > TINY else TINY / longest
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return over_grey(image).resize(size), scale


def _detect_padded(
    image: Image.Image, min_score: float, thresholds: Thresholds
) -> list[FaceDetection]:
    """Return the faces in a picture after padding it with grey."""
    if min(image.size) < MIN_SIDE:
        return []
    margin = max(image.size) // 2
    padded = Image.new("RGB", (image.width + 2 * margin, image.height + 2 * margin), GREY)
    padded.paste(image, (margin, margin))
    return [
        (x - margin, y - margin, width, height, score)
        for x, y, width, height, score in _detect(padded, min_score, thresholds)
    ]


def _detect(image: Image.Image, min_score: float, thresholds: Thresholds) -> list[FaceDetection]:
    """Return every upright face with at least this score."""
    if min(image.size) < MIN_SIDE:
        return []
    with ignore_warnings():
        boxes, scores, points = _detector(thresholds).detect(image, landmarks=True)
    if boxes is None:
        return []
    return [
        ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top, float(score))
        for (left, top, right, bottom), score, (one, other, *_) in zip(
            boxes.tolist(), scores, points.tolist(), strict=True
        )
        if score is not None and score >= min_score and _is_upright(one, other)
    ]


def _is_upright(one: list[float], other: list[float]) -> bool:
    """Return whether the left eye is left of the right one."""
    return other[0] - one[0] > abs(other[1] - one[1])
