"""OpenAI, and servers with the same API: Ollama, LM Studio, vLLM, llama.cpp, SGLang, OpenRouter."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from sow.errors import SowError
from sow.planners.mllm.abilities import FORMS, Form
from sow.planners.mllm.answers import Answer, AnswerType
from sow.planners.mllm.asker import Asker, BadAnswer, FormRefused
from sow.planners.mllm.server_words import (
    ABOUT_FORM,
    ABOUT_LENGTH,
    ABOUT_PICTURES,
    server_words,
)
from sow.planners.mllm.transport import BASIC_HEADERS, REDIRECT_HEADER, http_client

HOST = "api.openai.com"
REFUSALS = (400, 405, 415, 422, 500, 501)
"""The HTTP statuses with which servers refuse a form of answer."""
UNCLEAR = (400, 422, 501)
"""Those of them that can mean so without saying so."""
REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking", "thought")
"""Where servers put what a model wrote before its answer, and by mistake the answer."""
MAX_MODELS = 6
"""How many of a server's models an error names."""


class OpenAIAsker(Asker):
    """Chat completions with structured outputs, through the `openai` package."""

    vendor = "openai"

    async def send(
        self, images: Sequence[bytes], prompt: str, schema: type[AnswerType]
    ) -> AnswerType:
        """Ask through the SDK (see `Asker.send`)."""
        import openai

        form = self.abilities.form
        parts: list[Any] = [{"type": "text", "text": prompt}]
        parts += [{"type": "image_url", "image_url": {"url": _data_url(png)}} for png in images]
        messages: Any = [{"role": "user", "content": parts}]
        more: dict[str, Any] = (
            {} if form == "plain" else {"response_format": self._response_format(form, schema)}
        )
        try:
            async with self._client() as client:
                try:
                    answer = await client.chat.completions.create(
                        model=self.model, messages=messages, **more
                    )
                except openai.NotFoundError as error:
                    models = await _models(client) if self.host != HOST else []
                    raise self._not_found(error, models, form) from None
        except openai.OpenAIError as error:
            raise self._failure(error, form) from None
        return self._read(answer, schema, form)

    def _client(self) -> Any:
        import openai

        # Account ids and headers from the environment are for the vendor only.
        private = self.host != HOST
        http = (
            http_client(self.vendor, BASIC_HEADERS, hopeless=self._hopeless)
            if private
            else http_client(self.vendor)
        )
        return openai.AsyncOpenAI(
            api_key=self._key or "none",  # the client insists on a key, a private server needs none
            base_url=self._base_url,
            max_retries=self._retries,
            http_client=http,
        )

    def _response_format(self, form: Form, schema: type[Answer]) -> dict[str, Any]:
        whole = schema.model_json_schema()
        if form == "json_schema":
            inner = {"name": schema.__name__, "strict": True, "schema": whole}
            return {"type": "json_schema", "json_schema": inner}
        # An older way to give a schema, which llama.cpp and routers know; the vendor refuses it.
        return {"type": form} if self.host == HOST else {"type": form, "schema": whole}

    def _read(self, answer: Any, schema: type[AnswerType], form: Form) -> AnswerType:
        choices = getattr(answer, "choices", None)
        first = choices[0] if isinstance(choices, list) and choices else None
        # Some servers and routers report errors with status 200.
        error = getattr(answer, "error", None) or getattr(first, "error", None)
        if error:
            words = self.words_in(json.dumps(error, default=str))
            raise self._refusal_of_form(form, words, 200) or self._spoken(words)
        if not isinstance(choices, list):
            raise self.protocol_error()
        message = getattr(first, "message", None)
        refusal = getattr(message, "refusal", None)
        reason = getattr(first, "finish_reason", None)
        if refusal or reason == "content_filter":
            raise self.refusal(str(refusal or "the content filter stopped it"))
        text = _text(getattr(message, "content", None))
        reasoning = next(
            (said for name in REASONING_FIELDS if (said := _text(getattr(message, name, None)))), ""
        )
        if reason == "length":
            return self._read_cut_off(text, reasoning, schema)
        if "{" not in text and "{" in reasoning:
            return self._read_reasoning(text, reasoning, schema)
        if not text.strip():
            if self.host != HOST:  # some servers cannot both enforce a form and let a model think
                self.abilities.lower("plain")
            raise BadAnswer("", "the answer is empty")
        return self.parse(text, schema)

    def _read_reasoning(self, text: str, reasoning: str, schema: type[AnswerType]) -> AnswerType:
        """Read the answer where it should not be; what is wrong is said of the answer itself."""
        try:
            return self.parse(f"{reasoning}</think>", schema)
        except BadAnswer as bad:
            problem = bad.problem if text.strip() else f"the answer is empty ({bad.problem})"
            raise BadAnswer(self.redact(text), problem) from None

    def _read_cut_off(self, text: str, reasoning: str, schema: type[AnswerType]) -> AnswerType:
        """Read an answer that is complete, although the model went on until it was cut off."""
        try:
            return self.parse(text, schema, cut_off=True)
        except BadAnswer as bad:
            if not text.strip() and reasoning:
                why = "it was cut off while reasoning: reason less"
            else:
                why = "it was cut off: answer more briefly"
            raise BadAnswer(bad.text, why) from None

    def _failure(self, error: Exception, form: Form) -> Exception:
        import openai

        if isinstance(error.__cause__, SowError):  # raised by `transport`
            return error.__cause__
        if not isinstance(error, openai.APIStatusError):
            if isinstance(error, openai.APIConnectionError):
                hint = "check base_url= and the network"
                return self.failure(f"{self.host} cannot be reached", hint)
            return self.failure(str(error), "try again, or use planner=offline")
        if error.response.is_redirect:
            return self.redirect_error(error.response.headers.get(REDIRECT_HEADER))
        words, status = self._words_of(error), error.status_code
        said = f": {words}" if words else ""
        if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
            return self.failure(f"the API key was rejected{said}", f"check {self._key_name()}")
        if isinstance(error, openai.RateLimitError):
            return self.failure(f"too many requests, or no credit left{said}", "try again later")
        if status in REFUSALS and (refused := self._refusal_of_form(form, words, status)):
            return refused
        return self._spoken(words, status)

    def _words_of(self, error: Any) -> str:
        """Return what the body of an error response says."""
        with suppress(Exception):  # the body may not have been read
            return self.words_in(error.response.content)
        return ""

    def _key_name(self) -> str:
        return "OPENAI_API_KEY" if self.host == HOST else "SOW_PLANNER_KEY"

    def _refusal_of_form(self, form: Form, words: str, status: int) -> FormRefused | None:
        """Return that a form was refused, if a server says so or can mean nothing else."""
        if form == "plain" or self._about(ABOUT_PICTURES, words) or ABOUT_LENGTH.search(words):
            return None
        if self.host == HOST and status != 400:
            return None
        failure = self._spoken(words, status)
        if self._about(ABOUT_FORM, words):
            return FormRefused(FORMS[FORMS.index(form) + 1], words, failure)
        if status in UNCLEAR and self.host != HOST:
            return FormRefused("plain", words, failure)
        return None

    def _about(self, pattern: re.Pattern[str], words: str) -> bool:
        """Return whether words are about something; the name of a model says nothing of it."""
        return bool(pattern.search(words.replace(self.model, "")))

    def _hopeless(self, body: bytes) -> bool:
        """Return whether an error is a refusal, which the SDK need not try again."""
        words = server_words(body)
        return self._about(ABOUT_FORM, words) or self._about(ABOUT_PICTURES, words)

    def _spoken(self, words: str, status: int = 200) -> Exception:
        """Return an error in the server's own words."""
        code = "" if status == 200 else f"{status} "
        what = f"{self.host} says: {code}{words or 'an error without a reason'}"
        if self._about(ABOUT_PICTURES, words):
            return self.failure(what, "choose a model that sees pictures with planner_model=")
        if ABOUT_LENGTH.search(words):
            return self.failure(what, "raise the server's context length")
        if not urlsplit(self._base_url).path.strip("/"):
            return self.failure(what, "base_url= ends in /v1 for most servers")
        return self.failure(what, "try again, or use planner=offline")

    def _not_found(self, error: Any, models: Sequence[str], form: Form) -> Exception:
        """Return the error for a path or a model that a server does not have."""
        words = self._words_of(error)
        if refused := self._refusal_of_form(form, words, 404):
            return refused  # a router has no server that takes it
        if self._about(ABOUT_PICTURES, words):
            return self._spoken(words, 404)
        said = f": {words}" if words else ""
        if not urlsplit(self._base_url).path.strip("/"):
            hint = "base_url= ends in /v1 for most servers"
            return self.failure(f"{self.host} has no chat at this address{said}", hint)
        hint = "set another with planner_model="
        if models:
            known = self.line(", ".join(models[:MAX_MODELS]), 200)
            hint += f": {known}" + (" …" if len(models) > MAX_MODELS else "")
        return self.failure(f"no model {self.model!r} at {self.host}{said}", hint)


async def _models(client: Any) -> list[str]:
    """Return the names of a server's models, if it lists them."""
    with suppress(Exception):  # it is only asked to improve an error
        page = await client.with_options(max_retries=0, timeout=5.0).models.list()
        return [str(model.id) for model in page.data[:100] if getattr(model, "id", None)]
    return []


def _text(content: Any) -> str:
    """Return the text of a message; some servers send it in parts."""
    if isinstance(content, list):
        parts = (part.get("text") if isinstance(part, dict) else part for part in content)
        return "".join(part for part in parts if isinstance(part, str))
    if isinstance(content, dict):  # some servers send JSON as what it is
        return json.dumps(content)
    return content if isinstance(content, str) else ""


def _data_url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
