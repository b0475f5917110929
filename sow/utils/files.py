"""Files: atomic writes that never overwrite by accident, bounded reads of regular files only."""

from __future__ import annotations

import io
import json
import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from io import BufferedReader
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from sow.errors import OutputError
from sow.utils.output_folder import STALE_SECONDS, OutputFolder

if TYPE_CHECKING:
    from PIL import Image, PngImagePlugin

MAX_TEXT_BYTES = 16 * 2**20
"""Bytes of a file that is read whole, such as a plan, a configuration or a cache entry."""
DEVICE = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *([.:].*)?", re.IGNORECASE | re.DOTALL
)
"""Names that Windows takes for a device: it ignores the ending, and blanks before it."""


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
    """Open a regular file for reading.

    Pipes and devices are refused, since reading one may block or never end. The file is opened
    without blocking and checked once it is open.

    Raises:
        OSError: if it is not a regular file or cannot be opened.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(0, "not a regular file", str(path))
    return os.fdopen(handle, "rb")


def unused_path(path: Path, force: bool) -> Path:
    """Return a default path, numbered if it exists and `force` is not set."""
    names = (path.with_stem(f"{path.stem}-{n}") for n in count(2))
    if force or not os.path.lexists(path):
        return path
    return next(name for name in names if not os.path.lexists(name))


def is_device_name(name: str) -> bool:
    """Return whether Windows takes a file name for a device, such as `con.png`."""
    return DEVICE.fullmatch(name) is not None


def local_identity(path: Path) -> str | None:
    """Return device and inode of what a path leads to; None if it leads nowhere."""
    try:
        status = os.stat(path)  # noqa: PTH116  # called for every line of a manifest
    except (OSError, ValueError):  # the name may be invalid
        return None
    return f"{status.st_dev}:{status.st_ino}"


def read_regular(path: Path, max_bytes: int = MAX_TEXT_BYTES) -> bytes:
    """Return the contents of a regular file.

    Raises:
        OSError: if it is larger than `max_bytes`, not a regular file, or cannot be read.
    """
    with open_regular(path) as file:
        # read(n) allocates n bytes, so ask for the size that the file reports first.
        size = min(os.fstat(file.fileno()).st_size, max_bytes)
        data = file.read(size + 1)
        if len(data) > size:  # it grew, or reports a size of 0, as files in /proc do
            data += file.read(max_bytes + 1 - len(data))
    if len(data) > max_bytes:
        raise OSError(0, f"larger than {max_bytes >> 20} MB", str(path))
    return data


def read_json_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a regular file, or an empty one if it cannot be read."""
    try:
        data = json.loads(read_regular(path))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def check_output_path(path: Path, force: bool = False) -> None:
    """Check that a result can be written to a path; call it before the work starts.

    Raises:
        OutputError: if the file exists (without `force`), its folder does not or is not writable,
            or the path is not that of a regular file.
    """
    try:
        with suppress(FileNotFoundError):
            path.lstat()
        is_folder, exists, has_parent = path.is_dir(), os.path.lexists(path), path.parent.is_dir()
        is_special = path.exists() and not path.is_file()
    except (OSError, ValueError) as error:  # a name too long, a folder without permission
        why = getattr(error, "strerror", None) or error
        raise OutputError(
            f"{str(path)[:80]!r} cannot be written ({why})", "choose another name"
        ) from None
    if is_folder:
        raise OutputError(f"{str(path)!r} is a folder", "give the name of a file")
    if is_special:
        raise OutputError(f"{str(path)!r} is not a regular file", "choose another name")
    if exists and not force:
        raise OutputError(f"{str(path)!r} exists", "choose another name, or force=True")
    if not has_parent:
        raise OutputError(f"there is no folder {str(path.parent)!r}", "create it first")
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"the folder {str(path.parent)!r} is not writable", "choose another name")


def write_png(
    image: Image.Image,
    path: Path,
    *,
    force: bool = False,
    info: PngImagePlugin.PngInfo | None = None,
    below: Path | None = None,
) -> None:
    """Write a PNG atomically: under a temporary name, then moved into place.

    below: as in `write_atomically`.

    Raises:
        OutputError: if the file exists and `force` is not set, or cannot be written.
    """
    write_atomically(lambda file: image.save(file, "PNG", pnginfo=info), path, force, below=below)


def png_bytes(image: Image.Image, info: PngImagePlugin.PngInfo | None = None) -> bytes:
    """Return an image as the bytes that `write_png` writes."""
    file = io.BytesIO()
    image.save(file, "PNG", pnginfo=info)
    return file.getvalue()


def write_text(text: str, path: Path, *, force: bool = False, below: Path | None = None) -> None:
    """Write a UTF-8 text file atomically.

    below: as in `write_atomically`.

    Raises:
        OutputError: if the file exists and `force` is not set, or cannot be written.
    """
    write_atomically(lambda file: file.write(text.encode()), path, force, below=below)


def write_atomically(
    write: Callable[[BinaryIO], object],
    path: Path,
    force: bool = False,
    *,
    below: Path | None = None,
) -> None:
    """Let `write` fill a temporary file beside `path`, sync it, and move it into place.

    Args:
        write: called with the open file.
        path: of the result; a link of that name is replaced, never followed.
        force: replace a file of that name.
        below: a folder of results that contains `path`: no link below it is followed. Default: the
            folder of the file.

    Raises:
        OutputError: if the file exists and `force` is not set, or cannot be written.
    """
    check_output_path(path, force)
    below = path.parent if below is None else below
    try:
        with OutputFolder(below) as folder:
            folder.write(path.relative_to(below).as_posix(), write, replace=force)
    except FileExistsError:
        raise OutputError(f"{str(path)!r} exists", "choose another name, or force=True") from None
    except (OSError, UnicodeEncodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise OutputError(
            f"{str(path)!r} cannot be written ({why})", "choose another name"
        ) from None


def make_folder(
    folder: Path,
    hint: str = "choose another folder",
    *,
    mode: int = 0o777,
    below: Path | None = None,
) -> None:
    """Create a folder and its missing parents.

    Args:
        folder: may exist already.
        hint: the hint of the error.
        mode: permissions, as in `os.mkdir`.
        below: a folder of results that contains it: no link below it is followed.

    Raises:
        OutputError: if it cannot be created.
    """
    try:
        if below is None:
            folder.mkdir(mode=mode, parents=True, exist_ok=True)
            return
        with OutputFolder(below, create=True) as opened:
            opened.make_folder(folder.relative_to(below).as_posix())
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise OutputError(f"the folder {str(folder)!r} cannot be created ({why})", hint) from None


def remove_stale(folder: Path, min_age: float = STALE_SECONDS) -> None:
    """Remove temporary files that killed processes left in a folder, at least `min_age` s old."""
    with suppress(OutputError), OutputFolder(folder) as opened:
        opened.remove_stale(min_age=min_age)
