"""The paper's three stages (Sec. IV-A): recognition, position, refinement.

Recognition and position are asked at the same time, so a plan costs two round trips. Whatever a
model answers is checked, asked about once more if it is wrong, and clamped; where it is no use,
the rules of the offline planner stand in, and the plan says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

from sow.errors import PlannerError, SowError
from sow.plan import Plan
from sow.planners.asking import Asker
from sow.planners.base import PlanRequest
from sow.planners.fusion import LIMIT, TokenCounter, estimate
from sow.planners.offline import OfflinePlanner
from sow.planners.steps import Planning, Question
from sow.prompts import Prompts


@dataclass
class StagedPlanner:
    """Plans by asking a multimodal model.

    Attributes:
        asker: the model.
        calls: 3 for a call per stage (two of them at once), 1 for all in one.
        prompts: the texts of the questions.
        count: tokens of a prompt, as the checkpoint's own tokenizer counts.
        limit: tokens its text encoder reads.
        words: all words the checkpoint knows, if it lists them.
        seconds: for a whole plan, retries included.
    """

    asker: Asker
    calls: int = 3
    prompts: Prompts = field(default_factory=Prompts)
    count: TokenCounter = estimate
    limit: int = LIMIT
    words: Collection[str] = ()
    seconds: float = 90.0

    def plan(self, request: PlanRequest) -> Plan:
        """A legal plan.

        Raises:
            PlannerError: if the model cannot be asked, not in time, or says nothing of any use.
            SowError: for what the user asked for and cannot have.
        """
        made: Plan = run(lambda: self.plan_async(request))
        return made

    async def plan_async(self, request: PlanRequest) -> Plan:
        """The same, for use in a running event loop."""
        sketch = await asyncio.to_thread(OfflinePlanner().plan, request)
        try:
            async with asyncio.timeout(self.seconds):
                return await Planning(self, request, sketch).make()
        except TimeoutError:
            raise PlannerError(
                f"{self.asker.provider}: no plan within {self.seconds:g} seconds",
                "try again, --planner-timeout, or --planner offline",
            ) from None

    def questions(self, request: PlanRequest) -> tuple[bytes, list[Question]]:
        """The PNG and the questions that would be sent; the box of the third is the rules'."""
        planning = Planning(self, request, OfflinePlanner().plan(request))
        return planning.picture, planning.questions()


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


def run(start: Callable[[], Any]) -> Any:
    """Runs a coroutine to its end, also where an event loop is running already (a notebook)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(start())
    outcome: list[tuple[bool, Any]] = []

    def work() -> None:
        try:
            outcome.append((True, asyncio.run(start())))
        except BaseException as error:
            outcome.append((False, error))

    thread = Thread(target=work)
    thread.start()
    thread.join()
    succeeded, value = outcome[0]
    if not succeeded:
        raise value
    return value
