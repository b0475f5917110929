"""Stable Diffusion's own inpainting model: what the paper calls SD inpainting (Table I).

Rombach et al., *High-Resolution Image Synthesis with Latent Diffusion Models*, CVPR 2022; its UNet
was trained on five channels more, the masked picture and the mask. By diffusers'
`StableDiffusionInpaintPipeline`, on the planted canvas, everything outside the condition painted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffusers import StableDiffusionInpaintPipeline
from PIL import Image, ImageChops

from sow.benchmarks.tv2i.methods.diffusers_method import DiffusersMethod, canvases
from sow.checkpoints.files import read_config
from sow.checkpoints.trust import check_layout, choose_variant
from sow.checkpoints.weights import check_weights
from sow.errors import ModelError
from sow.pipeline.pipeline import SowPipeline
from sow.service.results import GenerationSpec


@dataclass(frozen=True)
class SD2Inpainting(DiffusersMethod):
    """weights: a checkpoint such as stable-diffusion-2-inpainting, in diffusers' layout."""

    name = "sd2-inpainting"

    def load(self, pipe: SowPipeline, folder: Path) -> Any:
        """Load the complete checkpoint: it has its own UNet, autoencoder and text encoder."""
        check_layout(folder)
        channels = read_config(folder / "unet").get("in_channels", 4)
        if channels != 9:
            raise ModelError(
                f"the UNet of {folder.name!r} has {channels} input channels, not 9",
                "give an inpainting model",
            )
        variant = choose_variant(folder, pipe.unet.dtype.itemsize == 2)
        check_weights(folder, variant)
        return StableDiffusionInpaintPipeline.from_pretrained(
            folder,
            torch_dtype=pipe.unet.dtype,
            variant=variant,
            use_safetensors=True,
            local_files_only=True,
        )

    def inputs(self, specs: Sequence[GenerationSpec]) -> dict[str, Any]:
        """Return the canvases, and masks that are white where to paint."""
        return {"image": canvases(specs), "mask_image": [to_paint(spec) for spec in specs]}


def to_paint(spec: GenerationSpec) -> Image.Image:
    """Return the mask of everything but the condition, white."""
    mask, box = Image.new("L", spec.plan.canvas, 255), spec.plan.box
    mask.paste(ImageChops.invert(spec.condition.mask), (box.x, box.y))
    return mask
