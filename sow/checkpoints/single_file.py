"""Checkpoints in a single file: check its header and find its configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sow.checkpoints.files import is_regular_file, read_safetensors_header
from sow.checkpoints.hub_cache import find_hub_config
from sow.checkpoints.trust import check_configs
from sow.checkpoints.weights import Header, check_dtypes
from sow.errors import ModelError

HUB_OPTIONS = ("revision", "cache_dir", "token", "local_files_only")
"""The options of diffusers' `from_single_file` for the hub."""


def check_single_file(file: Path) -> Header:
    """Return the header of a file: the dtypes and shapes of its tensors.

    Raises:
        ModelError: if it is not a regular file, is damaged, or has tensors of an unknown dtype.
    """
    from safetensors import SafetensorError

    if not is_regular_file(file):
        raise ModelError(f"{file.name!r} is not a readable file", "use a .safetensors file")
    try:
        header = read_safetensors_header(file)
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(
            f"{file.name!r} cannot be loaded: it is damaged ({error})"[:400], "download it again"
        ) from None
    check_dtypes(header, repr(file.name))
    return header


def find_config_folder(header: Header, config: Any = None, **options: Any) -> Path:
    """Return a folder with a trusted configuration for a single file.

    Args:
        header: of the file; without `config`, diffusers recognises the type of checkpoint by it.
        config: a folder or a hub id.
        options: others of diffusers' `from_single_file`.

    Raises:
        ModelError: if there is none, or it is not trusted.
    """
    if config and Path(config).is_dir():
        check_configs(Path(config))
        return Path(config)
    hub_options = {name: options[name] for name in HUB_OPTIONS if name in options}
    return find_hub_config(str(config or _default_repository(header)), **hub_options)


def _default_repository(header: Header) -> str:
    """Return the repository that diffusers takes the configuration of such a file from."""
    import torch
    from diffusers.loaders.single_file_utils import fetch_diffusers_config

    tensors = {name: torch.empty(shape, device="meta") for name, (_, shape) in header.items()}
    return str(fetch_diffusers_config(tensors)["pretrained_model_name_or_path"])
