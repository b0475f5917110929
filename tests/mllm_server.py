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
    def schema(self) -> dict[str, Any]:
        if self.vendor == "openai":
            return self.body["response_format"]["json_schema"]["schema"]
        config = self.body["generationConfig"]
        return config.get("responseJsonSchema") or config["responseSchema"]

    @property
    def stage(self) -> str:
        """Which question it is, told by the fields that are asked for."""
        fields = set(self.schema["properties"])
        return next(name for name, good in GOOD.items() if set(good) == fields)

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


@dataclass
class Server:
    """`asked` lists the requests; `reply` may be changed at any time; `delay` is in seconds.

    headers: more of them, for every answer.
    """

    reply: Reply = good
    delay: float = 0.0
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[ReceivedRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Quiet."""

            def do_POST(self) -> None:
                owner.answer(self)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # clients give up, and may
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        # close() waits for the next poll: by default half a second for every test.
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

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
