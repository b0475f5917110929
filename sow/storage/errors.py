"""Errors of storages as one-line `SowError`s; their messages may hold keys and are not quoted."""

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
"""Prefixes of the names of errors that mean denied access but are not PermissionErrors."""
SAFE = re.compile(r"[A-Za-z][A-Za-z0-9]{2,39}")
KEYS = "check the name and the keys in the environment (AWS_PROFILE, AWS_ACCESS_KEY_ID, …)"


class StorageUnavailable(OutputError):
    """A storage that does not answer at all."""


@contextmanager
def storage_errors(address: str, error_type: type[SowError]) -> Iterator[None]:
    """Translate all errors of a storage.

    Raises:
        UsageError: if its package is not installed or the scheme is unknown.
        StorageUnavailable: if it does not answer.
        SowError: of `error_type`, if something is missing or access is denied.
    """
    try:
        yield
    except SowError:
        raise
    except Exception as error:  # every storage has its own error types
        raise _as_sow_error(error, address, error_type) from None


def _as_sow_error(error: Exception, address: str, error_type: type[SowError]) -> SowError:
    scheme, name = scheme_of(address), repr(address)
    if isinstance(error, ImportError):
        package = EXTRAS.get(scheme, f"fsspec's package for {scheme}")
        return UsageError(f"{name} needs a package that is not installed", f"pip install {package}")
    if isinstance(error, ValueError) and "rotocol not known" in str(error):
        return UsageError(f"{scheme}:// is an unknown storage", "write s3://bucket/name")
    if isinstance(error, FileNotFoundError):
        return error_type(f"there is no {name}", "check the name; buckets are not created")
    if isinstance(error, PermissionError) or type(error).__name__.startswith(DENIED):
        return error_type(f"access to {name} is denied ({_error_code(error)})", KEYS)
    if isinstance(error, (IsADirectoryError, NotADirectoryError, FileExistsError)):
        return error_type(
            f"{name} is not a regular file, or its parent is not a folder", "check the name"
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(
            f"no space left for {name}", "free some space; the same command then continues"
        )
    if isinstance(error, (TypeError, AttributeError, NotImplementedError)):
        return UsageError(
            f"{scheme}:// does not support this ({_error_code(error)})", "use another storage"
        )
    return StorageUnavailable(
        f"{name} cannot be reached ({_error_code(error)})",
        "check the network and the endpoint; the same command then continues",
    )


def _error_code(error: BaseException) -> str:
    """Return an error's type, and the storage's code for it if that is a single word."""
    for candidate in (error, error.__cause__):
        response = getattr(candidate, "response", None)
        details = response.get("Error") if isinstance(response, dict) else None
        code = details.get("Code") if isinstance(details, dict) else None
        if isinstance(code, str) and SAFE.fullmatch(code):
            return f"{type(error).__name__}: {code}"
    return type(error).__name__
