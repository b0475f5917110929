"""What `sow generate` does by itself with a face and a sentence, and what the judge says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from sow.backbones.stable_diffusion import StableDiffusion
from sow.benchmarks.desk import bar
from sow.benchmarks.figures.judge.reading import Judge
from sow.benchmarks.figures.studies import growing
from sow.benchmarks.figures.studies.growing import Grown, Wanted
from sow.benchmarks.figures.studies.tables import outcome
from sow.benchmarks.figures.world.tv2i import Pair
from sow.benchmarks.tv2i import pairs as tv2i
from sow.benchmarks.tv2i.metrics.base import Case, measure
from sow.benchmarks.tv2i.metrics.judged import Judged, Verdicts
from sow.benchmarks.tv2i.metrics.verdicts import JUDGED, judged_metrics
from sow.benchmarks.tv2i.outcomes import Outcome
from sow.pictures.drawing import planted
from sow.service.asking import PlannerChoice
from sow.service.request import Request
from sow.service.results import Work
from sow.service.service import Service

READ = (
    "id_distance", "same_person", "glasses", "beard", "hair_style", "halo", "sticker", "unjoined",
    "truncated", "apart", "one_person", "followed", "saturation", "grey",
)  # fmt: skip
"""The judge's metrics that studies tell of, in the order of their tables."""
MEASURES = tuple(
    kind.described() for name in READ for kind in JUDGED if kind.name == name
)  # fmt: skip


@dataclass(frozen=True)
class Trial:
    """A pair, a seed, and everything that `sow generate` decides for them."""

    pair: Pair
    seed: int
    work: Work

    @property
    def canvas(self) -> Image.Image:
        """What is planted, on grey."""
        return planted(self.work.plan, self.work.condition)

    def case(self, image: Image.Image) -> Case:
        """The trial and its picture, as metrics want them."""
        setting = next(name for name in tv2i.SETTINGS if name == self.pair.setting)
        person = self.pair.identity_seed
        pair = tv2i.Pair(self.pair.id, setting, self.pair.prompt, Path(), None, person, self.seed)
        return Case(pair, image, self.work.condition, self.work.plan)


def service() -> Service:
    """The bundled world, planned by rules."""
    made = Service("figures", device="cpu", dtype="float32", planner=PlannerChoice("offline"))
    made.pipe.set_progress_bar_config(disable=True)
    return made


def trials(
    made: Service, pairs: Sequence[Pair], first_seed: int, matte: str = "auto",
    preset: str | None = None,
) -> list[Trial]:  # fmt: skip
    """One for each pair; their seeds count up. The setting is read from the sentence."""
    found = []
    for number, pair in enumerate(bar(pairs, "plans")):
        request = Request(pair.picture, pair.prompt, matte=matte)
        found.append(Trial(pair, first_seed + number, made.work(request, preset=preset)))
    return found


def grow(
    made: Service, work: Sequence[Trial], changes: Mapping[str, Any] | None = None,
    pictures: Path | None = None,
) -> Grown:  # fmt: skip
    """A picture for each trial.

    changes: of its preset's settings. pictures: see `growing.grow`.
    """
    wanted = [Wanted.of(trial.work, trial.seed) for trial in work]
    if changes:
        wanted = [replace(one, settings=one.settings.changed(**changes)) for one in wanted]
    return growing.grow(made.pipe, wanted, pictures)


@torch.no_grad()
def pasted(
    made: Service, work: Sequence[Trial], images: Sequence[Image.Image]
) -> list[Image.Image]:
    """The limit: each head pasted into its finished picture, and once through the autoencoder."""
    backbone, results = StableDiffusion(made.pipe), []
    for trial, image in zip(work, images, strict=True):
        canvas, box, condition = image.copy(), trial.work.plan.box, trial.work.condition
        canvas.paste(condition.picture, (box.x, box.y), condition.mask)
        pixels = torch.from_numpy(np.asarray(canvas, np.float32)).permute(2, 0, 1)[None] / 127.5 - 1
        back = backbone.decode(backbone.encode(pixels)).clamp(-1, 1)[0].permute(1, 2, 0)
        results.append(Image.fromarray(((back.numpy() + 1) * 127.5).round().astype(np.uint8)))
    return results


def looked(
    judge: Judge, work: Sequence[Trial], images: Sequence[Image.Image]
) -> list[Judged]:  # fmt: skip
    """What the judge says of the pictures of these trials."""
    verdicts, cases = _read(judge, work, images)
    verdicts.look(cases)
    return [verdicts.of(case) for case in cases]


def judged(
    row: str, judge: Judge, work: Sequence[Trial], images: Sequence[Image.Image]
) -> list[Outcome]:
    """The judge's metrics of the pictures of a row."""
    verdicts, cases = _read(judge, work, images)
    found = measure(judged_metrics(verdicts), cases)
    return [
        outcome(row, trial.pair.id, trial.pair.setting, trial.pair.prompt,
                trial.pair.identity_seed, trial.seed, scores)
        for trial, scores in zip(work, found, strict=True)
    ]  # fmt: skip


def _read(
    judge: Judge, work: Sequence[Trial], images: Sequence[Image.Image]
) -> tuple[Verdicts, list[Case]]:
    verdicts = Verdicts(judge, {trial.pair.id: trial.pair for trial in work})
    return verdicts, [trial.case(image) for trial, image in zip(work, images, strict=True)]
