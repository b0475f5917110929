"""What a folder of results says of itself, read as if it were a stranger's."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from sow.batch.manifest.rows import json_rows
from sow.errors import OutputError, PictureError, UsageError
from sow.pictures.loading import MAX_BYTES
from sow.utils.files import read_regular

METADATA = "metadata.jsonl"
REQUIRED_FIELDS = ("file_name", "id", "prompt")


@dataclass(frozen=True)
class Result:
    """A picture that was made, and what is said of it.

    Attributes:
        key: its name among all, without dots: what reads shards takes what follows one for the
            kind of a file.
        file: where it lies, inside the folder.
        data: its line of the metadata.
    """

    key: str
    file: Path
    data: dict[str, Any]

    @property
    def prompt(self) -> str:
        """What it was made of."""
        return str(self.data["prompt"])

    def picture(self) -> bytes:
        """The file as it is.

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
        """The line in an order of its own: the same line, the same text."""
        return json.dumps(self.data, sort_keys=True, ensure_ascii=False)


def read_results(folder: Path) -> Iterator[Result]:
    """The pictures of a folder in the order of its metadata.

    Raises:
        UsageError: if there is no metadata, or a line of it is none.
        OutputError: if a picture is named that is not there, or not inside the folder.
    """
    inside, seen = Path(os.path.realpath(folder)), set[int]()
    for row in json_rows(folder / METADATA):
        where = f"line {row.number} of {METADATA}"
        if row.data is None:
            raise UsageError(f"{where} is damaged: {row.problem}", "mend or remove the line")
        for name in REQUIRED_FIELDS:
            if not isinstance(row.data.get(name), str):
                raise UsageError(f"{where} has no {name}", "is it a folder of results?")
        name = row.data["file_name"]
        yield Result(_key(name, seen, where), _resolve_inside(inside, name, where), row.data)


def _resolve_inside(folder: Path, name: str, where: str) -> Path:
    """The file of this name, and nothing outside of the folder, by no detour."""
    there = Path(os.path.realpath(folder / name)) if _is_relative(name) else None
    if there is None or not there.is_relative_to(folder):
        raise OutputError(
            f"{where} names {name[:100]!r}, which leaves the folder", "only what is in it is taken"
        )
    try:
        found = there.is_file()
    except OSError:  # a name that is too long, a folder that may not be looked into
        found = False
    if not found:
        raise OutputError(f"{where} names {name[:100]!r}, which is not there", "make it again")
    return there


def _is_relative(name: str) -> bool:
    """Whether a name leads down, as this system and as others read it."""
    for kind in (PurePosixPath, PureWindowsPath):
        path = kind(name)
        if path.anchor or ".." in path.parts:
            return False
    return name.isprintable() and "\\" not in name


def _key(name: str, seen: set[int], where: str) -> str:
    """A key that no other picture has; of the others only hashes are kept: there may be many.

    Raises:
        UsageError: if it is no PNG, or was named before.
    """
    path = PurePosixPath(name)
    if path.suffix.lower() != ".png":
        raise UsageError(f"{where} names {name[:100]!r}, which is no .png", "remove the line")
    digest = hash(("name", str(path)))
    if digest in seen:
        raise UsageError(f"{where} names {name[:100]!r} a second time", "remove one of the lines")
    seen.add(digest)
    key = plain = str(path.with_suffix("")).replace(".", "_")
    number = 1
    while hash(("key", key)) in seen:
        number += 1
        key = f"{plain}_{number}"
    seen.add(hash(("key", key)))
    return key
