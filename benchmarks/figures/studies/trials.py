"""What `sow generate` does by itself with a face and a sentence, and what the judge says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from sow.backbones.stable_diffusion import StableDiffusion
from sow.benchmarks.figures.judge.keeping import Planted, has_halo, is_sticker, kept_parts
from sow.benchmarks.figures.judge.reading import SAME_PERSON, Judge, Verdict, distance
from sow.benchmarks.figures.judge.relations import answers
from sow.benchmarks.figures.world.drawing import box_of, square_around
from sow.benchmarks.figures.world.paper import FACE, HAIR
from sow.benchmarks.figures.world.tv2i import MARGIN, Pair
from sow.benchmarks.statistics import Estimate, mean, rate
from sow.pictures.drawing import planted
from sow.pictures.reading import GREY
from sow.service.asking import PlannerChoice
from sow.service.request import Request
from sow.service.results import Work
from sow.service.service import Service

BATCH = 10
CANVAS = (128, 128)


@dataclass(frozen=True)
class Trial:
    """A pair, a seed, and everything that `sow generate` decides for them."""

    pair: Pair
    seed: int
    work: Work

    @cached_property
    def planted(self) -> Planted:
        """The head where it was planted, by its true outline, not by what was cut out."""
        drawing, plan = self.pair.drawing, self.work.plan
        assert drawing.head is not None
        assert plan.crop is not None
        mask = Image.fromarray(drawing.mask(FACE, HAIR)).convert("L")
        square = square_around(drawing.head, MARGIN)
        face = mask.resize(self.pair.picture.size, Image.Resampling.BILINEAR, box=square.corners)
        size = (plan.box.width, plan.box.height)
        there = face.resize(size, Image.Resampling.BOX, box=plan.crop.corners)
        whole = Image.new("L", CANVAS)
        whole.paste(there, (plan.box.x, plan.box.y))
        canvas = Image.new("RGB", CANVAS, GREY)
        canvas.paste(self.work.condition.picture, (plan.box.x, plan.box.y))
        return Planted(np.asarray(canvas), np.asarray(whole) > 127, plan.box, self.pair.identity)

    @cached_property
    def canvas(self) -> Image.Image:
        """What is planted, on grey."""
        return planted(self.work.plan, self.work.condition)

    def found(self, verdict: Verdict) -> bool:
        """Whether there is a head, its centre within a third of a box of where it was planted."""
        true = box_of(self.planted.mask)
        if not verdict.heads or true is None:
            return False
        (x, y), head, reach = true.centre, verdict.heads[0].box.centre, self.work.plan.box.width / 3
        return abs(head[0] - x) < reach and abs(head[1] - y) < reach


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
    for number, pair in enumerate(tqdm(pairs, desc="plans", disable=None)):
        request = Request(pair.picture, pair.prompt, matte=matte)
        found.append(Trial(pair, first_seed + number, made.work(request, preset=preset)))
    return found


def grow(
    made: Service, work: Sequence[Trial], changes: Mapping[str, Any] | None = None
) -> list[Image.Image]:
    """A picture for each trial; `changes` are those of its preset's settings."""
    images: list[Image.Image] = []
    for start in tqdm(range(0, len(work), BATCH), desc="pictures", disable=None):
        some = work[start : start + BATCH]
        images += made.pipe(
            image=[trial.work.condition for trial in some],
            plan=[trial.work.plan for trial in some],
            settings=[trial.work.settings.changed(**(changes or {})) for trial in some],
            generator=[torch.Generator().manual_seed(trial.seed) for trial in some],
        ).images
    return images


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


@dataclass(frozen=True)
class Outcome:
    """What the judge says of the pictures of one row, picture by picture.

    identity: ID-Distance where the head is found, else nan. Others are 1 or 0, or nan where they
    do not apply: same (the head passes for the planted person), glasses, beard and hair style
    (kept, of those who have them), halo, sticker, unjoined (no body, no neck, or one of plainly
    other skin), truncated (the same, a shade off too), apart (no body or neck). followed: the
    share of what the sentence says that is so.
    """

    name: str
    values: dict[str, NDArray[np.float64]]

    COLUMNS = (
        "identity", "same", "glasses", "beard", "hair style", "halo", "sticker", "unjoined",
        "truncated", "apart", "single", "followed",
    )  # fmt: skip
    HEADER = (
        "| | ID-Distance | same person | glasses kept | beard kept | hair style kept | halo | "
        "sticker | without neck of its skin, or body | truncated, a shade counted | without neck "
        "or body | exactly one head | prompt followed |\n" + "|---" * 13 + "|"
    )

    def estimate(self, column: str) -> Estimate:
        """Of a column, with its interval."""
        values = self.values[column]
        known = values[~np.isnan(values)]
        if column in ("identity", "followed"):
            return mean(list(known))
        return rate([bool(value) for value in known])

    def row(self) -> str:
        """A line of a table."""
        cells = [self.name]
        for column in self.COLUMNS:
            value = self.estimate(column)
            cells.append(value.number() if column == "identity" else value.percent())
        return f"| {' | '.join(cells)} |"

    def brief(self) -> str:
        """The same in short, without intervals."""
        cells = [f"{self.name:44s}", f"ID {self.estimate('identity').value:.3f}"]
        cells += [f"{c} {100 * self.estimate(c).value:.1f}" for c in self.COLUMNS[1:]]
        return "  ".join(cells)


def judged(name: str, judge: Judge, work: Sequence[Trial], images: list[Image.Image]) -> Outcome:
    """What the judge says of the pictures of these trials."""
    verdicts = judge.look(images, [trial.work.plan.box for trial in work])
    faces = judge.embed([trial.pair.drawing.image for trial in work])
    values = {column: np.full(len(work), np.nan) for column in Outcome.COLUMNS}
    for n, (verdict, trial, face) in enumerate(zip(verdicts, work, faces, strict=True)):
        here = trial.found(verdict)
        said = answers(verdict, trial.pair.said).values()
        found = {
            "halo": has_halo(verdict, trial.planted),
            "sticker": here and is_sticker(verdict, trial.planted),
            "unjoined": not here or verdict.unjoined,
            "truncated": not here or verdict.truncated,
            "apart": not here or verdict.apart,
            "single": verdict.persons == 1,
            "followed": sum(said) / len(said),
            "same": False,
            **kept_parts(verdict.looks if here else {}, trial.pair.identity),
        }
        if here and verdict.embedding is not None and face is not None:
            found["identity"] = distance(verdict.embedding, face)
            found["same"] = found["identity"] < SAME_PERSON
        for column, value in found.items():
            values[column][n] = float(value)
    return Outcome(name, values)
