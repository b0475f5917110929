"""A folder of results, held open: nothing below it is reached through a link.

A folder may come from a stranger, or be shared. A link in it could lead anywhere, so every file is
created, renamed and removed by its name in a folder that is open already, one part of the path
after another. The folder itself may be given as a link: it is followed once.

Where the system has no such calls (Windows), each part is checked before it is used.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader
from itertools import count
from pathlib import Path
from typing import BinaryIO

from sow.errors import OutputError

TEMPORARY = re.compile(r"\.sow-[0-9a-f]{16}\.tmp")
STALE_SECONDS = 24 * 3600
"""Age in seconds from which a temporary file counts as left behind by a killed process."""
HAS_HANDLES = (
    {os.open, os.mkdir, os.stat, os.unlink, os.rename, os.link} <= os.supports_dir_fd
    and os.listdir in os.supports_fd
    and hasattr(os, "O_DIRECTORY")
    and hasattr(os, "O_NOFOLLOW")
)
"""Whether files can be named relative to an open folder."""
HINT = "remove it, or choose another folder"
NO_LINK = getattr(os, "O_NOFOLLOW", 0)
FOLDER_FLAGS = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | NO_LINK
"""How folders are opened. On Linux, one that may be written to but not listed can be opened too."""
FILE_FLAGS = NO_LINK | getattr(os, "O_BINARY", 0)
_UNFINISHED: set[TemporaryFile] = set()


@dataclass(frozen=True)
class _Place:
    """A folder below the held one: an open handle, or a path that was checked."""

    handle: int | None
    path: str

    def __call__(self, name: str) -> str:
        """Return what to call an entry, together with `handle`."""
        return name if self.handle is not None else os.path.join(self.path, name)  # noqa: PTH118  # text

    def stat(self, name: str) -> os.stat_result | None:
        """Return the status of an entry itself, not of what a link leads to."""
        try:
            return os.stat(self(name), dir_fd=self.handle, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def names(self) -> list[str]:
        """Return the names of all entries."""
        if self.handle is None:
            return os.listdir(self.path)  # noqa: PTH208  # as below
        # A handle of its own: reading a folder moves the position that threads would share.
        handle = os.open(".", os.O_RDONLY, dir_fd=self.handle)
        try:
            return os.listdir(handle)  # noqa: PTH208  # pathlib knows no handles
        finally:
            os.close(handle)

    def open(self, name: str, flags: int, mode: int = 0o666) -> int:
        """Open a file that is no link."""
        return os.open(self(name), flags | FILE_FLAGS, mode, dir_fd=self.handle)


class OutputFolder:
    """An open folder; names are relative to it, with slashes.

    Every method raises OutputError for a name that leaves the folder or leads through a link, and
    OSError for other failures.

    Attributes:
        path: where it is, without links.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        """Open a folder.

        Args:
            path: may be a link to a folder.
            create: create it, with its parents, if it does not exist.

        Raises:
            OutputError: if it cannot be opened or created.
        """
        self._label = str(path)
        try:
            if create:
                path.mkdir(parents=True, exist_ok=True)
            self.path = Path(os.path.realpath(path))
            if not HAS_HANDLES:
                os.listdir(self.path)  # noqa: PTH208  # raises the same errors
                self._root = _Place(None, str(self.path))
                return
            handle = os.open(self.path, FOLDER_FLAGS)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise OutputError(
                f"the folder {self._label!r} cannot be used ({why})", "choose another folder"
            ) from None
        self._root = _Place(handle, "")
        self._close = weakref.finalize(self, os.close, handle)

    def close(self) -> None:
        """Close the folder; its methods fail afterwards."""
        if self._root.handle is not None:
            self._close()
            self._root = _Place(-1, "")

    def __enter__(self) -> OutputFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _folder(self, name: str, create: bool = False) -> Iterator[_Place]:
        """Open a folder below this one, a part at a time."""
        with ExitStack() as opened:
            place, done = self._root, ""
            for part in _parts(name) if name else ():
                done = f"{done}/{part}".lstrip("/")
                if create:
                    with suppress(FileExistsError):
                        os.mkdir(place(part), dir_fd=place.handle)
                place = self._enter(place, part, done)
                if place.handle is not None:
                    opened.callback(os.close, place.handle)
            yield place

    def _enter(self, place: _Place, part: str, name: str) -> _Place:
        try:
            if place.handle is not None:
                return _Place(os.open(part, FOLDER_FLAGS, dir_fd=place.handle), "")
            status = place.stat(part)
            if status is not None and _is_folder(status):
                return _Place(None, place(part))
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK):
                raise
            status = place.stat(part)
        if status is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        raise OutputError(f"{name!r} in {self._label!r} is {_kind(status)}, not a folder", HINT)

    @contextmanager
    def _parent(self, name: str, create: bool = False) -> Iterator[tuple[_Place, str]]:
        """Open the folder of a file; yield it with the last part of the name."""
        *folder, last = _parts(name)
        if not folder:
            yield self._root, last
            return
        with self._folder("/".join(folder), create) as place:
            yield place, last

    def make_folder(self, name: str) -> None:
        """Create a folder and its parents below this one, where they do not exist."""
        with self._folder(name, create=True):
            pass

    def stat(self, name: str, follow: bool = False) -> os.stat_result | None:
        """Return the status of a file or folder; None if there is none.

        follow: of what a link leads to, which is asked for and not opened.
        """
        try:
            with self._parent(name) as (place, last):
                if not follow:
                    return place.stat(last)
                return os.stat(place(last), dir_fd=place.handle)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:  # a link to itself
                return None
            raise

    def entries(self, name: str = "") -> dict[str, os.stat_result]:
        """Return what is in a folder, by name, with the status of each entry itself."""
        with self._folder(name) as place:
            found = {each: place.stat(each) for each in place.names()}
        return {each: status for each, status in found.items() if status is not None}

    def open(self, name: str) -> BufferedReader:
        """Open a regular file for reading.

        Raises:
            OSError: if there is none, also for a link, a pipe or a device.
        """
        with self._parent(name) as (place, last):
            handle = place.open(last, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
            status = os.fstat(handle)
            if HAS_HANDLES:
                regular = stat.S_ISREG(status.st_mode)
            else:
                entry = place.stat(last)
                regular = entry is not None and stat.S_ISREG(entry.st_mode)
        if not regular:
            os.close(handle)
            raise OSError(0, "not a regular file", name)
        return os.fdopen(handle, "rb")

    @contextmanager
    def temporary(self, folder: str = "") -> Iterator[TemporaryFile]:
        """Yield a new empty file under a random name; remove it at the end, unless it was placed.

        folder: below this one; it must exist.
        """
        name = f".sow-{secrets.token_hex(8)}.tmp"
        name = f"{folder}/{name}" if folder else name
        with self._parent(name) as (place, last):
            handle = place.open(last, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        made = TemporaryFile(self, name, os.fdopen(handle, "w+b"))
        _UNFINISHED.add(made)
        try:
            yield made
        finally:
            made.discard()

    def write(self, name: str, write: Callable[[BinaryIO], object], *, replace: bool) -> None:
        """Let `write` fill a new file, sync it, and give it its name.

        Raises:
            FileExistsError: if there is a file of that name, and `replace` is not set.
        """
        with self.temporary(name.rpartition("/")[0]) as made:
            write(made.file)
            made.sync()
            made.place(name, replace=replace)

    def replace(self, name: str, new_name: str) -> None:
        """Rename a file; a file or a link that has the new name is removed."""
        with self._parent(name) as (place, last), self._parent(new_name) as (target, new_last):
            _rename(place, last, target, new_last)

    def rename(self, name: str, new_name: str) -> None:
        """Rename a file that nothing else has open, unless something has the new name.

        Raises:
            FileExistsError: if something has.
        """
        with self._parent(name) as (place, last), self._parent(new_name) as (target, new_last):
            try:
                _link(place, last, target, new_last)  # unlike a rename, it never replaces a file
            except (FileExistsError, FileNotFoundError):
                raise
            except (OSError, NotImplementedError):  # a folder, or a system without hard links
                _reserve_and_rename(place, last, target, new_last)
            else:
                os.unlink(place(last), dir_fd=place.handle)

    def set_aside(self, name: str, folder: str) -> str | None:
        """Move a file, a link or a folder into a folder below this one; return its new name.

        The name is numbered if it is not free; None if there is no such file.
        """
        if self.stat(name) is None:
            return None
        self.make_folder(folder)
        last = name.rpartition("/")[2]
        stem, dot, suffix = last.rpartition(".") if "." in last[1:] else (last, "", "")
        for number in count():
            free = f"{folder}/{stem}{f'-{number}' if number else ''}{dot}{suffix}"
            if self.stat(free) is None:
                try:
                    self.rename(name, free)
                except FileExistsError:  # it has appeared just now
                    continue
                except FileNotFoundError:  # another process has moved it
                    return None
                return free
        raise AssertionError

    def remove(self, name: str) -> None:
        """Remove a file or a link, if there is one."""
        with suppress(FileNotFoundError), self._parent(name) as (place, last):
            os.unlink(place(last), dir_fd=place.handle)

    def remove_stale(self, folder: str = "", min_age: float = STALE_SECONDS) -> None:
        """Remove temporary files that killed processes left in a folder, at least `min_age` s old.

        Nothing happens if there is no such folder.
        """
        with suppress(OSError), self._folder(folder) as place:
            for name in filter(TEMPORARY.fullmatch, place.names()):
                status = place.stat(name)
                # A clock may have been ahead when it was written.
                if status is not None and abs(time.time() - status.st_mtime) > min_age:
                    with suppress(OSError):
                        os.unlink(place(name), dir_fd=place.handle)


@dataclass(eq=False)
class TemporaryFile:
    """A file that has no name of its own yet.

    Attributes:
        name: its random name, relative to the folder.
        file: open for reading and writing.
    """

    folder: OutputFolder
    name: str
    file: BinaryIO

    def sync(self) -> None:
        """Sync it to disk, so that a rename never exposes incomplete data, and close it."""
        if not self.file.closed:
            self.file.flush()
            os.fsync(self.file.fileno())
            self.file.close()

    def place(self, name: str, *, replace: bool) -> None:
        """Give it a name.

        Raises:
            FileExistsError: if there is a file of that name, and `replace` is not set.
        """
        self.file.close()  # Windows renames no open file
        if replace:
            self.folder.replace(self.name, name)
        else:
            self.folder.rename(self.name, name)
        _UNFINISHED.discard(self)

    def discard(self) -> None:
        """Remove it, unless it has been placed."""
        with suppress(OSError):
            self.file.close()
        if self in _UNFINISHED:
            _UNFINISHED.discard(self)
            with suppress(OSError, OutputError):
                self.folder.remove(self.name)


def remove_unfinished() -> None:
    """Remove all unfinished temporary files of this process, just before it is killed."""
    for made in tuple(_UNFINISHED):
        with suppress(OSError, OutputError):
            made.folder.remove(made.name)


def _parts(name: str) -> list[str]:
    """Return the parts of a name.

    Raises:
        OutputError: if it could lead out of the folder, on any system.
    """
    parts = name.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts) or (
        os.name == "nt" and ("\\" in name or ":" in name)
    ):
        raise OutputError(f"{name[:100]!r} is not a name inside the folder", "choose another name")
    return parts


def _is_folder(status: os.stat_result) -> bool:
    """Return whether this is a folder, and no link or junction (of Windows) to one."""
    tag = getattr(status, "st_reparse_tag", None)
    is_junction = tag is not None and tag == getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)
    return stat.S_ISDIR(status.st_mode) and not is_junction


def _kind(status: os.stat_result) -> str:
    if stat.S_ISLNK(status.st_mode):
        return "a link"
    return "a file" if stat.S_ISREG(status.st_mode) else "a pipe or a device"


def _rename(place: _Place, name: str, target: _Place, new_name: str) -> None:
    os.replace(  # relative to a handle
        place(name), target(new_name), src_dir_fd=place.handle, dst_dir_fd=target.handle
    )


def _link(place: _Place, name: str, target: _Place, new_name: str) -> None:
    follow = {"follow_symlinks": False} if os.link in os.supports_follow_symlinks else {}
    os.link(  # relative to a handle
        place(name), target(new_name), src_dir_fd=place.handle, dst_dir_fd=target.handle, **follow
    )


def _reserve_and_rename(place: _Place, name: str, target: _Place, new_name: str) -> None:
    """Create an empty entry of the new name, which fails if there is one, and replace it."""
    status = place.stat(name)
    if status is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    if not stat.S_ISDIR(status.st_mode):
        os.close(target.open(new_name, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    elif os.name == "nt":  # which replaces no folder, not even an empty one
        if target.stat(new_name) is not None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new_name)
    else:
        os.mkdir(target(new_name), dir_fd=target.handle)
    _rename(place, name, target, new_name)
