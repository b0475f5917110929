"""From the condition's pixels to tensors: what is planted, and C in the latents."""

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
    """What is pasted into a canvas; B pictures or none of that dimension.

    Bytes, as pictures have them: it is kept through a whole run.

    Attributes:
        colours: `[..., 3, H, W]`, 0 to 255.
        cover: how much of each pixel they cover, `[..., 1, H, W]`, 0 to 255.
    """

    colours: Tensor
    cover: Tensor

    def into(self, canvas: Tensor) -> Tensor:
        """The canvas, `[..., 3, H, W]` in [-1, 1], with the condition in it."""
        return torch.lerp(canvas, self.colours.float() / 127.5 - 1, self.cover.float() / 255)

    def to(self, device: torch.device) -> Planted:
        """The same on another device."""
        return Planted(self.colours.to(device), self.cover.to(device))

    @classmethod
    def stacked(cls, parts: list[Planted]) -> Planted:
        """Those of several pictures."""
        return cls(torch.stack([p.colours for p in parts]), torch.stack([p.cover for p in parts]))


def planted(condition: Condition, box: Box, canvas: tuple[int, int], what: str) -> Planted:
    """What of a condition is pasted into its box (Sec. IV-B, Seed Initialization).

    Args:
        condition: the pixels.
        box: where they go.
        canvas: its width and height in pixels.
        what: the `condition` itself, or all of its `box`: then the picture's own surroundings of
            it are planted too, and in place of what the user's own mask leaves out, grey, which
            the condition's picture holds there already.
    """
    width, height = canvas
    colours, cover = (torch.zeros(n, height, width, dtype=torch.uint8) for n in (3, 1))
    there = (slice(None), slice(box.y, box.bottom), slice(box.x, box.right))
    colours[there] = torch.from_numpy(np.array(condition.picture)).permute(2, 0, 1)
    cover[there] = 255 if what == "box" else torch.from_numpy(np.array(condition.mask))
    return Planted(colours, cover)


def coverage_of(
    condition: Condition, box: Box, canvas: tuple[int, int], vae_scale_factor: int
) -> Tensor:
    """Return how much of each latent is condition, `[1, h, w]`, 0 to 1."""
    pixels = torch.zeros(1, 1, canvas[1], canvas[0])
    pixels[0, 0, box.y : box.bottom, box.x : box.right] = _levels(condition.mask)
    return avg_pool2d(pixels, vae_scale_factor)[0]


def membership(coverage: Tensor, rim: tuple[float, ...]) -> Tensor:
    """C: how far each latent belongs to the condition, 0 to 1, of the same shape.

    rim: below the first share of coverage not at all, from the second on wholly, between them in
    part.
    """
    least, most = rim
    if most > least:
        inside = ((coverage - least) / (most - least)).clamp(0, 1)
    else:
        inside = (coverage >= least).float() if least > 0 else (coverage > 0).float()
    return inside


def check_membership(inside: Tensor) -> None:
    """Whether there is anything in C.

    Raises:
        PlanError: if no latent belongs to it by half.
    """
    if not (inside >= 0.5).any():
        raise PlanError("the condition is smaller than one latent", "make its box larger")


def _levels(mask: Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(mask, dtype=np.float32) / 255)
