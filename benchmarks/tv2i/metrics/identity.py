"""ID-Distance: the distance of the result's face from the planted one in FaceNet's space."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from sow.benchmarks.tv2i.metrics.base import LIKENESS, Case, Metric, Missing, Score
from sow.benchmarks.tv2i.metrics.faces import Face, Faces, cut
from sow.benchmarks.tv2i.metrics.weights import load_into, read_weights
from sow.errors import SowError
from sow.pictures.loading import load_image, over_grey

Vector = NDArray[np.float32]


class FaceNet:
    """InceptionResnetV1, from facenet-pytorch: maps faces to unit vectors."""

    def __init__(self, network: Any, device: str = "cpu") -> None:
        self.network, self.device = network.to(device), device

    @classmethod
    def load(cls, path: Path | str, device: str = "cpu") -> FaceNet:
        """Load safetensors; the paper uses weights trained on VGGFace2.

        The last layer, which only training needed, may be there or not.

        Raises:
            ModelError: if they are none of it.
        """
        from facenet_pytorch import InceptionResnetV1

        network = InceptionResnetV1(pretrained=None)
        tensors = read_weights(path, "facenet")
        load_into(
            network, {k: v for k, v in tensors.items() if not k.startswith("logits.")}, "facenet"
        )
        return cls(network, device)

    @torch.no_grad()
    def embed(self, image: Image.Image, face: Face) -> Vector:
        """Return the embedding of a face, float32 `[512]`."""
        vector: torch.Tensor = self.network(cut(image, face)[None].to(self.device))[0]
        return np.asarray(vector.cpu().numpy(), np.float32)


class IdDistance(Metric):
    """ID-Distance (Sec. V-A): MTCNN (Zhang et al. 2016) finds the face in the result and in the
    condition's picture, FaceNet (Schroff et al. 2015; InceptionResnetV1 on VGGFace2) embeds both;
    the Euclidean distance of the two vectors of length 1, 0 to 2.

    The text does not say which FaceNet, nor which face where there are several: the nearest to the
    planted box is taken.
    """

    name, label, better = "id_distance", "ID-Distance", "lower"
    note = "MTCNN and FaceNet (InceptionResnetV1, VGGFace2), Euclidean (paper, Sec. V-A)"
    group, main = LIKENESS, True
    needs = "facenet"

    def __init__(self, faces: Faces, facenet: FaceNet) -> None:
        self.faces, self.facenet = faces, facenet
        self._known: dict[Path, Vector] = {}

    def value(self, case: Case) -> float:
        """Return the distance, 0 to 2."""
        found = self.facenet.embed(case.picture, self.faces.of_result(case))
        return float(np.linalg.norm(found - self._condition(case)))

    def _condition(self, case: Case) -> Vector:
        """Return the condition's embedding, cached by file."""
        if case.pair.image not in self._known:
            face = self.faces.of_condition(case)
            self._known[case.pair.image] = self.facenet.embed(case.original, face)
        return self._known[case.pair.image]

    def between(self, one: Image.Image, other: Image.Image) -> float:
        """Return the distance of the largest faces of two pictures.

        Raises:
            Missing: if there is none in one of them.
        """
        vectors = []
        for image in (one, other):
            faces = self.faces.find(image)
            if not faces:
                raise Missing("no face found")
            vectors.append(self.facenet.embed(image, faces[0]))
        return float(np.linalg.norm(vectors[0] - vectors[1]))

    def ceiling(self, pairs: Iterable[tuple[Path, Path]]) -> list[Score]:
        """Return the distances of real pictures of one person: the best possible without copying. A
        method below it keeps pixels, not a person.

        Args:
            pairs: files of two pictures of one person each; `CelebA.same_people` finds them.
        """
        return [self._distance(one, other) for one, other in pairs]

    def _distance(self, one: Path, other: Path) -> Score:
        try:
            return Score(self.between(*(over_grey(load_image(file)) for file in (one, other))))
        except (Missing, SowError) as reason:
            return Score(None, str(reason))
