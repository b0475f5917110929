"""Checkpoints in a single file: check its header and find its configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sow.checkpoints.families import IN_ONE_FILE
from sow.checkpoints.files import is_regular_file, read_safetensors_header
from sow.checkpoints.hub_cache import find_hub_config
from sow.checkpoints.kinds import TITLES, FileKind, foreign_format, recognise
from sow.checkpoints.published import PUBLISHED
from sow.checkpoints.trust import check_configs
from sow.checkpoints.weights import Header, check_dtypes
from sow.errors import ModelError

HUB_OPTIONS = ("revision", "cache_dir", "token", "local_files_only")
"""The options of diffusers' `from_single_file` for the hub."""


def check_single_file(file: Path) -> Header:
    """Return the header of a checkpoint in a file: the dtypes and shapes of its tensors.

    Raises:
        ModelError: if it is not a regular file, is damaged, holds something else than a checkpoint
            of a known family, or has tensors of an unknown dtype.
    """
    header = read_header(file)
    kind = recognise(header)
    if kind.role != "checkpoint":
        raise ModelError(f"{file.name!r} is {kind.what}", kind.hint)
    check_dtypes(header, repr(file.name))
    return header


def read_header(file: Path) -> Header:
    """Return the dtypes and shapes of the tensors in a `.safetensors` file.

    Raises:
        ModelError: if it is not a regular file, is of another format, or is damaged.
    """
    from safetensors import SafetensorError

    if not is_regular_file(file):
        raise ModelError(f"{file.name!r} is not a readable file", "use a .safetensors file")
    foreign = foreign_format(file)
    if foreign is not None:
        raise ModelError(f"{file.name!r} is {foreign[0]}", foreign[1])
    if str(file).encode(errors="replace").decode() != str(file):  # safetensors cannot open it
        raise ModelError(f"the path of {file.name!r} is not valid Unicode", "rename it")
    try:
        return read_safetensors_header(file)
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(
            f"{file.name!r} cannot be loaded: it is damaged ({error})"[:400], "download it again"
        ) from None


def check_config(config: Any, kind: FileKind, name: str) -> None:
    """Check that a single file has a configuration: its own, or that of a known family.

    Args:
        config: a bundled configuration, a folder or a hub id; None for that of the family.
        kind: of the file.
        name: the file's.

    Raises:
        ModelError: if nothing says which configuration it has, or a bundled one is for another
            family.
    """
    family = PUBLISHED[config][0] if config in PUBLISHED else kind.base
    if kind.base and kind.base != family:
        raise ModelError(
            f"{name!r} is {kind.what}, and config={config} is for {TITLES[family]}",
            "leave out config=: it is recognised",
        )
    if config is None and kind.base not in {base for base, _ in PUBLISHED.values()}:
        raise ModelError(
            f"{name!r} is not recognised as {IN_ONE_FILE}",
            "set config= to a folder or hub id with its configuration",
        )


def find_config_folder(config: Any, **options: Any) -> Path:
    """Return a folder with a trusted configuration for a single file.

    Args:
        config: a folder or a hub id.
        options: others of diffusers' `from_single_file`.

    Raises:
        ModelError: if there is none, or it is not trusted.
    """
    if Path(config).is_dir():
        check_configs(Path(config))
        return Path(config)
    hub_options = {name: options[name] for name in HUB_OPTIONS if name in options}
    return find_hub_config(str(config), **hub_options)
