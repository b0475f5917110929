"""Where the pictures of a batch go: a folder of this machine, or a place that is like one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Protocol

from sow.batch.ledger.schema import OWN_FOLDER
from sow.errors import OutputError
from sow.utils.files import aside, synced

REPLACED = f"{OWN_FOLDER}/replaced"
"""Where archived files go, from the results folder."""

Place = Callable[[], object]


class Glance(Protocol):
    """What is in a folder of results at one moment, for many questions at once."""

    def is_empty(self) -> bool:
        """Whether nobody but a batch has put anything there."""

    def is_there(self, name: str) -> bool:
        """Whether there is anything of this name."""

    def is_folder(self, name: str) -> bool:
        """Whether it is something that files can be in."""


class Store(Protocol):
    """A folder of results, wherever it is; names are those of files in it.

    Whatever is asked or done raises OutputError if the place cannot be used.

    Attributes:
        said: where it is, for lines and commands.
        title: what its last part is called.
    """

    said: str
    title: str

    def bringing(self, files: Mapping[str, bytes]) -> AbstractContextManager[Place]:
        """Files on their way: whatever takes long is over when it begins, and calling what it
        gives makes them the files of these names.

        Raises:
            OutputError: if they cannot be written.
        """

    def address(self, name: str) -> Path | str:
        """Where a file is, for whoever wants to open it."""

    def glance(self) -> Glance:
        """What is there now."""

    def is_there(self, name: str) -> bool:
        """Whether there is anything of this name."""

    def is_folder(self, name: str) -> bool:
        """Whether it is something that files can be in."""

    def gone(self, names: Iterable[str]) -> Iterator[str]:
        """Those of the names that are not there."""

    def set_aside(self, name: str) -> None:
        """Moves a file to the replaced ones, if it is there.

        Raises:
            OutputError: if it cannot be moved.
        """

    def publish(self, names: Iterable[str]) -> None:
        """Shows files that were written into the ledger's folder, in this order.

        Raises:
            OutputError: if they cannot be written.
        """


class LocalStore:
    """A folder of this machine, which is the ledger's own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.said, self.title = str(folder), folder.absolute().name

    @contextmanager
    def bringing(self, files: Mapping[str, bytes]) -> Iterator[Place]:
        """As `Store`: written and synced aside, then renamed."""
        with ExitStack() as stack:
            brought = {}
            for name, content in files.items():
                brought[name] = stack.enter_context(aside(self._folder / OWN_FOLDER))
                synced(brought[name], content)

            def place() -> None:
                for name, file in brought.items():
                    file.replace(self._folder / name)

            for name in files:
                (self._folder / name).parent.mkdir(parents=True, exist_ok=True)
            yield place

    def address(self, name: str) -> Path:
        """As `Store`."""
        return self._folder / name

    def glance(self) -> LocalStore:
        """As `Store`: a disk answers at once."""
        return self

    def is_empty(self) -> bool:
        """As `Glance`."""
        return all(entry.name == OWN_FOLDER for entry in self._folder.iterdir())

    def is_there(self, name: str) -> bool:
        """As `Store`."""
        return os.path.lexists(self._folder / name)

    def is_folder(self, name: str) -> bool:
        """As `Store`."""
        return (self._folder / name).is_dir()

    def gone(self, names: Iterable[str]) -> Iterator[str]:
        """As `Store`."""
        return (name for name in names if not self.is_there(name))

    def set_aside(self, name: str) -> None:
        """As `Store`."""
        archive, path = self._folder / REPLACED, self._folder / name
        names = (f"{path.stem}{f'-{n}' if n else ''}{path.suffix}" for n in count())
        try:
            archive.mkdir(exist_ok=True)
            free = next(name for name in names if not os.path.lexists(archive / name))
            with suppress(FileNotFoundError):
                path.replace(archive / free)
        except OSError as error:
            raise OutputError(
                f"{name!r} cannot be moved aside ({error.strerror or error})", "close it elsewhere"
            ) from None

    def publish(self, names: Iterable[str]) -> None:
        """They are where they belong."""
