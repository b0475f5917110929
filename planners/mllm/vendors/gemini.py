"""Google's Gemini, through `google-genai`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sow.planners.mllm.answers import AnswerType
from sow.planners.mllm.asker import BadAnswer, Remote
from sow.planners.mllm.transport import ELSEWHERE, http_client

STOPPED = (
    "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "LANGUAGE",
)  # fmt: skip
TRANSPORTS = ("httpx", "httpx2", "httpcore", "aiohttp")


class GeminiAsker(Remote):
    """`generate_content` with a JSON schema."""

    vendor = "gemini"

    async def asked(
        self, images: Sequence[bytes], prompt: str, schema: type[AnswerType]
    ) -> AnswerType:
        """See :class:`sow.planners.mllm.asker.Remote`."""
        from google.genai import errors, types

        form = types.GenerateContentConfig(
            response_mime_type="application/json",
            response_json_schema=schema.model_json_schema(),
        )
        parts: list[Any] = [
            types.Part.from_bytes(data=png, mime_type="image/png") for png in images
        ]
        try:
            async with http_client(self.vendor) as http, self._client(http).aio as session:
                answer = await session.models.generate_content(
                    model=self.model, contents=[*parts, prompt], config=form
                )
        except errors.APIError as error:
            if 300 <= (error.code or 0) < 400:
                headers = getattr(error.response, "headers", {})
                raise self.redirected(headers.get(ELSEWHERE)) from None
            raise status_error(self, error.code, str(error.message or error)) from None
        except RecursionError:
            raise BadAnswer("[[[…", "it is nested too deeply") from None
        except (OSError, ValueError) as error:
            raise connection_error(self, error) from None
        except Exception as error:
            # The transport's errors have no common base with any of these.
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


def read_candidates(asker: Remote, answer: Any, schema: type[AnswerType]) -> AnswerType:
    """The first candidate's text as an answer; both SDKs name things alike."""
    feedback = getattr(answer, "prompt_feedback", None)
    blocked = getattr(feedback, "block_reason", None)
    if blocked:
        raise asker.refused(f"blocked: {_name(blocked)}")
    candidates = getattr(answer, "candidates", None)
    if not candidates:
        raise asker.refused("the answer is empty")
    reason = _name(getattr(candidates[0], "finish_reason", None))
    if reason in STOPPED:
        raise asker.refused(f"stopped: {reason}")
    content = getattr(candidates[0], "content", None)
    parts = (getattr(content, "parts", None) or []) if content else []
    text = "".join(getattr(part, "text", None) or "" for part in parts)
    if reason == "MAX_TOKENS":
        raise BadAnswer(asker.strike(text), "it was cut off: answer more briefly")
    if not text.strip():
        raise asker.refused("the answer is empty")
    return asker.read(text, schema)


def _name(value: Any) -> str:
    """The name of an enum's member, however an SDK spells it."""
    return str(getattr(value, "name", value) or "")


def status_error(asker: Remote, code: int | None, message: str) -> Exception:
    """A vendor's error status as one line."""
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


def connection_error(asker: Remote, error: Exception) -> Exception:
    """A connection that failed, or an answer that was no HTTP or JSON at all."""
    what = f"{asker.host} cannot be reached ({type(error).__name__})"
    return asker.failure(what, "check base_url= and the network")
