"""The small protocol between the stages and a vendor, and the ways in which asking can fail."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

from pydantic import ValidationError

from sow.errors import PlannerError, SowError
from sow.planners.mllm.answers import AnswerType
from sow.planners.mllm.transport import host_of, silenced_sdk_logs

SHORTEST_KEY = 8
"""Letters: what is shorter is the placeholder of a server that needs no key."""
STRUCK = "…"


class Asker(Protocol):
    """A multimodal model somewhere.

    Attributes:
        vendor: the vendor's name here: openai, gemini.
        model: the model's name there.
        host: where questions are sent.
    """

    vendor: str
    model: str
    host: str

    async def ask(
        self, images: Sequence[bytes], prompt: str, schema: type[AnswerType]
    ) -> AnswerType:
        """The model's answer to a prompt about PNG pictures.

        Raises:
            BadAnswer: it answered, but not as the schema says.
            Refused: it would not answer.
            PlannerError: it could not be asked: no network, no key, no such model.
        """


class Remote(ABC):
    """What every vendor's class knows: the model, where it is, and the key, which it keeps.

    retries: attempts after the first, made by the SDK.
    """

    vendor: str

    def __init__(self, model: str, key: str | None, base_url: str, retries: int = 3) -> None:
        self.model, self.host = model, host_of(base_url)
        self._key, self._base_url, self._retries = key, base_url, retries
        self._traces = None if key is None or len(key) < SHORTEST_KEY else _spellings(key)

    async def ask(
        self, images: Sequence[bytes], prompt: str, schema: type[AnswerType]
    ) -> AnswerType:
        """See `Asker`."""
        try:
            with silenced_sdk_logs():
                return await self.asked(images, prompt, schema)
        except (SowError, BadAnswer, Refused):
            raise
        except Exception as error:  # whatever an SDK makes of what is no answer
            raise self.strange(type(error).__name__) from None

    @abstractmethod
    async def asked(
        self, images: Sequence[bytes], prompt: str, schema: type[AnswerType]
    ) -> AnswerType:
        """The same through an SDK; what it raises need not be known here."""

    def strike(self, text: str) -> str:
        """The text without the key, wherever and however a vendor may have repeated it."""
        return self._traces.sub(STRUCK, text) if self._traces else text

    def failure(self, what: str, mend: str) -> PlannerError:
        """A failure in one line, with nothing in it that looks like a key."""
        # What cannot be printed goes first: without it, two halves of a key would be one.
        line = self.strike("".join(c if c.isprintable() else " " for c in what))
        line = re.sub(r"(?i)\b(sk-|AIza)[\w\-*.]{4,}", STRUCK, line)
        return PlannerError(f"{self.vendor}: {line[:300]}", mend)

    def strange(self, why: str = "") -> PlannerError:
        """A server that speaks another language."""
        detail = f" ({why})" if why else ""
        return self.failure(
            f"{self.host} does not speak the {self.vendor} API{detail}", "check base_url="
        )

    def redirected(self, location: str | None) -> PlannerError:
        """A server that sends on to another address. Nothing is sent there."""
        where = host_of(location or "") or "another address"
        return self.failure(
            f"{self.host} redirects to {where[:100]}, which is not followed",
            "if you trust that address, set it as base_url=",
        )

    def refused(self, why: str) -> Refused:
        """A refusal in the vendor's words."""
        return Refused(self.strike(why))

    def read(self, text: str, schema: type[AnswerType]) -> AnswerType:
        """JSON text as an answer, with or without a Markdown fence around it.

        What an answer says ends up in plans, caches and pictures, so the key is struck out of every
        text and name in it, however it is spelt in JSON.

        Raises:
            BadAnswer: if it is no JSON or not what the schema says.
        """
        inner = text.strip().removeprefix("```json").removeprefix("```").removesuffix("```")
        try:
            return schema.model_validate(self._struck(json.loads(inner)))
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, e['loc'])) or 'the answer'}: {e['msg']}"
                for e in error.errors(include_url=False, include_input=False)[:4]
            )
            raise BadAnswer(self.strike(text), problems) from None
        except ValueError as error:
            raise BadAnswer(self.strike(text), f"it is not valid JSON: {error}") from None
        except RecursionError:
            raise BadAnswer(self.strike(text), "it is nested too deeply") from None

    def _struck(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.strike(value)
        if isinstance(value, list):
            return [self._struck(item) for item in value]
        if isinstance(value, dict):
            return {self.strike(name): self._struck(item) for name, item in value.items()}
        return value


def _spellings(key: str) -> re.Pattern[str]:
    """A key as it is, in other cases of letters (a host's name has none), or escaped as in JSON."""
    letters = (rf"(?:{re.escape(c)}|\\+u{ord(c):04x})" for c in key)
    return re.compile("".join(letters), re.IGNORECASE)


class BadAnswer(Exception):
    """An answer that is no legal one: what it was, and what is wrong with it."""

    def __init__(self, text: str, problem: str) -> None:
        super().__init__(problem)
        self.text, self.problem = text, problem


class Refused(Exception):
    """The model declined: a safety filter, an empty answer. Asking again would not help."""
