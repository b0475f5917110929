"""What can be done with files that are elsewhere, through fsspec; it is imported here only.

Which keys and endpoints are used follows from the environment and fsspec's own configuration:
none is ever given to this program.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from sow.errors import OutputError, SowError, UsageError
from sow.storage.addresses import host_of, name_of, scheme_of
from sow.storage.errors import telling

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

WHOLE = {"memory", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oci", "oss"}
"""Storages that show an object when all of it is there; elsewhere files are moved into place."""
PIECE = 2**20
HOSTS = 64


class Storage:
    """A folder that is elsewhere; names are those of files in it.

    Attributes:
        address: of the folder.
    """

    def __init__(self, address: str, kind: type[SowError] = OutputError) -> None:
        """Nothing is asked yet but for the package.

        Args:
            kind: of the errors if something is not there, or may not be had.

        Raises:
            UsageError: if there is no such storage, or its package is not installed.
        """
        self.address, self._kind = address, kind
        with telling(address, kind):
            self._system = _system(scheme_of(address), host_of(address))

    def at(self, name: str) -> str:
        """The address of a file."""
        return f"{self.address}/{name}" if name else self.address

    def kind_of(self, name: str) -> str | None:
        """`file`, `directory` or something else; None if there is nothing."""
        found = self._info(name)
        return None if found is None else str(found.get("type"))

    def size_of(self, name: str) -> int | None:
        """How many bytes a file has; None if there is none, -1 if nobody says.

        Raises:
            SowError: if it cannot be asked, or is no file.
        """
        found = self._info(name)
        if found is None:
            return None
        if found.get("type") != "file":
            raise self._kind(f"{self.at(name)!r} is no file", "check its name")
        size = found.get("size")
        return size if isinstance(size, int) else -1

    def fetch(self, name: str, most: int, file: Path) -> None:
        """Brings a file here, if it is not too large; what is too large is not read.

        Raises:
            SowError: if it is, is not there, or cannot be had.
        """
        size = self.size_of(name)
        if size is None:
            raise self._kind(f"there is no {self.at(name)!r}", "check its name")
        check_size(self.at(name), size, most, self._kind)
        with self._opened(name) as there, file.open("xb") as here:
            # What a server says of its size is not believed: it is counted as it comes.
            got = 0
            while piece := there.read(PIECE):
                got += len(piece)
                check_size(self.at(name), got, most, self._kind)
                here.write(piece)

    def read(self, name: str, most: int) -> bytes | None:
        """A small file; None if there is none.

        Raises:
            SowError: if it is too large, or cannot be had.
        """
        size = self.size_of(name)
        if size is None:
            return None
        check_size(self.at(name), size, most, self._kind)
        try:
            return self.beginning(name, most)
        except SowError:
            if self.kind_of(name) is None:  # it went while it was being read
                return None
            raise

    def beginning(self, name: str, most: int) -> bytes:
        """The first bytes of a file.

        Raises:
            SowError: if it cannot be had.
        """
        with self._opened(name) as there:
            return bytes(there.read(most))

    def listing(self) -> dict[str, str]:
        """What is in the folder itself, with its kind; nothing, if it is not there.

        Raises:
            SowError: if it cannot be asked.
        """
        root = self._path("").strip("/")
        with telling(self.address, self._kind):
            self._system.invalidate_cache()
            try:
                found = self._system.ls(self._path(""), detail=True)
            except FileNotFoundError:
                return {}
            self._system.invalidate_cache()
        entries = ((entry["name"].strip("/"), entry["type"]) for entry in found)
        return {name.rpartition("/")[2]: kind for name, kind in entries if name != root}

    def put(self, name: str, content: bytes) -> None:
        """Writes a file, whole or not at all.

        Raises:
            SowError: if it cannot be written.
        """
        with telling(self.at(name), self._kind):
            if scheme_of(self.address) in WHOLE:
                self._system.pipe_file(self._path(name), content)
                return
            self._system.pipe_file(self._way_of(name), content)
            self._system.mv(self._way_of(name), self._path(name))

    def put_file(self, file: Path, name: str) -> None:
        """Writes a file that lies here, whole or not at all.

        Raises:
            SowError: if it cannot be written.
        """
        with telling(self.at(name), self._kind):
            if scheme_of(self.address) in WHOLE:
                self._system.put_file(str(file), self._path(name))
                return
            self._system.put_file(str(file), self._way_of(name))
            self._system.mv(self._way_of(name), self._path(name))

    def move(self, name: str, other: str) -> None:
        """Gives a file another name; if it is cut short, there are both.

        Raises:
            SowError: if it cannot be moved.
        """
        with telling(self.at(name), self._kind):
            if scheme_of(self.address) not in WHOLE:
                self._system.makedirs(self._path(other).rpartition("/")[0], exist_ok=True)
            self._system.cp_file(self._path(name), self._path(other))
            self._system.rm_file(self._path(name))

    def remove(self, name: str) -> None:
        """Removes a file, if it is there.

        Raises:
            SowError: if it cannot be removed.
        """
        if self.kind_of(name) is not None:
            with telling(self.at(name), self._kind):
                self._system.rm_file(self._path(name))

    @contextmanager
    def _opened(self, name: str) -> Iterator[BinaryIO]:
        with (
            telling(self.at(name), self._kind),
            self._system.open(self._path(name), "rb") as there,
        ):
            yield there

    def _info(self, name: str) -> dict[str, Any] | None:
        with telling(self.at(name), self._kind):
            self._system.invalidate_cache()
            try:
                found: dict[str, Any] = self._system.info(self._path(name))
            except FileNotFoundError:
                return None
            return found

    def _path(self, name: str) -> str:
        return str(self._system._strip_protocol(self.at(name)))

    def _way_of(self, name: str) -> str:
        """Where a file waits until it is whole; always the same place, so that nothing is left."""
        waiting = self._path(f".sow/incoming/{name.replace('/', '+')}")
        for path in (waiting, self._path(name)):
            self._system.makedirs(path.rpartition("/")[0], exist_ok=True)
        return waiting


def storage_of(address: str, kind: type[SowError] = UsageError) -> tuple[Storage, str]:
    """The storage in which a file is, and its name in there.

    Raises:
        UsageError: as `Storage`.
    """
    name = name_of(address)
    return Storage(address[: -len(name) - 1], kind), name


def check_size(address: str, size: int, most: int, kind: type[SowError]) -> None:
    """Refuses what is too large.

    Raises:
        SowError: of this kind, if it is.
    """
    if size > most:
        raise kind(f"{address!r} is larger than {most >> 20} MB", "give a smaller one")


@lru_cache(HOSTS)
def _system(scheme: str, host: str) -> AbstractFileSystem:
    """The file system of a bucket or a server, one for all threads: connections are shared."""
    import fsspec

    system, _ = fsspec.core.url_to_fs(f"{scheme}://{host}/")
    return system
