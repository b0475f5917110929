"""Where the pictures of a batch are stored: the protocol, and a local folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Protocol

from sow.batch.ledger.schema import OWN_FOLDER
from sow.errors import OutputError
from sow.utils.files import local_identity, move_to_free, temporary_file, write_synced

REPLACED = f"{OWN_FOLDER}/replaced"
"""Where archived files go, from the results folder."""

Commit = Callable[[], list[str]]
"""Gives staged files their names; returns where files went that had these names before."""


class FolderSnapshot(Protocol):
    """The contents of a results folder at one moment."""

    def is_empty(self) -> bool:
        """Return whether the folder has nothing but a batch's own hidden folder."""

    def exists(self, name: str) -> bool:
        """Return whether there is a file or a folder of this name."""

    def is_folder(self, name: str) -> bool:
        """Return whether this name is a folder."""

    def identities(self) -> Iterator[tuple[str, str]]:
        """Yield the names that results may have, with `identity_of` each."""


class Store(Protocol):
    """A results folder, local or remote; file names are relative to it.

    Every method raises OutputError if the folder cannot be used.

    Attributes:
        label: its path or address, for messages and commands.
        name: the last part of it.
    """

    label: str
    name: str

    def staged(self, files: Mapping[str, bytes]) -> AbstractContextManager[Commit]:
        """Prepare files: a context manager whose value, when called, gives them their names.

        Everything slow happens before the value is available. Other files of these names are
        archived, except in a batch's own hidden folder.

        Raises:
            OutputError: if they cannot be written.
        """

    def address(self, name: str) -> Path | str:
        """Return the path or the address of a file."""

    def snapshot(self) -> FolderSnapshot:
        """Return the contents of the folder now."""

    def exists(self, name: str) -> bool:
        """Return whether there is a file or a folder of this name."""

    def is_folder(self, name: str) -> bool:
        """Return whether this name is a folder."""

    def missing(self, names: Iterable[str]) -> Iterator[str]:
        """Yield the names that do not exist."""

    def archive(self, name: str) -> str | None:
        """Move a file to `REPLACED` under a free name, and return that; None if there is none.

        Raises:
            OutputError: if it cannot be moved.
        """

    def publish(self, names: Iterable[str]) -> None:
        """Copy files from the ledger's folder to the store, in this order.

        Raises:
            OutputError: if they cannot be written.
        """


class LocalStore:
    """A local folder, which is also the ledger's; see `Store` for its methods."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.label, self.name = str(folder), folder.absolute().name

    @contextmanager
    def staged(self, files: Mapping[str, bytes]) -> Iterator[Commit]:
        """Write and sync files under temporary names; the value renames them.

        A file that is there already is archived, unless it is the same.
        """
        with ExitStack() as stack:
            written = {}
            for name, content in files.items():
                written[name] = stack.enter_context(temporary_file(self._folder / OWN_FOLDER))
                write_synced(written[name], content)

            def commit() -> list[str]:
                archived = []
                for name, file in written.items():
                    archived += self._place(file, name, files[name])
                return archived

            for name in files:
                (self._folder / name).parent.mkdir(parents=True, exist_ok=True)
            yield commit

    def _place(self, file: Path, name: str, content: bytes) -> list[str]:
        """Move a file to its name; return where files went that had the name."""
        path, archived = self._folder / name, list[str]()
        while True:
            if name.startswith(f"{OWN_FOLDER}/") or _has_content(path, content):
                file.replace(path)
                return archived
            if path.is_dir() and not path.is_symlink():
                raise IsADirectoryError(0, f"{name!r} is a folder")
            if moved := self.archive(name):
                archived.append(moved)
            with suppress(FileExistsError):  # one has appeared just now
                move_to_free(file, path)
                file.unlink(missing_ok=True)
                return archived

    def address(self, name: str) -> Path:
        """Return the path of a file."""
        return self._folder / name

    def snapshot(self) -> LocalStore:
        """Return this store: a local disk needs no snapshot."""
        return self

    def is_empty(self) -> bool:
        """Return whether the folder has nothing but a batch's own hidden folder."""
        return all(entry.name == OWN_FOLDER for entry in self._folder.iterdir())

    def identities(self) -> Iterator[tuple[str, str]]:
        """Yield the names that results may have, with `identity_of` each."""
        with os.scandir(self._folder) as entries:
            for entry in entries:
                identity = local_identity(self._folder / entry.name)
                if identity is not None and entry.name.isascii():
                    yield entry.name, identity

    def exists(self, name: str) -> bool:
        """Return whether there is a file or a folder of this name."""
        return os.path.lexists(self._folder / name)

    def is_folder(self, name: str) -> bool:
        """Return whether this name is a folder."""
        return (self._folder / name).is_dir()

    def missing(self, names: Iterable[str]) -> Iterator[str]:
        """Yield the names that do not exist."""
        return (name for name in names if not self.exists(name))

    def archive(self, name: str) -> str | None:
        """Move a file to `REPLACED` under a free name, and return that; None if there is none."""
        archive, path = self._folder / REPLACED, self._folder / name
        names = (f"{path.stem}{f'-{n}' if n else ''}{path.suffix}" for n in count())
        try:
            if not os.path.lexists(path):
                return None
            archive.mkdir(exist_ok=True)
            free = next(name for name in names if not os.path.lexists(archive / name))
            path.replace(archive / free)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OutputError(
                f"{name!r} cannot be archived ({error.strerror or error})",
                "close it in other programs",
            ) from None
        return f"{REPLACED}/{free}"

    def publish(self, names: Iterable[str]) -> None:
        """Do nothing: the files are in place already."""


def _has_content(path: Path, content: bytes) -> bool:
    """Return whether this is a file, not a link, with this content."""
    with suppress(OSError):
        return (
            not path.is_symlink()
            and path.is_file()
            and path.stat().st_size == len(content)
            and path.read_bytes() == content
        )
    return False
