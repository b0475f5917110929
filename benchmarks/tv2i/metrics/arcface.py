"""ArcFace similarity, for users who have insightface and a model for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sow.benchmarks.tv2i.metrics.base import LIKENESS, Case, Metric, Missing
from sow.benchmarks.tv2i.metrics.faces import Face, nearest
from sow.errors import ModelError
from sow.utils.type_checks import as_path

LOOKED_AT = (640, 640)


class ArcFace(Metric):
    """The cosine of two faces in ArcFace's space (Deng et al. 2019), found and aligned by
    insightface, -1 to 1.

    FaceNet calls different people alike: up to 0.76, where ArcFace has 0.35 (py-feat's issue 284).
    """

    name, label, better = "arcface", "ArcFace", "higher"
    note = "cosine of ArcFace's embeddings (Deng et al. 2019), by insightface"
    group = LIKENESS
    needs = "arcface"

    def __init__(self, reader: Any) -> None:
        self.reader = reader
        self._known: dict[Path, NDArray[np.float32]] = {}

    @classmethod
    def load(cls, folder: Path | str) -> ArcFace:
        """Load a folder of insightface, such as `buffalo_l`, with its `.onnx` files.

        Raises:
            ModelError: if insightface is not installed, or there is no such folder.
        """
        folder = as_path("arcface", folder).absolute()
        if not any(folder.glob("*.onnx")):  # insightface would download it
            raise ModelError(
                f"no .onnx files of insightface in {str(folder)!r}",
                "unpack buffalo_l.zip (github.com/deepinsight/insightface; its models are for "
                "research only) and give its folder",
            )
        try:
            from insightface.app import FaceAnalysis
        except ImportError:
            raise ModelError("insightface is not installed", "pip install insightface") from None
        if folder.parent.name != "models":
            raise ModelError(
                f"insightface looks for models in a folder `models`, not in {folder.parent.name!r}",
                f"move it to models/{folder.name}",
            )
        reader = FaceAnalysis(
            name=folder.name,
            root=str(folder.parents[1]),
            providers=["CPUExecutionProvider"],
            allowed_modules=["detection", "recognition"],
        )
        reader.prepare(ctx_id=-1, det_size=LOOKED_AT)
        return cls(reader)

    def value(self, case: Case) -> float:
        """Return the cosine, -1 to 1."""
        found = self.embed(case.picture, case.box.corners, "the result")
        return float(found @ self._condition(case))

    def _condition(self, case: Case) -> NDArray[np.float32]:
        if case.pair.image not in self._known:
            crop = case.plan.crop
            corners = crop.corners if crop else (0, 0, *case.original.size)
            self._known[case.pair.image] = self.embed(case.original, corners, "the condition")
        return self._known[case.pair.image]

    def embed(
        self, image: Image.Image, near: tuple[int, int, int, int], what: str
    ) -> NDArray[np.float32]:
        """Return the unit embedding of the face that overlaps a box most.

        Raises:
            Missing: if there is none.
        """
        bgr = np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])
        seen = self.reader.get(bgr)
        if not seen:
            raise Missing(f"no face found in {what}")
        faces = [_face(one) for one in seen]
        chosen = seen[faces.index(nearest(tuple(faces), near))]
        return np.asarray(chosen.normed_embedding, np.float32)


def _face(seen: Any) -> Face:
    left, top, right, bottom = map(float, seen.bbox[:4])
    return Face((left, top, right, bottom), float(seen.det_score), ())
