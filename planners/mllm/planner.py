"""The paper's three stages (Sec. IV-A): recognition, position, refinement.

Recognition and position are asked at the same time, so a plan costs two round trips. Whatever a
model answers is checked, asked about once more if it is wrong, and clamped; where it is no use,
the rules of the offline planner stand in, and the plan says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from sow.errors import PlannerError, SowError
from sow.plan import Plan
from sow.planners.base import PlanRequest
from sow.planners.mllm.dialogue import Dialogue, DialogueConfig, Question
from sow.planners.mllm.transport import run
from sow.planners.offline.planner import OfflinePlanner

RULES_VERSION = 3
"""Of what is done with answers: clamping, fusing, filling in by rules. Raise it whenever the same
answers lead to another plan, so that plans kept from before are not taken for today's."""


@dataclass(frozen=True)
class Answered:
    """A plan, and whether the model answered for all of it; if not, the rules filled in."""

    plan: Plan
    complete: bool


@dataclass
class StagedPlanner(DialogueConfig):
    """Plans by asking a multimodal model; for what else it has, see `DialogueConfig`.

    Attributes:
        seconds: for a whole plan, retries included.
    """

    seconds: float = 90.0

    def plan(self, request: PlanRequest) -> Plan:
        """A legal plan.

        Raises:
            PlannerError: if the model cannot be asked, not in time, or says nothing of any use.
            SowError: for what the user asked for and cannot have.
        """
        return self.answered(request).plan

    async def plan_async(self, request: PlanRequest) -> Plan:
        """The same, for use in a running event loop."""
        return (await self._answered(request)).plan

    def answered(self, request: PlanRequest) -> Answered:
        """The same, with whether every stage was answered."""
        made: Answered = run(lambda: self._answered(request))
        return made

    async def _answered(self, request: PlanRequest) -> Answered:
        sketch = await asyncio.to_thread(OfflinePlanner().plan, request)
        try:
            async with asyncio.timeout(self.seconds):
                dialogue = Dialogue(self, request, sketch)
                return Answered(await dialogue.make(), dialogue.complete)
        except TimeoutError:
            raise PlannerError(
                f"{self.asker.vendor}: no plan within {self.seconds:g} seconds",
                "try again, raise planner_timeout=, or use planner=offline",
            ) from None

    def questions(self, request: PlanRequest) -> tuple[bytes, list[Question]]:
        """The PNG and the questions that would be sent; the box of the third is the rules'."""
        dialogue = Dialogue(self, request, OfflinePlanner().plan(request))
        return dialogue.picture, dialogue.questions()


async def plan_many(
    planner: StagedPlanner, requests: Sequence[PlanRequest], limit: int = 8
) -> list[Plan | SowError]:
    """Plans for many requests, at most `limit` at a time; a failure takes its plan's place."""
    gate = asyncio.Semaphore(limit)

    async def one(request: PlanRequest) -> Plan | SowError:
        async with gate:
            try:
                return await planner.plan_async(request)
            except SowError as error:
                return error

    return list(await asyncio.gather(*map(one, requests)))
