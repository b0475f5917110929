"""A loopback server that speaks the wire formats of OpenAI and of Gemini, well and badly."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SCALE = 4
GOOD = {
    "Recognition": {
        "subject": "face",
        "features": ["short gray hair", "round glasses", "dark skin"],
        "setting": "normal",
    },
    "Position": {"box": {"x": 60, "y": 40, "width": 220, "height": 220}},
    "Refinement": {
        "regions": [{"label": "body", "box": {"x": 30, "y": 260, "width": 300, "height": 252}}],
        "relations": [{"subject": "man", "relation": "holding", "object": "umbrella"}],
    },
}
GOOD["Everything"] = {
    "recognition": GOOD["Recognition"],
    "position": GOOD["Position"],
    "refinement": GOOD["Refinement"],
}


@dataclass
class ReceivedRequest:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    started: float
    ended: float = 0.0

    @property
    def vendor(self) -> str:
        return "openai" if "chat/completions" in self.path else "gemini"

    @property
    def prompt(self) -> str:
        return next(part["text"] for part in self._parts if "text" in part)

    @property
    def _parts(self) -> list[dict[str, Any]]:
        if self.vendor == "openai":
            return self.body["messages"][0]["content"]
        return self.body["contents"][0]["parts"]

    @property
    def picture(self) -> bytes:
        """The PNG that was sent."""
        for part in self._parts:
            if part.get("type") == "image_url":
                return base64.b64decode(part["image_url"]["url"].partition(",")[2])
            data = part.get("inlineData") or part.get("inline_data")
            if data:
                text = data["data"].replace("-", "+").replace("_", "/")
                return base64.b64decode(text + "=" * (-len(text) % 4))
        raise AssertionError("no picture was sent")

    @property
    def form(self) -> str:
        """How strictly the form of the answer is asked for: json_schema, json_object, plain."""
        if self.vendor == "openai":
            return self.body.get("response_format", {}).get("type", "plain")
        if self._gemini_schema:
            return "json_schema"
        config = self.body.get("generationConfig", {})
        return "json_object" if config.get("responseMimeType") else "plain"

    @property
    def schema(self) -> dict[str, Any]:
        if self.vendor == "openai":
            return self.body["response_format"]["json_schema"]["schema"]
        return self._gemini_schema

    @property
    def _gemini_schema(self) -> Any:
        config = self.body.get("generationConfig", {})
        return config.get("responseJsonSchema") or config.get("responseSchema")

    @property
    def stage(self) -> str:
        """Which question it is, told by the fields that are asked for."""
        if self.form == "json_schema":
            fields = set(self.schema["properties"])
            return next(name for name, good in GOOD.items() if set(good) == fields)
        return next(name for name in ("Everything", "Refinement", "Recognition", "Position")
                    if all(f'"{field}":' in self.prompt for field in GOOD[name]))  # fmt: skip

    @property
    def model(self) -> str:
        if self.vendor == "openai":
            return self.body["model"]
        return self.path.partition("/models/")[2].partition(":")[0]


Reply = Callable[[ReceivedRequest], "str | dict[str, Any] | tuple[int, Any]"]
"""The text of the model's answer, a whole body, or a status with a body."""


def good(asked: ReceivedRequest) -> str:
    """What a good model answers."""
    return json.dumps(GOOD[asked.stage])


def small(asked):
    """The good answers on the canvas of `figures`, a quarter of 512."""
    text = good(asked)
    data = json.loads(text)
    for box in boxes(data):
        box.update({key: value / SCALE for key, value in box.items()})
    return json.dumps(data)


def boxes(data):
    if isinstance(data, dict):
        if set(data) == {"x", "y", "width", "height"}:
            yield data
        for value in data.values():
            yield from boxes(value)
    elif isinstance(data, list):
        for value in data:
            yield from boxes(value)


def told(text: str) -> str:
    """A good answer as small models write it: behind reasoning, in a fence, between words."""
    return (
        "<think>\nThe picture is 512 wide, so {about the middle}. A draft:\n"
        '{"box": {"x": 1, "y": 1, "width": 2, "height": 2}}, no.\n</think>\n\n'
        f"Sure! Here is the JSON (with {{braces}}):\n```json\n{text}\n```\nCheers.<|im_end|>"
    )


def small_slips(text: str) -> str:
    """A good answer with the mistakes that a parser of JSON does not forgive."""
    inner = text.replace('"', "'").replace("}", ", /* so */}", 1)
    return f"{inner[:-1] if inner.endswith('}}') else inner}<end_of_turn>"


def more_fields(text: str) -> str:
    return json.dumps({**json.loads(text), "confidence": 0.9, "explanation": {"why": "{it fits}"}})


def refusing(status: int, body: Any, *forms: str) -> Reply:
    """A server that refuses forms of answer in its own way, and else answers as it is told."""
    return lambda asked: (status, body) if asked.form in forms else told(good(asked))


FASTAPI = {"detail": [{"type": "extra_forbidden", "loc": ["body", "response_format"],
                       "msg": "Extra inputs are not permitted", "input": {}}]}  # fmt: skip
ROUTED = {"error": {"message": "Provider returned error", "code": 400, "metadata": {
    "raw": json.dumps({"error": {"message": "this response_format is unavailable", "code": 1}}),
    "provider_name": "Somebody"}}, "user_id": "user_1"}  # fmt: skip
FAMILIES: dict[str, tuple[Reply, int, str]] = {
    "ollama, reasoning apart": (
        lambda asked: whole("openai", good(asked), reasoning="Let me see {x}."), 3, ""),
    "ollama, answer in the reasoning": (
        lambda asked: whole("openai", "", reasoning=good(asked)), 3, "from the model's reasoning"),
    "sglang, answer in the reasoning": (
        lambda asked: whole("openai", None, reasoning_content=told(good(asked))),
        3, "from the model's reasoning"),
    "vllm, reasoning in the answer": (lambda asked: told(good(asked)), 3, ""),
    "vllm, schema refused": (
        refusing(400, {"object": "error", "message": "guided decoding: unsupported schema",
                       "type": "BadRequestError", "param": None, "code": 400}, "json_schema"),
        5, "refuses json_schema (guided decoding: unsupported schema)"),
    "lm studio, both refused": (
        refusing(400, {"error": "'response_format.type' must be 'text'"},
                 "json_schema", "json_object"),
        7, "refuses json_schema ('response_format.type' must be 'text')"),
    "llama.cpp, grammar fails": (
        refusing(500, {"error": {"code": 500, "message": "Failed to parse grammar",
                                 "type": "server_error"}}, "json_schema"),
        5, "refuses json_schema (Failed to parse grammar)"),
    "fastapi, field unknown": (
        refusing(422, FASTAPI, "json_schema", "json_object"),
        7, "(body.response_format: Extra inputs are not permitted)"),
    "openrouter, somebody else's error": (
        refusing(400, ROUTED, "json_schema"), 5, "(this response_format is unavailable)"),
    "openrouter, error with status 200": (
        refusing(200, {"error": {"message": "structured outputs: no", "code": 400}}, "json_schema"),
        5, "(structured outputs: no)"),
    "without a reason": (
        refusing(400, b"", "json_schema", "json_object"), 5, "(without a reason)"),
    "schema ignored": (lambda asked: more_fields(good(asked)), 3, ""),
    "small slips": (lambda asked: small_slips(good(asked)), 3, ""),
    "parts": (lambda asked: whole("openai", [{"type": "text", "text": good(asked)}]), 3, ""),
    "json as it is": (lambda asked: whole("openai", json.loads(good(asked))), 3, ""),
    "goes on and on": (
        lambda asked: whole("openai", good(asked) + "\n\nUser: {and", "length"), 3, ""),
}  # fmt: skip
"""How servers and models at home answer, with the requests that a plan takes and what is said."""


@dataclass
class Server:
    """`asked` lists the requests; `reply` may be changed at any time; `delay` is in seconds.

    headers: more of them, for every answer.
    models: the names that it lists.
    """

    reply: Reply = good
    delay: float = 0.0
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[ReceivedRequest] = field(default_factory=list)
    models: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Quiet."""

            def do_POST(self) -> None:
                owner.answer(self)

            def do_GET(self) -> None:
                owner.list_models(self)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # clients give up, and may
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        # close() waits for the next poll: by default half a second for every test.
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def list_models(self, request: BaseHTTPRequestHandler) -> None:
        data = json.dumps({"object": "list", "data": [{"id": name} for name in self.models]})
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data.encode())

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers.get("Content-Length", 0))
        body = json.loads(request.rfile.read(length) or b"{}")
        asked = ReceivedRequest(request.path, dict(request.headers.items()), body, time.monotonic())
        self.asked.append(asked)
        time.sleep(self.delay)
        answer = self.reply(asked)
        asked.ended = time.monotonic()
        status, content = answer if isinstance(answer, tuple) else (200, answer)
        if isinstance(content, str) and status == 200:
            content = whole(asked.vendor, content)
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        try:
            request.send_response(status)
            request.send_header("Content-Type", self.kind)
            request.send_header("Content-Length", str(len(data)))
            for name, value in self.headers.items():
                request.send_header(name, value)
            request.end_headers()
            request.wfile.write(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client gave up

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def whole(vendor: str, text: str | None, reason: str = "stop", **more: Any) -> dict[str, Any]:
    """A vendor's whole answer around the model's text."""
    if vendor == "openai":
        message = {"role": "assistant", "content": text, "refusal": None, **more}
        return {
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "finish_reason": reason, "message": message}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }  # fmt: skip
    return {
        "candidates": [
            {
                "content": {"role": "model", "parts": [{"text": text or ""}]},
                "finishReason": reason.upper(), "index": 0,
            }
        ],
        "usageMetadata": {"totalTokenCount": 2},
        "modelVersion": "m",
        **more,
    }  # fmt: skip
