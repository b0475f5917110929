"""What a checkpoint says, read so that no file of a stranger can hang, flood or lead astray."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from sow.utils.files import read_json_object


def read_config(folder: Path, name: str = "config.json") -> dict[str, Any]:
    """A JSON object from a checkpoint; empty if there is none that can be read."""
    return read_json_object(folder / name)


def read_head(file: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The kind of numbers and the shape of every tensor in a file, without the numbers.

    Raises:
        OSError, ValueError, SafetensorError: if it is damaged.
    """
    from safetensors import safe_open

    with safe_open(file, framework="pt") as tensors:
        names = tensors.keys()  # it is no mapping, and cannot be walked itself
        slices = {name: tensors.get_slice(name) for name in names}
        return {name: (s.get_dtype(), tuple(s.get_shape())) for name, s in slices.items()}


def read_ahead(files: Iterable[Path]) -> None:
    """Asks the system to bring files into memory; they are read while something else is done.

    Where it cannot be asked, or a file is not there, they are read when they are needed.
    """
    if not hasattr(os, "posix_fadvise"):
        return
    for file in files:
        with suppress(OSError), file.open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)


def is_plain(path: Path) -> bool:
    """Whether it is a file that can be read to its end: no pipe, no device, nobody else's."""
    try:
        return stat.S_ISREG(path.stat().st_mode) and os.access(path, os.R_OK)
    except (OSError, ValueError):
        return False


def stays_inside(path: Path, folder: Path) -> bool:
    """Whether what a path leads to belongs to the checkpoint in `folder`.

    The hub's cache keeps its files in `blobs` and links to them from `snapshots/<commit>`.
    """
    home = folder.resolve()
    homes = [home, home.parents[1] / "blobs"] if home.parent.name == "snapshots" else [home]
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError):  # a link to nothing, or to itself
        return False
    return any(real.is_relative_to(home) for home in homes)
