"""Find drawn faces, most of which detectors for photographs miss.

A small network trained on the drawings that the bundled model makes (`python -m
sow.benchmarks.figures.training.faces`); its weights come with the package.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from sow.pictures.loading import GREY, over_grey
from sow.plan.box import Box, Corners, iou
from sow.utils.libraries import MODEL_BUILD_LOCK

WEIGHTS = Path(__file__).parent / "drawn.safetensors"
SIDE = 128
"""The side of the network's input in pixels; pictures are padded with grey to a square."""
STRIDE = 4
"""The pixels of the input per output cell."""
MIN_SCORE = 0.5
NMS_IOU = 0.3
"""Non-maximum suppression: faces with a greater intersection over union are one."""

CLOSE_UP_MARGINS = (0.3, 0.5)
"""A face that fills the picture is looked for with this much grey around it.

Shares of the longer side. Of 40 drawn faces whose pictures were cut to 0.8, 0.7 and 0.6 of the
face's box, 40, 40 and 33 were found this way; 4, 0 and 0 without.
"""
CLOSE_UP_SHARE = 0.85
"""The least width of such a face, as a share of the picture's shorter side."""

ScoredBox = tuple[Corners, float]
"""The corners of a face in pixels, and its score."""


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
        """Return the output, (B, outward, H, W)."""
        inner = self.conv1(functional.silu(self.norm1(x)))
        inner = self.conv2(functional.silu(self.norm2(inner)))
        result: torch.Tensor = self.shortcut(x) + inner
        return result


class DrawnFaces(nn.Module):
    """Predicts for every cell whether a face has its centre there, and its box."""

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
        """Return (B, 5, 32, 32) for x (B, 3, 128, 128) in [-1, 1].

        The channels: the logit of a face's centre in the cell; the offset of the centre to the
        right and down, and the logarithms of width and height, in units of 4 pixels.
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


def find_drawn_faces(image: Image.Image, min_score: float = MIN_SCORE) -> list[Box]:
    """Return the boxes of drawn faces in pixels, the largest first; they may leave the picture.

    As with MTCNN, a box goes from the forehead to the chin and from cheek to cheek.
    """
    boxes = [box for box, _ in scored_faces(image, min_score)]
    return sorted(boxes, key=lambda box: box.width * box.height, reverse=True)


def find_close_up(image: Image.Image, min_score: float = MIN_SCORE) -> Box | None:
    """Return the drawn face that fills a picture, or None; its box may leave the picture."""
    scale = min(1.0, 2 * SIDE / max(image.size))  # of a long strip the margin would be huge
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    picture, found = over_grey(image).resize(size), []
    for share in CLOSE_UP_MARGINS:
        margin = round(share * max(size))
        padded = ImageOps.expand(picture, margin, GREY)
        found += [(score, margin, box) for box, score in scored_faces(padded, min_score)]
    least = CLOSE_UP_SHARE * min(size)
    large = [candidate for candidate in found if candidate[2].width >= least]
    if not large:
        return None
    _, margin, box = max(large, key=lambda candidate: candidate[0])
    (x, y), (width, height) = box.centre, (box.width / scale, box.height / scale)
    return Box.around((x - margin) / scale, (y - margin) / scale, width, height)


def scored_faces(image: Image.Image, min_score: float) -> list[tuple[Box, float]]:
    """Return the boxes and scores of drawn faces in pixels, the highest score first."""
    square, scale = letterbox(over_grey(image))
    pixels = np.asarray(square, np.float32)
    with torch.inference_mode():
        answer = _network()(torch.from_numpy(pixels).permute(2, 0, 1)[None] / 127.5 - 1)[0]
    return [
        (
            Box(
                x=round(left * scale),
                y=round(top * scale),
                width=max(1, round((right - left) * scale)),
                height=max(1, round((bottom - top) * scale)),
            ),
            score,
        )
        for (left, top, right, bottom), score in decode_faces(answer, min_score)
    ]


def letterbox(image: Image.Image) -> tuple[Image.Image, float]:
    """Return an RGB picture in the upper left corner of a grey square, and its pixels per pixel."""
    scale = max(image.size) / SIDE
    size = (max(1, round(image.width / scale)), max(1, round(image.height / scale)))
    square = Image.new("RGB", (SIDE, SIDE), GREY)
    square.paste(image.resize(size, Image.Resampling.BILINEAR))
    return square, scale


def decode_faces(answer: torch.Tensor, min_score: float) -> list[ScoredBox]:
    """Return the faces in a network's output (5, H, W), in pixels of its input."""
    scores = answer[0].sigmoid()
    peaks = functional.max_pool2d(scores[None], 3, 1, 1)[0]
    rows, columns = torch.nonzero((scores == peaks) & (scores >= min_score), as_tuple=True)
    found: list[ScoredBox] = []
    for row, column in sorted(
        zip(rows.tolist(), columns.tolist(), strict=True), key=lambda at: -float(scores[at])
    ):
        right, down, width, height = answer[1:, row, column].tolist()
        width, height = STRIDE * math.exp(min(width, 4)), STRIDE * math.exp(min(height, 4))
        x = STRIDE * (column + 0.5 + right) - width / 2
        y = STRIDE * (row + 0.5 + down) - height / 2
        place = (x, y, x + width, y + height)
        if all(iou(place, other) <= NMS_IOU for other, _ in found):
            found.append((place, float(scores[row, column])))
    return found


@cache
def _network() -> DrawnFaces:
    with MODEL_BUILD_LOCK:
        network = DrawnFaces()
    network.load_state_dict({name: value.float() for name, value in load_file(WEIGHTS).items()})
    return network.eval()
