"""From the condition's pixels to tensors: the seed canvas, and C in the latents."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sow.box import Box
from sow.errors import PlanError
from sow.pictures.condition import Condition


def seed_canvas(condition: Condition, box: Box, background: Tensor) -> Tensor:
    """The condition pasted into its box (Sec. IV-B, Seed Initialization).

    Args:
        condition: the pixels.
        box: where, on the canvas.
        background: `[3, H, W]` in [-1, 1].

    Returns:
        `[3, H, W]` in [-1, 1].
    """
    pixels = np.asarray(condition.picture, dtype=np.float32) / 127.5 - 1
    canvas = background.clone()
    canvas[:, box.y : box.bottom, box.x : box.right] = torch.from_numpy(pixels).permute(2, 0, 1)
    return canvas


def condition_mask_of(
    condition: Condition, box: Box, canvas: tuple[int, int], stride: int
) -> Tensor:
    """C, the condition's region in the latents: boolean `[1, H / stride, W / stride]`.

    A latent belongs to C if at least half of its pixels do.

    Raises:
        PlanError: if that leaves nothing.
    """
    pixels = torch.zeros(1, 1, canvas[1], canvas[0])
    kept = torch.from_numpy(np.asarray(condition.mask, dtype=np.float32) / 255)
    pixels[0, 0, box.y : box.bottom, box.x : box.right] = kept
    mask = torch.nn.functional.avg_pool2d(pixels, stride)[0] >= 0.5
    if not mask.any():
        raise PlanError(
            f"the condition is smaller than the {stride} px of one latent", "make its box larger"
        )
    return mask
