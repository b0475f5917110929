"""What candidates are measured by: how alike, and what must not get worse for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sow.benchmarks.figures.world import tv2i as world
from sow.benchmarks.tv2i.metrics.base import Metric
from sow.benchmarks.tv2i.metrics.choice import (
    HOW,
    Spread,
    Weights,
    figures_metrics,
    figures_spread,
    photograph_metrics,
    photograph_spread,
)
from sow.benchmarks.tv2i.metrics.judged import Verdicts
from sow.benchmarks.tv2i.runs import Measure
from sow.errors import UsageError

LIKENESS = ("id_distance", "arcface")
"""What says how alike the face is: the first of them that is measured decides."""
PROMPT = ("clip", "followed")
"""What says whether the picture is what was asked for."""
FACES, COPY = "face_found", "copy_paste"
WANTED = (
    *LIKENESS, "same_person", FACES, "one_person", COPY, *PROMPT, "grey", "saturation",
)  # fmt: skip
"""Of all metrics those that are looked at, in the order of the tables; after them variety. The
stand-in for truncated outlines of photographs is not sure enough to decide anything."""
DRAWN = ("truncated",)
"""What is looked at besides in the drawn world, where the judge is sure of it."""
NO_PROMPT = "prompt alignment is not measured, so that nothing is said of it"


@dataclass(frozen=True)
class Measuring:
    """The metrics of a run.

    Attributes:
        metrics: of single pictures.
        spread: of a pair's pictures together.
        lacking: what is not measured, and how it would be, a line each.
    """

    metrics: tuple[Metric, ...]
    spread: Spread
    lacking: tuple[str, ...] = ()

    def measures(self, setting: str) -> tuple[Measure, ...]:
        """As tables have them.

        For normal prompts what is planted is to stay as it is: how much of it was copied is told
        there, and neither way is better. Attributes and styles are to change it.
        """
        found = [one.described() for one in (*self.metrics, *self.spread.varieties)]
        told = {"better": ""} if setting == "normal" else {}
        return tuple(m.model_copy(update=told) if m.name == COPY else m for m in found)


def of_photographs(weights: Weights, device: str = "cpu") -> Measuring:
    """Those of photographs: FaceNet or ArcFace, CLIP where it is given, and what needs nothing.

    Raises:
        UsageError: if neither FaceNet nor ArcFace is given: then likeness cannot be measured.
        ModelError: if weights that were given cannot be used.
    """
    check_identity(weights)
    lacking = [HOW[name] for name in ("facenet", "arcface", "clip")
               if getattr(weights, name) is None]  # fmt: skip
    if weights.clip is None:
        lacking.append(NO_PROMPT)
    made = photograph_metrics(weights, device)
    return Measuring(_wanted(made, WANTED), photograph_spread(), tuple(lacking))


def check_identity(weights: Weights) -> None:
    """Whether likeness can be measured; asked before anything is loaded.

    Raises:
        UsageError: if not, with how to get what it needs.
    """
    if weights.facenet is None and weights.arcface is None:
        how = [HOW[name].partition(": ")[2] for name in ("facenet", "arcface")]
        raise UsageError("nothing here can measure likeness",
                         f"--facenet: {how[0]}; or --arcface: {how[1]}")  # fmt: skip


def of_drawings(pairs: Mapping[str, world.Pair]) -> Measuring:
    """Those of the drawn world, by its judge.

    pairs: the world's own, by their ids.
    """
    verdicts = Verdicts(drawn=pairs)
    made = _wanted(figures_metrics(verdicts), (*WANTED, *DRAWN))
    return Measuring(made, figures_spread(verdicts))


def _wanted(made: list[Metric], names: tuple[str, ...]) -> tuple[Metric, ...]:
    return tuple(metric for name in names for metric in made if metric.name == name)


def likeness_of(measures: tuple[Measure, ...]) -> Measure:
    """What decides how alike a face is.

    Raises:
        UsageError: if nothing does.
    """
    for name in LIKENESS:
        for measure in measures:
            if measure.name == name:
                return measure
    raise UsageError("no metric of likeness", "give one of id_distance and arcface")
