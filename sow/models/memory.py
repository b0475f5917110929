"""Estimate how many pictures fit into a device's memory at once."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sow.errors import DeviceError

if TYPE_CHECKING:
    import torch

    from sow.pipeline.pipeline import SowPipeline

MAX_BATCH_SIZE = 8
"""Pictures per call: measured, more gain nothing, and the first picture comes later."""
MEMORY_FRACTION = 0.5
"""The share of the device's total memory to use. The total and not what is free, because the batch
size changes the rounding, so it must not depend on what else runs."""
# Feature maps that are alive at once at the finest resolution, with the first block's channels:
# measured on the CPU with the architecture of SD2.1 and rounded up. The UNet works on all pictures
# of a call, the autoencoder on one at a time. A call that runs out of memory all the same is
# repeated with half as many pictures.
UNET_MAPS, VAE_MAPS = 56, 8


def max_batch_size(pipe: SowPipeline, canvas: tuple[int, int], branches: int, limit: int) -> int:
    """Return how many pictures to make per call, 1 to `limit`.

    branches: UNet samples per picture and step.

    Raises:
        DeviceError: if one picture alone needs more memory than the device has.
    """
    memory = device_memory(pipe.device)
    if memory is None:
        return min(limit, MAX_BATCH_SIZE)
    area, latents = canvas[0] * canvas[1], canvas[0] * canvas[1] / pipe.vae_scale_factor**2
    unet = UNET_MAPS * _width(pipe.denoiser.config, latents) * branches
    vae = VAE_MAPS * pipe.vae.config.block_out_channels[0] * area
    unet_bytes, vae_bytes = unet * pipe.denoiser.dtype.itemsize, vae * pipe.vae.dtype.itemsize
    if max(unet_bytes, vae_bytes) > memory:
        needed = max(unet_bytes, vae_bytes) / 1e9
        raise DeviceError(
            f"a picture of {canvas[0]}x{canvas[1]} needs about {needed:.0f} GB of memory, and "
            f"{pipe.device} has {memory / 1e9:.0f} GB",
            "try dtype=float16, a smaller canvas= or device=cpu",
        )
    return int(max(1, min(limit, MAX_BATCH_SIZE, MEMORY_FRACTION * memory / unet_bytes)))


def _width(config: Any, latents: float) -> float:
    """Return the numbers of the widest feature map of a denoiser: at its finest resolution."""
    if "patch_size" in config and config.get("num_attention_heads"):
        tokens = latents / config.patch_size**2
        return float(config.num_attention_heads * config.attention_head_dim * tokens)
    return float(config.block_out_channels[0] * latents)


def device_memory(device: torch.device) -> int | None:
    """Return the device's memory in bytes, or None if it is unknown."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.mem_get_info(device)[1])
    sizes = []
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        sizes.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with suppress(OSError, ValueError):  # a container may have less than its machine
        sizes.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(sizes, default=None)
