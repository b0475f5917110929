"""Results on disk: whole or not there, and never over what somebody had. Files in: no surprises."""

from __future__ import annotations

import io
import json
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sow.errors import OutputError

if TYPE_CHECKING:
    from PIL import Image, PngImagePlugin

MAX_TEXT_BYTES = 16 * 2**20
"""Bytes of a file that is read whole: plans, configurations, what was kept."""
TEMPORARY = re.compile(r"\.sow-[0-9a-f]{16}\.tmp")
STALE_SECONDS = 24 * 3600
"""Seconds after which a temporary file belongs to nobody who still writes."""
_WRITING: set[Path] = set()


def cache_folder() -> Path:
    """Return the folder for cached data: `SOW_CACHE`, or the platform's cache folder."""
    import platformdirs

    path = os.environ.get("SOW_CACHE")
    return Path(path) if path else Path(platformdirs.user_cache_dir("sow"))


def config_folder() -> Path:
    """Return the folder for user configuration: `SOW_CONFIG`, or the platform's folder for it."""
    import platformdirs

    path = os.environ.get("SOW_CONFIG")
    return Path(path) if path else Path(platformdirs.user_config_dir("sow"))


def open_regular(path: Path) -> BufferedReader:
    """A plain file, open for reading.

    A pipe could hang for ever, a device never end: what it is is asked before it is opened, and
    again of what was opened.

    Raises:
        OSError: if it is none, or cannot be opened.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(0, "it is no plain file", str(path))
    return os.fdopen(handle, "rb")


def read_regular(path: Path, most: int = MAX_TEXT_BYTES) -> bytes:
    """A plain file's bytes, if it is not too large.

    Raises:
        OSError: if it is, or it is no plain file, or cannot be read.
    """
    with open_regular(path) as file:
        # Reading makes room for all that is asked for: first for what the file says it has.
        size = min(os.fstat(file.fileno()).st_size, most)
        data = file.read(size + 1)
        if len(data) > size:  # it grew, or says that it has nothing, as those in /proc do
            data += file.read(most + 1 - len(data))
    if len(data) > most:
        raise OSError(0, f"it is larger than {most >> 20} MB", str(path))
    return data


def read_json_object(path: Path) -> dict[str, Any]:
    """A JSON object out of a plain file; empty if there is none that can be read."""
    try:
        data = json.loads(read_regular(path))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def check_output_path(path: Path, force: bool = False) -> None:
    """Whether a result may be written there; asked before the work starts.

    Raises:
        OutputError: if the file exists (without `force`) or its folder does not.
    """
    try:
        with suppress(FileNotFoundError):
            path.lstat()
        folder, taken, parent = path.is_dir(), os.path.lexists(path), path.parent.is_dir()
        odd = path.exists() and not path.is_file()
    except (OSError, ValueError) as error:  # a name too long, a folder that may not be looked into
        why = getattr(error, "strerror", None) or error
        raise OutputError(
            f"{str(path)[:80]!r} cannot be written ({why})", "choose another name"
        ) from None
    if folder:
        raise OutputError(f"{str(path)!r} is a folder", "give the name of a file")
    if odd:
        raise OutputError(f"{str(path)!r} is no plain file", "choose another name")
    if taken and not force:
        raise OutputError(f"{str(path)!r} exists", "choose another name, or force=True")
    if not parent:
        raise OutputError(f"there is no folder {str(path.parent)!r}", "create it first")
    if not os.access(path.parent, os.W_OK):
        raise OutputError(
            f"the folder {str(path.parent)!r} may not be written to", "choose another name"
        )


def write_png(
    image: Image.Image,
    path: Path,
    *,
    force: bool = False,
    info: PngImagePlugin.PngInfo | None = None,
) -> None:
    """Writes a PNG under a temporary name and moves it into place, so it is whole or not there.

    Raises:
        OutputError: if the file exists and `force` is not set, or cannot be written.
    """
    write_atomically(lambda temporary: image.save(temporary, "PNG", pnginfo=info), path, force)


def png_bytes(image: Image.Image, info: PngImagePlugin.PngInfo | None = None) -> bytes:
    """What `write_png` writes."""
    file = io.BytesIO()
    image.save(file, "PNG", pnginfo=info)
    return file.getvalue()


def write_text(text: str, path: Path, *, force: bool = False) -> None:
    """Writes a text file as `write_png` writes a picture."""
    write_atomically(lambda temporary: temporary.write_text(text, encoding="utf-8"), path, force)


def write_atomically(write: Callable[[Path], object], path: Path, force: bool = False) -> None:
    """Lets `write` fill a temporary file beside `path` and moves it there once it is on the disk.

    Raises:
        OutputError: if the file exists and `force` is not set, or cannot be written.
    """
    check_output_path(path, force)
    temporary = _temporary(path)
    _WRITING.add(temporary)
    try:
        write(temporary)
        _sync(temporary)
        if force:
            temporary.replace(path)
        else:
            _move_to_free(temporary, path)
    except FileExistsError:
        raise OutputError(f"{str(path)!r} exists", "choose another name, or force=True") from None
    except (OSError, UnicodeEncodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise OutputError(
            f"{str(path)!r} cannot be written ({why})", "choose another name"
        ) from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        _WRITING.discard(temporary)


def make_folder(folder: Path, hint: str = "choose another folder", *, mode: int = 0o777) -> None:
    """Makes a folder, and those that it is in, where they are not there.

    hint: what to do if it cannot be made. mode: who may do what in it.

    Raises:
        OutputError: if it cannot.
    """
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise OutputError(f"the folder {str(folder)!r} cannot be made ({why})", hint) from None


@contextmanager
def temporary_file(folder: Path) -> Iterator[Path]:
    """The name of a temporary file in a folder, of which nothing is left at the end.

    Raises:
        OutputError: if what is done with it fails.
    """
    temporary = folder / _temporary_name()
    _WRITING.add(temporary)
    try:
        yield temporary
    except OSError as error:
        raise OutputError(
            f"the folder {str(folder)!r} cannot be written to ({error.strerror or error})",
            "choose another one",
        ) from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        _WRITING.discard(temporary)


def remove_unfinished() -> None:
    """Removes whatever is half written: the program is about to end without another word."""
    for temporary in tuple(_WRITING):
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    # A short name of its own: the result's may be as long as a name can be.
    return path.with_name(_temporary_name())


def _temporary_name() -> str:
    return f".sow-{secrets.token_hex(8)}.tmp"


def write_synced(path: Path, content: bytes) -> None:
    """Writes a file so that it is on the disk when this returns."""
    path.write_bytes(content)
    _sync(path)


def _sync(path: Path) -> None:
    """Waits for the disk, so that a name never stands for less than was written."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def remove_stale(folder: Path, stale: float = STALE_SECONDS) -> None:
    """Removes what writers that were killed left behind in a folder, so many seconds after."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if TEMPORARY.fullmatch(entry.name):
                with suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_mtime < time.time() - stale:
                        Path(entry.path).unlink()


def _move_to_free(temporary: Path, path: Path) -> None:
    try:
        path.hardlink_to(temporary)  # unlike a move, this fails if the file has appeared
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        temporary.replace(path)
