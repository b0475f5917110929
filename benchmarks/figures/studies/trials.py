"""Trials: what `sow generate` does with a face and a sentence, and the judge's verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from sow.backbones.stable_diffusion import StableDiffusion
from sow.benchmarks.figures.judge.judge import Judge
from sow.benchmarks.figures.studies import picture_cache
from sow.benchmarks.figures.studies.common import outcome
from sow.benchmarks.figures.studies.picture_cache import Generated, PictureSpec
from sow.benchmarks.figures.world.tv2i import Pair
from sow.benchmarks.output import bar
from sow.benchmarks.tv2i import pairs as tv2i
from sow.benchmarks.tv2i.metrics.base import Case, measure
from sow.benchmarks.tv2i.metrics.judge_base import Judged, Verdicts
from sow.benchmarks.tv2i.metrics.judge_metrics import JUDGED, judged_metrics
from sow.benchmarks.tv2i.outcomes import Outcome
from sow.pictures.drawing import draw_condition
from sow.service.planning import PlannerChoice
from sow.service.request import Request
from sow.service.results import GenerationSpec
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
    work: GenerationSpec

    @property
    def canvas(self) -> Image.Image:
        """What is planted, on grey."""
        return draw_condition(self.work.plan, self.work.condition)

    def case(self, image: Image.Image) -> Case:
        """Return the trial and its picture, as metrics take them."""
        setting = next(name for name in tv2i.SETTINGS if name == self.pair.setting)
        person = self.pair.identity_seed
        pair = tv2i.Pair(self.pair.id, setting, self.pair.prompt, Path(), None, person, self.seed)
        return Case(pair, image, self.work.condition, self.work.plan)


def service() -> Service:
    """Return the service of the bundled model, planned by rules."""
    made = Service("figures", device="cpu", dtype="float32", planner=PlannerChoice("offline"))
    made.pipe.set_progress_bar_config(disable=True)
    return made


def trials(
    made: Service,
    pairs: Sequence[Pair],
    first_seed: int,
    matte: str = "auto",
    preset: str | None = None,
) -> list[Trial]:
    """Return a trial per pair, with consecutive seeds. The setting is read from the sentence."""
    found = []
    for number, pair in enumerate(bar(pairs, "plans")):
        request = Request(pair.picture, pair.prompt, matte=matte, preset=preset)
        found.append(Trial(pair, first_seed + number, made.resolve(request)))
    return found


def generate(
    made: Service,
    work: Sequence[Trial],
    changes: Mapping[str, Any] | None = None,
    pictures: Path | None = None,
) -> Generated:
    """Return a picture for each trial.

    changes: of its preset's settings. pictures: see `picture_cache.generate`.
    """
    wanted = [PictureSpec.of(trial.work, trial.seed) for trial in work]
    if changes:
        wanted = [replace(one, settings=one.settings.changed(**changes)) for one in wanted]
    return picture_cache.generate(made.pipe, wanted, pictures)


@torch.no_grad()
def pasted(
    made: Service, work: Sequence[Trial], images: Sequence[Image.Image]
) -> list[Image.Image]:
    """Return the limit: each head pasted into its picture, after one autoencoder pass."""
    backbone, results = StableDiffusion(made.pipe), []
    for trial, image in zip(work, images, strict=True):
        canvas, box, condition = image.copy(), trial.work.plan.box, trial.work.condition
        canvas.paste(condition.picture, (box.x, box.y), condition.mask)
        pixels = torch.from_numpy(np.asarray(canvas, np.float32)).permute(2, 0, 1)[None] / 127.5 - 1
        back = backbone.decode(backbone.encode(pixels)).clamp(-1, 1)[0].permute(1, 2, 0)
        results.append(Image.fromarray(((back.numpy() + 1) * 127.5).round().astype(np.uint8)))
    return results


def looked(judge: Judge, work: Sequence[Trial], images: Sequence[Image.Image]) -> list[Judged]:
    """Return the judge's verdicts on the pictures of these trials."""
    verdicts, cases = _read(judge, work, images)
    verdicts.look(cases)
    return [verdicts.of(case) for case in cases]


def judged(
    row: str, judge: Judge, work: Sequence[Trial], images: Sequence[Image.Image]
) -> list[Outcome]:
    """Return the outcomes of a row by the judge's metrics."""
    verdicts, cases = _read(judge, work, images)
    found = measure(judged_metrics(verdicts), cases)
    return [
        outcome(
            row,
            trial.pair.id,
            trial.pair.setting,
            trial.pair.prompt,
            trial.pair.identity_seed,
            trial.seed,
            scores,
        )
        for trial, scores in zip(work, found, strict=True)
    ]


def _read(
    judge: Judge, work: Sequence[Trial], images: Sequence[Image.Image]
) -> tuple[Verdicts, list[Case]]:
    verdicts = Verdicts(judge, {trial.pair.id: trial.pair for trial in work})
    return verdicts, [trial.case(image) for trial, image in zip(work, images, strict=True)]
