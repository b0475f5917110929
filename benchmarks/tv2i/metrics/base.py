"""The interface of metrics: a `Case` goes in, a `Score` comes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sow.benchmarks.tv2i.pairs import Pair
from sow.benchmarks.tv2i.runs import Measure
from sow.errors import SowError
from sow.pictures.condition import Condition
from sow.pictures.loading import load_image, over_grey
from sow.plan.box import Box
from sow.plan.plan import Plan

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Score:
    """A number, or the reason why it is missing.

    Attributes:
        value: finite, or None.
        missing: why, if it is None; else empty.
    """

    value: float | None
    missing: str = ""


@dataclass(frozen=True, eq=False)
class Case:
    """A result and everything it is measured against.

    Attributes:
        pair: what was asked for.
        result: the picture; None where there is none.
        condition: what was planted, of the size of the plan's box.
        plan: where it was planted.
        problem: why there is no picture.
    """

    pair: Pair
    result: Image.Image | None
    condition: Condition
    plan: Plan
    problem: str = ""

    @classmethod
    def read(cls, pair: Pair, file: Path, condition: Condition, plan: Plan) -> Case:
        """Read a result from its file; one that cannot be read is a case without a picture."""
        try:
            return cls(pair, over_grey(load_image(file)), condition, plan)
        except SowError as error:
            return cls(pair, None, condition, plan, error.what)

    @property
    def picture(self) -> Image.Image:
        """The result.

        Raises:
            Missing: if there is none.
        """
        if self.result is None:
            raise Missing(f"no picture: {self.problem}" if self.problem else "no picture")
        return self.result

    @property
    def box(self) -> Box:
        """Where the condition was planted, in pixels of the result."""
        (width, height), (across, down) = self.picture.size, self.plan.canvas
        return self.plan.box.scaled(width / across, height / down)

    @cached_property
    def original(self) -> Image.Image:
        """The picture that the condition was cut from.

        Raises:
            Missing: if its file cannot be read.
        """
        try:
            return over_grey(load_image(self.pair.image))
        except SowError as error:
            raise Missing(f"no condition: {error.what}") from None

    @cached_property
    def inside(self) -> Inside:
        """The result in the box and what was planted there; results of another size than the canvas
        are scaled to it.

        Raises:
            Missing: if there is no picture, or the box holds nothing.
        """
        picture, box = self.picture.convert("RGB"), self.plan.box
        if picture.size != self.plan.canvas:
            picture = picture.resize(self.plan.canvas, Image.Resampling.LANCZOS)
        mask = np.asarray(self.condition.mask) >= 128
        if not mask.any():
            raise Missing("nothing was planted")
        return Inside(
            np.asarray(picture), np.asarray(self.condition.picture.convert("RGB")), mask, box
        )


@dataclass(frozen=True)
class Inside:
    """The planted region.

    Attributes:
        canvas: the whole result, uint8 `[H, W, 3]`.
        planted: what was planted, uint8 `[h, w, 3]`.
        mask: which of it is the condition, `[h, w]`.
        box: where it lies on the canvas, `w` by `h`.
    """

    canvas: Pixels
    planted: Pixels
    mask: Mask
    box: Box

    @property
    def found(self) -> Pixels:
        """The result in the box, uint8 `[h, w, 3]`."""
        left, top, right, bottom = self.box.corners
        return self.canvas[top:bottom, left:right]


class Missing(Exception):
    """The reason why there is no score."""


LIKENESS = "Likeness"
HEAD = "The head and its outline"
AROUND = "What surrounds the head"
SAID = "The sentence, and what is kept"
OPEN = "What the sentence leaves open: colour and variety"
"""Groups of metrics."""


class Described:
    """The description of a metric for reports.

    Attributes:
        name: in outcomes; the same for what means the same.
        label: as people read it.
        better: which way is better; empty where neither is.
        unit: behind the number; "%" for a share from 0 to 1.
        rate: scores are 0 and 1.
        note: its source, in a sentence.
        needs: the weights that have to be given for it; empty if none.
        group: the heading of the table that it stands in: one of those below.
        main: it stands in the overview.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    better: ClassVar[Literal["lower", "higher", ""]]
    unit: ClassVar[str] = ""
    rate: ClassVar[bool] = False
    note: str
    needs: ClassVar[str] = ""
    group: ClassVar[str]
    main: ClassVar[bool] = False

    @classmethod
    def described(cls) -> Measure:
        """Return the metric's description for reports."""
        return Measure(
            name=cls.name,
            label=cls.label,
            better=cls.better,
            unit=cls.unit,
            rate=cls.rate,
            note=cls.note,
        )


class Metric(Described, ABC):
    """A number measured in one result."""

    @abstractmethod
    def value(self, case: Case) -> float:
        """Return the number.

        Raises:
            Missing: if there is none.
        """

    def prepare(self, cases: Sequence[Case]) -> None:
        """Look at several cases at once, where that is faster; by default do nothing."""
        return None

    def __call__(self, case: Case) -> Score:
        """Return the number, or the reason why it is missing; never raise.

        Libraries raise arbitrary errors on unexpected pictures, and one picture must not fail a
        batch (facenet-pytorch's issues 176 and 224).
        """
        try:
            value = float(self.value(case))
        except Missing as reason:
            return Score(None, str(reason))
        except Exception as error:
            return Score(None, f"{type(error).__name__}: {error}"[:300])
        return Score(value) if np.isfinite(value) else Score(None, "it is not a number")


def measure(metrics: Sequence[Metric], cases: Sequence[Case]) -> list[dict[str, Score]]:
    """Return the scores of all metrics for every case, by name."""
    with_picture = [case for case in cases if case.result is not None]
    for metric in metrics:
        metric.prepare(with_picture)
    return [{metric.name: metric(case) for metric in metrics} for case in cases]


def split(scores: Mapping[str, Score]) -> tuple[dict[str, float | None], dict[str, str]]:
    """Split scores into values and reasons, as outcomes store them."""
    return (
        {name: score.value for name, score in scores.items()},
        {name: score.missing for name, score in scores.items() if score.value is None},
    )
