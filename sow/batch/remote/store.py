"""A folder of results that is elsewhere: pictures and pages are put there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain, count, islice
from pathlib import Path

from sow.batch.gallery.gallery import BEGINNING, CHUNK, HOME, OURS, PAGE
from sow.batch.ledger.schema import OWN_FOLDER
from sow.batch.ledger.stores import REPLACED, Place
from sow.errors import OutputError
from sow.storage.addresses import name_of
from sow.storage.storage import Storage


class Listing:
    """What a folder had when it was listed; of folders in it only that they are there."""

    def __init__(self, entries: Mapping[str, str]) -> None:
        self._entries = entries

    def is_empty(self) -> bool:
        """As `Glance`."""
        return all(name == OWN_FOLDER for name in self._entries)

    def is_there(self, name: str) -> bool:
        """As `Glance`."""
        return name in self._entries

    def is_folder(self, name: str) -> bool:
        """As `Glance`."""
        return self._entries.get(name) == "directory"


class RemoteStore:
    """A folder in a storage; the ledger and what is to be shown lie in a folder here."""

    def __init__(self, storage: Storage, folder: Path, check: Callable[[], object]) -> None:
        """Nothing is asked yet.

        Args:
            folder: the ledger's own, on this machine.
            check: raises OutputError if nothing may be written any more.
        """
        self._storage, self._folder, self._check = storage, folder, check
        self.said = storage.address
        self.title = name_of(storage.address)
        self._shown: dict[str, bytes] = {}

    @contextmanager
    def bringing(self, files: Mapping[str, bytes]) -> Iterator[Place]:
        """As `Store`: what belongs to a picture is put at once, itself when it is placed, while
        nobody else can take its job: an object is there whole as soon as it has its name."""
        self._check()
        own = {name for name in files if name.startswith(f"{OWN_FOLDER}/")}
        for name in own:
            self._storage.put(name, files[name])

        def place() -> None:
            self._check()
            for name in files.keys() - own:
                self._storage.put(name, files[name])

        yield place

    def address(self, name: str) -> str:
        """As `Store`."""
        return self._storage.at(name)

    def glance(self) -> Listing:
        """As `Store`: one question for all names."""
        return Listing(self._storage.listing())

    def is_there(self, name: str) -> bool:
        """As `Store`."""
        return self._storage.kind_of(name) is not None

    def is_folder(self, name: str) -> bool:
        """As `Store`."""
        return self._storage.kind_of(name) == "directory"

    def gone(self, names: Iterable[str]) -> Iterator[str]:
        """As `Store`."""
        rest = iter(names)
        # The ledger is asked first: what is put and noted meanwhile would seem to be gone.
        first = list(islice(rest, 1))
        there = self._storage.listing() if first else {}
        return (name for name in chain(first, rest) if name not in there)

    def set_aside(self, name: str) -> None:
        """As `Store`."""
        self._check()
        if self._storage.kind_of(name) is None:
            return
        stem, dot, suffix = name.rpartition(".")
        names = (f"{REPLACED}/{stem}{f'-{n}' if n else ''}{dot}{suffix}" for n in count())
        self._storage.move(name, next(one for one in names if not self.is_there(one)))

    def publish(self, names: Iterable[str]) -> None:
        """As `Store`: what has not changed since is not sent again, and what is left of a longer
        page is removed.

        Raises:
            OutputError: if somebody else's page lies there by now, or they cannot be written.
        """
        self._check()
        named = list(names)
        if PAGE in named:
            self._check_page()
        for name in named:
            with (self._folder / name).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").digest()
            if self._shown.get(name) != digest:
                self._storage.put_file(self._folder / name, name)
                self._shown[name] = digest
        if PAGE in named:
            self._remove_surplus({name for name in named if name.startswith(HOME)})

    def _check_page(self) -> None:
        if PAGE in self._shown or not self.is_there(PAGE):
            return
        if OURS not in self._storage.beginning(PAGE, BEGINNING):
            raise OutputError(f"{self.address(PAGE)!r} is not a gallery of ours", "move it away")

    def _remove_surplus(self, kept: set[str]) -> None:
        home = Storage(self._storage.at(HOME))
        for name in home.listing():
            if CHUNK.fullmatch(name) and f"{HOME}/{name}" not in kept:
                home.remove(name)
