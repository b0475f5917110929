"""OpenAI, and every server that speaks its language: vLLM, Ollama, LM Studio."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from sow.planners.mllm.answers import AnswerType
from sow.planners.mllm.asking import BadAnswer, Refused, Remote, failure, read_answer

HOST = "https://api.openai.com/v1"


class OpenAIAsker(Remote):
    """Chat completions with structured outputs, through the `openai` package."""

    vendor = "openai"
    home = HOST

    async def ask(
        self, images: Sequence[bytes], prompt: str, schema: type[AnswerType]
    ) -> AnswerType:
        """See :class:`sow.planners.mllm.asking.Asker`."""
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
        # A server of one's own needs no key, but the client insists on one.
        client = openai.AsyncOpenAI(
            api_key=self._key or "none", base_url=self._base_url or HOST, max_retries=self._retries
        )
        try:
            async with client:
                answer = await client.chat.completions.create(
                    model=self.model,
                    messages=messages,
                    response_format=form,
                )
        except openai.OpenAIError as error:
            raise self._failure(error) from None
        except ValueError:
            what = f"{self.host} does not answer as an OpenAI server does"
            raise failure(self.vendor, what, "check base_url=", self._key) from None
        return self._read(answer, schema)

    def _read(self, answer: Any, schema: type[AnswerType]) -> AnswerType:
        choices = getattr(answer, "choices", None)
        if not isinstance(choices, list):
            what = f"{self.host} does not answer as an OpenAI server does"
            raise failure(self.vendor, what, "check base_url=", self._key)
        message = getattr(choices[0], "message", None) if choices else None
        if message is None:
            raise Refused("the answer is empty")
        reason, refusal = (
            getattr(choices[0], "finish_reason", None),
            getattr(message, "refusal", None),
        )
        if refusal or reason == "content_filter":
            raise Refused(str(refusal or "the content filter stopped it"))
        text = _text(getattr(message, "content", None))
        if reason == "length":
            raise BadAnswer(text, "it was cut off: answer more briefly")
        if not text.strip():
            raise Refused("the answer is empty")
        return read_answer(text, schema)

    def _failure(self, error: Exception) -> Exception:
        import openai

        if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
            return failure(self.vendor, "the key is not accepted", "check OPENAI_API_KEY")
        if isinstance(error, openai.NotFoundError):
            return failure(
                self.vendor, f"there is no model {self.model!r} at {self.host}",
                "choose another with planner_model=",
            )  # fmt: skip
        if isinstance(error, openai.RateLimitError):
            return failure(self.vendor, "too many requests, or no credit left", "try later")
        if isinstance(error, openai.APIConnectionError):
            return failure(
                self.vendor, f"{self.host} cannot be reached", "check base_url= and the network"
            )
        return failure(self.vendor, str(error), "try again, or planner=offline", self._key)


def _text(content: Any) -> str:
    """What a message says; some servers send it in parts."""
    if isinstance(content, list):
        parts = (part.get("text") if isinstance(part, dict) else part for part in content)
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def _data_url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
