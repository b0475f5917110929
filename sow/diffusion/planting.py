"""The condition as tensors: its pixels in the canvas, and C in the latents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import avg_pool2d

from sow.errors import PlanError
from sow.pictures.condition import Condition
from sow.plan.box import Box


@dataclass(frozen=True)
class Planted:
    """The pixels pasted into a canvas, with or without a batch dimension.

    As bytes, since they are kept in memory for a whole run.

    Attributes:
        colours: `[..., 3, H, W]`, 0 to 255.
        cover: opacity of each pixel, `[..., 1, H, W]`, 0 to 255.
    """

    colours: Tensor
    cover: Tensor

    def into(self, canvas: Tensor) -> Tensor:
        """Return the canvas, `[..., 3, H, W]` in [-1, 1], with these pixels pasted into it."""
        return torch.lerp(canvas, self.colours.float() / 127.5 - 1, self.cover.float() / 255)

    def to(self, device: torch.device) -> Planted:
        """Return a copy on another device."""
        return Planted(self.colours.to(device), self.cover.to(device))

    @classmethod
    def stacked(cls, parts: list[Planted]) -> Planted:
        """Return the pixels of several pictures as one batch."""
        return cls(torch.stack([p.colours for p in parts]), torch.stack([p.cover for p in parts]))


def planted(condition: Condition, box: Box, canvas: tuple[int, int], area: str) -> Planted:
    """Return the pixels of a condition to paste into its box (Sec. IV-B, Seed Initialization).

    Args:
        condition: the picture and its mask.
        box: where to paste it.
        canvas: width and height in pixels.
        area: `condition` for the condition itself, `box` for all of its box. The box includes the
            surroundings in the user's picture; outside the user's own mask, the condition's picture
            is grey.
    """
    width, height = canvas
    colours, cover = (torch.zeros(n, height, width, dtype=torch.uint8) for n in (3, 1))
    inside = (slice(None), slice(box.y, box.bottom), slice(box.x, box.right))
    colours[inside] = torch.from_numpy(np.array(condition.picture)).permute(2, 0, 1)
    cover[inside] = 255 if area == "box" else torch.from_numpy(np.array(condition.mask))
    return Planted(colours, cover)


def coverage_of(
    condition: Condition, box: Box, canvas: tuple[int, int], vae_scale_factor: int
) -> Tensor:
    """Return how much of each latent is condition, `[1, h, w]`, 0 to 1."""
    pixels = torch.zeros(1, 1, canvas[1], canvas[0])
    pixels[0, 0, box.y : box.bottom, box.x : box.right] = _levels(condition.mask)
    return avg_pool2d(pixels, vae_scale_factor)[0]


def membership(coverage: Tensor, rim: tuple[float, ...]) -> Tensor:
    """Return C, how far each latent belongs to the condition, 0 to 1, with the shape of `coverage`.

    rim: two shares of coverage; membership is 0 below the first, 1 from the second on, and linear
    between them.
    """
    low, high = rim
    if high > low:
        return ((coverage - low) / (high - low)).clamp(0, 1)
    return (coverage >= low).float() if low > 0 else (coverage > 0).float()


def check_membership(inside: Tensor) -> None:
    """Check that C is not empty.

    Raises:
        PlanError: if no latent belongs to it at least by half.
    """
    if not (inside >= 0.5).any():
        raise PlanError("the condition is smaller than one latent", "make its box larger")


def _levels(mask: Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(mask, dtype=np.float32) / 255)
