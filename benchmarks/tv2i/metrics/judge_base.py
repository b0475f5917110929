"""The verdicts of the drawn world's judge on cases, and the base of metrics that use them.

How far it can be trusted: `figures/judge/results/judge.md` and `keeping.md`. The studies of
`figures/studies` count by the same, so that a bench and they can be compared.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sow.benchmarks.figures.judge.judge import Judge, Verdict, distance
from sow.benchmarks.figures.judge.planted_head import Planted
from sow.benchmarks.figures.world import tv2i as world
from sow.benchmarks.figures.world.drawing import box_of, portrait
from sow.benchmarks.tv2i.figures import all_pairs, true_mask
from sow.benchmarks.tv2i.metrics.base import Case, Metric, Missing, Score
from sow.benchmarks.tv2i.pairs import Pair
from sow.pictures.drawing import draw_condition

CANVAS = (128, 128)
"""What the judge reads; the model's own size."""
ANOTHER = 4_000_000
"""From a person's number on, the seed of another drawing of them."""


@dataclass(frozen=True)
class Judged:
    """The judge's verdict on a case."""

    pair: world.Pair
    verdict: Verdict
    planted: Planted
    face: NDArray[np.float32] | None

    @cached_property
    def here(self) -> bool:
        """True if a head's centre is within a third of a box from where it was planted."""
        true = box_of(self.planted.mask)
        if not self.verdict.heads or true is None:
            return False
        (x, y), head = true.centre, self.verdict.heads[0].box.centre
        reach = self.planted.box.width / 3
        return abs(head[0] - x) < reach and abs(head[1] - y) < reach

    @cached_property
    def distance(self) -> float:
        """ID-Distance of the head.

        Raises:
            Missing: if there is none where it was planted.
        """
        if not self.here or self.verdict.embedding is None:
            raise Missing("no head where it was planted")
        if self.face is None:
            raise Missing("no head in the condition")
        return distance(self.verdict.embedding, self.face)


class Verdicts:
    """The judge with a cache: it reads many pictures at once, and each only once.

    drawn: the world's pairs by id; by default those of Figures-TV2I.
    """

    def __init__(
        self, judge: Judge | None = None, drawn: Mapping[str, world.Pair] | None = None
    ) -> None:
        self.judge = judge or Judge.load()
        self._drawn = drawn
        self._seen: WeakKeyDictionary[Case, Judged] = WeakKeyDictionary()
        self._faces: dict[str, NDArray[np.float32] | None] = {}

    def look(self, cases: Sequence[Case]) -> None:
        """Read the cases that were not read yet.

        Raises:
            Missing: if one of them has no picture, or is not a pair of Figures-TV2I.
        """
        new = [case for case in cases if case not in self._seen]
        if not new:
            return
        pairs = [self._pair(case) for case in new]
        unknown = {pair.id: pair for pair in pairs if pair.id not in self._faces}
        faces = self.judge.embed([pair.drawing.image for pair in unknown.values()])
        self._faces.update(zip(unknown, faces, strict=True))
        verdicts = self.judge.look([case.picture for case in new], [case.box for case in new])
        for case, pair, verdict in zip(new, pairs, verdicts, strict=True):
            self._seen[case] = Judged(pair, verdict, planted(case, pair), self._faces[pair.id])

    def of(self, case: Case) -> Judged:
        """Return the verdict on a case.

        Raises:
            Missing: as `look`.
        """
        self.look([case])
        return self._seen[case]

    def knows(self, case: Case) -> bool:
        """Return whether the pair of a case is known."""
        return case.pair.id in self._pairs

    @property
    def _pairs(self) -> Mapping[str, world.Pair]:
        return all_pairs() if self._drawn is None else self._drawn

    def _pair(self, case: Case) -> world.Pair:
        if not self.knows(case):
            raise Missing(f"{case.pair.id} is not a pair of Figures-TV2I")
        return self._pairs[case.pair.id]


def planted(case: Case, pair: world.Pair) -> Planted:
    """Return the planted head by its true outline, not by the matte.

    Raises:
        Missing: if the plan does not say what of the picture was planted.
    """
    plan = case.plan
    if plan.canvas != CANVAS or plan.crop is None:
        raise Missing("the judge reads canvases of 128 x 128 with a crop")
    size = (plan.box.width, plan.box.height)
    there = true_mask(pair).resize(size, Image.Resampling.BOX, box=plan.crop.corners)
    mask = Image.new("L", CANVAS)
    mask.paste(there, (plan.box.x, plan.box.y))
    pixels = np.asarray(draw_condition(plan, case.condition))
    return Planted(pixels, np.asarray(mask) > 127, plan.box, pair.identity)


def drawn_ceiling(judge: Judge, pairs: Sequence[Pair]) -> list[Score]:
    """Return the distances of two drawings of each person: the ceiling of ID-Distance in this
    world, as `IdDistance.ceiling` is of photographs.

    Neither went through the autoencoder, as every result has: what that costs comes on top.
    """
    drawn = [all_pairs()[pair.id] for pair in pairs]
    others = [portrait(one.identity, one.identity_seed + ANOTHER, scene="plain") for one in drawn]
    ones = judge.embed([one.drawing.image for one in drawn])
    return [
        Score(None, "no head found") if a is None or b is None else Score(distance(a, b))
        for a, b in zip(ones, judge.embed([other.image for other in others]), strict=True)
    ]


class JudgedMetric(Metric):
    """A metric computed from the judge's verdict."""

    def __init__(self, verdicts: Verdicts) -> None:
        self.verdicts = verdicts

    def prepare(self, cases: Sequence[Case]) -> None:
        """Read all pictures in batches; failures are reported case by case."""
        with suppress(Exception):
            self.verdicts.look([case for case in cases if self.verdicts.knows(case)])

    def value(self, case: Case) -> float:
        """Return the number."""
        return float(self.read(self.verdicts.of(case)))

    @abstractmethod
    def read(self, judged: Judged) -> float:
        """Return the number for a verdict.

        Raises:
            Missing: if there is none.
        """
