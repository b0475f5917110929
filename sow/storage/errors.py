"""What storages raise, as one line: nothing that they say is quoted, which may hold keys."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from sow.errors import OutputError, SowError, UsageError
from sow.storage.addresses import scheme_of

EXTRAS = {"s3": "'sow[s3]'", "s3a": "'sow[s3]'", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs",
          "abfs": "adlfs", "abfss": "adlfs", "sftp": "paramiko", "ssh": "paramiko",
          "smb": "smbprotocol", "http": "aiohttp", "https": "aiohttp"}  # fmt: skip
DENIED = ("NoCredentials", "PartialCredentials", "CredentialRetrieval", "TokenRetrieval",
          "AuthenticationException", "ClientAuthentication", "DefaultCredentials")  # fmt: skip
"""Beginnings of the names of errors that no storage makes a PermissionError of."""
SAFE = re.compile(r"[A-Za-z][A-Za-z0-9]{2,39}")
KEYS = "check its name, and the keys in the environment (AWS_PROFILE, AWS_ACCESS_KEY_ID, …)"


class Unreachable(OutputError):
    """Storage that does not answer, whatever it is asked for."""


@contextmanager
def telling(address: str, kind: type[SowError]) -> Iterator[None]:
    """Whatever goes wrong with a storage, as one line.

    Raises:
        UsageError: if its package is not installed, or there is no such kind of storage.
        Unreachable: if it does not answer.
        SowError: of this kind, if there is nothing, or it may not be had.
    """
    try:
        yield
    except SowError:
        raise
    except Exception as error:  # every storage has errors of its own
        raise _said(error, address, kind) from None


def _said(error: Exception, address: str, kind: type[SowError]) -> SowError:
    scheme, name = scheme_of(address), repr(address)
    if isinstance(error, ImportError):
        package = EXTRAS.get(scheme, f"fsspec's package for {scheme}")
        return UsageError(f"{name} needs a package that is not here", f"pip install {package}")
    if isinstance(error, ValueError) and "rotocol not known" in str(error):
        return UsageError(f"{scheme}:// is no storage that is known", "write s3://bucket/name")
    if isinstance(error, FileNotFoundError):
        return kind(f"there is no {name}", "check its name; buckets are not made here")
    if isinstance(error, PermissionError) or type(error).__name__.startswith(DENIED):
        return kind(f"{name} may not be used ({_why(error)})", KEYS)
    if isinstance(error, (IsADirectoryError, NotADirectoryError, FileExistsError)):
        return kind(f"{name} is no file, or in none but a folder", "check its name")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(f"there is no room for {name}", "free some; the same command goes on")
    if isinstance(error, (TypeError, AttributeError, NotImplementedError)):
        return UsageError(f"{scheme}:// cannot be used so ({_why(error)})", "take another storage")
    return Unreachable(
        f"{name} cannot be reached ({_why(error)})",
        "check the network and the endpoint; the same command then goes on",
    )


def _why(error: BaseException) -> str:
    """The kind of an error and the storage's code for it, if it has one that is a plain word."""
    for one in (error, error.__cause__):
        response = getattr(one, "response", None)
        said = response.get("Error") if isinstance(response, dict) else None
        code = said.get("Code") if isinstance(said, dict) else None
        if isinstance(code, str) and SAFE.fullmatch(code):
            return f"{type(error).__name__}: {code}"
    return type(error).__name__
