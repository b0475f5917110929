"""Gemini through `google-generativeai`, for installations that still have it.

It reached its end of life on 2025-11-30; `google-genai` (see `gemini.py`) is its successor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Thread
from typing import Any

from sow.planners.mllm.answers import AnswerType
from sow.planners.mllm.asking import Remote
from sow.planners.mllm.vendors.gemini import HOST, failure_of, read_candidates, unreachable
from sow.quiet import without_warnings


class LegacyGeminiAsker(Remote):
    """`generate_content` over REST, in a thread: its asynchronous client speaks gRPC only."""

    vendor = "gemini"
    home = HOST

    async def ask(
        self, images: Sequence[bytes], prompt: str, schema: type[AnswerType]
    ) -> AnswerType:
        """See :class:`sow.planners.mllm.asking.Asker`."""
        answer = await in_thread(lambda: self._ask(images, prompt, schema))
        return read_candidates(answer, schema)

    def _ask(self, images: Sequence[bytes], prompt: str, schema: type[AnswerType]) -> Any:
        with without_warnings():  # it announces its own end; our documentation says so once
            import google.generativeai as genai
            from google.api_core import exceptions, retry
            from google.protobuf import json_format

        genai.configure(
            api_key=self._key or "none",
            transport="rest",
            client_options={"api_endpoint": self._base_url} if self._base_url else None,
        )
        again = retry.Retry(
            retry.if_exception_type(exceptions.TooManyRequests, exceptions.ServerError),
            initial=0.5,
            timeout=15.0 * self._retries,
        )
        try:
            return genai.GenerativeModel(self.model).generate_content(
                [*({"mime_type": "image/png", "data": png} for png in images), prompt],
                generation_config={
                    "response_mime_type": "application/json",
                    "response_schema": old_schema(schema.model_json_schema()),
                },
                request_options={"timeout": 60, "retry": again},
            )
        except exceptions.RetryError as error:
            raise failure_of(self, 503, str(error.cause or error), self._key) from None
        except exceptions.GoogleAPICallError as error:
            raise failure_of(self, error.code, str(error.message), self._key) from None
        except (OSError, ValueError, json_format.Error) as error:  # requests' errors are OSErrors
            raise unreachable(self, error, self._key) from None


async def in_thread(work: Callable[[], Any]) -> Any:
    """Runs blocking work aside. When it is cancelled its thread is left to end by itself:
    asyncio's own threads would be waited for, whatever the time limit."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def tell(setter: Callable[[Any], None], value: Any) -> None:
        if not future.done():
            setter(value)

    def run() -> None:
        try:
            outcome = (future.set_result, work())
        except BaseException as error:
            outcome = (future.set_exception, error)
        with suppress(RuntimeError):  # the loop may be closed by now
            loop.call_soon_threadsafe(tell, *outcome)

    Thread(target=run, daemon=True).start()
    return await future


def old_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """A JSON schema in the words the old API knows: no references, no titles, no `const`."""
    definitions = schema.get("$defs", {})

    def plain(node: dict[str, Any]) -> dict[str, Any]:
        if "$ref" in node:
            node = {**definitions[node["$ref"].rpartition("/")[2]], **node}
        known = ("type", "description", "enum", "required")
        kept: dict[str, Any] = {key: node[key] for key in known if key in node}
        if "properties" in node:
            kept["properties"] = {name: plain(value) for name, value in node["properties"].items()}
        if "items" in node:
            kept["items"] = plain(node["items"])
        return kept

    return plain(schema)
