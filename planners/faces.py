"""Finding faces with MTCNN (facenet-pytorch; its weights come with the package)."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

from PIL import Image

from sow.images import GREY, over_grey
from sow.plan import Box

CERTAIN = 0.9
# Larger pictures are shrunk before looking: faces that matter are not small.
LONGEST = 1024


@cache
def _detector() -> Any:
    from facenet_pytorch import MTCNN

    return MTCNN(keep_all=True, device="cpu")


def find_faces(image: Image.Image) -> list[Box]:
    """The faces in a picture, the largest first, in its pixels; they may stick out of it.

    A crop so tight that a face has no surroundings is padded and looked at again.
    """
    image = over_grey(image)
    faces = _detect(image)
    if not faces:
        margin = max(image.size) // 2
        padded = Image.new("RGB", (image.width + 2 * margin, image.height + 2 * margin), GREY)
        padded.paste(image, (margin, margin))
        faces = [
            face.model_copy(update={"x": face.x - margin, "y": face.y - margin})
            for face in _detect(padded)
        ]
    return sorted(faces, key=lambda face: face.width * face.height, reverse=True)


def _detect(image: Image.Image) -> list[Box]:
    scale = min(1.0, LONGEST / max(image.size))
    small = image.resize((round(image.width * scale), round(image.height * scale)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        boxes, chances = _detector().detect(small)
    if boxes is None:
        return []
    return [
        Box.around(
            (left + right) / 2 / scale,
            (top + bottom) / 2 / scale,
            (right - left) / scale,
            (bottom - top) / scale,
        )
        for (left, top, right, bottom), chance in zip(boxes.tolist(), chances, strict=True)
        if chance is not None and chance >= CERTAIN
    ]
