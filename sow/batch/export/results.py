"""Read the metadata and pictures of a results folder, which is not trusted."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from sow.batch.ledger.schema import METADATA
from sow.batch.manifest.rows import json_rows
from sow.errors import OutputError, PictureError, UsageError
from sow.pictures.loading import MAX_BYTES
from sow.utils.files import read_regular

REQUIRED_FIELDS = ("file_name", "id", "prompt")


@dataclass(frozen=True)
class Result:
    """A picture and its metadata.

    Attributes:
        key: its unique name in the export, without dots: WebDataset reads what follows a dot as
            the file's extension.
        file: the path of the picture, inside the folder.
        data: its line of the metadata.
    """

    key: str
    file: Path
    data: dict[str, Any]

    @property
    def prompt(self) -> str:
        """The prompt of the picture."""
        return str(self.data["prompt"])

    def picture(self) -> bytes:
        """Return the bytes of the file.

        Raises:
            PictureError: if it cannot be read.
        """
        try:
            return read_regular(self.file, MAX_BYTES)
        except OSError as error:
            raise PictureError(
                f"{str(self.file)!r} cannot be read ({error.strerror})", "make it again"
            ) from None

    def as_json(self) -> str:
        """Return the metadata as JSON with sorted keys."""
        return json.dumps(self.data, sort_keys=True, ensure_ascii=False)


def read_results(folder: Path) -> Iterator[Result]:
    """Yield the pictures of a folder in the order of its metadata.

    Raises:
        UsageError: if there is no metadata, or a line of it is invalid.
        OutputError: if a picture is missing or not inside the folder.
    """
    inside, seen = Path(os.path.realpath(folder)), set[int]()
    for row in json_rows(folder / METADATA):
        where = f"line {row.number} of {METADATA}"
        if row.data is None:
            raise UsageError(f"{where} is invalid: {row.problem}", "fix or remove the line")
        for name in REQUIRED_FIELDS:
            if not isinstance(row.data.get(name), str):
                raise UsageError(f"{where} has no {name}", "is it a folder of results?")
        name = row.data["file_name"]
        yield Result(_key(name, seen, where), _resolve_inside(inside, name, where), row.data)


def _resolve_inside(folder: Path, name: str, where: str) -> Path:
    """Return the path of a file, resolved and inside the folder.

    Raises:
        OutputError: if it is outside the folder or missing.
    """
    path = Path(os.path.realpath(folder / name)) if _is_relative(name) else None
    if path is None or not path.is_relative_to(folder):
        raise OutputError(
            f"{where} names {name[:100]!r}, which is outside the folder", "remove the line"
        )
    try:
        exists = path.is_file()
    except OSError:  # the name is too long, or a folder is not readable
        exists = False
    if not exists:
        raise OutputError(f"{where} names {name[:100]!r}, which does not exist", "make it again")
    return path


def _is_relative(name: str) -> bool:
    """Return whether a name is a relative path without `..`, on POSIX and on Windows."""
    for flavour in (PurePosixPath, PureWindowsPath):
        path = flavour(name)
        if path.anchor or ".." in path.parts:
            return False
    return name.isprintable() and "\\" not in name


def _key(name: str, seen: set[int], where: str) -> str:
    """Return a key for a picture that is unique whatever its case, and add it to `seen`.

    Only hashes of names and keys are kept, to save memory.

    Raises:
        UsageError: if the name is not that of a PNG, or a repetition.
    """
    path = PurePosixPath(name)
    if path.suffix.lower() != ".png":
        raise UsageError(
            f"{where} names {name[:100]!r}, which is not a .png file", "remove the line"
        )
    digest = hash(("name", str(path)))
    if digest in seen:
        raise UsageError(f"{where} names {name[:100]!r} again", "remove one of the lines")
    seen.add(digest)
    key = stem = str(path.with_suffix("")).replace(".", "_")
    number = 1
    while hash(("key", key.lower())) in seen:  # shards are unpacked where case is not told apart
        number += 1
        key = f"{stem}_{number}"
    seen.add(hash(("key", key.lower())))
    return key
