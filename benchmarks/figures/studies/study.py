"""Many pictures under one setting, judged: what every study of the method is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from tqdm import tqdm

from sow.benchmarks.figures.judge.reading import SAME_PERSON, Judge, Verdict, distance
from sow.benchmarks.figures.judge.relations import answers
from sow.benchmarks.figures.world.tv2i import Pair, pairs, place
from sow.benchmarks.statistics import Estimate, mean, rate
from sow.box import Box
from sow.pictures.drawing import side_by_side, stacked
from sow.pipeline import SowPipeline
from sow.plan import Plan, Region
from sow.planners.offline.planner import related_regions
from sow.settings import Settings

BATCH = 10
COW: dict[str, Any] = {"alpha_minus": 0.0, "alpha_plus": 0.0}
"""Settings that leave attention as it is."""


@dataclass(frozen=True)
class Task:
    """A pair with a place and a seed; another sentence than the pair's where that is studied.

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
        """The plan of somebody who sees where the head is."""
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
    """Tasks from the pairs of one setting, each with its own box and seed.

    The pairs are gone through again, with other boxes and seeds, when there are fewer of them.
    """
    chosen = [p for p in pairs() if p.setting == setting and p.tuning == tuning]
    offset = 1_000_000 if tuning else 0
    return [
        Task(chosen[n % len(chosen)], place(Random(f"box {n + offset}")), n + offset)
        for n in range(count)
    ]


def grow(pipe: SowPipeline, work: Sequence[Task], settings: Settings) -> list[Image.Image]:
    """One picture per task; the same tasks and settings give the same pictures."""
    images: list[Image.Image] = []
    for start in tqdm(range(0, len(work), BATCH), desc="pictures", disable=None):
        some = work[start : start + BATCH]
        images += pipe(
            image=[task.pair.face for task in some],
            plan=[task.plan for task in some],
            settings=settings,
            generator=[torch.Generator().manual_seed(task.seed) for task in some],
        ).images
    return images


def imagine(
    pipe: SowPipeline, prompts: Sequence[str], steps: int = 10, guidance_scale: float = 7.5
) -> list[Image.Image]:
    """Plain text-to-image with the same weights; the n-th picture has seed n."""
    plain: Any = StableDiffusionPipeline(**pipe.components, requires_safety_checker=False)
    plain.set_progress_bar_config(disable=True)
    width, height = pipe.canvas
    images: list[Image.Image] = []
    for start in tqdm(range(0, len(prompts), BATCH), desc="pictures", disable=None):
        some = list(prompts[start : start + BATCH])
        images += plain(
            some,
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            width=width,
            height=height,
            generator=[torch.Generator().manual_seed(start + n) for n in range(len(some))],
        ).images
    return images


@dataclass(frozen=True)
class Cell:
    """What a study says of the pictures of one setting.

    identity: ID-Distance to the planted face, of the pictures in which the judge finds a head
    (for planted ones: where it was planted). stranger: the same to the face of the next task.
    same: share of heads that pass as the planted person. detected: a head is found there.
    failed: no head there, or a truncated one.
    apart: no head there, or one without a neck or a body. single: exactly one head. followed: the
    mean share of what a prompt says that is so. failing: which pictures failed, in order.
    """

    name: str
    identity: Estimate
    stranger: Estimate
    same: Estimate
    detected: Estimate
    failed: Estimate
    apart: Estimate
    single: Estimate
    followed: Estimate
    failing: tuple[bool, ...]

    HEADER = (
        "| | ID-Distance | to another face | same person | face found | truncated or lost "
        "| without neck or body | exactly one head | prompt followed |\n"
        "|---|---|---|---|---|---|---|---|---|"
    )

    def row(self) -> str:
        """A line of a table."""
        parts = [
            self.name, self.identity.number(), self.stranger.number(), self.same.percent(),
            self.detected.percent(), self.failed.percent(), self.apart.percent(),
            self.single.percent(), self.followed.percent(),
        ]  # fmt: skip
        return f"| {' | '.join(parts)} |"


def judge_cell(
    name: str, judge: Judge, work: Sequence[Task], images: list[Image.Image], planted: bool = True
) -> Cell:
    """Judges the pictures of one cell; `planted=False` for plain text-to-image."""
    verdicts = judge.look(images, [task.box for task in work] if planted else None)
    # Read in the picture that the face was cut from, at the size the judge knows heads.
    faces = judge.embed([task.pair.drawing.image for task in work])
    if any(face is None for face in faces):
        raise ValueError("the judge finds no head in the picture of a condition")
    own, other = [], []
    for n, verdict in enumerate(verdicts):
        face, next_face = faces[n], faces[(n + 1) % len(faces)]
        if found(verdict, work[n], planted) and verdict.embedding is not None:
            own += [distance(verdict.embedding, face)] if face is not None else []
            other += [distance(verdict.embedding, next_face)] if next_face is not None else []
    here = [found(verdict, task, planted) for verdict, task in zip(verdicts, work, strict=True)]
    failed = [not at or v.truncated for at, v in zip(here, verdicts, strict=True)]
    said = [answers(v, t.pair.said).values() for v, t in zip(verdicts, work, strict=True)]
    return Cell(
        name,
        identity=mean(own),
        stranger=mean(other),
        same=rate([value < SAME_PERSON for value in own]),
        detected=rate(here),
        failed=rate(failed),
        apart=rate([not at or v.apart for at, v in zip(here, verdicts, strict=True)]),
        single=rate([verdict.persons == 1 for verdict in verdicts]),
        followed=mean([sum(right) / len(right) for right in said]),
        failing=tuple(failed),
    )


def found(verdict: Verdict, task: Task, planted: bool) -> bool:
    """Whether there is a head; if one was planted, its centre within a third of a box of there."""
    if not verdict.heads:
        return False
    if not planted:
        return True
    (x, y), head = task.pair.ellipse(task.box).centre, verdict.heads[0].box
    reach = task.box.width / 3
    return abs(head.centre[0] - x) < reach and abs(head.centre[1] - y) < reach


def planted_canvas(task: Task) -> Image.Image:
    """The grey canvas with the face where it is planted."""
    canvas = Image.new("RGB", (128, 128), (128, 128, 128))
    box = task.box
    size = (box.width, box.height)
    canvas.paste(task.pair.face.resize(size, Image.Resampling.LANCZOS), (box.x, box.y))
    return canvas


def sheet(rows: list[list[Image.Image]], gap: int = 4) -> Image.Image:
    """Rows of pictures as one page."""
    return stacked([side_by_side(row) for row in rows], gap)
