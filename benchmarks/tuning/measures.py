"""The metrics of candidates: likeness, and what must not get worse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sow.benchmarks.figures.world import tv2i as world
from sow.benchmarks.tv2i.metrics.base import Metric
from sow.benchmarks.tv2i.metrics.judge_base import Verdicts
from sow.benchmarks.tv2i.metrics.suites import (
    HOW,
    Spread,
    Weights,
    figures_metrics,
    figures_spread,
    photograph_metrics,
    photograph_spread,
)
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
        missing: what is not measured and how to measure it, one line each.
    """

    metrics: tuple[Metric, ...]
    spread: Spread
    missing: tuple[str, ...] = ()

    def measures(self, setting: str) -> tuple[Measure, ...]:
        """Return the metrics as tables take them.

        For normal prompts the planted part should stay as it is: how much of it was copied is shown
        there, and neither way is better. Attributes and styles are to change it.
        """
        found = [one.described() for one in (*self.metrics, *self.spread.varieties)]
        changes = {"better": ""} if setting == "normal" else {}
        return tuple(m.model_copy(update=changes) if m.name == COPY else m for m in found)


def of_photographs(weights: Weights, device: str = "cpu") -> Measuring:
    """Return the metrics of photographs: FaceNet or ArcFace, CLIP if given, and those without
    weights.

    Raises:
        UsageError: if neither FaceNet nor ArcFace is given: then likeness cannot be measured.
        ModelError: if weights that were given cannot be used.
    """
    check_identity(weights)
    missing = [
        HOW[name] for name in ("facenet", "arcface", "clip") if getattr(weights, name) is None
    ]
    if weights.clip is None:
        missing.append(NO_PROMPT)
    made = photograph_metrics(weights, device)
    return Measuring(_wanted(made, WANTED), photograph_spread(), tuple(missing))


def check_identity(weights: Weights) -> None:
    """Check that likeness can be measured, before anything is loaded.

    Raises:
        UsageError: if not, with how to get what it needs.
    """
    if weights.facenet is None and weights.arcface is None:
        how = [HOW[name].partition(": ")[2] for name in ("facenet", "arcface")]
        raise UsageError(
            "likeness cannot be measured", f"--facenet: {how[0]}; or --arcface: {how[1]}"
        )


def of_drawings(pairs: Mapping[str, world.Pair]) -> Measuring:
    """Return the metrics of the drawn world, by its judge.

    pairs: the world's own, by their ids.
    """
    verdicts = Verdicts(drawn=pairs)
    made = _wanted(figures_metrics(verdicts), (*WANTED, *DRAWN))
    return Measuring(made, figures_spread(verdicts))


def _wanted(made: list[Metric], names: tuple[str, ...]) -> tuple[Metric, ...]:
    return tuple(metric for name in names for metric in made if metric.name == name)


def likeness_of(measures: tuple[Measure, ...]) -> Measure:
    """Return the metric of likeness that decides.

    Raises:
        UsageError: if nothing does.
    """
    for name in LIKENESS:
        for measure in measures:
            if measure.name == name:
                return measure
    raise UsageError("no metric of likeness", "give one of id_distance and arcface")
