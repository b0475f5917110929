"""Finding drawn faces, which a detector made for photographs mostly misses.

A small network of our own, trained on the drawn world that the bundled model knows (`python -m
sow.benchmarks.figures.training.faces`); its weights come with the package.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from sow.box import Box, Corners, overlap
from sow.pictures.reading import GREY, over_grey
from sow.threads import BUILDING

WEIGHTS = Path(__file__).parent / "drawn.safetensors"
SIDE = 128
"""Pictures are looked at as squares of this many pixels, grey where they are no squares."""
STRIDE = 4
"""Pixels of that square from one answer to the next."""
CERTAIN = 0.5
OVERLAP = 0.3
"""Faces that overlap more (IoU) are one."""

Seen = tuple[Corners, float]
"""Where a face is, in pixels, and its chance."""


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut: (B, inward, H, W) -> (B, outward, H, W)."""

    def __init__(self, inward: int, outward: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(8, inward), nn.GroupNorm(8, outward)
        self.conv1 = nn.Conv2d(inward, outward, 3, padding=1)
        self.conv2 = nn.Conv2d(outward, outward, 3, padding=1)
        same = inward == outward
        self.shortcut = nn.Identity() if same else nn.Conv2d(inward, outward, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The block's answer."""
        inner = self.conv1(functional.silu(self.norm1(x)))
        inner = self.conv2(functional.silu(self.norm2(inner)))
        result: torch.Tensor = self.shortcut(x) + inner
        return result


class DrawnFaces(nn.Module):
    """For every place of a picture: whether a face has its centre there, and its box."""

    widths = (16, 32, 64, 64, 64)

    def __init__(self) -> None:
        super().__init__()
        first, second, third, fourth, fifth = self.widths
        self.conv_in = nn.Conv2d(3, first, 4, stride=2, padding=1)
        self.down2, self.down4 = Block(first, first), Block(first, second)
        self.down8, self.down16 = Block(second, third), Block(third, fourth)
        self.down32 = nn.Sequential(Block(fourth, fifth), Block(fifth, fifth))
        self.up16 = Block(fifth + fourth, third)
        self.up8 = Block(third + third, third)
        self.up4 = Block(third + second, third)
        self.head = nn.Conv2d(third, 5, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (B, 3, 128, 128) in [-1, 1] -> (B, 5, 32, 32).

        The channels: the logit of a face's centre; from there to it, right and down, and the
        logarithms of its width and height, all in units of 4 pixels.
        """
        half = self.down2(self.conv_in(x))
        quarter = self.down4(functional.avg_pool2d(half, 2))
        eighth = self.down8(functional.avg_pool2d(quarter, 2))
        sixteenth = self.down16(functional.avg_pool2d(eighth, 2))
        deep = self.down32(functional.avg_pool2d(sixteenth, 2))
        for block, kept in (
            (self.up16, sixteenth),
            (self.up8, eighth),
            (self.up4, quarter),
        ):
            larger = functional.interpolate(deep, scale_factor=2.0, mode="nearest")
            deep = block(torch.cat([larger, kept], dim=1))
        answer: torch.Tensor = self.head(functional.silu(deep)).float()
        return answer


def find_drawn_faces(image: Image.Image, least: float = CERTAIN) -> list[Box]:
    """The drawn faces in a picture, the largest first, in its pixels; they may stick out of it.

    A box goes from the forehead to the chin and from cheek to cheek, as MTCNN's.
    """
    square, scale = squared(over_grey(image))
    pixels = np.asarray(square, np.float32)
    with torch.inference_mode():
        answer = _network()(torch.from_numpy(pixels).permute(2, 0, 1)[None] / 127.5 - 1)[0]
    boxes = [
        Box(
            x=round(left * scale),
            y=round(top * scale),
            width=max(1, round((right - left) * scale)),
            height=max(1, round((bottom - top) * scale)),
        )
        for (left, top, right, bottom), _ in faces_of(answer, least)
    ]
    return sorted(boxes, key=lambda box: box.width * box.height, reverse=True)


def squared(image: Image.Image) -> tuple[Image.Image, float]:
    """An RGB picture in the left upper corner of a grey square, and pixels per one of its own."""
    scale = max(image.size) / SIDE
    size = (max(1, round(image.width / scale)), max(1, round(image.height / scale)))
    square = Image.new("RGB", (SIDE, SIDE), GREY)
    square.paste(image.resize(size, Image.Resampling.BILINEAR))
    return square, scale


def faces_of(answer: torch.Tensor, least: float) -> list[Seen]:
    """The faces that a network's answer, (5, H, W), holds, in pixels of what it looked at."""
    chance = answer[0].sigmoid()
    peaks = functional.max_pool2d(chance[None], 3, 1, 1)[0]
    rows, columns = torch.nonzero((chance == peaks) & (chance >= least), as_tuple=True)
    found: list[Seen] = []
    for row, column in sorted(
        zip(rows.tolist(), columns.tolist(), strict=True), key=lambda at: -float(chance[at])
    ):
        right, down, width, height = answer[1:, row, column].tolist()
        width, height = STRIDE * math.exp(min(width, 4)), STRIDE * math.exp(min(height, 4))
        x = STRIDE * (column + 0.5 + right) - width / 2
        y = STRIDE * (row + 0.5 + down) - height / 2
        place = (x, y, x + width, y + height)
        if all(overlap(place, other) <= OVERLAP for other, _ in found):
            found.append((place, float(chance[row, column])))
    return found


@cache
def _network() -> DrawnFaces:
    with BUILDING:
        network = DrawnFaces()
    network.load_state_dict({name: value.float() for name, value in load_file(WEIGHTS).items()})
    return network.eval()
