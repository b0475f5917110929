"""The door to the network: no detours, short answers, no endless waits.

Left to themselves the SDKs follow a redirect with the picture and the key, to whoever it names, and
read whatever comes, for as long as it comes. They are therefore given a client, and an event loop.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
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
MOST_BYTES = 4 * 2**20
"""Of an answer. A plan takes some thousand; models that think aloud take more."""
CONNECT = 10.0
"""Seconds for a connection. How long an answer may take is the planner's to say."""
PLAIN = {"Accept-Encoding": "identity"}
"""Answers are asked for as they are: what is not unpacked cannot explode."""
LOGGERS = ("google_genai", "google.genai", "openai", "httpx", "httpx2", "httpcore", "urllib3")


def http_client(vendor: str) -> Any:
    """An asynchronous client for an SDK to use, by `httpx` or, where only that is, its fork.

    Old SDKs take the first, new ones either.
    """
    http = import_module(next(name for name in ("httpx", "httpx2") if find_spec(name)))

    async def bounded(response: Any) -> None:
        check_packing(vendor, response.headers.get("Content-Encoding"))
        body = bytearray()
        async for piece in response.aiter_raw():
            body += piece
            check_length(vendor, len(body))
        # Read once, and here, it is handed on as if it had just arrived.
        response.stream = http.ByteStream(bytes(body))
        response.is_stream_consumed = response.is_closed = False

    return http.AsyncClient(
        follow_redirects=False,
        headers=PLAIN,
        timeout=http.Timeout(None, connect=CONNECT),
        event_hooks={"response": [bounded]},
    )


def check_packing(vendor: str, encoding: str | None) -> None:
    """Whether an answer came as it was asked for.

    Raises:
        PlannerError: if it is compressed.
    """
    if encoding and encoding.strip().lower() != "identity":
        what = f"{vendor}: the answer is compressed, which was not asked for"
        raise PlannerError(what, "check base_url=")


def check_length(vendor: str, length: int) -> None:
    """Whether an answer is not too long.

    Raises:
        PlannerError: if it is.
    """
    if length > MOST_BYTES:
        what = f"{vendor}: the answer is longer than {MOST_BYTES >> 20} MB"
        raise PlannerError(what, "check base_url=")


def redirected(vendor: str, host: str, location: str | None) -> PlannerError:
    """A server that sends on to another address. Nothing is sent there."""
    with suppress(UsageError):
        location = checked_address(location or "")
    where = host_of(location or "") or "another address"
    printable = "".join(c for c in where if c.isprintable())[:200]
    return PlannerError(
        f"{vendor}: {host} sends on to {printable}, which is not followed",
        "if you trust it, give its address as base_url=",
    )


def host_of(url: str) -> str:
    """Where a URL leads: host and port, never the name and password that may stand before them."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""


def checked_address(url: str) -> str:
    """A server's address that can be used.

    Raises:
        UsageError: if it is none.
    """
    try:
        parts = urlsplit(url)
        legal = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        parts, legal = urlsplit(""), False
    if not legal or parts.scheme not in ("http", "https") or not url.isprintable() or " " in url:
        raise UsageError("that base_url= is no address", "write http://… or https://…")
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
def unheard() -> Iterator[None]:
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
