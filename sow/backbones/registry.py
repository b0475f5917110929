"""Find the backbone of a pipeline."""

from __future__ import annotations

from typing import Any

from sow.backbones.base import Backbone
from sow.backbones.stable_diffusion import StableDiffusion
from sow.backbones.stable_diffusion_3 import StableDiffusion3
from sow.backbones.stable_diffusion_xl import StableDiffusionXL


def backbone_of(pipe: Any) -> Backbone:
    """Return a new view of a diffusers pipeline of a known family.

    Create one for each call of the pipeline (see `StableDiffusion`).
    """
    if getattr(pipe, "transformer", None) is not None:
        return StableDiffusion3(pipe)
    is_xl = getattr(pipe, "text_encoder_2", None) is not None
    return StableDiffusionXL(pipe) if is_xl else StableDiffusion(pipe)
