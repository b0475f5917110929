"""Gemini through `google-generativeai`, for installations that still have it.

It reached its end of life on 2025-11-30; `google-genai` (see `gemini.py`) is its successor.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from typing import Any

from sow.planners.mllm.answers import AnswerType
from sow.planners.mllm.asker import Asker
from sow.planners.mllm.transport import (
    MAX_ANSWER_BYTES,
    UNCOMPRESSED,
    check_length,
    check_uncompressed,
)
from sow.planners.mllm.vendors.gemini import connection_error, read_candidates, status_error


class LegacyGeminiAsker(Asker):
    """`generate_content` over REST, in a thread: its asynchronous client speaks gRPC only."""

    vendor = "gemini"

    async def send(
        self, images: Sequence[bytes], prompt: str, schema: type[AnswerType]
    ) -> AnswerType:
        """Ask through the SDK (see `Asker.send`)."""
        answer = await asyncio.to_thread(self._ask, images, prompt, schema)
        return read_candidates(self, answer, schema)

    def _ask(self, images: Sequence[bytes], prompt: str, schema: type[AnswerType]) -> Any:
        from google.ai import generativelanguage
        from google.api_core import exceptions, retry
        from google.protobuf import json_format

        again = retry.Retry(
            retry.if_exception_type(exceptions.TooManyRequests, exceptions.ServerError),
            initial=0.5,
            timeout=15.0 * self._retries,
        )
        # The low-level client of the SDK: the high-level one is shared by the whole process.
        client = generativelanguage.GenerativeServiceClient(
            transport="rest",
            client_options={"api_key": self._key or "none", "api_endpoint": self._base_url},
        )
        transport: Any = client.transport
        self._guard(transport._session)  # no public access to the connections
        form = self.abilities.form
        config: dict[str, Any] = {}
        if form != "plain":
            config["response_mime_type"] = "application/json"
        if form == "json_schema":
            config["response_schema"] = legacy_schema(schema.model_json_schema())
        pictures = [{"inline_data": {"mime_type": "image/png", "data": png}} for png in images]
        question = {
            "model": f"models/{self.model}",
            "contents": [{"role": "user", "parts": [*pictures, {"text": prompt}]}],
            "generation_config": config,
        }
        try:
            return client.generate_content(question, timeout=60, retry=again)
        except exceptions.RetryError as error:
            raise status_error(self, 503, str(error.cause or error), form) from None
        except exceptions.GoogleAPICallError as error:
            raise status_error(self, error.code, str(error.message), form) from None
        except (OSError, ValueError, json_format.Error) as error:  # errors of requests are OSErrors
            raise connection_error(self, error) from None

    def _guard(self, session: Any) -> None:
        """Fail on redirects and large answers, as `transport.http_client` does."""
        from requests.adapters import HTTPAdapter

        asker = self

        class Guarded(HTTPAdapter):
            def send(self, request: Any, *args: Any, **options: Any) -> Any:
                request.headers.update(UNCOMPRESSED)
                response = super().send(request, *args, **{**options, "stream": True})
                if response.is_redirect:
                    raise asker.redirect_error(response.headers.get("Location"))
                check_uncompressed(asker.vendor, response.headers.get("Content-Encoding"))
                body = response.raw.read(MAX_ANSWER_BYTES + 1, decode_content=False)
                response.raw.close()
                check_length(asker.vendor, len(body))
                response.raw, response.encoding = io.BytesIO(body), "utf-8"
                return response

        session.auth = lambda request: request  # ignore ~/.netrc
        session.mount("https://", Guarded())
        session.mount("http://", Guarded())


def legacy_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON schema for the old API: without references, titles and `const`."""
    definitions = schema.get("$defs", {})

    def plain(node: dict[str, Any]) -> dict[str, Any]:
        if "$ref" in node:
            node = {**definitions[node["$ref"].rpartition("/")[2]], **node}
        kept: dict[str, Any] = {
            key: node[key] for key in ("description", "enum", "required") if key in node
        }
        kept["type_"] = node["type"].upper()
        if "properties" in node:
            kept["properties"] = {name: plain(value) for name, value in node["properties"].items()}
        if "items" in node:
            kept["items"] = plain(node["items"])
        return kept

    return plain(schema)
