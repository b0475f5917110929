"""ControlNet on Canny edges (Table I): the frozen model, and a network trained to follow edges.

Zhang, Rao and Agrawala, *Adding Conditional Control to Text-to-Image Diffusion Models*, ICCV 2023.
By diffusers' `StableDiffusionControlNetPipeline`; the edges are those of the planted canvas.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from diffusers import ControlNetModel, DDIMScheduler, StableDiffusionControlNetPipeline
from PIL import Image

from sow.benchmarks.tv2i.methods.diffusers_method import DiffusersMethod, canvases, check_part
from sow.errors import ModelError
from sow.pipeline.pipeline import SowPipeline
from sow.service.results import GenerationSpec

LOW, HIGH = 100, 200
"""Of the edges, in grey levels, as in the authors' own examples."""


@dataclass(frozen=True)
class ControlNetCanny(DiffusersMethod):
    """weights: a ControlNet for the very Stable Diffusion that SOW runs on."""

    name = "controlnet-canny"

    def load(self, pipe: SowPipeline, folder: Path) -> Any:
        """Load the network beside the frozen model's parts."""
        check_part(folder, "ControlNet")
        network = ControlNetModel.from_pretrained(
            folder, torch_dtype=pipe.unet.dtype, use_safetensors=True, local_files_only=True
        )
        for name in ("cross_attention_dim", "block_out_channels"):
            given, expected = getattr(network.config, name), getattr(pipe.unet.config, name)
            if _plain(given) != _plain(expected):
                raise ModelError(
                    f"{folder.name!r} is for another model: its {name} is {given}, not {expected}",
                    "give the ControlNet of this Stable Diffusion",
                )
        parts = {**pipe.components, "scheduler": DDIMScheduler.from_config(pipe.scheduler.config)}
        return StableDiffusionControlNetPipeline(
            **parts, controlnet=network, requires_safety_checker=pipe.safety_checker is not None
        )

    def inputs(self, specs: Sequence[GenerationSpec]) -> dict[str, Any]:
        """Return the edges."""
        return {"image": [edges(canvas) for canvas in canvases(specs)]}


def edges(picture: Image.Image) -> Image.Image:
    """Return the edges, white on black."""
    found = cv2.Canny(np.asarray(picture.convert("L")), LOW, HIGH)
    return Image.fromarray(found).convert("RGB")


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, (list, tuple)) else value
