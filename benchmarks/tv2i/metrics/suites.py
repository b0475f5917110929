"""The metrics of each benchmark, and the weights that the user has to give for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from sow.benchmarks.tv2i.metrics.arcface import ArcFace
from sow.benchmarks.tv2i.metrics.base import Metric
from sow.benchmarks.tv2i.metrics.clip import ClipScore
from sow.benchmarks.tv2i.metrics.colour import Counted, Grey, Saturation, clothes_by, outside
from sow.benchmarks.tv2i.metrics.condition_fidelity import ConditionLpips, ConditionPsnr
from sow.benchmarks.tv2i.metrics.copying import Copied, CopyPaste
from sow.benchmarks.tv2i.metrics.detection import FaceFound, OnePerson, Persons
from sow.benchmarks.tv2i.metrics.faces import Faces
from sow.benchmarks.tv2i.metrics.identity import FaceNet, IdDistance
from sow.benchmarks.tv2i.metrics.judge_base import Verdicts
from sow.benchmarks.tv2i.metrics.judge_metrics import judged_metrics
from sow.benchmarks.tv2i.metrics.outline import OutlineClosed, OutlineTruncated
from sow.benchmarks.tv2i.metrics.variety import FeatureVariety, PixelVariety, Variety
from sow.benchmarks.tv2i.metrics.weights import CONVERT


@dataclass(frozen=True)
class Weights:
    """Files and folders of metrics' weights; metrics without weights are left out.

    Attributes:
        facenet: safetensors of InceptionResnetV1, VGGFace2, for ID-Distance.
        lpips: safetensors of AlexNet with LPIPS's weights.
        clip: a folder of transformers' CLIP.
        arcface: a folder of insightface's, for which that has to be installed.
    """

    facenet: Path | None = None
    lpips: Path | None = None
    clip: Path | None = None
    arcface: Path | None = None

    def missing(self) -> list[str]:
        """Return a line for each missing weight: what is not measured, and how to get it."""
        return [HOW[field.name] for field in fields(self) if getattr(self, field.name) is None]


HOW = {
    "facenet": f"no ID-Distance: give FaceNet's weights; {CONVERT} -h says how to get them",
    "lpips": f"no LPIPS: give its weights; {CONVERT} -h says how to get them",
    "clip": "no CLIP score: give a folder of CLIP; "
    "hf download openai/clip-vit-large-patch14 --local-dir clip",
    "arcface": "no ArcFace: pip install insightface, and give a folder of its models",
}


def photograph_metrics(weights: Weights, device: str = "cpu") -> list[Metric]:
    """Return the metrics of photographs whose weights are given; nothing is downloaded.

    Raises:
        ModelError: if weights that were given cannot be used.
    """
    faces = Faces(device)
    made: list[Metric] = []
    loaders: list[tuple[Path | None, Callable[[Path], Metric]]] = [
        (weights.facenet, lambda path: IdDistance(faces, FaceNet.load(path, device))),
        (weights.arcface, ArcFace.load),
        (weights.clip, lambda path: ClipScore.load(path, device)),
        (weights.lpips, lambda path: ConditionLpips.load(path, device)),
    ]
    for path, load in loaders:
        if path is not None:
            made.append(load(path))
    return [
        *made,
        FaceFound(faces),
        OnePerson(faces),
        Persons(faces),
        *pixel_metrics(),
        OutlineTruncated(),
        OutlineClosed(),
        Saturation(),
        Grey(),
    ]


def figures_metrics(verdicts: Verdicts | None = None) -> list[Metric]:
    """Return the metrics of the bundled world, which need no weights."""
    return [*judged_metrics(verdicts), *pixel_metrics()]


@dataclass(frozen=True)
class Spread:
    """Metrics of several pictures together.

    Attributes:
        varieties: of the pictures of a pair by several seeds.
        counted: the pixels whose hues are compared with those of the model's own pictures.
    """

    varieties: tuple[Variety, ...] = ()
    counted: Counted = outside


def photograph_spread() -> Spread:
    """Return the spread metrics of photographs."""
    return Spread((PixelVariety(),))


def figures_spread(verdicts: Verdicts) -> Spread:
    """Return the spread metrics of the bundled world."""
    return Spread((PixelVariety(), FeatureVariety(verdicts)), clothes_by(verdicts))


def pixel_metrics() -> list[Metric]:
    """Return the metrics that only compare pixels."""
    return [CopyPaste(), Copied(), ConditionPsnr()]
