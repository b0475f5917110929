"""MTCNN face detection in photographs; each picture is read once."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from PIL import Image

from sow.benchmarks.tv2i.metrics.base import Case, Missing
from sow.plan.box import Corners, iou
from sow.utils.libraries import ignore_warnings

SMALLEST = 20
"""Pixels of a face and of a picture that MTCNN can look at; below, facenet-pytorch raises (176)."""
KEPT = 512
"""Pictures whose faces are remembered: several metrics ask of the same."""
READ = 160
"""Pixels a side of a face as FaceNet reads it."""


@dataclass(frozen=True)
class Face:
    """A face.

    Attributes:
        corners: left, top, right, bottom, in pixels; it may stick out of the picture.
        chance: how sure the detector is, 0 to 1.
        points: the eyes, the nose, the corners of the mouth, `x, y` each.
    """

    corners: tuple[float, float, float, float]
    chance: float
    points: tuple[tuple[float, float], ...]

    @property
    def area(self) -> float:
        """The area of its box, in pixels."""
        left, top, right, bottom = self.corners
        return max(0.0, right - left) * max(0.0, bottom - top)


class Faces:
    """MTCNN (Zhang et al. 2016) as the paper uses it (Sec. V-A), with the thresholds of
    facenet-pytorch, whose package brings its weights."""

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self._seen: OrderedDict[bytes, tuple[Face, ...]] = OrderedDict()

    @cached_property
    def _detector(self) -> Any:
        from facenet_pytorch import MTCNN

        return MTCNN(keep_all=True, min_face_size=SMALLEST, device=torch.device(self.device))

    def find(self, image: Image.Image) -> tuple[Face, ...]:
        """Return all faces, the largest first; none in a picture that is too small."""
        image = image.convert("RGB")
        key = hashlib.sha256(image.tobytes() + repr(image.size).encode()).digest()
        if key not in self._seen:
            self._seen[key] = self._detect(image)
            while len(self._seen) > KEPT:
                self._seen.popitem(last=False)
        return self._seen[key]

    def _detect(self, image: Image.Image) -> tuple[Face, ...]:
        if min(image.size) < SMALLEST:
            return ()
        with ignore_warnings():  # of facenet-pytorch's: ragged arrays
            boxes, chances, points = self._detector.detect(image, landmarks=True)
        if boxes is None:
            return ()
        found = [
            Face((x, y, right, bottom), float(chance), tuple((px, py) for px, py in marks))
            for (x, y, right, bottom), chance, marks in zip(
                boxes.tolist(), chances, points.tolist(), strict=True
            )
        ]
        return tuple(sorted(found, key=lambda face: -face.area))

    def of_result(self, case: Case) -> Face:
        """Return the face in the result that overlaps the planted box most, or else the largest.

        Raises:
            Missing: if there is no picture, or no face in it.
        """
        faces = self.find(case.picture)
        if not faces:
            raise Missing("no face found in the result")
        return nearest(faces, case.box.corners)

    def of_condition(self, case: Case) -> Face:
        """Return the face in the condition's picture that overlaps the planted part most.

        It is looked for in the whole picture: cut out on grey, faces are found less surely, and the
        distance would measure the cut.

        Raises:
            Missing: if it cannot be read, or no face is found.
        """
        picture, crop = case.original, case.plan.crop
        faces = self.find(picture)
        if not faces:
            raise Missing("no face found in the condition")
        return nearest(faces, crop.corners if crop else (0, 0, *picture.size))


def nearest(faces: tuple[Face, ...], corners: Corners | tuple[int, int, int, int]) -> Face:
    """Return the face that overlaps a box most; without overlap, the first."""
    return max(faces, key=lambda face: iou(face.corners, corners))


def cut(image: Image.Image, face: Face) -> torch.Tensor:
    """Return a face as FaceNet takes it: float32 `[3, 160, 160]`, about -1 to 1.

    As facenet-pytorch's `MTCNN.forward`: the box cut at the picture's borders, bilinear, no margin.

    Raises:
        Missing: if nothing of the box lies in the picture.
    """
    from facenet_pytorch import extract_face, fixed_image_standardization

    left, top, right, bottom = face.corners
    inside = (max(left, 0), max(top, 0), min(right, image.width), min(bottom, image.height))
    if int(inside[2]) <= int(inside[0]) or int(inside[3]) <= int(inside[1]):
        raise Missing("the face lies outside the picture")
    made = extract_face(image.convert("RGB"), list(face.corners), image_size=READ)
    standard: torch.Tensor = fixed_image_standardization(made)
    return standard
