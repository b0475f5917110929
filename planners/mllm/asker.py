"""The base class of vendors' models, and the ways in which asking one can fail."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from sow.errors import PlannerError, SowError
from sow.planners.mllm.abilities import FORMS, Abilities, Form
from sow.planners.mllm.answers import AnswerType
from sow.planners.mllm.reading import nested_in, objects_in, split_reasoning
from sow.planners.mllm.server_words import MAX_WORDS, server_words
from sow.planners.mllm.transport import MIN_KEY_LENGTH, host_of, silenced_sdk_logs

REDACTED = "…"
MIN_CUT_LENGTH = 4
"""The characters of a key at the end of a line that count as its beginning."""
MAX_LEGAL = 8
"""The legal answers in one text that are looked at."""


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
        abilities: how strictly the server can be told the form of an answer.
    """

    vendor: str

    def __init__(self, model: str, key: str | None, base_url: str, retries: int = 3) -> None:
        self.model, self.host = model, host_of(base_url)
        self._key, self._base_url, self._retries = key, base_url, retries
        self.abilities = Abilities(base_url, model)
        self._key_pattern = None if key is None or len(key) < MIN_KEY_LENGTH else _spellings(key)

    async def ask(
        self, images: Sequence[bytes], prompt: str, schema: type[AnswerType]
    ) -> AnswerType:
        """Return the model's answer to a prompt about PNG pictures.

        If the server refuses to enforce a form it is asked again, less strictly: with a JSON
        schema, for any JSON object, in words only. Refusals are not charged for.

        Raises:
            BadAnswer: if the answer does not match the schema.
            Refused: if the model declined to answer.
            PlannerError: if the model cannot be asked: no network, no key, no such model.
        """
        said = ""
        for _ in FORMS:
            form = self.abilities.form
            try:
                with silenced_sdk_logs():
                    answer = await self.send(images, prompt, schema)
            except FormRefused as refused:
                if refused.lower is None:
                    raise refused.failure from None
                self.abilities.lower(refused.lower)  # another question may have lowered it further
                said = said or f"{self.host} refuses {form} ({refused.words or 'without a reason'})"
            except (SowError, BadAnswer, Refused):
                raise
            except Exception as error:  # an SDK may raise anything on a malformed response
                raise self.protocol_error(type(error).__name__) from None
            else:
                self.abilities.store()
                if said:
                    answer.remark(self.line(said, 200))
                return answer
        raise self.protocol_error("it refuses every form of answer")

    @abstractmethod
    async def send(
        self, images: Sequence[bytes], prompt: str, schema: type[AnswerType]
    ) -> AnswerType:
        """Ask through the SDK, in the form of `abilities.form`.

        `ask` turns unknown exceptions into a `PlannerError`.

        Raises:
            FormRefused: if the server does not take that form.
        """

    def redact(self, text: str) -> str:
        """Return a text without the API key, however it is spelled."""
        return self._key_pattern.sub(REDACTED, text) if self._key_pattern else text

    def failure(self, what: str, hint: str) -> PlannerError:
        """Return an error on one line, without anything that looks like an API key."""
        return PlannerError(f"{self.vendor}: {self.line(what)}", hint)

    def line(self, text: str, length: int = 300) -> str:
        """Return a printable line without anything that looks like an API key."""
        # Unprintable characters first: removing them could join two halves of a key.
        line = self._without_cut_key(
            self.redact("".join(c if c.isprintable() else " " for c in text))
        )
        return re.sub(r"(?i)\b(sk-|AIza)[\w\-*.]{4,}", REDACTED, line)[:length]

    def words_in(self, body: bytes | str) -> str:
        """Return what the body of an error says (see `server_words`), without the key."""
        return self.line(server_words(body), MAX_WORDS)

    def _without_cut_key(self, text: str) -> str:
        """Return a text without the beginning of the key, where it was cut off inside of it."""
        key = (self._key or "").lower() if self._key_pattern else ""
        for length in range(len(key) - 1, MIN_CUT_LENGTH - 1, -1):
            if text.lower().endswith(key[:length]):
                return text[:-length] + REDACTED
        return text

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

    def parse(self, text: str, schema: type[AnswerType], *, cut_off: bool = False) -> AnswerType:
        """Return the first legal answer in what a model wrote.

        Reasoning before the answer, fences, words and control tokens around it, unknown fields and
        small mistakes in the JSON do not matter. Answers end up in plans, caches and pictures, so
        the key is redacted from every string in them, however it is escaped.

        Args:
            text: what the model wrote.
            schema: the schema of the answer.
            cut_off: whether the text was cut off: then nothing is mended.

        Raises:
            BadAnswer: if there is no legal answer.
        """
        reasoning, said = split_reasoning(text)
        legal, problem = self._legal_answers(said, schema, mend=not cut_off)
        if not legal and "{" not in said and not cut_off:
            # The last one: a draft may come first.
            legal = self._legal_answers(reasoning, schema)[0][-1:]
            for answer in legal:
                answer.remark("the answer was read from the model's reasoning")
        if not legal:
            raise BadAnswer(self.redact(text), problem or "it has no JSON object")
        if any(other != legal[0] for other in legal[1:]):
            legal[0].remark(f"the model gave {len(legal)} answers, and the first was used")
        return legal[0]

    def _legal_answers(
        self, text: str, schema: type[AnswerType], mend: bool = True
    ) -> tuple[list[AnswerType], str]:
        """Return the legal answers in a text, and what is wrong with the first that is not."""
        legal: list[AnswerType] = []
        problem = ""
        for value in objects_in(text, mend):
            if len(legal) == MAX_LEGAL:
                break
            try:
                legal.append(self._validated(value, schema))
            except ValueError as error:
                problem = problem or _problems(error)
            except RecursionError:
                problem = problem or "it is nested too deeply"
        return legal, problem

    def _validated(self, value: dict[str, Any], schema: type[AnswerType]) -> AnswerType:
        """Return an object as an answer, or the only object inside it that is one.

        Raises:
            ValueError: if it is none; pydantic's errors are ValueErrors.
        """
        try:
            return schema.model_validate(self._redacted(value))
        except ValidationError as error:
            inner = list(self._inner(value, schema))
            if len(inner) > 1:
                raise ValueError("it has several answers: give one") from None
            if not inner:
                raise error from None
            return inner[0]

    def _inner(self, value: dict[str, Any], schema: type[AnswerType]) -> Iterator[AnswerType]:
        found: list[AnswerType] = []
        for one in nested_in(value):
            with suppress(ValueError):
                answer = schema.model_validate(self._redacted(one))
                if answer not in found:
                    found.append(answer)
        return iter(found)

    def _redacted(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, list):
            return [self._redacted(item) for item in value]
        if isinstance(value, dict):
            return {self.redact(str(name)): self._redacted(item) for name, item in value.items()}
        return value


def _spellings(key: str) -> re.Pattern[str]:
    """Return a pattern for a key in any case (host names have none), escaped as in JSON or an
    address, and with spaces or line breaks inside."""
    letters = (rf"(?:{re.escape(c)}|\\+u{ord(c):04x}|%{ord(c):02x})" for c in key)
    return re.compile(r"\s*".join(letters), re.IGNORECASE)


def _problems(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    return "; ".join(
        f"{'.'.join(map(str, e['loc'])) or 'the answer'}: {e['msg']}"
        for e in error.errors(include_url=False, include_input=False)[:4]
    )


class FormRefused(Exception):
    """The server does not enforce the form of answer that it was asked for.

    Attributes:
        lower: the form to try next; None if there is none.
        words: what the server said.
        failure: the error if it refuses everything.
    """

    def __init__(self, lower: Form | None, words: str, failure: Exception) -> None:
        super().__init__(words)
        self.lower, self.words, self.failure = lower, words, failure


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
