"""Addresses such as `s3://bucket/folder/name`: told from names of files, checked, put together.

Nothing here asks anybody; what is elsewhere is asked in `sow.storage.storage`.
"""

from __future__ import annotations

import os
import re
from pathlib import PurePath
from typing import TypeGuard

from sow.errors import UsageError

ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://(.*)", re.DOTALL)
"""Two letters or more before the colon: `C:\\` is a drive."""
CHAIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*::.*://", re.DOTALL)
SWALLOWED = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:[\\/](?![\\/])")
LONGEST = 2000
KEYS = "leave it out; keys are in the environment, or where the storage's own tools keep them"
NO_STORAGE = {"blockcache", "cached", "data", "dir", "filecache", "generic", "libarchive",
              "reference", "simplecache", "tar", "zip"}  # fmt: skip
"""What fsspec has under a scheme and is only a layer over something else."""


def is_address(text: object) -> TypeGuard[str]:
    """Whether this is meant as an address, and not as the name of a file.

    Raises:
        UsageError: if it was one until `pathlib` took a slash away.
    """
    if isinstance(text, PurePath):
        if SWALLOWED.match(str(text)):
            raise UsageError(
                f"{str(text)!r} is no address any more: Path() takes a slash away",
                "give it as a text",
            )
        return False
    return isinstance(text, str) and bool(ADDRESS.match(text) or CHAIN.match(text))


def checked(address: str) -> str:
    """An address that can be used, without a slash at its end.

    Raises:
        UsageError: if it is none, a chain, or would carry a password into ledgers and pictures.
    """
    if not address.isprintable() or len(address) > LONGEST:
        raise UsageError("that address cannot be printed, or is too long", "write another one")
    if "::" in address:
        raise UsageError(f"{_plain(address)!r} is a chain of addresses", "give one of them")
    found = ADDRESS.fullmatch(address)
    host, _, path = found[2].partition("/") if found else ("", "", "")
    if found is None or not (host or path):
        raise UsageError(f"{_plain(address)!r} is no address", "write s3://bucket/name")
    if "@" in host:
        raise UsageError("that address has a name or a password in it", KEYS)
    scheme = found[1].lower()
    if scheme in ("http", "https") and {"?", "#"} & set(address):
        raise UsageError("that address has a question in it, which may be a key", KEYS)
    if scheme in NO_STORAGE:
        raise UsageError(f"{scheme}:// is no storage by itself", "give the address it leads to")
    return f"{scheme}://{found[2]}".rstrip("/") if path else f"{scheme}://{host}"


def checked_folder(address: str) -> str:
    """The address of a folder that is written to.

    Raises:
        UsageError: as `checked`; and for letters that storages take for patterns or versions.
    """
    plain = checked(address)
    if set("*?[]{}#\\") & set(plain) or ".." in plain.split("/"):
        raise UsageError(f"{plain!r} is no plain folder", "give an out= without *?[]{}#\\ and ..")
    return plain


def scheme_of(address: str) -> str:
    """What stands before the colon."""
    return address.partition("://")[0]


def host_of(address: str) -> str:
    """The bucket, or the server."""
    return address.partition("://")[2].partition("/")[0]


def folder_of(address: str) -> str:
    """Where a file lies."""
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.rpartition('/')[0]}"


def name_of(address: str) -> str:
    """What a file is called, without its folders."""
    return address.partition("://")[2].rpartition("/")[2]


def file_name(address: str) -> str:
    """The same as the name of a file on this machine, whatever stands in it."""
    plain = re.sub(r'[\\/:*?"<>|]', "_", name_of(address)).strip(" .") or "file"
    stem, suffix = os.path.splitext(plain)  # noqa: PTH122  # a text, and no path yet
    return stem.encode()[:120].decode(errors="ignore") + suffix[:20]


def joined(folder: str, name: str) -> str:
    """The address of a file as a manifest in this folder names it.

    Raises:
        UsageError: if it leads out of the bucket, or to another place than the manifest is in.
    """
    if is_address(name):
        return checked(name)
    if name.startswith("/"):
        raise UsageError(
            f"{name!r} is a file of one machine, and the manifest is elsewhere",
            "name it from the manifest's folder, or by its whole address",
        )
    scheme, _, rest = folder.partition("://")
    host, *path = rest.split("/")
    for part in name.split("/"):
        if part == "..":
            if not path:
                raise UsageError(f"{name!r} leads out of {scheme}://{host}", "name it otherwise")
            path.pop()
        elif part not in ("", "."):
            path.append(part)
    return checked(f"{scheme}://{'/'.join([host, *path])}")


def _plain(address: str) -> str:
    """An address to be quoted, without what may be a password in it."""
    return re.sub(r"//[^/]*@", "//…@", address)
