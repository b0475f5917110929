"""Read the files of an untrusted checkpoint: none can hang, fill memory or lead elsewhere."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from sow.utils.files import read_json_object


def read_config(folder: Path, name: str = "config.json") -> dict[str, Any]:
    """Read a JSON object from a checkpoint; return an empty one if that fails."""
    return read_json_object(folder / name)


def read_safetensors_header(file: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return the dtype and shape of every tensor in a safetensors file, without reading the data.

    Raises:
        OSError, ValueError, SafetensorError: if the file is damaged.
    """
    from safetensors import safe_open

    with safe_open(file, framework="pt") as tensors:
        names = tensors.keys()  # `tensors` itself cannot be iterated
        slices = {name: tensors.get_slice(name) for name in names}
        return {name: (s.get_dtype(), tuple(s.get_shape())) for name, s in slices.items()}


def read_ahead(files: Iterable[Path]) -> None:
    """Ask the system to read files into its cache in the background.

    Does nothing where the system cannot, or for files that are missing.
    """
    if not hasattr(os, "posix_fadvise"):
        return
    for file in files:
        with suppress(OSError), file.open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)


def is_regular_file(path: Path) -> bool:
    """Return whether a path is a readable regular file: no pipe, device or folder."""
    try:
        return stat.S_ISREG(path.stat().st_mode) and os.access(path, os.R_OK)
    except (OSError, ValueError):
        return False


def is_inside(path: Path, folder: Path) -> bool:
    """Return whether a path, with links followed, belongs to the checkpoint in `folder`.

    The hub's cache keeps its files in `blobs` and links to them from `snapshots/<commit>`.
    """
    home = folder.resolve()
    homes = [home, home.parents[1] / "blobs"] if home.parent.name == "snapshots" else [home]
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError):  # a link to nothing, or to itself
        return False
    return any(real.is_relative_to(home) for home in homes)
