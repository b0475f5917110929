"""How well the condition's pixels are kept: PSNR and LPIPS inside C."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from sow.benchmarks.tv2i.metrics.base import LIKENESS, Case, Inside, Metric, Missing, Pixels
from sow.benchmarks.tv2i.metrics.lpips import Lpips
from sow.pictures.loading import GREY

MOST = 100.0
"""dB for pixels that are the same, which would be infinite."""
SIDE = 64
"""Pixels: smaller boxes are enlarged so far, since AlexNet cannot look at less."""


class ConditionPsnr(Metric):
    """The peak signal-to-noise ratio of the condition's pixels in the result, over the three
    channels, against 255; as `torchmetrics.functional.image.peak_signal_noise_ratio` of the pixels
    under the mask. The same pixels have 100 dB."""

    name, label, better, unit = "psnr", "PSNR inside C", "higher", "dB"
    note = "peak signal-to-noise ratio of the planted pixels; 100 dB where they are the same"
    group = LIKENESS

    def value(self, case: Case) -> float:
        """Return decibels, at most 100."""
        inside = case.inside
        off = inside.found[inside.mask].astype(float) - inside.planted[inside.mask]
        error = float((off**2).mean())
        return min(MOST, 10 * math.log10(255**2 / error)) if error else MOST


class ConditionLpips(Metric):
    """LPIPS (Zhang et al. 2018, v0.1, AlexNet) between the planted box and the same of the result,
    both with grey where the condition is not; as `LearnedPerceptualImagePatchSimilarity` of
    torchmetrics, which downloads its weights and is therefore only tested against."""

    name, label, better = "lpips", "LPIPS inside C", "lower"
    note = "LPIPS v0.1 with AlexNet (Zhang et al. 2018), what is not the condition greyed"
    group = LIKENESS
    needs = "lpips"

    def __init__(self, network: Lpips) -> None:
        self.network = network

    @classmethod
    def load(cls, path: Path | str, device: str = "cpu") -> ConditionLpips:
        """Load the network from safetensors.

        Raises:
            ModelError: if they are none of it.
        """
        return cls(Lpips.load(path).to(device))

    @torch.no_grad()
    def value(self, case: Case) -> float:
        """Return the distance, 0 and up."""
        inside = case.inside
        if inside.found.shape != inside.planted.shape:
            raise Missing("the box leaves the canvas")
        device = next(self.network.buffers()).device
        pictures = [_greyed(inside, part).to(device) for part in (inside.found, inside.planted)]
        return float(self.network(pictures[0], pictures[1])[0])


def _greyed(inside: Inside, pixels: Pixels) -> torch.Tensor:
    """Return the pixels under the mask, the rest grey: `[1, 3, h, w]` in [-1, 1], each side at
    least 64."""
    shown = Image.fromarray(np.where(inside.mask[..., None], pixels, np.array(GREY, np.uint8)))
    scale = max(1.0, SIDE / min(shown.size))
    if scale > 1:
        shown = shown.resize(
            (math.ceil(shown.width * scale), math.ceil(shown.height * scale)),
            Image.Resampling.BICUBIC,
        )
    return torch.from_numpy(np.asarray(shown, np.float32)).permute(2, 0, 1)[None] / 127.5 - 1
