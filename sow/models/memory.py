"""How many pictures fit into a device's memory at a time."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sow.errors import DeviceError

if TYPE_CHECKING:
    import torch

    from sow.pipeline.pipeline import SowPipeline

MOST = 8
"""Pictures in one call: more gain nothing that was measured, and take longer to show the first."""
USED = 0.5
"""Of the device's memory, free or not: how many pictures go together must not depend on what else
runs, because it rounds sums."""
# Feature maps that are alive at once at the finest resolution, with the first block's channels:
# measured on the CPU with the architecture of SD2.1 and rounded up. The UNet works on all pictures
# of a call, the autoencoder on one at a time. Somebody who runs out of memory all the same gets
# half as many pictures a call.
UNET_MAPS, VAE_MAPS = 56, 8


def pictures_at_once(pipe: SowPipeline, canvas: tuple[int, int], branches: int, wanted: int) -> int:
    """At least 1, at most `wanted`; `branches` are the UNet samples per picture and step.

    Raises:
        DeviceError: if one alone would need more memory than the device has.
    """
    memory = memory_of(pipe.device)
    if memory is None:
        return min(wanted, MOST)
    area, latents = canvas[0] * canvas[1], canvas[0] * canvas[1] / pipe.vae_scale_factor**2
    unet = UNET_MAPS * pipe.unet.config.block_out_channels[0] * latents * branches
    vae = VAE_MAPS * pipe.vae.config.block_out_channels[0] * area
    each, once = unet * pipe.unet.dtype.itemsize, vae * pipe.vae.dtype.itemsize
    if max(each, once) > memory:
        needed = max(each, once) / 1e9
        raise DeviceError(
            f"a picture of {canvas[0]}x{canvas[1]} needs some {needed:.0f} GB of memory, and "
            f"{pipe.device} has {memory / 1e9:.0f}",
            "try dtype=float16, a smaller canvas= or device=cpu",
        )
    return int(max(1, min(wanted, MOST, USED * memory / each)))


def memory_of(device: torch.device) -> int | None:
    """Bytes that a device has, or None where that cannot be told."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.mem_get_info(device)[1])
    sizes = []
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        sizes.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with suppress(OSError, ValueError):  # a container may have less than its machine
        sizes.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(sizes, default=None)
