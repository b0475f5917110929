"""OpenAI, and servers with the same API: vLLM, Ollama, LM Studio."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from sow.errors import SowError
from sow.planners.mllm.answers import AnswerType
from sow.planners.mllm.asker import Asker, BadAnswer
from sow.planners.mllm.transport import BASIC_HEADERS, REDIRECT_HEADER, http_client

HOST = "api.openai.com"


class OpenAIAsker(Asker):
    """Chat completions with structured outputs, through the `openai` package."""

    vendor = "openai"

    async def send(
        self, images: Sequence[bytes], prompt: str, schema: type[AnswerType]
    ) -> AnswerType:
        """Ask through the SDK (see `Asker.send`)."""
        import openai

        parts: list[Any] = [{"type": "text", "text": prompt}]
        parts += [{"type": "image_url", "image_url": {"url": _data_url(png)}} for png in images]
        form: Any = {
            "type": "json_schema",
            "json_schema": {
                "name": schema.__name__, "strict": True, "schema": schema.model_json_schema(),
            },
        }  # fmt: skip
        messages: Any = [{"role": "user", "content": parts}]
        try:
            async with self._client() as client:
                answer = await client.chat.completions.create(
                    model=self.model,
                    messages=messages,
                    response_format=form,
                )
        except openai.OpenAIError as error:
            raise self._failure(error) from None
        return self._read(answer, schema)

    def _client(self) -> Any:
        import openai

        # Account ids and headers from the environment are for the vendor only.
        keep = None if self.host == HOST else BASIC_HEADERS
        return openai.AsyncOpenAI(
            api_key=self._key or "none",  # the client insists on a key, a private server needs none
            base_url=self._base_url,
            max_retries=self._retries,
            http_client=http_client(self.vendor, keep),
        )

    def _read(self, answer: Any, schema: type[AnswerType]) -> AnswerType:
        choices = getattr(answer, "choices", None)
        if not isinstance(choices, list):
            raise self.protocol_error()
        message = getattr(choices[0], "message", None) if choices else None
        if message is None:
            raise self.refusal("the answer is empty")
        reason, refusal = (
            getattr(choices[0], "finish_reason", None),
            getattr(message, "refusal", None),
        )
        if refusal or reason == "content_filter":
            raise self.refusal(str(refusal or "the content filter stopped it"))
        text = _text(getattr(message, "content", None))
        if reason == "length":
            raise BadAnswer(self.redact(text), "it was cut off: answer more briefly")
        if not text.strip():
            raise self.refusal("the answer is empty")
        return self.parse(text, schema)

    def _failure(self, error: Exception) -> Exception:
        import openai

        if isinstance(error.__cause__, SowError):  # raised by `transport`
            return error.__cause__
        if isinstance(error, openai.APIStatusError) and error.response.is_redirect:
            return self.redirect_error(error.response.headers.get(REDIRECT_HEADER))
        if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
            return self.failure("the API key was rejected", "check OPENAI_API_KEY")
        if isinstance(error, openai.NotFoundError):
            return self.failure(
                f"no model {self.model!r} at {self.host}",
                "set another with planner_model=",
            )
        if isinstance(error, openai.RateLimitError):
            return self.failure("too many requests, or no credit left", "try again later")
        if isinstance(error, openai.APIConnectionError):
            return self.failure(f"{self.host} cannot be reached", "check base_url= and the network")
        return self.failure(str(error), "try again, or use planner=offline")


def _text(content: Any) -> str:
    """Return the text of a message; some servers send it in parts."""
    if isinstance(content, list):
        parts = (part.get("text") if isinstance(part, dict) else part for part in content)
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def _data_url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
