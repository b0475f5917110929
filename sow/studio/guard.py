"""What stands before Gradio: who may ask for what. What the page does not need is refused.

Gradio's server can do much that this page does not use, some of it without asking for a password.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
import time
from collections import OrderedDict, deque
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOG = logging.getLogger(__name__)
MAX_BODY = 64 * 2**20
"""Bytes of a request: a picture comes as text, which is a third longer."""
MAX_PAGES = 10_000
"""Pages whose owners are remembered."""
MAX_WRONG, MAX_WRONG_OF_ALL, WRONG_SECONDS = 10, 100, 60.0
"""How often one machine, and all together, may give a wrong password within so many seconds."""
COOKIE = "sow_studio"
LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
"""The names of this machine for itself."""

GET = re.compile(
    r"/|/config/?|/theme\.css|/favicon\.ico|/manifest\.json|/robots\.txt|/login_check/?|/logout"
    r"|/(assets|static|svelte)/.*"
    r"|/gradio_api/(info/?|startup-events|queue/data|heartbeat/[\w-]+|upload_progress|file=(?!\w+:).*)"
)
POST = re.compile(r"/login/?|/gradio_api/(queue/join|cancel|reset/?|upload|component_server/?)")
JSON = {"/gradio_api/queue/join": MAX_BODY, "/gradio_api/cancel": 4096}
"""What says in its body, which is so long at most, whose page it is about."""
PAGE_NAME = re.compile(r"[\w-]{1,64}", re.ASCII)
WAYS = {"GET": GET, "HEAD": GET, "POST": POST}

PAGE_HEADERS = {
    # The page is in no frame of another site, and no part of it comes from, or goes to, another.
    "Content-Security-Policy": (
        "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class Refused(Exception):
    """A request that is not passed on."""

    def __init__(self, status: int, reason: str) -> None:
        self.status, self.reason = status, reason
        super().__init__(reason)


class Guard:
    """ASGI middleware.

    Args:
        app: what is guarded.
        only_local: only requests for this machine's own names are passed on, so that a site whose
            name is changed to this machine's address (DNS rebinding) reaches nothing.
        max_body: bytes of a request.
    """

    def __init__(self, app: ASGIApp, only_local: bool = True, max_body: int = MAX_BODY) -> None:
        self._app, self._only_local, self._max_body = app, only_local, max_body
        self._owners: OrderedDict[str, str] = OrderedDict()
        self._wrong: deque[tuple[float, str]] = deque(maxlen=MAX_WRONG_OF_ALL)
        """When wrong passwords were given, and by which machine."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no websockets here
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            self._check(scope)
            if scope["method"] == "POST" and scope["path"] in JSON:
                receive = await self._check_json(scope, receive)
        except Refused as refused:
            answer = PlainTextResponse(f"{refused.reason}\n", refused.status)
            await answer(scope, receive, send)
            return
        cookie, started = owner_of(scope), False

        async def send_more(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._count_wrong(scope, message["status"])
                headers = MutableHeaders(scope=message)
                headers.update(PAGE_HEADERS)
                if scope["path"] == "/" and not cookie:
                    token = secrets.token_urlsafe(24)
                    headers.append(
                        "Set-Cookie", f"{COOKIE}={token}; HttpOnly; SameSite=Lax; Path=/"
                    )
            await send(message)

        try:
            await self._app(scope, receive, send_more)
        except Exception as error:  # of Gradio, for what no page asks; its traceback helps nobody
            LOG.error("%s %.80r: %.200r", scope["method"], scope["path"], error)
            if not started:
                answer = PlainTextResponse("this cannot be answered\n", 500)
                await answer(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        headers, method, path = Headers(scope=scope), scope["method"], scope["path"]
        host = headers.get("host", "")
        if self._only_local and hostname(host) not in LOCAL:
            raise Refused(403, "this page is for its own machine only")
        origin = headers.get("origin")
        if origin is not None and site(origin) != host:
            raise Refused(403, "another site asked")
        if method not in WAYS or not WAYS[method].fullmatch(path):
            raise Refused(404, "there is nothing here")
        if method == "POST":
            self._check_length(headers)
        if path.startswith("/login") and self._waits(scope):
            raise Refused(429, "too many wrong passwords: wait a minute")
        page = page_of(scope)
        if page is not None:
            self._check_owner(page, owner_of(scope))

    def _check_length(self, headers: Headers) -> None:
        length = headers.get("content-length", "")
        # With an encoding, the length says nothing of how much comes.
        if not length.isdecimal() or "transfer-encoding" in headers:
            raise Refused(411, "say how long it is")
        if int(length) > self._max_body:
            raise Refused(413, f"send at most {self._max_body >> 20} MB")

    def _check_owner(self, page: str, owner: str) -> None:
        """Check that nobody but the browser that came first asks for the events of a page."""
        if not PAGE_NAME.fullmatch(page):
            raise Refused(400, "this is no page")
        if self._owners.setdefault(page, owner) != owner:
            raise Refused(403, "this is somebody else's")
        self._owners.move_to_end(page)
        while len(self._owners) > MAX_PAGES:
            self._owners.popitem(last=False)

    def _waits(self, scope: Scope) -> bool:
        """Return whether too many wrong passwords were given, here or by all.

        A machine may pretend to be many: what stands between says who asks.
        """
        since = time.monotonic() - WRONG_SECONDS
        clients = [client for at, client in self._wrong if at > since]
        return len(clients) >= MAX_WRONG_OF_ALL or clients.count(client_of(scope)) >= MAX_WRONG

    def _count_wrong(self, scope: Scope, status: int) -> None:
        """Remember a wrong password."""
        if scope["path"].startswith("/login") and scope["method"] == "POST" and status == 400:
            self._wrong.append((time.monotonic(), client_of(scope)))

    async def _check_json(self, scope: Scope, receive: Receive) -> Receive:
        """Check whose page a body is about, and that Gradio can do with it what it does with all.

        Return what it can be read from again.

        Raises:
            Refused: if it is somebody else's, or not as the page and programs send it.
        """
        if int(Headers(scope=scope)["content-length"]) > JSON[scope["path"]]:
            raise Refused(413, "say less")
        messages = [await receive()]
        while messages[-1].get("more_body"):
            messages.append(await receive())
        body = b"".join(message.get("body", b"") for message in messages)
        page = await asyncio.to_thread(_page_in, body)
        self._check_owner(page, owner_of(scope))

        async def again() -> Message:
            return messages.pop(0) if messages else await receive()

        return again


def _page_in(body: bytes) -> str:
    """Return the name of the page that a JSON body is about.

    Raises:
        Refused: if it is not as the page and programs send it.
    """
    try:
        said = json.loads(body)
        page = said["session_hash"]
        _check_values(said)
    except (ValueError, LookupError, TypeError, RecursionError):
        raise Refused(400, "this cannot be read") from None
    return page if isinstance(page, str) else ""


def _check_values(said: Any) -> None:
    """Check that all texts can be written as UTF-8, and that no file is somewhere else.

    Gradio would keep the first for ever and fail again and again, and would fetch the second.

    Raises:
        UnicodeEncodeError: if a text cannot.
        Refused: if a file is.
    """
    if isinstance(said, str):
        if not said.isascii():
            said.encode()
    elif isinstance(said, dict):
        for name, value in said.items():
            _check_values(name)
            _check_values(value)
            if name == "path" and isinstance(value, str) and re.match(r"\s*\w+://", value):
                raise Refused(403, "send the picture, not where it is")
    elif isinstance(said, list):
        for value in said:
            _check_values(value)


def client_of(scope: Scope) -> str:
    """Return the address of the machine that asks."""
    return str((scope.get("client") or ("",))[0])


def site(origin: str) -> str:
    """Return host and port of an `Origin` header; "" if it is none."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def hostname(host: str) -> str:
    """Return the name in a `Host` header, without the port; "" if it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def owner_of(scope: Scope) -> str:
    """Return which browser asks, by its cookie; "" for a program, which has none."""
    cookies: SimpleCookie = SimpleCookie()
    try:
        cookies.load(Headers(scope=scope).get("cookie", ""))
    except CookieError:
        return ""
    return cookies[COOKIE].value if COOKIE in cookies else ""


def page_of(scope: Scope) -> str | None:
    """Return the name of the page whose events are asked for."""
    path: str = scope["path"]
    if path.startswith("/gradio_api/heartbeat/"):
        return path.rpartition("/")[2]
    if path == "/gradio_api/queue/data":
        query: bytes = scope["query_string"]
        return parse_qs(query.decode("latin-1")).get("session_hash", [""])[0]
    return None
