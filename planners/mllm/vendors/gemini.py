"""Google's Gemini, through `google-genai`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sow.planners.mllm.answers import AnswerType
from sow.planners.mllm.asking import BadAnswer, Refused, Remote, failure, read_answer

HOST = "https://generativelanguage.googleapis.com"
STOPPED = (
    "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "LANGUAGE",
)  # fmt: skip
TRANSPORTS = ("httpx", "httpx2", "httpcore", "aiohttp")


class GeminiAsker(Remote):
    """`generate_content` with a JSON schema."""

    vendor = "gemini"
    home = HOST

    async def ask(
        self, images: Sequence[bytes], prompt: str, schema: type[AnswerType]
    ) -> AnswerType:
        """See :class:`sow.planners.mllm.asking.Asker`."""
        from google import genai
        from google.genai import errors, types

        options = types.HttpOptions(
            base_url=self._base_url,
            api_version="v1beta",
            retry_options=types.HttpRetryOptions(attempts=self._retries + 1, initial_delay=0.5),
        )
        form = types.GenerateContentConfig(
            response_mime_type="application/json",
            response_json_schema=schema.model_json_schema(),
        )
        parts: list[Any] = [
            types.Part.from_bytes(data=png, mime_type="image/png") for png in images
        ]
        try:
            client = genai.Client(api_key=self._key or "none", vertexai=False, http_options=options)
            async with client.aio as session:
                answer = await session.models.generate_content(
                    model=self.model, contents=[*parts, prompt], config=form
                )
        except errors.APIError as error:
            raise failure_of(self, error.code, str(error.message or error), self._key) from None
        except RecursionError:
            raise BadAnswer("[[[…", "it is nested too deeply") from None
        except (OSError, ValueError) as error:
            raise unreachable(self, error, self._key) from None
        except Exception as error:
            # The transport is the SDK's own choice: its errors have no common base.
            if type(error).__module__.partition(".")[0] in TRANSPORTS:
                raise unreachable(self, error, self._key) from None
            raise
        return read_candidates(answer, schema)


def read_candidates(answer: Any, schema: type[AnswerType]) -> AnswerType:
    """The first candidate's text as an answer; both SDKs name things alike."""
    feedback = getattr(answer, "prompt_feedback", None)
    blocked = getattr(feedback, "block_reason", None)
    if blocked:
        raise Refused(f"blocked: {_name(blocked)}")
    candidates = getattr(answer, "candidates", None)
    if not candidates:
        raise Refused("the answer is empty")
    reason = _name(getattr(candidates[0], "finish_reason", None))
    if reason in STOPPED:
        raise Refused(f"stopped: {reason}")
    content = getattr(candidates[0], "content", None)
    parts = (getattr(content, "parts", None) or []) if content else []
    text = "".join(getattr(part, "text", None) or "" for part in parts)
    if reason == "MAX_TOKENS":
        raise BadAnswer(text, "it was cut off: answer more briefly")
    if not text.strip():
        raise Refused("the answer is empty")
    return read_answer(text, schema)


def _name(value: Any) -> str:
    """The name of an enum's member, however an SDK spells it."""
    return str(getattr(value, "name", value) or "")


def failure_of(asker: Any, code: int | None, message: str, key: str | None) -> Exception:
    """A vendor's error status as one line."""
    if code in (401, 403) or "API key" in message:
        return failure(asker.vendor, "the key is not accepted", "check GEMINI_API_KEY")
    if code == 404:
        return failure(
            asker.vendor, f"there is no model {asker.model!r} at {asker.host}",
            "choose another with planner_model=",
        )  # fmt: skip
    if code == 429:
        return failure(asker.vendor, "too many requests, or no quota left", "try later")
    return failure(asker.vendor, f"{code} {message}", "try again, or planner=offline", key)


def unreachable(asker: Any, error: Exception, key: str | None) -> Exception:
    """A connection that failed, or an answer that was no HTTP or JSON at all."""
    what = f"{asker.host} cannot be reached ({type(error).__name__})"
    return failure(asker.vendor, what, "check base_url= and the network", key)
