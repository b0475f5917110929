"""Checkpoints in a single file: its head, and the configuration that has to be found for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sow.checkpoints.files import is_plain, read_head
from sow.checkpoints.hub_cache import hub_configuration
from sow.checkpoints.trust import check_configuration
from sow.checkpoints.weights import Head, check_kinds
from sow.errors import ModelError

ASKED = ("revision", "cache_dir", "token", "local_files_only")
"""What diffusers lets its users say about the hub."""


def check_single_file(file: Path) -> Head:
    """What a file says of its tensors.

    Raises:
        ModelError: if it is no plain file, damaged, or holds numbers of another kind.
    """
    from safetensors import SafetensorError

    if not is_plain(file):
        raise ModelError(f"{file.name!r} is no file that can be read", "give a .safetensors file")
    try:
        head = read_head(file)
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(
            f"{file.name!r} cannot be loaded: it is damaged ({error})"[:400], "get it again"
        ) from None
    check_kinds(head, repr(file.name))
    return head


def configuration_for(head: Head, config: Any = None, **options: Any) -> Path:
    """The folder with the configuration of a single file, which may be trusted.

    Args:
        head: of the file; diffusers tells by it what kind it is, if nobody says so.
        config: a folder or a hub id.
        options: the others of diffusers' `from_single_file`.

    Raises:
        ModelError: if there is none, or it may not be trusted.
    """
    if config and Path(config).is_dir():
        check_configuration(Path(config))
        return Path(config)
    more = {name: options[name] for name in ASKED if name in options}
    return hub_configuration(str(config or _usual(head)), **more)


def _usual(head: Head) -> str:
    """The repository that diffusers takes the configuration of such a file from."""
    import torch
    from diffusers.loaders.single_file_utils import fetch_diffusers_config

    tensors = {name: torch.empty(shape, device="meta") for name, (_, shape) in head.items()}
    return str(fetch_diffusers_config(tensors)["pretrained_model_name_or_path"])
