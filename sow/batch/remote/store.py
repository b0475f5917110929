"""A folder of results in object storage."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain, count, islice
from pathlib import Path

from sow.batch.gallery.gallery import ASSETS, CHUNK_NAME, GENERATOR_TAG, PAGE, TAG_BYTES
from sow.batch.ledger.schema import OWN_FOLDER
from sow.batch.ledger.stores import REPLACED, Commit
from sow.errors import OutputError
from sow.storage.addresses import name_of
from sow.storage.identity import identity_of
from sow.storage.storage import Storage


class Listing:
    """The contents of a folder when it was listed, not those of its subfolders."""

    def __init__(self, entries: Mapping[str, str], address_of: Callable[[str], str]) -> None:
        """Keep the types of the entries, by name, and what returns the address of one."""
        self._entries, self._address_of = entries, address_of

    def is_empty(self) -> bool:
        """Return whether only batches have written here."""
        return all(name == OWN_FOLDER for name in self._entries)

    def exists(self, name: str) -> bool:
        """Return whether anything has this name."""
        return name in self._entries

    def is_folder(self, name: str) -> bool:
        """Return whether this is a folder."""
        return self._entries.get(name) == "directory"

    def identities(self) -> Iterator[tuple[str, str]]:
        """Yield the names that results may have, with `identity_of` each."""
        for name in self._entries:
            identity = identity_of(self._address_of(name)) if name.isascii() else None
            if identity is not None:
                yield name, identity


class RemoteStore:
    """A `Store` in object storage; the ledger and the page are written to a local folder first."""

    def __init__(self, storage: Storage, folder: Path, check_lease: Callable[[], object]) -> None:
        """Prepare the store; no request is sent yet.

        Args:
            folder: the ledger's folder on this machine.
            check_lease: raises OutputError once the lease is lost.
        """
        self._storage, self._folder, self._check_lease = storage, folder, check_lease
        self.label = storage.address
        self.name = name_of(storage.address)
        self._published_digests: dict[str, bytes] = {}

    @contextmanager
    def staged(self, files: Mapping[str, bytes]) -> Iterator[Commit]:
        """Upload thumbnails at once, and the picture on commit, while no other runner can claim its
        job: an object is complete as soon as it exists. Another object of its name is archived
        first; one that appears between the two requests is replaced."""
        self._check_lease()
        extras = {name for name in files if name.startswith(f"{OWN_FOLDER}/")}
        for name in extras:
            self._storage.put(name, files[name])

        def commit() -> list[str]:
            self._check_lease()
            archived = []
            for name in files.keys() - extras:
                archived += self._set_aside(name, files[name])
                self._storage.put(name, files[name])
            return archived

        yield commit

    def _set_aside(self, name: str, content: bytes) -> list[str]:
        """Archive a file that has this name and other content; return where it went."""
        size = self._storage.size_of(name)
        if size is None or (
            size == len(content) and self._storage.read_start(name, size) == content
        ):
            return []
        moved = self.archive(name)
        return [] if moved is None else [moved]

    def address(self, name: str) -> str:
        """Return the address of a file."""
        return self._storage.address_of(name)

    def snapshot(self) -> Listing:
        """List the folder once, for many questions."""
        return Listing(self._storage.list_folder(), self._storage.address_of)

    def exists(self, name: str) -> bool:
        """Return whether anything has this name."""
        return self._storage.entry_type_of(name) is not None

    def is_folder(self, name: str) -> bool:
        """Return whether this is a folder."""
        return self._storage.entry_type_of(name) == "directory"

    def digest_of(self, name: str) -> str | None:
        """Return the SHA-256 of a file; None if there is none.

        One that was published here, and is as long as it was, is not read again.
        """
        published = self._published_digests.get(name)
        if published is not None:
            size = self._storage.size_of(name)
            if size == (self._folder / name).stat().st_size:
                return published.hex()
        return self._storage.sha256_of(name)

    def missing(self, names: Iterable[str]) -> Iterator[str]:
        """Yield those of the names that do not exist."""
        remaining = iter(names)
        # The ledger is read first: files added after the listing would seem to be missing.
        first = list(islice(remaining, 1))
        existing = self._storage.list_folder() if first else {}
        return (name for name in chain(first, remaining) if name not in existing)

    def archive(self, name: str) -> str | None:
        """Move a file to `REPLACED` under a free name, and return that; None if there is none."""
        self._check_lease()
        if self._storage.entry_type_of(name) is None:
            return None
        stem, dot, suffix = name.rpartition(".")
        names = (f"{REPLACED}/{stem}{f'-{n}' if n else ''}{dot}{suffix}" for n in count())
        free = next(candidate for candidate in names if not self.exists(candidate))
        self._storage.move(name, free)
        self._published_digests.pop(name, None)  # the same content is to be uploaded again
        return free

    def publish(self, names: Iterable[str]) -> None:
        """Upload files that have changed, and remove surplus files of a longer page.

        Raises:
            OutputError: if they cannot be written, or a page of another program is there.
        """
        self._check_lease()
        named = list(names)
        if PAGE in named:
            self._check_page_is_ours()
        for name in named:
            with (self._folder / name).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").digest()
            if self._published_digests.get(name) != digest:
                self._storage.put_file(self._folder / name, name)
                self._published_digests[name] = digest
        if PAGE in named:
            self._remove_old_chunks({name for name in named if name.startswith(ASSETS)})

    def _check_page_is_ours(self) -> None:
        if PAGE in self._published_digests or not self.exists(PAGE):
            return
        if GENERATOR_TAG not in self._storage.read_start(PAGE, TAG_BYTES):
            raise OutputError(f"{self.address(PAGE)!r} is not a page of SOW", "move it away")

    def _remove_old_chunks(self, kept: set[str]) -> None:
        for name in self._storage.list_folder(ASSETS):
            if CHUNK_NAME.fullmatch(name) and f"{ASSETS}/{name}" not in kept:
                self._storage.remove(f"{ASSETS}/{name}")
