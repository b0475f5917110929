"""The judge's two networks: one reads pictures, one reads heads."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from sow.benchmarks.figures.judge.classes import HEAD, PARTS, PICTURE, SHADES
from sow.planners.offline.drawn_faces import Block

HEAD_SIZE = 64
"""Heads are read as squares of this many pixels."""
EMBEDDING = 64


@dataclass(frozen=True)
class PictureLogits:
    """Logits for a batch of pictures.

    parts: (B, 16, 128, 128); colours: (B, 12, 128, 128); labels: name -> (B, choices).
    """

    parts: torch.Tensor
    colours: torch.Tensor
    labels: dict[str, torch.Tensor]


class PictureNet(nn.Module):
    """Part and colour of every pixel; scene, style and clothing of the picture."""

    widths = (24, 48, 96, 128)

    def __init__(self) -> None:
        super().__init__()
        widths = self.widths
        self.conv_in = nn.Conv2d(3, widths[0], 4, stride=2, padding=1)
        self.down = nn.ModuleList(
            [Block(a, b) for a, b in zip((widths[0], *widths), widths, strict=False)]
        )
        self.middle = Block(widths[-1], widths[-1])
        self.up = nn.ModuleList(
            [Block(widths[n + 1] + widths[n], widths[n]) for n in reversed(range(len(widths) - 1))]
        )
        # Four values per class and place, laid out as two by two pixels.
        self.head_parts = nn.Conv2d(widths[0], 4 * len(PARTS), 3, padding=1)
        self.head_colours = nn.Conv2d(widths[0], 4 * len(SHADES), 3, padding=1)
        self.head_whole = nn.ModuleDict(
            {name: nn.Linear(widths[-1], len(choices)) for name, choices in PICTURE.items()}
        )

    def forward(self, x: torch.Tensor) -> PictureLogits:
        """Return the logits for x, (B, 3, 128, 128) in [-1, 1]."""
        x, kept = self._down(x)
        pooled = x.float().mean((2, 3))
        labels = {name: layer(pooled) for name, layer in self.head_whole.items()}
        for block, skip in zip(self.up, reversed(kept), strict=True):
            x = _upward(block, x, skip)
        parts, colours = self.head_parts(x), self.head_colours(x)
        return PictureLogits(
            functional.pixel_shuffle(parts, 2).float(),
            functional.pixel_shuffle(colours, 2).float(),
            labels,
        )

    def surroundings(self, x: torch.Tensor) -> torch.Tensor:
        """Return features (B, 96, 16, 16) after the first block upwards, for x (B, 3, 128, 128)
        in [-1, 1]: what is where, in cells of 8 pixels, with its colours."""
        x, kept = self._down(x)
        return _upward(self.up[0], x, kept[-1]).float()

    def _down(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Return the result of the middle block, and the skip connections."""
        x = self.conv_in(x)
        kept = []
        for level, block in enumerate(self.down):
            x = block(functional.avg_pool2d(x, 2) if level else x)
            kept.append(x)
        return self.middle(x), kept[:-1]


def _upward(block: nn.Module, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
    """Apply a block on the way up to the enlarged input and its skip connection."""
    wide = functional.interpolate(x, scale_factor=2, mode="nearest")
    made: torch.Tensor = block(torch.cat([wide, skip], dim=1))
    return made


class HeadNet(nn.Module):
    """The identity of a head, as a point on the unit sphere, and its features."""

    widths = (32, 64, 96, 144)

    def __init__(self) -> None:
        super().__init__()
        widths = self.widths
        self.conv_in = nn.Conv2d(3, widths[0], 3, padding=1)
        self.down = nn.ModuleList(
            [Block(a, b) for a, b in zip((widths[0], *widths), widths, strict=False)]
        )
        pooled = widths[-1] * 16
        self.head_identity = nn.Linear(pooled, EMBEDDING)
        self.head_looks = nn.ModuleDict(
            {name: nn.Linear(pooled, len(choices)) for name, choices in HEAD.items()}
        )

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return unit embeddings (B, 64) and logits for x, (B, 3, 64, 64) in [-1, 1]."""
        x = self.conv_in(x)
        for level, block in enumerate(self.down):
            x = block(functional.avg_pool2d(x, 2) if level else x)
        x = functional.avg_pool2d(x, 2).flatten(1).float()  # 4 x 4 places stay apart
        embedding = functional.normalize(self.head_identity(x), dim=1)
        return embedding, {name: layer(x) for name, layer in self.head_looks.items()}
