"""What stands before Gradio: who may ask for what. What the page does not need is refused.

Gradio's server can do much that this page does not use, some of it without asking for a password.
"""

from __future__ import annotations

import json
import re
import secrets
from collections import OrderedDict
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 64 * 2**20
"""Bytes of a request: a picture comes as text, which is a third longer."""
MAX_PAGES = 10_000
"""Pages whose owners are remembered."""
COOKIE = "sow_studio"
LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
"""The names of this machine for itself."""

GET = re.compile(
    r"/|/config/?|/theme\.css|/favicon\.ico|/manifest\.json|/robots\.txt|/login_check/?|/logout"
    r"|/(assets|static|svelte)/.*"
    r"|/gradio_api/(info/?|startup-events|queue/data|heartbeat/[\w-]+|upload_progress|file=(?!\w+:).*)"
)
POST = re.compile(r"/login/?|/gradio_api/(queue/join|cancel|reset/?|upload|component_server/?)")
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
            receive = await self._check_cancel(scope, receive)
        except Refused as refused:
            answer = PlainTextResponse(f"{refused.reason}\n", refused.status)
            await answer(scope, receive, send)
            return
        cookie = owner_of(scope)

        async def send_more(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(PAGE_HEADERS)
                if scope["path"] == "/" and not cookie:
                    token = secrets.token_urlsafe(24)
                    headers.append(
                        "Set-Cookie", f"{COOKIE}={token}; HttpOnly; SameSite=Lax; Path=/"
                    )
            await send(message)

        await self._app(scope, receive, send_more)

    def _check(self, scope: Scope) -> None:
        headers, method, path = Headers(scope=scope), scope["method"], scope["path"]
        host = headers.get("host", "")
        if self._only_local and hostname(host) not in LOCAL:
            raise Refused(403, "this page is for its own machine only")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            raise Refused(403, "another site asked")
        if method not in WAYS or not WAYS[method].fullmatch(path):
            raise Refused(404, "there is nothing here")
        if method == "POST":
            self._check_length(headers)
        page = page_of(scope)
        if page is not None:
            self._check_owner(page, owner_of(scope))

    def _check_length(self, headers: Headers) -> None:
        length = headers.get("content-length", "")
        if not length.isdecimal():
            raise Refused(411, "say how long it is")
        if int(length) > self._max_body:
            raise Refused(413, f"send at most {self._max_body >> 20} MB")

    def _check_owner(self, page: str, owner: str) -> None:
        """Check that nobody but the browser that came first asks for the events of a page."""
        if self._owners.setdefault(page, owner) != owner:
            raise Refused(403, "this is somebody else's")
        self._owners.move_to_end(page)
        while len(self._owners) > MAX_PAGES:
            self._owners.popitem(last=False)

    async def _check_cancel(self, scope: Scope, receive: Receive) -> Receive:
        """Check whose job is cancelled, which the body says; return what it can be read from again.

        Raises:
            Refused: if it is somebody else's.
        """
        if scope["path"] != "/gradio_api/cancel":
            return receive
        if int(Headers(scope=scope)["content-length"]) > 4096:
            raise Refused(413, "say less")
        messages = [await receive()]
        while messages[-1].get("more_body"):
            messages.append(await receive())
        try:
            said = json.loads(b"".join(message.get("body", b"") for message in messages))
            page = said["session_hash"]
        except (ValueError, LookupError, TypeError):
            raise Refused(400, "this cannot be read") from None
        self._check_owner(str(page), owner_of(scope))

        async def again() -> Message:
            return messages.pop(0) if messages else await receive()

        return again


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
