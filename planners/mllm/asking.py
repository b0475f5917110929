"""The small protocol between the stages and a vendor, and the ways in which asking can fail."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol
from urllib.parse import urlsplit

from pydantic import ValidationError

from sow.errors import PlannerError
from sow.planners.mllm.answers import AnswerType


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
        ...


class Remote:
    """What every vendor's class knows: the model, where it is, and the key, which it keeps.

    base_url: None is the vendor's own address. retries: attempts after the first, made by the SDK.
    """

    vendor: str
    home: str

    def __init__(
        self, model: str, key: str | None, base_url: str | None = None, retries: int = 3
    ) -> None:
        self.model = model
        self.host = host_of(base_url or self.home)
        self._key, self._base_url, self._retries = key, base_url, retries


class BadAnswer(Exception):
    """An answer that is no legal one: what it was, and what is wrong with it."""

    def __init__(self, text: str, problem: str) -> None:
        super().__init__(problem)
        self.text, self.problem = text, problem


class Refused(Exception):
    """The model declined: a safety filter, an empty answer. Asking again would not help."""


def read_answer(text: str, schema: type[AnswerType]) -> AnswerType:
    """JSON text as an answer, with or without a Markdown fence around it.

    Raises:
        BadAnswer: if it is no JSON or not what the schema says.
    """
    inner = re.sub(r"^\s*```(?:json)?\s*|\s*```\s*$", "", text)
    try:
        return schema.model_validate_json(inner)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'the answer'}: {e['msg']}"
            for e in error.errors(include_url=False, include_input=False)[:4]
        )
        raise BadAnswer(text, problems) from None
    except RecursionError:
        raise BadAnswer(text, "it is nested too deeply") from None


def host_of(url: str) -> str:
    """Where a URL leads: host and port, never the name and password that may stand before them."""
    return urlsplit(url).netloc.rpartition("@")[2]


def failure(vendor: str, what: str, mend: str, key: str | None = None) -> PlannerError:
    """A failure in one line, the key struck out wherever a vendor may have repeated it."""
    if key:
        what = what.replace(key, "…")
    what = re.sub(r"(?i)\b(sk-|AIza)[\w\-*.]{4,}", "…", what)
    printable = "".join(c if c.isprintable() else " " for c in what)
    return PlannerError(f"{vendor}: {printable[:300]}", mend)
