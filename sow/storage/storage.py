"""Reading and writing files in object storage, through fsspec; only this module imports it.

Keys and endpoints come from the environment and fsspec's own configuration; this program is never
given any.
"""

from __future__ import annotations

import hashlib
import io
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from sow.errors import OutputError, SowError, UsageError
from sow.storage.addresses import host_of, name_of, scheme_of
from sow.storage.errors import storage_errors
from sow.utils.files import local_identity
from sow.utils.output_folder import OutputFolder

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

ATOMIC = {"memory", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oci", "oss"}
"""Storages that show an object only once it is complete; in others, files are moved into place."""
CHUNK_BYTES = 2**20
MAX_FILE_SYSTEMS = 64


class Storage:
    """A folder in object storage; methods take names of files relative to it.

    Attributes:
        address: the address of the folder.
    """

    def __init__(self, address: str, error_type: type[SowError] = OutputError) -> None:
        """Load the file system; no request is sent yet.

        Args:
            error_type: what to raise if something is missing or access is denied.

        Raises:
            UsageError: if the scheme is unknown or its package is not installed.
        """
        self.address, self._error_type = address, error_type
        with storage_errors(address, error_type):
            self._file_system = _open_file_system(scheme_of(address), host_of(address))

    def address_of(self, name: str) -> str:
        """Return the address of a file."""
        return f"{self.address}/{name}" if name else self.address

    def identity(self) -> str | None:
        """Return what identifies the file or folder at the address; see `identity_of`."""
        if self._is_local:
            return local_identity(Path(self._path("")))
        return f"{self._scheme}://{host_of(self.address).lower()}/{self._path('').strip('/')}"

    @property
    def _scheme(self) -> str:
        """The first name of the file system's scheme."""
        protocol = self._file_system.protocol
        return protocol if isinstance(protocol, str) else protocol[0]

    @property
    def _is_local(self) -> bool:
        """True for folders of this machine, where links could lead out of the folder."""
        return self._scheme == "file"

    @cached_property
    def _outputs(self) -> OutputFolder:
        """The local folder, created and held open."""
        return OutputFolder(Path(self._path("")), create=True)

    def entry_type_of(self, name: str) -> str | None:
        """Return `file`, `directory` or another type; None if nothing has this name."""
        info = self._info(name)
        return None if info is None else str(info.get("type"))

    def size_of(self, name: str) -> int | None:
        """Return the bytes of a file; None if it is missing, -1 if the storage does not say.

        Raises:
            SowError: if the storage cannot be asked, or this is not a file.
        """
        info = self._info(name)
        if info is None:
            return None
        if info.get("type") != "file":
            raise self._error_type(f"{self.address_of(name)!r} is not a file", "check its name")
        size = info.get("size")
        return size if isinstance(size, int) else -1

    def download(self, name: str, max_bytes: int, file: Path) -> None:
        """Copy a file of at most `max_bytes` to this machine.

        Raises:
            SowError: if it is too large, missing or unreadable.
        """
        size = self.size_of(name)
        if size is None:
            raise self._error_type(f"there is no {self.address_of(name)!r}", "check its name")
        check_size(self.address_of(name), size, max_bytes, self._error_type)
        with self._open(name) as source, file.open("xb") as target:
            # A server may lie about the size, so bytes are counted as they arrive.
            received = 0
            while chunk := source.read(CHUNK_BYTES):
                received += len(chunk)
                check_size(self.address_of(name), received, max_bytes, self._error_type)
                target.write(chunk)

    def read(self, name: str, max_bytes: int) -> bytes | None:
        """Return the content of a file of at most `max_bytes`; None if it is missing.

        Raises:
            SowError: if it is too large or unreadable.
        """
        size = self.size_of(name)
        if size is None:
            return None
        check_size(self.address_of(name), size, max_bytes, self._error_type)
        try:
            return self.read_start(name, max_bytes)
        except SowError:
            if self.entry_type_of(name) is None:  # removed while it was being read
                return None
            raise

    def read_start(self, name: str, max_bytes: int) -> bytes:
        """Return the first `max_bytes` bytes of a file.

        Raises:
            SowError: if it is unreadable.
        """
        with self._open(name) as source:
            return bytes(source.read(max_bytes))

    def sha256_of(self, name: str) -> str | None:
        """Return the SHA-256 of a file; None if it is missing.

        Raises:
            SowError: if it is unreadable.
        """
        if self.size_of(name) is None:
            return None
        digest = hashlib.sha256()
        with self._open(name) as source:
            while chunk := source.read(CHUNK_BYTES):
                digest.update(chunk)
        return digest.hexdigest()

    def list_folder(self, folder: str = "") -> dict[str, str]:
        """Return the names in a folder itself with their types; empty if there is no such folder.

        Raises:
            SowError: if the storage cannot be asked.
        """
        root = self._path(folder).strip("/")
        with storage_errors(self.address_of(folder), self._error_type):
            self._file_system.invalidate_cache()
            try:
                found = self._file_system.ls(self._path(folder), detail=True)
            except FileNotFoundError:
                return {}
            self._file_system.invalidate_cache()
        entries = ((entry["name"].strip("/"), entry["type"]) for entry in found)
        return {name.rpartition("/")[2]: entry_type for name, entry_type in entries if name != root}

    def put(self, name: str, content: bytes) -> None:
        """Write a file atomically.

        Raises:
            SowError: if it cannot be written.
        """
        with storage_errors(self.address_of(name), self._error_type):
            if self._is_local:
                self._write_local(name, io.BytesIO(content))
            elif scheme_of(self.address) in ATOMIC:
                self._file_system.pipe_file(self._path(name), content)
            else:
                with self._temporary_path(name) as temporary:
                    self._file_system.pipe_file(temporary, content)

    def put_file(self, file: Path, name: str) -> None:
        """Upload a file of this machine atomically.

        Raises:
            SowError: if it cannot be written.
        """
        with storage_errors(self.address_of(name), self._error_type):
            if self._is_local:
                with file.open("rb") as content:
                    self._write_local(name, content)
            elif scheme_of(self.address) in ATOMIC:
                self._file_system.put_file(str(file), self._path(name))
            else:
                with self._temporary_path(name) as temporary:
                    self._file_system.put_file(str(file), temporary)

    def _write_local(self, name: str, content: BinaryIO) -> None:
        if "/" in name:
            self._outputs.make_folder(name.rpartition("/")[0])
        self._outputs.write(name, lambda file: shutil.copyfileobj(content, file), replace=True)

    def move(self, name: str, new_name: str) -> None:
        """Rename a file; in object storage by copying it: both remain if this is interrupted.

        Raises:
            SowError: if it cannot be moved.
        """
        with storage_errors(self.address_of(name), self._error_type):
            if self._is_local:
                self._outputs.make_folder(new_name.rpartition("/")[0])
                self._outputs.rename(name, new_name)
                return
            if scheme_of(self.address) not in ATOMIC:
                self._file_system.makedirs(self._path(new_name).rpartition("/")[0], exist_ok=True)
            self._file_system.cp_file(self._path(name), self._path(new_name))
            self._file_system.rm_file(self._path(name))

    def remove(self, name: str) -> None:
        """Remove a file, if it exists.

        Raises:
            SowError: if it cannot be removed.
        """
        if self._is_local:
            with storage_errors(self.address_of(name), self._error_type):
                self._outputs.remove(name)
        elif self.entry_type_of(name) is not None:
            with storage_errors(self.address_of(name), self._error_type):
                self._file_system.rm_file(self._path(name))

    @contextmanager
    def _open(self, name: str) -> Iterator[BinaryIO]:
        with (
            storage_errors(self.address_of(name), self._error_type),
            self._file_system.open(self._path(name), "rb") as file,
        ):
            yield file

    def _info(self, name: str) -> dict[str, Any] | None:
        with storage_errors(self.address_of(name), self._error_type):
            self._file_system.invalidate_cache()
            try:
                info: dict[str, Any] = self._file_system.info(self._path(name))
            except FileNotFoundError:
                return None
            return info

    def _path(self, name: str) -> str:
        return str(self._file_system._strip_protocol(self.address_of(name)))

    @contextmanager
    def _temporary_path(self, name: str) -> Iterator[str]:
        """Yield where a file is written first, under a random name; then move it into place."""
        temporary = self._path(f".sow/incoming/{secrets.token_hex(16)}")
        for path in (temporary, self._path(name)):
            self._file_system.makedirs(path.rpartition("/")[0], exist_ok=True)
        try:
            yield temporary
            self._file_system.mv(temporary, self._path(name))
        except BaseException:
            with suppress(Exception):  # every storage has its own error types
                self._file_system.rm_file(temporary)
            raise


def storage_of(address: str, error_type: type[SowError] = UsageError) -> tuple[Storage, str]:
    """Return the storage that holds a file, and the file's name in it.

    Raises:
        UsageError: if the scheme is unknown or its package is not installed.
    """
    name = name_of(address)
    return Storage(address[: -len(name) - 1], error_type), name


def check_size(address: str, size: int, max_bytes: int, error_type: type[SowError]) -> None:
    """Check that a file is at most `max_bytes`; raise `error_type` otherwise.

    Raises:
        SowError: of that type, if it is larger.
    """
    if size > max_bytes:
        raise error_type(f"{address!r} is larger than {max_bytes >> 20} MB", "give a smaller one")


@lru_cache(MAX_FILE_SYSTEMS)
def _open_file_system(scheme: str, host: str) -> AbstractFileSystem:
    """Return the file system of a bucket or server, one for all threads, to share connections."""
    import fsspec

    file_system, _ = fsspec.core.url_to_fs(f"{scheme}://{host}/")
    return file_system
