"""Truncated outlines as judged by a multimodal model, with one question about every result.

Pictures are sent to the vendor that the user names. Keys, addresses and models are those of
planning (`sow.planners.mllm.vendors.registry`); an answer is kept, and not asked or paid for twice.
An invalid answer is a missing score with its reason.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from weakref import WeakKeyDictionary

from PIL import Image

from sow.benchmarks.tv2i.metrics.base import HEAD, Case, Metric, Missing
from sow.errors import SowError, UsageError
from sow.planners.mllm.answers import Answer
from sow.planners.mllm.asker import Asker, BadAnswer, Refused
from sow.planners.mllm.cache import AnswerCache, question_key
from sow.planners.mllm.dialogue import LONGEST_SIDE
from sow.planners.mllm.transport import run
from sow.planners.mllm.vendors.registry import VENDORS, make_asker
from sow.prompts import Prompts
from sow.utils.files import cache_folder

AT_A_TIME, SECONDS = 8, 90.0
"""Questions that wait for an answer, and how long for one, retries included."""
MOST_FAILURES = 8
"""After so many in a row that could not be asked, no more are."""
PROMPT = "outline"


class OutlineAnswer(Answer):
    """The answer, in JSON."""

    truncated: Literal["yes", "no"]


class OutlineJudge(Metric):
    """Failure rate (Sec. V-B) by a multimodal model that is asked whether the outline is truncated,
    lost or doubled; the question is `prompts/outline.md`.

    folder: where answers are cached; by default the user's cache.
    """

    name, label, better, unit, rate = "truncated_mllm", "Truncated, by a model", "lower", "%", True
    group = HEAD

    def __init__(self, asker: Asker, folder: Path | None = None) -> None:
        self.asker, self._cache = asker, AnswerCache(folder or cache_folder() / "outlines")
        self.prompt, version = Prompts().text(PROMPT), Prompts().version(PROMPT)
        self.note = (
            f"{asker.vendor} {asker.model} says that the outline is truncated, lost or doubled "
            f"(question {PROMPT} {version})"
        )
        self._answers: WeakKeyDictionary[Case, OutlineAnswer | str] = WeakKeyDictionary()
        self._failures: list[str] = []

    def prepare(self, cases: Sequence[Case]) -> None:
        """Ask about all cases, several at a time."""
        new = [case for case in cases if case not in self._answers and case.result is not None]
        if new:
            run(lambda: self._ask_all(new))

    def value(self, case: Case) -> float:
        """Return 1 or 0."""
        if case.picture and case not in self._answers:  # without a picture it is missing
            self.prepare([case])
        answer = self._answers[case]
        if isinstance(answer, str):
            raise Missing(answer)
        return float(answer.truncated == "yes")

    async def _ask_all(self, cases: Sequence[Case]) -> None:
        gate = asyncio.Semaphore(AT_A_TIME)

        async def one(case: Case) -> None:
            async with gate:
                self._answers[case] = await self._answer(encoded(case.picture))

        await asyncio.gather(*map(one, cases))

    async def _answer(self, png: bytes) -> OutlineAnswer | str:
        """Return the answer, or the reason why there is none."""
        key = question_key(self.asker, [png], self.prompt, OutlineAnswer)
        cached = self._cache.load(self.asker, key, OutlineAnswer)
        if cached is not None:
            return cached
        if len(self._failures) >= MOST_FAILURES:
            return f"not asked any more: {self._failures[0]}"
        try:
            async with asyncio.timeout(SECONDS):
                answer = await self.asker.ask([png], self.prompt, OutlineAnswer)
        except BadAnswer as error:
            return f"no legal answer: {error.problem}"[:300]
        except Refused as error:
            return f"refused: {error}"[:300]
        except (SowError, TimeoutError) as error:
            why = error.what if isinstance(error, SowError) else f"no answer in {SECONDS:g} seconds"
            self._failures.append(why)
            return why
        self._failures.clear()
        self._cache.store(key, answer)
        return answer


def outline_judge(vendor: str) -> OutlineJudge:
    """Return a vendor's model as a judge, with the keys and addresses of planning.

    Raises:
        UsageError: if there is no such vendor.
        PlannerError: if its SDK is not installed, or there is no key for it.
    """
    if vendor not in VENDORS:
        raise UsageError(f"unknown outline judge {vendor!r}", f"choose {' or '.join(VENDORS)}")
    return OutlineJudge(make_asker(vendor))


def encoded(picture: Image.Image) -> bytes:
    """Return a small PNG that contains only pixels."""
    clean = Image.new("RGB", picture.size)
    clean.paste(picture.convert("RGB"))
    clean.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    clean.save(buffer, "PNG")
    return buffer.getvalue()
