"""Google's Gemini, through `google-genai`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from sow.planners.mllm.abilities import FORMS, Form
from sow.planners.mllm.answers import AnswerType
from sow.planners.mllm.asker import Asker, BadAnswer, FormRefused
from sow.planners.mllm.server_words import ABOUT_FORM
from sow.planners.mllm.transport import REDIRECT_HEADER, http_client

STOPPED = (
    "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "LANGUAGE",
)  # fmt: skip
TRANSPORTS = ("httpx", "httpx2", "httpcore", "aiohttp")


class GeminiAsker(Asker):
    """`generate_content` with a JSON schema."""

    vendor = "gemini"

    async def send(
        self, images: Sequence[bytes], prompt: str, schema: type[AnswerType]
    ) -> AnswerType:
        """Ask through the SDK (see `Asker.send`)."""
        from google.genai import errors, types

        form = self.abilities.form
        config = types.GenerateContentConfig(
            response_mime_type=None if form == "plain" else "application/json",
            response_json_schema=schema.model_json_schema() if form == "json_schema" else None,
        )
        parts: list[Any] = [
            types.Part.from_bytes(data=png, mime_type="image/png") for png in images
        ]
        try:
            async with http_client(self.vendor) as http, self._client(http).aio as session:
                answer = await session.models.generate_content(
                    model=self.model, contents=[*parts, prompt], config=config
                )
        except errors.APIError as error:
            if 300 <= (error.code or 0) < 400:
                headers = getattr(error.response, "headers", {})
                raise self.redirect_error(headers.get(REDIRECT_HEADER)) from None
            raise status_error(self, error.code, str(error.message or error), form) from None
        except RecursionError:
            raise BadAnswer("[[[…", "it is nested too deeply") from None
        except (OSError, ValueError) as error:
            raise connection_error(self, error) from None
        except Exception as error:
            # The errors of HTTP libraries have no common base class.
            if type(error).__module__.partition(".")[0] in TRANSPORTS:
                raise connection_error(self, error) from None
            raise
        return read_candidates(self, answer, schema)

    def _client(self, http: Any) -> Any:
        from google import genai
        from google.genai import types

        options = types.HttpOptions(
            base_url=self._base_url,
            api_version="v1beta",
            retry_options=types.HttpRetryOptions(attempts=self._retries + 1, initial_delay=0.5),
            httpx_async_client=http,
        )
        return genai.Client(api_key=self._key or "none", vertexai=False, http_options=options)


def read_candidates(asker: Asker, answer: Any, schema: type[AnswerType]) -> AnswerType:
    """Return the answer of the first candidate; both SDKs use the same names."""
    feedback = getattr(answer, "prompt_feedback", None)
    blocked = getattr(feedback, "block_reason", None)
    if blocked:
        raise asker.refusal(f"blocked: {_name(blocked)}")
    candidates = getattr(answer, "candidates", None)
    if not candidates:
        raise asker.refusal("the answer is empty")
    reason = _name(getattr(candidates[0], "finish_reason", None))
    if reason in STOPPED:
        raise asker.refusal(f"stopped: {reason}")
    content = getattr(candidates[0], "content", None)
    parts = (getattr(content, "parts", None) or []) if content else []
    said = [part for part in parts if not getattr(part, "thought", None)]
    text = "".join(getattr(part, "text", None) or "" for part in said)
    if reason == "MAX_TOKENS":
        with suppress(BadAnswer):  # it may have gone on after a complete answer
            return asker.parse(text, schema, cut_off=True)
        raise BadAnswer(asker.redact(text), "it was cut off: answer more briefly")
    if not text.strip():
        raise asker.refusal("the answer is empty")
    return asker.parse(text, schema)


def _name(value: Any) -> str:
    """Return the name of an enum's member, which SDKs give as an enum or a string."""
    return str(getattr(value, "name", value) or "")


def status_error(asker: Asker, code: int | None, message: str, form: Form) -> Exception:
    """Return the error for an HTTP status, or that the form of answer was refused."""
    if code == 400 and form != "plain" and ABOUT_FORM.search(message):
        # Gemma, for one: "JSON mode is not enabled".
        failure = asker.failure(f"{code} {message}", "try again, or use planner=offline")
        return FormRefused(FORMS[FORMS.index(form) + 1], asker.words_in(message), failure)
    if code in (401, 403) or "API key" in message:
        return asker.failure("the API key was rejected", "check GEMINI_API_KEY")
    if code == 404:
        return asker.failure(
            f"no model {asker.model!r} at {asker.host}",
            "set another with planner_model=",
        )
    if code == 429:
        return asker.failure("too many requests, or no quota left", "try again later")
    return asker.failure(f"{code} {message}", "try again, or use planner=offline")


def connection_error(asker: Asker, error: Exception) -> Exception:
    """Return the error for a failed connection, or a response that is not HTTP or JSON."""
    what = f"{asker.host} cannot be reached ({type(error).__name__})"
    return asker.failure(what, "check base_url= and the network")
