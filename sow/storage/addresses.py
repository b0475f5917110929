"""Addresses such as `s3://bucket/folder/name`: recognising, checking and joining them.

No requests are sent from here; `sow.storage.storage` does that.
"""

from __future__ import annotations

import os
import re
from pathlib import PurePath
from typing import TypeGuard

from sow.errors import UsageError
from sow.utils.files import is_device_name

ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://(.*)", re.DOTALL)
"""At least two letters before the colon, because `C:\\` is a drive."""
CHAIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*::.*://", re.DOTALL)
SWALLOWED = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:[\\/](?![\\/])")
KEY_QUERY = re.compile(
    r"[?&#](sig|sv|se|x-(amz|goog|ms)-[\w-]+|\w*(key|token|secret|password|signature|credential)\w*)=",
    re.IGNORECASE,
)
MAX_LENGTH = 2000
KEYS = "leave it out; keep keys in the environment or in the storage's own configuration"
LAYERS = {"blockcache", "cached", "data", "dir", "filecache", "generic", "libarchive",
              "reference", "simplecache", "tar", "zip"}  # fmt: skip
"""Schemes of fsspec that are only layers over other storages."""


def is_address(text: object) -> TypeGuard[str]:
    """Return whether this is an address rather than the name of a file.

    Raises:
        UsageError: for a `Path` made from an address, which has lost a slash.
    """
    if isinstance(text, PurePath):
        if SWALLOWED.match(str(text)):
            raise UsageError(
                f"{str(text)!r} is not an address: Path() removes a slash", "pass it as a string"
            )
        return False
    return isinstance(text, str) and bool(ADDRESS.match(text) or CHAIN.match(text))


def check_address(address: str) -> str:
    """Return an address without a trailing slash; raise if it cannot be used.

    Raises:
        UsageError: if it is malformed, chained, or holds a password, which would end up in ledgers
            and pictures.
    """
    if not address.isprintable() or len(address) > MAX_LENGTH:
        raise UsageError("the address is not printable, or too long", "give another one")
    if "::" in address:
        raise UsageError(
            f"{_without_password(address)!r} is a chain of addresses", "give a single one"
        )
    match = ADDRESS.fullmatch(address)
    host, _, path = match[2].partition("/") if match else ("", "", "")
    if match is None or not (host or path):
        raise UsageError(
            f"{_without_password(address)!r} is not an address", "write s3://bucket/name"
        )
    if "@" in host:
        raise UsageError("the address contains a user name or a password", KEYS)
    scheme = match[1].lower()
    if KEY_QUERY.search(address) or (scheme in ("http", "https") and {"?", "#"} & set(address)):
        raise UsageError("the address contains a query, which may hold a key", KEYS)
    if scheme in LAYERS:
        raise UsageError(
            f"{scheme}:// is only a layer over a storage", "give the address of that storage"
        )
    return f"{scheme}://{match[2]}".rstrip("/") if path else f"{scheme}://{host}"


def check_folder_address(address: str) -> str:
    """Return the address of an output folder; raise if it cannot be used.

    Raises:
        UsageError: as for `check_address`; also for characters that storages take for patterns or
            versions.
    """
    checked = check_address(address)
    if set("*?[]{}#\\") & set(checked) or ".." in checked.split("/"):
        raise UsageError(
            f"{checked!r} contains a wildcard or ..", "give out= without *?[]{}#\\ and .."
        )
    return checked


def scheme_of(address: str) -> str:
    """Return what is before the colon."""
    return address.partition("://")[0]


def host_of(address: str) -> str:
    """Return the bucket or the server."""
    return address.partition("://")[2].partition("/")[0]


def folder_of(address: str) -> str:
    """Return the address of the folder of a file."""
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.rpartition('/')[0]}"


def name_of(address: str) -> str:
    """Return the name of a file, without its folders."""
    return address.partition("://")[2].rpartition("/")[2]


def local_file_name(address: str) -> str:
    """Return a name for a local copy that is legal on every system."""
    name = re.sub(r'[\\/:*?"<>|]', "_", name_of(address)).strip(" .") or "file"
    name = f"_{name}" if is_device_name(name) else name
    stem, suffix = os.path.splitext(name)  # noqa: PTH122  # a string, not a path
    return stem.encode()[:120].decode(errors="ignore") + suffix[:20]


def join_address(folder: str, name: str) -> str:
    """Return the address of a file that a manifest in this folder names.

    Raises:
        UsageError: if it leaves the bucket, or is a path on one machine.
    """
    if is_address(name):
        return check_address(name)
    if name.startswith("/"):
        raise UsageError(
            f"{name!r} is a path on one machine, but the manifest is in object storage",
            "give it relative to the manifest, or as a full address",
        )
    scheme, _, rest = folder.partition("://")
    host, *path = rest.split("/")
    for part in name.split("/"):
        if part == "..":
            if not path:
                raise UsageError(f"{name!r} leaves {scheme}://{host}", "give another path")
            path.pop()
        elif part not in ("", "."):
            path.append(part)
    return check_address(f"{scheme}://{'/'.join([host, *path])}")


def _without_password(address: str) -> str:
    """Return an address for messages, without what may be a password."""
    return re.sub(r"//[^/]*@", "//…@", address)
