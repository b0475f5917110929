"""Where the pictures of a batch are stored: the protocol, and a local folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Protocol

from sow.batch.ledger.schema import OWN_FOLDER
from sow.errors import OutputError
from sow.utils.files import local_identity
from sow.utils.output_folder import OutputFolder, TemporaryFile

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

    def digest_of(self, name: str) -> str | None:
        """Return the SHA-256 of a file; None if there is none, "" if it is no file."""

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
    """A local folder, which is also the ledger's; see `Store` for its methods.

    Nothing below the folder is written, moved or removed through a link.
    """

    def __init__(self, folder: Path) -> None:
        """Open the folder, which must exist."""
        self._given, self._folder = folder, OutputFolder(folder)
        self.label, self.name = str(folder), folder.absolute().name

    @contextmanager
    def staged(self, files: Mapping[str, bytes]) -> Iterator[Commit]:
        """Write and sync files under temporary names; the value renames them.

        A file that is there already is archived, unless it is the same.
        """
        with write_errors(self.label), ExitStack() as stack:
            written: dict[str, TemporaryFile] = {}
            self._folder.make_folder(OWN_FOLDER)
            for name, content in files.items():
                written[name] = stack.enter_context(self._folder.temporary(OWN_FOLDER))
                written[name].file.write(content)
                written[name].sync()
                if "/" in name:
                    self._folder.make_folder(name.rpartition("/")[0])

            def commit() -> list[str]:
                archived = []
                for name, file in written.items():
                    archived += self._place(file, name, files[name])
                return archived

            yield commit

    def _place(self, file: TemporaryFile, name: str, content: bytes) -> list[str]:
        """Move a file to its name; return where files went that had the name."""
        archived = list[str]()
        while True:
            if name.startswith(f"{OWN_FOLDER}/") or self._has_content(name, content):
                file.place(name, replace=True)
                return archived
            if self.is_folder(name):
                raise IsADirectoryError(0, f"{name!r} is a folder")
            if moved := self.archive(name):
                archived.append(moved)
            with suppress(FileExistsError):  # one has appeared just now
                file.place(name, replace=False)
                return archived

    def _has_content(self, name: str, content: bytes) -> bool:
        """Return whether this is a file, not a link, with this content."""
        status = self._folder.stat(name)
        if status is None or not S_ISREG(status.st_mode) or status.st_size != len(content):
            return False
        with suppress(OSError), self._folder.open(name) as file:
            return file.read(len(content) + 1) == content
        return False

    def address(self, name: str) -> Path:
        """Return the path of a file."""
        return self._given / name

    def snapshot(self) -> LocalStore:
        """Return this store: a local disk needs no snapshot."""
        return self

    def is_empty(self) -> bool:
        """Return whether the folder has nothing but a batch's own hidden folder."""
        return all(entry.name == OWN_FOLDER for entry in self._folder.path.iterdir())

    def identities(self) -> Iterator[tuple[str, str]]:
        """Yield the names that results may have, with `identity_of` each."""
        with os.scandir(self._folder.path) as entries:
            for entry in entries:
                identity = local_identity(self._folder.path / entry.name)
                if identity is not None and entry.name.isascii():
                    yield entry.name, identity

    def exists(self, name: str) -> bool:
        """Return whether there is a file, a link or a folder of this name."""
        return self._folder.stat(name) is not None

    def is_folder(self, name: str) -> bool:
        """Return whether this name is a folder."""
        status = self._folder.stat(name)
        return status is not None and S_ISDIR(status.st_mode)

    def digest_of(self, name: str) -> str | None:
        """Return the SHA-256 of a file; None if there is none, "" if it is no file."""
        try:
            with self._folder.open(name) as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            return None
        except OSError:
            return ""

    def missing(self, names: Iterable[str]) -> Iterator[str]:
        """Yield the names that do not exist, or are links to nothing."""
        return (name for name in names if self._folder.stat(name, follow=True) is None)

    def archive(self, name: str) -> str | None:
        """Move a file to `REPLACED` under a free name, and return that; None if there is none."""
        try:
            return self._folder.set_aside(name, REPLACED)
        except OSError as error:
            raise OutputError(
                f"{name!r} cannot be archived ({error.strerror or error})",
                "close it in other programs",
            ) from None

    def publish(self, names: Iterable[str]) -> None:
        """Do nothing: the files are in place already."""


@contextmanager
def write_errors(folder: str) -> Iterator[None]:
    """Turn errors of the system about a folder into an OutputError.

    Raises:
        OutputError: for any `OSError`.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"the folder {folder!r} cannot be written to ({error.strerror or error})",
            "choose another one",
        ) from None
