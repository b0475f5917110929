"""Results on disk: whole or not there, and never over what somebody had."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sow.errors import OutputError

if TYPE_CHECKING:
    from PIL import Image, PngImagePlugin


def check_free(path: Path, force: bool = False) -> None:
    """Whether a result may be written there; asked before the work starts.

    Raises:
        OutputError: if the file exists (without `force`) or its folder does not.
    """
    try:
        folder, taken, parent = path.is_dir(), path.exists(), path.parent.is_dir()
    except OSError as error:  # a name too long, a folder that may not be looked into
        raise OutputError(
            f"{str(path)[:80]!r} cannot be written ({error.strerror})", "choose another name"
        ) from None
    if folder:
        raise OutputError(f"{str(path)!r} is a folder", "give the name of a file")
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
    publish(lambda temporary: image.save(temporary, "PNG", pnginfo=info), path, force)


def write_text(text: str, path: Path, *, force: bool = False) -> None:
    """Writes a text file as `write_png` writes a picture."""
    publish(lambda temporary: temporary.write_text(text, encoding="utf-8"), path, force)


def publish(write: Callable[[Path], object], path: Path, force: bool = False) -> None:
    """Lets `write` fill a temporary file beside `path` and moves it there.

    Raises:
        OutputError: if the file exists and `force` is not set, or cannot be written.
    """
    check_free(path, force)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        write(temporary)
        if force:
            temporary.replace(path)
        else:
            _move_to_free(temporary, path)
    except FileExistsError:
        raise OutputError(f"{str(path)!r} exists", "choose another name, or force=True") from None
    except OSError as error:
        raise OutputError(
            f"{str(path)!r} cannot be written ({error.strerror or error})", "choose another name"
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


def _move_to_free(temporary: Path, path: Path) -> None:
    try:
        path.hardlink_to(temporary)  # unlike a move, this fails if the file has appeared
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        temporary.replace(path)
