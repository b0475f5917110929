"""The paper's three stages (Sec. IV-A): recognition, position, refinement.

Recognition and position are asked at the same time, so a plan takes two round trips. Every answer
is validated, asked for once more if it is not legal, and clamped. If it is still not usable, the
rules of the offline planner are used instead, and a note says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from sow.errors import PlannerError, SowError
from sow.plan.plan import Plan
from sow.planners.base import PlanRequest
from sow.planners.mllm.dialogue import Dialogue, DialogueConfig, Question
from sow.planners.mllm.transport import run
from sow.planners.offline.planner import OfflinePlanner


@dataclass(frozen=True)
class PlanResult:
    """A plan and how it was made.

    Attributes:
        plan: the plan.
        from_cache: whether all answers came from the cache.
    """

    plan: Plan
    from_cache: bool


@dataclass
class StagedPlanner(DialogueConfig):
    """Plans by asking a multimodal model; see `DialogueConfig` for further attributes.

    Attributes:
        seconds: the limit for a whole plan, including retries.
    """

    seconds: float = 90.0

    def plan(self, request: PlanRequest) -> Plan:
        """Return a legal plan.

        Raises:
            PlannerError: if the model cannot be asked in time, or no answer is usable.
            SowError: if the request cannot be satisfied.
        """
        return self.plan_result(request).plan

    async def plan_async(self, request: PlanRequest) -> Plan:
        """Return a legal plan; like `plan`, for use in an event loop."""
        return (await self._plan_result(request)).plan

    def plan_result(self, request: PlanRequest) -> PlanResult:
        """Return a legal plan and whether it came from the cache; raises like `plan`."""
        result: PlanResult = run(lambda: self._plan_result(request))
        return result

    async def _plan_result(self, request: PlanRequest) -> PlanResult:
        sketch = await asyncio.to_thread(OfflinePlanner().plan, request)
        try:
            async with asyncio.timeout(self.seconds):
                dialogue = Dialogue(self, request, sketch)
                return PlanResult(await dialogue.run(), dialogue.from_cache)
        except TimeoutError:
            raise PlannerError(
                f"{self.asker.vendor}: no plan within {self.seconds:g} seconds",
                "try again, raise planner_timeout=, or use planner=offline",
            ) from None

    def questions(self, request: PlanRequest) -> tuple[bytes, list[Question]]:
        """Return the PNG and the questions that would be sent; nothing is sent.

        The third question depends on earlier answers, so it has the box of the rules.
        """
        dialogue = Dialogue(self, request, OfflinePlanner().plan(request))
        return dialogue.picture, dialogue.questions()


async def plan_many(
    planner: StagedPlanner, requests: Sequence[PlanRequest], limit: int = 8
) -> list[Plan | SowError]:
    """Return a plan or an error for every request; at most `limit` are made at a time."""
    gate = asyncio.Semaphore(limit)

    async def one(request: PlanRequest) -> Plan | SowError:
        async with gate:
            try:
                return await planner.plan_async(request)
            except SowError as error:
                return error

    return list(await asyncio.gather(*map(one, requests)))
