"""The judge: what it reads in a picture of the drawn world."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file

from sow.benchmarks.figures.judge.judge import as_input, cut_head, square
from sow.benchmarks.world.judge.classes import (
    BEARD,
    BODY,
    CLOTHES,
    FACE,
    GLASSES,
    HAIR,
    HEAD,
    KINDS,
    NECK,
    PICTURE,
    SHADES,
)
from sow.benchmarks.world.judge.networks import CELL, CROP, CropNet, PictureNet, body_net, head_net
from sow.plan.box import Box, iou

LEAST_FACE = 150
"""Pixels; a face of a group is 34 px wide and has some 900."""
LEAST_CELLS = 2
"""Cells of 8 pixels that a thing must cover."""
MULTIPLE = 16
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Head:
    """A head with its hair, and the figure that it belongs to, in pixels; its face, (H, W)."""

    box: Box
    body: Box
    face: Mask


@dataclass(frozen=True)
class Found:
    """A thing, an animal, a seat or a hat: its kind, commonest colour and cells, (H / 8, W / 8)."""

    kind: str
    colour: str
    cells: Mask

    @property
    def box(self) -> Box:
        """The box of its cells, in pixels."""
        return _box(np.kron(self.cells, np.ones((CELL, CELL), bool)))


@dataclass(frozen=True)
class Verdict:
    """What the judge reads in one picture.

    parts: (H, W), numbers of PARTS. heads: the largest first, or the one nearest to what was
    planted. answers: to PICTURE. looks, wears: of the first head, answers to HEAD and BODY.
    """

    parts: NDArray[np.uint8]
    heads: tuple[Head, ...]
    things: tuple[Found, ...]
    answers: dict[str, str]
    looks: dict[str, str]
    wears: dict[str, str]
    embedding: NDArray[np.float32] | None


class Judge:
    """The three networks, on the CPU in float32."""

    def __init__(self, picture: PictureNet, head: CropNet, body: CropNet) -> None:
        self.picture, self.head, self.body = picture.eval(), head.eval(), body.eval()

    @classmethod
    def load(cls, path: Path) -> Judge:
        """Load what `train` wrote."""
        tensors = {key: value.float() for key, value in load_file(path).items()}
        picture, head, body = PictureNet(), head_net(), body_net()
        for name, net in (("picture", picture), ("head", head), ("body", body)):
            net.load_state_dict(
                {
                    key.removeprefix(f"{name}."): value
                    for key, value in tensors.items()
                    if key.startswith(f"{name}.")
                }
            )
        return cls(picture, head, body)

    @torch.no_grad()
    def look(self, images: list[Image.Image], planted: list[Box] | None = None) -> list[Verdict]:
        """Return a verdict for every picture; both sides are multiples of 16 pixels.

        planted: where a condition was planted, in pixels; the head there comes first.
        """
        verdicts = []
        for n, image in enumerate(images):
            if image.width % MULTIPLE or image.height % MULTIPLE:
                raise ValueError(f"a picture of {image.size}: sides must be multiples of 16")
            pixels = np.asarray(image.convert("RGB"))
            reading = self.picture(as_input(pixels[None]))
            parts = reading.parts[0].argmax(0).byte().numpy()
            heads = find_heads(parts, None if planted is None else planted[n])
            kinds = reading.kinds[0].argmax(0).numpy()
            shades = reading.colours[0].argmax(0).numpy()
            looks, embedding = self._crop(self.head, HEAD, pixels, heads, "box")
            wears, _ = self._crop(self.body, BODY, pixels, heads, "body")
            answers = {
                name: PICTURE[name][int(logits[0].argmax())]
                for name, logits in reading.labels.items()
            }
            things = find_things(kinds, shades)
            verdicts.append(Verdict(parts, heads, things, answers, looks, wears, embedding))
        return verdicts

    def _crop(
        self,
        net: CropNet,
        questions: dict[str, tuple[str, ...]],
        pixels: NDArray[np.uint8],
        heads: tuple[Head, ...],
        which: str,
    ) -> tuple[dict[str, str], NDArray[np.float32] | None]:
        """Return the answers and the embedding of the first head, or of its figure."""
        if not heads:
            return {}, None
        box = getattr(heads[0], which)
        embedding, logits = net(as_input(cut_head(pixels, square(box), CROP)[None]))
        answers = {name: questions[name][int(one[0].argmax())] for name, one in logits.items()}
        return answers, embedding[0].numpy()


def find_heads(parts: NDArray[np.uint8], near: Box | None = None) -> tuple[Head, ...]:
    """Return the heads: each face that is large enough, with the hair that touches it.

    near: the head that overlaps this box most comes first; without it, the largest.
    """
    heads = []
    bare = np.isin(parts, (FACE, BEARD, GLASSES))
    for face in _pieces(bare):
        if (face & (parts == FACE)).sum() < LEAST_FACE:
            continue
        head = face | (_touching(parts == HAIR, face) & _around(face))
        below = np.isin(parts, (NECK, CLOTHES))
        figure = head | _touching(below, head)
        heads.append(Head(_box(head), _box(figure), face))
    if near is not None:
        heads.sort(key=lambda one: -iou(one.box.corners, near.corners))
    return tuple(heads)


def _around(face: Mask) -> Mask:
    """Return where the hair of a face may be: a head's width beside it, and below to the chest."""
    box, around = _box(face), np.zeros_like(face)
    top, left = max(0, box.y - box.height), max(0, box.x - box.width // 2)
    around[top : box.bottom + box.height, left : box.right + box.width // 2] = True
    return around


def _pieces(mask: Mask) -> list[Mask]:
    """Return the connected pieces of a mask, the largest first."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    return sorted((labels == n for n in range(1, count)), key=lambda one: -int(one.sum()))


def _touching(mask: Mask, seed: Mask) -> Mask:
    """Return the pieces of a mask that touch the seed, without the seed."""
    _, labels = cv2.connectedComponents((mask | seed).astype(np.uint8), connectivity=4)
    return np.isin(labels, np.unique(labels[seed])) & mask


def _box(mask: Mask) -> Box:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    x, y = int(columns[0]), int(rows[0])
    return Box(x=x, y=y, width=int(columns[-1]) + 1 - x, height=int(rows[-1]) + 1 - y)


def find_things(kinds: NDArray[np.int64], shades: NDArray[np.int64]) -> tuple[Found, ...]:
    """Return what is in the cells, the largest first: touching cells of one kind are one thing."""
    found = []
    for number in np.unique(kinds[kinds > 0]):
        for cells in _pieces(kinds == number):
            if cells.sum() >= LEAST_CELLS:
                colour = SHADES[int(np.bincount(shades[cells]).argmax())]
                found.append(Found(KINDS[number], colour, cells))
    return tuple(sorted(found, key=lambda one: -int(one.cells.sum())))
