"""Who can reach the page, and on which address."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path

from sow.errors import UsageError
from sow.utils.files import read_regular

FIRST_PORT, PORTS = 7860, 100
MIN_PASSWORD = 8
VARIABLE = "SOW_STUDIO_AUTH"
"""Holds accounts, one per line: other people on a machine can read what a command was given."""
Account = tuple[str, str]
"""A user and a password."""


def read_accounts(given: Iterable[str], file: Path | None = None) -> list[Account]:
    """Return the accounts that are given as `user:password`, in a file or in `SOW_STUDIO_AUTH`.

    Raises:
        UsageError: if one is none, or the file cannot be read.
    """
    lines = [*given, *os.environ.get(VARIABLE, "").splitlines()]
    if file is not None:
        try:
            lines += read_regular(file).decode().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "not a text"
            raise UsageError(
                f"the file of accounts {file} cannot be read ({why.lower()})"
            ) from None
    return [_account(line.strip()) for line in lines if line.strip()]


def _account(line: str) -> Account:
    user, colon, password = line.partition(":")
    if not user or not colon or len(password) < MIN_PASSWORD:
        # The line is not repeated: it may be a password.
        raise UsageError(
            "a user or a password is missing, or a password is shorter than "
            f"{MIN_PASSWORD} characters",
            "write auth=user:password",
        )
    return user, password


def check_access(host: str, share: bool, accounts: Sequence[Account]) -> None:
    """Check that only this machine can reach the page, or only who knows a password.

    Raises:
        UsageError: if others could use it.
    """
    if accounts or (is_local(host) and not share):
        return
    where = "a public address" if share else host
    raise UsageError(
        f"at {where} others can use this machine",
        f"add auth=user:password, auth_file= or the variable {VARIABLE}",
    )


def is_local(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def free_port(host: str, port: int | None) -> int:
    """Return a port that can be listened on: 0 takes any, None the first that is free from 7860.

    Raises:
        UsageError: if it is taken, or the address is not this machine's.
    """
    wanted = range(FIRST_PORT, FIRST_PORT + PORTS) if port is None else [port]
    problem = OSError()
    try:
        family, _, _, _, (address, *_) = socket.getaddrinfo(
            host.strip("[]"), None, type=socket.SOCK_STREAM
        )[0]
    except OSError as error:
        wanted, problem = [], error
    for number in wanted:
        try:
            with socket.socket(family) as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind((address, number))
                return int(trial.getsockname()[1])
        except OSError as error:
            problem = error
    where = f"port {port}" if port else "any port"
    reason = (problem.strerror or str(problem)).lower()
    raise UsageError(f"cannot listen on {where} of {host}: {reason}", "choose another with port=")
