"""The base class of vendors' models, and the ways in which asking one can fail."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from sow.errors import PlannerError, SowError
from sow.planners.mllm.answers import AnswerType
from sow.planners.mllm.transport import MIN_KEY_LENGTH, host_of, silenced_sdk_logs

REDACTED = "…"


class Asker(ABC):
    """A multimodal model that answers questions about pictures.

    Subclasses set `vendor` and implement `send`.

    Args:
        model: the model's name.
        key: the API key; it is redacted from everything that leaves this class.
        base_url: the address of the server.
        retries: attempts after the first, made by the SDK.

    Attributes:
        vendor: the vendor's name: openai, gemini.
        model: the model's name.
        host: the host that questions are sent to.
    """

    vendor: str

    def __init__(self, model: str, key: str | None, base_url: str, retries: int = 3) -> None:
        self.model, self.host = model, host_of(base_url)
        self._key, self._base_url, self._retries = key, base_url, retries
        self._key_pattern = None if key is None or len(key) < MIN_KEY_LENGTH else _spellings(key)

    async def ask(
        self, images: Sequence[bytes], prompt: str, schema: type[AnswerType]
    ) -> AnswerType:
        """Return the model's answer to a prompt about PNG pictures.

        Raises:
            BadAnswer: if the answer does not match the schema.
            Refused: if the model declined to answer.
            PlannerError: if the model cannot be asked: no network, no key, no such model.
        """
        try:
            with silenced_sdk_logs():
                return await self.send(images, prompt, schema)
        except (SowError, BadAnswer, Refused):
            raise
        except Exception as error:  # an SDK may raise anything on a malformed response
            raise self.protocol_error(type(error).__name__) from None

    @abstractmethod
    async def send(
        self, images: Sequence[bytes], prompt: str, schema: type[AnswerType]
    ) -> AnswerType:
        """Ask through the SDK; `ask` turns unknown exceptions into a `PlannerError`."""

    def redact(self, text: str) -> str:
        """Return a text without the API key, however it is spelled."""
        return self._key_pattern.sub(REDACTED, text) if self._key_pattern else text

    def failure(self, what: str, hint: str) -> PlannerError:
        """Return an error on one line, without anything that looks like an API key."""
        # Unprintable characters first: removing them could join two halves of a key.
        line = self.redact("".join(c if c.isprintable() else " " for c in what))
        line = re.sub(r"(?i)\b(sk-|AIza)[\w\-*.]{4,}", REDACTED, line)
        return PlannerError(f"{self.vendor}: {line[:300]}", hint)

    def protocol_error(self, why: str = "") -> PlannerError:
        """Return the error for a server that does not speak the vendor's API."""
        detail = f" ({why})" if why else ""
        return self.failure(
            f"{self.host} does not speak the {self.vendor} API{detail}", "check base_url="
        )

    def redirect_error(self, location: str | None) -> PlannerError:
        """Return the error for a redirect; nothing is sent to the other address."""
        address = host_of(location or "") or "another address"
        return self.failure(
            f"{self.host} redirects to {address[:100]}, which is not followed",
            "if you trust that address, set it as base_url=",
        )

    def refusal(self, why: str) -> Refused:
        """Return a refusal in the vendor's words."""
        return Refused(self.redact(why))

    def parse(self, text: str, schema: type[AnswerType]) -> AnswerType:
        """Return an answer from JSON text, with or without a Markdown fence around it.

        Answers end up in plans, caches and pictures, so the key is redacted from every string in
        them, however it is escaped.

        Raises:
            BadAnswer: if the text is not JSON, or does not match the schema.
        """
        inner = text.strip().removeprefix("```json").removeprefix("```").removesuffix("```")
        try:
            return schema.model_validate(self._redacted(json.loads(inner)))
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, e['loc'])) or 'the answer'}: {e['msg']}"
                for e in error.errors(include_url=False, include_input=False)[:4]
            )
            raise BadAnswer(self.redact(text), problems) from None
        except ValueError as error:
            raise BadAnswer(self.redact(text), f"it is not valid JSON: {error}") from None
        except RecursionError:
            raise BadAnswer(self.redact(text), "it is nested too deeply") from None

    def _redacted(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, list):
            return [self._redacted(item) for item in value]
        if isinstance(value, dict):
            return {self.redact(name): self._redacted(item) for name, item in value.items()}
        return value


def _spellings(key: str) -> re.Pattern[str]:
    """Return a pattern for a key in any case (host names have none), and escaped as in JSON."""
    letters = (rf"(?:{re.escape(c)}|\\+u{ord(c):04x})" for c in key)
    return re.compile("".join(letters), re.IGNORECASE)


class BadAnswer(Exception):
    """An answer that does not match its schema.

    Attributes:
        text: the answer.
        problem: what is wrong with it.
    """

    def __init__(self, text: str, problem: str) -> None:
        super().__init__(problem)
        self.text, self.problem = text, problem


class Refused(Exception):
    """The model declined: a safety filter, an empty answer. Asking again would not help."""
