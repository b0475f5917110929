"""Finding faces with MTCNN (facenet-pytorch; its weights come with the package)."""

from __future__ import annotations

from functools import cache
from typing import Any

from PIL import Image

from sow.box import Box
from sow.pictures.reading import GREY, over_grey
from sow.quiet import without_warnings

CERTAIN = 0.9
# Larger pictures are shrunk before looking: faces that matter are not small.
LONGEST = 1024
SHORTEST = 20  # the detector cannot look at less


@cache
def _detector() -> Any:
    from facenet_pytorch import MTCNN

    return MTCNN(keep_all=True, device="cpu")


def find_faces(image: Image.Image) -> list[Box]:
    """The faces in a picture, the largest first, in its pixels; they may stick out of it.

    A crop so tight that a face has no surroundings is padded and looked at again.
    """
    scale = min(1.0, LONGEST / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    if min(size) < SHORTEST:
        return []
    small = over_grey(image).resize(size)
    faces = _detect(small)
    margin = max(size) // 2
    if not faces:
        padded = Image.new("RGB", (size[0] + 2 * margin, size[1] + 2 * margin), GREY)
        padded.paste(small, (margin, margin))
        faces = [(x - margin, y - margin, w, h) for x, y, w, h in _detect(padded)]
    boxes = [Box.around(*(value / scale for value in face)) for face in faces]
    return sorted(boxes, key=lambda box: box.width * box.height, reverse=True)


def _detect(image: Image.Image) -> list[tuple[float, float, float, float]]:
    """Centre, width and height of every face that is certain enough."""
    with without_warnings():
        boxes, chances = _detector().detect(image)
    if boxes is None:
        return []
    return [
        ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
        for (left, top, right, bottom), chance in zip(boxes.tolist(), chances, strict=True)
        if chance is not None and chance >= CERTAIN
    ]
