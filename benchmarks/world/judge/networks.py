"""The judge's networks: one reads whole pictures, two read heads and figures that were cut out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from sow.benchmarks.world.judge.classes import BODY, HEAD, KINDS, PARTS, PICTURE, SHADES
from sow.planners.offline.drawn_faces import Block

CELL = 8
"""Pixels of a cell's side, in which things are named."""
CROP = 96
"""Heads and figures are read as squares of this many pixels."""
EMBEDDING = 64


@dataclass(frozen=True)
class PictureLogits:
    """Logits for a batch of pictures of H x W pixels, multiples of 16.

    parts: (B, PARTS, H, W); kinds, colours: (B, KINDS or SHADES, H / 8, W / 8); labels: name ->
    (B, choices).
    """

    parts: torch.Tensor
    kinds: torch.Tensor
    colours: torch.Tensor
    labels: dict[str, torch.Tensor]


class PictureNet(nn.Module):
    """The part of every pixel; what is in every cell, and its colour; labels of the picture."""

    widths = (40, 96, 160)

    def __init__(self) -> None:
        super().__init__()
        widths = self.widths
        # Reads quarters at once: at half the resolution it would cost three times as much.
        self.conv_in = nn.Conv2d(3, widths[0], 8, stride=4, padding=2)
        self.down = nn.ModuleList(
            [Block(a, b) for a, b in zip((widths[0], *widths), widths, strict=False)]
        )
        self.middle = Block(widths[-1], widths[-1])
        self.up = nn.ModuleList(
            [Block(widths[n + 1] + widths[n], widths[n]) for n in reversed(range(len(widths) - 1))]
        )
        # Sixteen values per class and place, laid out as four by four pixels.
        self.head_parts = nn.Conv2d(widths[0], 16 * len(PARTS), 3, padding=1)
        self.head_kinds = nn.Conv2d(widths[1], len(KINDS), 1)
        self.head_colours = nn.Conv2d(widths[1], len(SHADES), 1)
        self.head_whole = nn.ModuleDict(
            {name: nn.Linear(widths[-1], len(choices)) for name, choices in PICTURE.items()}
        )

    def forward(self, x: torch.Tensor) -> PictureLogits:
        """Return the logits for x, (B, 3, H, W) in [-1, 1]."""
        x = self.conv_in(x)
        kept = []
        for level, block in enumerate(self.down):
            x = block(functional.avg_pool2d(x, 2) if level else x)
            kept.append(x)
        x = self.middle(x)
        pooled = x.float().mean((2, 3))
        labels = {name: layer(pooled) for name, layer in self.head_whole.items()}
        levels = []
        for block, skip in zip(self.up, reversed(kept[:-1]), strict=True):
            wide = functional.interpolate(x, scale_factor=2, mode="nearest")
            x = block(torch.cat([wide, skip], dim=1))
            levels.append(x)
        return PictureLogits(
            functional.pixel_shuffle(self.head_parts(x), 4).float(),
            self.head_kinds(levels[0]).float(),
            self.head_colours(levels[0]).float(),
            labels,
        )


class CropNet(nn.Module):
    """Reads a square that was cut out: labels, and a point on the unit sphere.

    labels: name -> choices.
    """

    widths = (32, 64, 96, 144)

    def __init__(self, labels: dict[str, tuple[str, ...]]) -> None:
        super().__init__()
        widths = self.widths
        self.conv_in = nn.Conv2d(3, widths[0], 4, stride=2, padding=1)
        self.down = nn.ModuleList(
            [Block(a, b) for a, b in zip((widths[0], *widths), widths, strict=False)]
        )
        pooled = widths[-1] * 9
        self.head_identity = nn.Linear(pooled, EMBEDDING)
        self.head_looks = nn.ModuleDict(
            {name: nn.Linear(pooled, len(choices)) for name, choices in labels.items()}
        )

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return unit embeddings (B, 64) and logits for x, (B, 3, 96, 96) in [-1, 1]."""
        x = self.conv_in(x)
        for level, block in enumerate(self.down):
            x = block(functional.avg_pool2d(x, 2) if level else x)
        x = functional.avg_pool2d(x, 2).flatten(1).float()  # 3 x 3 places stay apart
        embedding = functional.normalize(self.head_identity(x), dim=1)
        return embedding, {name: layer(x) for name, layer in self.head_looks.items()}


def head_net() -> CropNet:
    """Return the network that reads heads: who it is, and what it looks like."""
    return CropNet(HEAD)


def body_net() -> CropNet:
    """Return the network that reads figures: what they wear."""
    return CropNet(BODY)
