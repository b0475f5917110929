"""What planning is worth: a perfect multimodal model against rules and against chance.

    python -m sow.benchmarks.figures.studies.planning

The rows "adaptive position" (AP) and "prompt intensification" (PI) of the paper's Table II, on
the drawn world, where a model that sees perfectly can be written down: it knows the identity.
Its answers go through the same stages, checks and clamping as a real model's.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from PIL import Image

from sow.benchmarks.figures.judge.reading import Judge
from sow.benchmarks.figures.studies.study import (
    COW,
    Cell,
    Task,
    grow,
    judge_cell,
    planted_canvas,
    sheet,
    tasks,
)
from sow.benchmarks.figures.world.people import Identity
from sow.benchmarks.figures.world.tv2i import anywhere
from sow.models import BUNDLED, load_pipeline
from sow.pipeline import SowPipeline
from sow.plan import Plan
from sow.planners.base import PlanRequest
from sow.planners.mllm.answers import AnswerType
from sow.planners.mllm.fusion import counter
from sow.planners.mllm.planner import StagedPlanner, plan_many
from sow.planners.offline.planner import OfflinePlanner

CANVAS = 128
HELD_SIDE = 0.36
"""Where a person stands who holds something: a little to the left, the hand to the right."""


def features_of(identity: Identity) -> list[str]:
    """What can be seen of an identity, the most telling first, in the world's own words."""
    hair = f"{identity.hair_style} {identity.hair} hair"
    if identity.hair_style == "bun":
        hair = f"{identity.hair} hair"
    seen = ["bald"] if identity.hair_style == "bald" else [hair]
    seen += ["glasses"] * identity.glasses + ["a beard"] * identity.beard
    return seen + [identity.age] * (identity.age != "adult")


@dataclass
class Oracle:
    """The perfect model: sees who it is, leaves room for what is held, knows where bodies are."""

    task: Task
    vendor: str = "oracle"
    model: str = "perfect"
    host: str = "nowhere"

    async def ask(
        self, images: Sequence[bytes], prompt: str, schema: type[AnswerType]
    ) -> AnswerType:
        """See :class:`sow.planners.mllm.asking.Asker`."""
        return schema.model_validate(self._answers()[schema.__name__])

    def _answers(self) -> dict[str, Any]:
        pair = self.task.pair
        side = 54.0
        middle = CANVAS * (HELD_SIDE if pair.said.get("relation") == "holding" else 0.5)
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
    """What a planner is asked for a task."""
    face = task.pair.face
    # The whole square is the condition, in every row: who plans decides on place and words only.
    whole = Image.new("L", face.size, 255)
    return PlanRequest(face, task.pair.prompt, canvas=(CANVAS, CANVAS), subject="face", mask=whole)


def oracle_plans(work: Sequence[Task]) -> list[Plan]:
    """Plans by the perfect model through the real stages."""
    count = counter(BUNDLED["figures"])

    async def one(task: Task) -> Plan:
        planner = StagedPlanner(Oracle(task), count=count, limit=32)
        (plan,) = await plan_many(planner, [request_of(task)])
        assert isinstance(plan, Plan)
        return plan

    return [asyncio.run(one(task)) for task in work]


def rows(work: Sequence[Task]) -> dict[str, list[Task]]:
    """The tasks of each row of the table; who the face is and its outline are given to all."""
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


def study(
    pipe: SowPipeline, judge: Judge, count: int, say: Callable[[str], None]
) -> tuple[list[str], Image.Image]:
    """The table's lines and the sheet: the first twelve pictures of every row."""
    lines, shown = [Cell.HEADER], []
    for name, work in rows(tasks(count)).items():
        images = grow(pipe, work, pipe.preset("paper-normal").changed(**COW))
        lines.append(judge_cell(name, judge, work, images).row())
        say(lines[-1])
        shown += [[planted_canvas(task) for task in work[:12]], images[:12]]
    return lines, sheet(shown)


def main() -> None:
    """Writes `planning.md` and `planning.png`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--count", type=int, default=200)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    pipe = load_pipeline("figures", device="cpu", dtype="float32")
    pipe.set_progress_bar_config(disable=True)
    lines, page = study(pipe, Judge.load(), options.count, print)
    page.save(options.out / "planning.png", optimize=True)
    text = [
        "# What planning is worth", "",
        f"`python -m sow.benchmarks.figures.studies.planning`; {options.count} pictures a row, the "
        "same pairs and seeds in every row, 95 % intervals.", "", *lines,
    ]  # fmt: skip
    (options.out / "planning.md").write_text("\n".join(text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
