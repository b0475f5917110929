"""Keep the paths of this machine out of ledgers, which are shared, and out of what they show."""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import suppress
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sow.batch.manifest.input_files import locate_files
from sow.errors import SowError
from sow.storage.addresses import is_address

if TYPE_CHECKING:
    from sow.batch.manifest.job import TV2IJob

ABSOLUTE = re.compile(r"""(?<![\w:/.~@…-])(?:[A-Za-z]:[\\/]+|/)(?:[^\\/\s'"]+[\\/]+)+""", re.ASCII)
"""The folders of an absolute path in a text, not those of an address."""


def is_absolute(name: str) -> bool:
    """Return whether a name is an absolute path, here or on another system."""
    return not is_address(name) and bool(
        PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor or name.startswith("~")
    )


def public_name(name: str) -> str:
    """Return a file's name as it may be shown to others: an absolute path without its folders."""
    return re.split(r"[\\/]", name.rstrip("\\/"))[-1] if is_absolute(name) else name


def relative_folder(folder: str, results: Path) -> str:
    """Return the folder of a manifest, or its address, relative to that of the results."""
    if is_address(folder):
        return folder
    with suppress(ValueError):  # on another drive
        return os.path.relpath(os.path.realpath(folder), os.path.realpath(results))
    return folder


def absolute_folder(stored: str, results: Path) -> str:
    """Return what `relative_folder` made relative; older ledgers have absolute ones."""
    if is_address(stored):
        return stored
    return os.path.normpath(Path(os.path.realpath(results), stored))


def public_options(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a batch without folders of this machine, and without keys.

    A model of the same name is told apart by its fingerprint, which the ledger has; other files by
    a hash of their path.
    """
    public = dict(options)
    for name in ("model", "config", "prompts"):
        value = public.get(name)
        if isinstance(value, str) and is_absolute(value):
            digest = hashlib.sha256(value.encode(errors="surrogatepass")).hexdigest()[:8]
            public[name] = public_name(value) + ("" if name == "model" else f" ({digest})")
    if isinstance(public.get("base_url"), str):  # of a version that allowed keys in it
        public["base_url"] = _without_query(public["base_url"])
    return public


def read_options(text: str | None) -> dict[str, Any] | None:
    """Return the options that a ledger has, as `public_options`; None if there are none."""
    with suppress(ValueError, RecursionError):
        options = json.loads(text or "null")
        return public_options(options) if isinstance(options, dict) else None
    return None


def _without_query(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, query="", fragment="").geturl()


def without_paths(text: str, job: TV2IJob, folder: str) -> str:
    """Return a message about a job that names files as the manifest does, not by their paths."""
    with suppress(SowError):
        for name, path in locate_files(job, folder).items():
            if not is_address(path):
                text = text.replace(path, public_name(job.paths[name]))
    return ABSOLUTE.sub("…/", text if is_address(folder) else text.replace(f"{folder}{os.sep}", ""))
