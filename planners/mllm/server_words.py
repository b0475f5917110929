"""What a server says when it refuses: every family of servers has a shape of its own."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

MAX_WORDS = 1000
"""The characters that are read of a server's words; much less is shown, after keys are redacted."""
MAX_DEPTH = 6
ABOUT_FORM = re.compile(
    r"response.?format|json|schema|grammar|guided|structured|output format|parameter", re.IGNORECASE
)
ABOUT_PICTURES = re.compile(r"image|vision|multi.?modal|mmproj", re.IGNORECASE)
ABOUT_LENGTH = re.compile(r"context (size|length|window)|too many tokens", re.IGNORECASE)


def server_words(body: bytes | str) -> str:
    """Return what the body of an error says, on one line; empty if it says nothing.

    Known shapes: `{"error": {"message"}}` (OpenAI, Ollama, vLLM, llama.cpp), `{"error": "…"}`
    (LM Studio), `{"object": "error", "message"}` (SGLang, older vLLM), `{"detail": …}` (FastAPI),
    the error of another server as text in `metadata.raw` (OpenRouter), and plain text.
    """
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    found: str | None = None
    with suppress(ValueError, RecursionError):
        found = _found(json.loads(text), 0)
    if found is None:
        found = "" if text.lstrip()[:1] in ("{", "[", "<") else text
    return " ".join("".join(c if c.isprintable() else " " for c in found[:MAX_WORDS]).split())


def _found(value: Any, depth: int) -> str | None:
    """Return the innermost message of an error, or None."""
    if depth > MAX_DEPTH:
        return None
    if isinstance(value, str):
        with suppress(ValueError, RecursionError):
            inner = json.loads(value)  # an error within an error, as text
            if isinstance(inner, dict | list):
                return _found(inner, depth + 1)
        return value
    if isinstance(value, list):
        parts = [part for one in value[:3] if (part := _found(one, depth + 1))]
        return "; ".join(parts) or None
    if not isinstance(value, dict):
        return None
    where = value.get("loc")
    if isinstance(where, list) and isinstance(value.get("msg"), str):
        return f"{'.'.join(str(part) for part in where[:6])}: {value['msg']}"
    for key in ("metadata", "raw", "error", "message", "detail", "msg", "errors"):
        if key in value and (found := _found(value[key], depth + 1)):
            return found
    return None
