"""From a model that was found to a pipeline on its device. Safetensors only, no remote code."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sow.checkpoints.trust import variant_of
from sow.errors import DeviceError, ModelError
from sow.models.devices import choose_device, choose_dtype, out_of_memory
from sow.models.find import Model, find_model
from sow.quiet import quiet

if TYPE_CHECKING:
    from sow.pipeline import SowPipeline


def load_pipeline(
    model: str | Model = "auto",
    *,
    device: str = "auto",
    dtype: str = "auto",
    revision: str | None = None,
    config: str | None = None,
) -> SowPipeline:
    """A model by name, loaded and on its device.

    Args:
        model: as for `find_model`, or what it returned.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        dtype: `auto`, `float32`, `float16` or `bfloat16`.
        revision: a branch, tag or commit on the hub.
        config: for a single file, a folder or hub id with the configuration of its parts;
            without it diffusers recognises the kind of checkpoint and asks the hub.

    Raises:
        ModelError: if the weights cannot be found, trusted or read.
        DeviceError: if the device is missing or too small.
    """
    import torch

    from sow.pipeline import SowPipeline

    device = choose_device(device)
    precision = choose_dtype(dtype, device)
    half = precision != torch.float32
    if isinstance(model, str):
        model = find_model(model, revision=revision, half=half)
    options: dict[str, Any] = {"torch_dtype": precision}
    with _one_line_errors(model.name), quiet():
        if model.kind == "file":
            pipe: SowPipeline = SowPipeline.from_single_file(
                str(model.source), config=config, **options
            )
        else:
            pipe = SowPipeline.from_pretrained(
                model.source,
                variant=variant_of(model.source, half),
                use_safetensors=True,
                local_files_only=True,
                **options,
            )
        pipe.set_progress_bar_config(disable=None)  # quiet when not a terminal
        pipe.unet.to(memory_format=torch.channels_last)
        pipe.vae.to(memory_format=torch.channels_last)
        pipe.to(device)
    return pipe


@contextlib.contextmanager
def _one_line_errors(name: str) -> Iterator[None]:
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, MemoryError,
            SafetensorError) as error:  # fmt: skip
        if out_of_memory(error):
            raise DeviceError(
                f"{name} does not fit into the device's memory", "try dtype=float16"
            ) from None
        text = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(
            f"{name} cannot be loaded: {text[:300]}", "get the checkpoint again"
        ) from None
