"""Seals on what is kept of answers, made with a secret of this user that lies elsewhere: what
somebody else wrote into the folder, or moved in it, is not taken for an answer."""

from __future__ import annotations

import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path

from sow.files import publish, read_regular
from sow.folders import config_folder

SECRET = 32
"""Bytes."""


def seal(question: str, answer: str) -> str:
    """The seal of an answer to a question; the secret is made if there is none.

    Raises:
        OSError: if there is none and it cannot be kept.
        OutputError: the same.
    """
    return _seal(_secret(), question, answer)


def is_ours(question: str, answer: str, said: object) -> bool:
    """Whether that is the seal of an answer to a question.

    Raises:
        OSError: if this user has no secret.
    """
    right = _seal(_own_secret(), question, answer)
    return hmac.compare_digest(str(said).encode(), right.encode())


def _seal(secret: bytes, question: str, answer: str) -> str:
    return hmac.digest(secret, f"{question} {answer}".encode(), "sha256").hex()


def _secret_file() -> Path:
    return config_folder() / "cache-secret"


def _secret() -> bytes:
    """The secret of this user, made when it is first needed; nobody else may read it."""
    path = _secret_file()
    with suppress(OSError):
        return _own_secret()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)

    def write(temporary: Path) -> None:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(SECRET))

    publish(write, path, force=True)
    return _own_secret()


def _own_secret() -> bytes:
    """The secret, if it is one: whole, and nobody else's to read.

    Raises:
        OSError: if it is not.
    """
    path = _secret_file()
    secret = read_regular(path, SECRET)
    if len(secret) != SECRET or (os.name == "posix" and path.stat().st_mode & 0o077):
        raise PermissionError(0, "it is no secret", str(path))
    return secret
