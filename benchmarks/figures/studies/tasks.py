"""Tasks of studies on the paper's presets: pictures of one setting, and their verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from diffusers import StableDiffusionPipeline
from PIL import Image

from sow.benchmarks.figures.judge.judge import SAME_PERSON, Judge, Verdict, distance
from sow.benchmarks.figures.judge.relations import answers
from sow.benchmarks.figures.studies import picture_cache
from sow.benchmarks.figures.studies.common import outcome
from sow.benchmarks.figures.studies.picture_cache import BATCH, PictureSpec
from sow.benchmarks.figures.world.tv2i import Pair, pairs, place
from sow.benchmarks.tv2i.metrics.base import Score
from sow.benchmarks.tv2i.metrics.judge_metrics import (
    Apart,
    Followed,
    JudgedIdDistance,
    OneHead,
    SamePerson,
    Truncated,
)
from sow.benchmarks.tv2i.outcomes import Outcome
from sow.benchmarks.tv2i.running.ablations import OFF
from sow.benchmarks.tv2i.runs import Measure
from sow.models import load_pipeline
from sow.pipeline.pipeline import SowPipeline
from sow.plan.box import Box
from sow.plan.plan import Plan, Region
from sow.planners.offline.planner import related_regions
from sow.settings.settings import Settings

COW = OFF
"""Settings that leave attention as it is."""
MEASURES = (
    JudgedIdDistance.described(),
    Measure(name="stranger", label="To another face", note="the same to the next task's face"),
    SamePerson.described(),
    Measure(name="found", label="Face found there", better="higher", unit="%", rate=True,
            note="a head, its centre within a third of a box of where it was planted"),
    *(kind.described() for kind in (Truncated, Apart, OneHead, Followed)),
)  # fmt: skip
"""What the judge is asked about pictures of tasks; of heads that are found, the first two."""


@dataclass(frozen=True)
class Task:
    """A pair with a box and a seed, and another sentence where that is studied.

    outline: only the head, an ellipse, is the condition. By itself the whole square is: the head
    alone covers so few latents that its surroundings overgrow it. body_from: where the related
    region below starts, as a share of the box's height; by itself under the box.
    """

    pair: Pair
    box: Box
    seed: int
    sentence: str | None = None
    outline: bool = False
    body_from: float = 1.0

    @property
    def plan(self) -> Plan:
        """The plan with the box and the true ellipse of the head."""
        return Plan(
            canvas=(128, 128),
            prompt=self.sentence or self.pair.prompt,
            box=self.box,
            ellipse=self.pair.ellipse(self.box) if self.outline else None,
            related=self._related,
        )

    @property
    def _related(self) -> tuple[Region, ...]:
        regions = related_regions(self.box, (128, 128), "face")
        top = self.box.y + round(self.box.height * self.body_from)
        boxes = [region.box for region in regions]
        return tuple(
            Region(label=region.label, box=[b.x, top, b.width, b.bottom - top])
            for region, b in zip(regions, boxes, strict=True)
        )


def tasks(count: int, setting: str = "normal", tuning: bool = False) -> list[Task]:
    """Return tasks from the pairs of one setting, each with its own box and seed.

    The pairs are gone through again, with other boxes and seeds, when there are fewer of them.
    """
    chosen = [p for p in pairs() if p.setting == setting and p.tuning == tuning]
    offset = 1_000_000 if tuning else 0
    return [
        Task(chosen[n % len(chosen)], place(Random(f"box {n + offset}")), n + offset)
        for n in range(count)
    ]


def figures(model: str = "figures") -> SowPipeline:
    """Load a model of the drawn world, without progress bars."""
    pipe = load_pipeline(model, device="cpu", dtype="float32")
    pipe.set_progress_bar_config(disable=True)
    return pipe


def generate(
    pipe: SowPipeline, work: Sequence[Task], settings: Settings, pictures: Path | None = None
) -> list[Image.Image]:
    """Return one picture per task; the same tasks and settings give the same pictures.

    pictures: see `picture_cache.generate`.
    """
    wanted = [PictureSpec(task.pair.face, task.plan, settings, task.seed) for task in work]
    return picture_cache.generate(pipe, wanted, pictures).images


def generate_from_text(
    pipe: SowPipeline,
    prompts: Sequence[str],
    pictures: Path | None = None,
    steps: int = 10,
    guidance_scale: float = 7.5,
) -> list[Image.Image]:
    """Return plain text-to-image pictures of the same weights; the n-th has seed n."""
    plain: Any = StableDiffusionPipeline(**pipe.components, requires_safety_checker=False)
    plain.set_progress_bar_config(disable=True)
    width, height = pipe.canvas

    def make(part: slice) -> list[Image.Image]:
        numbers = range(len(prompts))[part]
        images: list[Image.Image] = plain(
            list(prompts[part]),
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            width=width,
            height=height,
            generator=[torch.Generator().manual_seed(number) for number in numbers],
        ).images
        return images

    keys = [
        f"text alone, {steps} steps, {guidance_scale}: {number} {prompt}"
        for number, prompt in enumerate(prompts)
    ]
    return picture_cache.cached(pipe, keys, make, pictures, BATCH).images


def judged(
    row: str, judge: Judge, work: Sequence[Task], images: list[Image.Image], planted: bool = True
) -> list[Outcome]:
    """Return the outcomes of a row; `planted=False` for plain text-to-image."""
    verdicts = judge.look(images, [task.box for task in work] if planted else None)
    # Read in the picture that the face was cut from, at the size the judge knows heads.
    faces = judge.embed([task.pair.drawing.image for task in work])
    if any(face is None for face in faces):
        raise ValueError("the judge finds no head in the picture of a condition")
    made = []
    for n, (task, verdict) in enumerate(zip(work, verdicts, strict=True)):
        here = found(verdict, task, planted)
        followed = answers(verdict, task.pair.mentions).values()
        scores = {
            "found": Score(float(here)),
            "truncated": Score(float(not here or verdict.truncated)),
            "apart": Score(float(not here or verdict.apart)),
            "one_person": Score(float(verdict.persons == 1)),
            "followed": Score(sum(followed) / len(followed)),
            **_likeness(verdict, here, faces[n], faces[(n + 1) % len(faces)]),
        }
        pair, prompt = task.pair, task.sentence or task.pair.prompt
        made.append(
            outcome(row, pair.id, pair.setting, prompt, pair.identity_seed, task.seed, scores)
        )
    return made


def _likeness(verdict: Verdict, here: bool, face: Any, next_face: Any) -> dict[str, Score]:
    """Return how near the head is to its own face and to another; a lost head is nobody."""
    if not here or verdict.embedding is None:
        lost = Score(None, "no head where it was planted")
        return {"id_distance": lost, "stranger": lost, "same_person": Score(0.0)}
    own_distance = distance(verdict.embedding, face)
    return {
        "id_distance": Score(own_distance),
        "stranger": Score(distance(verdict.embedding, next_face)),
        "same_person": Score(float(own_distance < SAME_PERSON)),
    }


def found(verdict: Verdict, task: Task, planted: bool) -> bool:
    """Return whether there is a head; if planted, with its centre within a third of the box."""
    if not verdict.heads:
        return False
    if not planted:
        return True
    (x, y), head = task.pair.ellipse(task.box).centre, verdict.heads[0].box
    reach = task.box.width / 3
    return abs(head.centre[0] - x) < reach and abs(head.centre[1] - y) < reach


def planted_canvas(task: Task) -> Image.Image:
    """Return the grey canvas with the planted face."""
    canvas = Image.new("RGB", (128, 128), (128, 128, 128))
    box = task.box
    size = (box.width, box.height)
    canvas.paste(task.pair.face.resize(size, Image.Resampling.LANCZOS), (box.x, box.y))
    return canvas
