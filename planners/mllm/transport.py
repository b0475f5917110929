"""HTTP for the SDKs: no redirects, no large or compressed answers, no endless waits.

By default the SDKs follow redirects, with picture and key, and read answers of any size. So they
get an HTTP client and an event loop from here.
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
from sow.utils.libraries import ignore_warnings

T = TypeVar("T")
MAX_ANSWER_BYTES = 4 * 2**20
"""The limit of an answer. A plan takes a few thousand bytes, reasoning models need more."""
MIN_KEY_LENGTH = 8
"""Shorter keys are placeholders for servers that need none."""
MAX_ADDRESS_LENGTH = 2000
KEY_HINT = "leave it out; put the server's key in SOW_PLANNER_KEY"
CONNECT_TIMEOUT = 10.0
"""Seconds to connect. The planner limits the time of the whole answer."""
UNCOMPRESSED = {"Accept-Encoding": "identity"}
"""Answers are requested uncompressed: a compressed one could expand without limit."""
REDIRECT_HEADER = "Sow-Location"
"""The header that keeps the target of a redirect, so that no client follows it."""
JSON = "application/json; charset=utf-8"
BASIC_HEADERS = frozenset({
    "host", "accept", "accept-encoding", "connection", "content-length", "content-type",
    "authorization", "user-agent",
})  # fmt: skip
"""The headers that servers other than the vendor's get."""
LOGGERS = ("google_genai", "google.genai", "openai", "httpx", "httpx2", "httpcore", "urllib3")


def http_client(
    vendor: str,
    keep: Collection[str] | None = None,
    hopeless: Callable[[bytes], bool] = lambda body: False,
) -> Any:
    """Return an asynchronous HTTP client for an SDK, by `httpx` or its fork `httpx2`.

    Args:
        vendor: for errors.
        keep: the only headers to send; None sends all that the SDK sets. SDKs read account ids and
            extra headers from the environment, which other servers must not get.
        hopeless: returns whether the body of a server error says that trying again is of no use.
    """
    http = import_module(next(name for name in ("httpx", "httpx2") if find_spec(name)))

    async def strip_headers(request: Any) -> None:
        for name in list(request.headers):
            if keep is not None and name.lower() not in keep:
                del request.headers[name]

    async def read_bounded(response: Any) -> None:
        # httpx parses a header named Location even if it does not follow redirects.
        response.headers[REDIRECT_HEADER] = response.headers.pop("Location", "")
        check_uncompressed(vendor, response.headers.get("Content-Encoding"))
        body = bytearray()
        async for piece in response.aiter_raw():
            body += piece
            check_length(vendor, len(body))
        if response.status_code >= 500 and hopeless(bytes(body)):
            response.headers["X-Should-Retry"] = "false"  # understood by the SDK of OpenAI
        # The body is handed on as if it had just arrived, and always as UTF-8: Python has encodings
        # that are not for text, or take forever.
        response.headers["Content-Type"] = JSON
        response.stream = http.ByteStream(bytes(body))
        response.is_stream_consumed = response.is_closed = False

    return http.AsyncClient(
        follow_redirects=False,
        headers=UNCOMPRESSED,
        timeout=http.Timeout(None, connect=CONNECT_TIMEOUT),
        event_hooks={"request": [strip_headers], "response": [read_bounded]},
    )


def check_uncompressed(vendor: str, encoding: str | None) -> None:
    """Check that an answer is not compressed.

    Raises:
        PlannerError: if it is.
    """
    if encoding and encoding.strip().lower() != "identity":
        what = f"{vendor}: the answer is compressed, which was not requested"
        raise PlannerError(what, "check base_url=")


def check_length(vendor: str, length: int) -> None:
    """Check that an answer is not too long.

    Raises:
        PlannerError: if it is.
    """
    if length > MAX_ANSWER_BYTES:
        what = f"{vendor}: the answer is longer than {MAX_ANSWER_BYTES >> 20} MB"
        raise PlannerError(what, "check base_url=")


def host_of(url: str) -> str:
    """Return the host and port of a URL, without user name and password."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""


def check_address(url: str) -> str:
    """Return the address of a server if it is valid.

    Raises:
        UsageError: if it is not.
    """
    try:
        parts = urlsplit(url)
        legal = bool(parts.hostname) and (parts.port is None or parts.port > 0)
        (parts.hostname or "").encode("idna")
    except ValueError:
        parts, legal = urlsplit(""), False
    legal = legal and url.isprintable() and len(url) <= MAX_ADDRESS_LENGTH
    # Libraries disagree on what a backslash in an address means, and so on the host.
    if not legal or parts.scheme not in ("http", "https") or {" ", "\\"} & set(url):
        raise UsageError("base_url= is not a valid address", "write http://… or https://…")
    if "@" in parts.netloc:
        raise UsageError("base_url= contains a user name or password", KEY_HINT)
    if {"?", "#"} & set(url):  # SDKs append their paths to it, so it would not work anyway
        raise UsageError("base_url= contains a query, which may hold a key", KEY_HINT)
    return url


def is_private(url: str) -> bool:
    """Return whether a connection cannot be overheard: https, or a server on this machine."""
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    with suppress(ValueError):
        return ip_address(parts.hostname or "").is_loopback
    return False


@contextmanager
def silenced_sdk_logs() -> Iterator[None]:
    """Suppress what an SDK would print of an answer: warnings, and logs without a handler."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
    with ignore_warnings():
        yield


class _DaemonExecutor(ThreadPoolExecutor):
    """Runs work in daemon threads, which nothing waits for.

    Looking up a host name can hang longer than any timeout, and asyncio and Python wait for the
    threads of the default executor when they end.
    """

    def submit(self, work: Callable[..., T], /, *args: Any, **named: Any) -> Future[T]:
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # it can no longer be cancelled

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
    """Run a coroutine and return its result, even if an event loop is running (a notebook)."""
    import asyncio  # slow to import

    outcome: Future[Any] = Future()

    def work() -> None:
        with asyncio.Runner() as runner:
            runner.get_loop().set_default_executor(_DaemonExecutor())
            try:
                outcome.set_result(runner.run(start()))
            except BaseException as error:
                outcome.set_exception(error)

    Thread(target=work, daemon=True).start()
    return outcome.result()
