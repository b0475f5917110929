"""The door to the network: no detours, short answers, no endless waits.

Left to themselves the SDKs follow a redirect with the picture and the key, to whoever it names, and
read whatever comes, for as long as it comes. They are therefore given a client, and an event loop.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.util import find_spec
from ipaddress import ip_address
from threading import Thread
from typing import Any, TypeVar
from urllib.parse import urlsplit

from sow.errors import PlannerError, UsageError
from sow.quiet import without_warnings

T = TypeVar("T")
MAX_ANSWER_BYTES = 4 * 2**20
"""Of an answer. A plan takes some thousand; models that think aloud take more."""
MAX_ADDRESS_LENGTH = 2000
CONNECT = 10.0
"""Seconds for a connection. How long an answer may take is the planner's to say."""
PLAIN = {"Accept-Encoding": "identity"}
"""Answers are asked for as they are: what is not unpacked cannot explode."""
ELSEWHERE = "Sow-Location"
"""Where a redirect led to, once it has been seen."""
JSON = "application/json; charset=utf-8"
PLAIN_HEADERS = frozenset({
    "host", "accept", "accept-encoding", "connection", "content-length", "content-type",
    "authorization", "user-agent",
})  # fmt: skip
"""What a server needs that is not the vendor's own."""
LOGGERS = ("google_genai", "google.genai", "openai", "httpx", "httpx2", "httpcore", "urllib3")


def http_client(vendor: str, keep: Collection[str] | None = None) -> Any:
    """An asynchronous client for an SDK to use, by `httpx` or, where only that is, its fork.

    Old SDKs take the first, new ones either. keep: the only headers that are sent; None sends all
    that the SDK wants, which the environment may have told it more than it should tell a stranger.
    """
    http = import_module(next(name for name in ("httpx", "httpx2") if find_spec(name)))

    async def bare(request: Any) -> None:
        for name in list(request.headers):
            if keep is not None and name.lower() not in keep:
                del request.headers[name]

    async def bounded(response: Any) -> None:
        # Under its own name even a client that follows nothing would take it apart.
        response.headers[ELSEWHERE] = response.headers.pop("Location", "")
        check_uncompressed(vendor, response.headers.get("Content-Encoding"))
        body = bytearray()
        async for piece in response.aiter_raw():
            body += piece
            check_length(vendor, len(body))
        # Read once, and here, it is handed on as if it had just arrived, and as what it has to be:
        # Python knows encodings that are none of text, or take for ever.
        response.headers["Content-Type"] = JSON
        response.stream = http.ByteStream(bytes(body))
        response.is_stream_consumed = response.is_closed = False

    return http.AsyncClient(
        follow_redirects=False,
        headers=PLAIN,
        timeout=http.Timeout(None, connect=CONNECT),
        event_hooks={"request": [bare], "response": [bounded]},
    )


def check_uncompressed(vendor: str, encoding: str | None) -> None:
    """Whether an answer came as it was asked for.

    Raises:
        PlannerError: if it is compressed.
    """
    if encoding and encoding.strip().lower() != "identity":
        what = f"{vendor}: the answer is compressed, which was not requested"
        raise PlannerError(what, "check base_url=")


def check_length(vendor: str, length: int) -> None:
    """Whether an answer is not too long.

    Raises:
        PlannerError: if it is.
    """
    if length > MAX_ANSWER_BYTES:
        what = f"{vendor}: the answer is longer than {MAX_ANSWER_BYTES >> 20} MB"
        raise PlannerError(what, "check base_url=")


def host_of(url: str) -> str:
    """Where a URL leads: host and port, never the name and password that may stand before them."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""


def check_address(url: str) -> str:
    """A server's address that can be used.

    Raises:
        UsageError: if it is none.
    """
    try:
        parts = urlsplit(url)
        legal = bool(parts.hostname) and (parts.port is None or parts.port > 0)
        (parts.hostname or "").encode("idna")
    except ValueError:
        parts, legal = urlsplit(""), False
    legal = legal and url.isprintable() and len(url) <= MAX_ADDRESS_LENGTH
    # Libraries disagree on what a backslash means in an address, and so on who is asked.
    if not legal or parts.scheme not in ("http", "https") or {" ", "\\"} & set(url):
        raise UsageError("base_url= is not a valid address", "write http://… or https://…")
    if "@" in parts.netloc:
        raise UsageError("base_url= contains a user name or password",
                         "remove it; put the server's key in SOW_PLANNER_KEY")  # fmt: skip
    return url


def is_private(url: str) -> bool:
    """Whether nobody between here and there can read along: https, or this very machine."""
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    with suppress(ValueError):
        return ip_address(parts.hostname or "").is_loopback
    return False


@contextmanager
def silenced_sdk_logs() -> Iterator[None]:
    """Holds back what an SDK would print of an answer: warnings, and logs that nobody asked for."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
    with without_warnings():
        yield


class _Daemons(ThreadPoolExecutor):
    """Work aside that nobody has to wait for: looking up a name can hang longer than any timeout,
    and a loop's own threads are waited for when it ends and when the program ends."""

    def submit(self, work: Callable[..., T], /, *args: Any, **named: Any) -> Future[T]:
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # from here on nobody can call it off

        def run() -> None:
            try:
                outcome = work(*args, **named)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(outcome)

        Thread(target=run, daemon=True).start()
        return future


def run(start: Callable[[], Any]) -> Any:
    """Runs a coroutine to its end, also where an event loop is running already (a notebook)."""
    import asyncio  # costs more than all else that is read before a plan is asked for

    outcome: Future[Any] = Future()

    def work() -> None:
        with asyncio.Runner() as runner:
            runner.get_loop().set_default_executor(_Daemons())
            try:
                outcome.set_result(runner.run(start()))
            except BaseException as error:
                outcome.set_exception(error)

    Thread(target=work, daemon=True).start()
    return outcome.result()
