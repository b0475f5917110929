"""`torch.compile` for a pipeline's UNet: its repeated blocks, in all the forms a run has them."""

from __future__ import annotations

from typing import Any

import torch

from sow.pipeline.pipeline import SowPipeline
from sow.utils.type_checks import check_type

FORMS = 64
"""How often a block may be compiled. A picture needs 9 forms: for three widths of the UNet one
sample, several, and several with changed attention; a batch of another size 6 more. The compiler's
own limit is 8, and beyond it blocks run uncompiled with a warning."""


def compile_blocks(pipe: SowPipeline, **options: Any) -> None:
    """Compiles the repeated blocks of a pipeline's UNet: the first picture is slow, later ones not.

    What is compiled serves all cycles, seeds, plans and settings. Beside it, the process may
    compile a block so often as that takes, which is a setting of torch for everything in it.

    Args:
        pipe: its UNet is changed, for all pipelines that share it.
        options: for `torch.compile`. `fullgraph=True` makes an error of a break in a graph; there
            is none unless somebody looks on: a gate, `trace` or a control that observes.

    Raises:
        UsageError: if it is no pipeline of SOW's.
    """
    check_type("pipe", pipe, (SowPipeline,), "a sow.SowPipeline")
    config: Any = torch._dynamo.config
    # Until torch 2.6 had a better name for it.
    name = "recompile_limit" if hasattr(config, "recompile_limit") else "cache_size_limit"
    setattr(config, name, max(getattr(config, name), FORMS))
    pipe.unet.compile_repeated_blocks(**options)
