"""Measure what planning is worth: a perfect multimodal model against rules and chance.

    sow bench study planning

The rows "adaptive position" (AP) and "prompt intensification" (PI) of the paper's Table II, on
the drawn world, where a model that sees perfectly can be written down: it knows the identity.
Its answers go through the same stages, checks and clamping as a real model's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any

from PIL import Image

from sow.benchmarks.figures.judge.judge import Judge
from sow.benchmarks.figures.studies.common import PAIRED, brief, page, rows_of
from sow.benchmarks.figures.studies.tasks import (
    COW,
    MEASURES,
    Task,
    figures,
    generate,
    judged,
    planted_canvas,
    tasks,
)
from sow.benchmarks.figures.world.people import features_of
from sow.benchmarks.figures.world.tv2i import anywhere
from sow.benchmarks.output import StudyOutput
from sow.models import BUNDLED
from sow.pictures.drawing import side_by_side
from sow.plan.plan import Plan
from sow.planners.base import PlanRequest
from sow.planners.mllm.answers import AnswerType
from sow.planners.mllm.asker import Asker
from sow.planners.mllm.fusion import token_counter
from sow.planners.mllm.planner import StagedPlanner, plan_many
from sow.planners.offline.planner import OfflinePlanner

CANVAS = 128
HELD_SIDE = 0.36
"""Where a person stands who holds something: a little to the left, the hand to the right."""


class Oracle(Asker):
    """A perfect model: it knows the person, leaves room for held things, and places bodies."""

    vendor = "oracle"

    def __init__(self, task: Task) -> None:
        super().__init__("perfect", None, "http://nowhere")
        self.task = task

    async def send(
        self, images: Sequence[bytes], prompt: str, schema: type[AnswerType]
    ) -> AnswerType:
        """Return the right answer."""
        return schema.model_validate(self._answers()[schema.__name__])

    def _answers(self) -> dict[str, Any]:
        pair = self.task.pair
        side = 54.0
        middle = CANVAS * (HELD_SIDE if pair.mentions.get("relation") == "holding" else 0.5)
        box = {"x": middle - side / 2, "y": 12.0, "width": side, "height": side}
        body = {"x": middle - 44, "y": 66.0, "width": 88.0, "height": 62.0}
        return {
            "Recognition": {
                "subject": "face",
                "features": features_of(pair.identity),
                "setting": pair.setting,
            },
            "Position": {"box": box},
            "Refinement": {"regions": [{"label": "body", "box": body}], "relations": []},
        }


def request_of(task: Task) -> PlanRequest:
    """Return the planner's request for a task."""
    face = task.pair.face
    # The whole square is the condition, in every row: who plans decides on place and words only.
    full_mask = Image.new("L", face.size, 255)
    return PlanRequest(
        face, task.pair.prompt, canvas=(CANVAS, CANVAS), subject="face", mask=full_mask
    )


def oracle_plans(work: Sequence[Task]) -> list[Plan]:
    """Return plans of the perfect model, made through the real stages."""
    count = token_counter(BUNDLED["figures"])

    async def one(task: Task) -> Plan:
        planner = StagedPlanner(Oracle(task), count=count, limit=32)
        (plan,) = await plan_many(planner, [request_of(task)])
        assert isinstance(plan, Plan)
        return plan

    return [asyncio.run(one(task)) for task in work]


def rows(work: Sequence[Task]) -> dict[str, list[Task]]:
    """Return the tasks of each row; all rows know the face and its outline."""
    rules = [OfflinePlanner().plan(request_of(task)) for task in work]
    oracle = oracle_plans(work)
    random = [Task(t.pair, anywhere(Random(f"anywhere {t.seed}")), t.seed) for t in work]
    return {
        "random position": random,
        "random position, PI": [
            Task(t.pair, t.box, t.seed, p.prompt) for t, p in zip(random, oracle, strict=True)
        ],
        "rules": [Task(t.pair, p.box, t.seed) for t, p in zip(work, rules, strict=True)],
        "AP": [Task(t.pair, p.box, t.seed) for t, p in zip(work, oracle, strict=True)],
        "AP, PI": [
            Task(t.pair, p.box, t.seed, p.prompt) for t, p in zip(work, oracle, strict=True)
        ],
    }


def study(output: StudyOutput, *, count: int) -> None:
    """Write `planning.md`, and `planning.png` with the first twelve pictures of every row."""
    output.check_output_path("planning.md", "planning.png")
    pipe, judge = figures(), Judge.load()
    outcomes, shown = [], []
    for name, work in rows(tasks(count)).items():
        how = pipe.preset("paper-normal").changed(**COW)
        images = generate(pipe, work, how, output.pictures)
        found = judged(name, judge, work, images)
        output.log(brief(found, MEASURES))
        outcomes += found
        shown += [[planted_canvas(task) for task in work[:12]], images[:12]]
    output.write_sheet("planning.png", [side_by_side(row) for row in shown])
    title = "What planning is worth"
    words = f"`{output.command}`; {count} pictures a row. {PAIRED}"
    output.write_page("planning.md", page(title, [words], [rows_of(title, outcomes, MEASURES)]))
