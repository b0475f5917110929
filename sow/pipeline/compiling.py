"""`torch.compile` for the repeated blocks of a pipeline's UNet."""

from __future__ import annotations

from typing import Any

import torch

from sow.pipeline.pipeline import SowPipeline
from sow.utils.type_checks import check_type

RECOMPILE_LIMIT = 64
"""How many times a block may be compiled. A picture needs 9: for each of three widths of the UNet,
one sample, several, and several with modified attention; a batch of another size needs 6 more.
torch's default is 8; beyond it, blocks run uncompiled with a warning."""


def compile_blocks(pipe: SowPipeline, **options: Any) -> None:
    """Compile the repeated blocks of a pipeline's UNet; the first picture is then slow.

    The compiled blocks serve all cycles, seeds, plans and settings. Also raises torch's recompile
    limit, for the whole process.

    Args:
        pipe: its UNet is changed, for all pipelines that share it.
        options: for `torch.compile`. `fullgraph=True` makes graph breaks errors; the only ones are
            caused by a gate, by `trace`, and by other observing controls.

    Raises:
        UsageError: if it is not a `SowPipeline`.
    """
    check_type("pipe", pipe, (SowPipeline,), "a sow.SowPipeline")
    config: Any = torch._dynamo.config
    # The name before torch 2.6 is `cache_size_limit`.
    name = "recompile_limit" if hasattr(config, "recompile_limit") else "cache_size_limit"
    setattr(config, name, max(getattr(config, name), RECOMPILE_LIMIT))
    pipe.denoiser.compile_repeated_blocks(**options)
