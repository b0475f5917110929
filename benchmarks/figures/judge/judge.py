"""The judge: what it reads in a picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file

from sow.benchmarks.figures.judge.anatomy import (
    SKIN_TOLERANCE,
    DetectedThing,
    Head,
    find_heads,
    find_things,
    is_truncated,
    neck_of_other_skin,
)
from sow.benchmarks.figures.judge.classes import BODY, HAIR, HEAD, PICTURE, SHADES
from sow.benchmarks.figures.judge.networks import HEAD_SIZE, HeadNet, PictureNet
from sow.plan.box import Box

WEIGHTS = Path(__file__).parent / "judge.safetensors"
SAME_PERSON = 0.87
"""Heads nearer than this are of the same person (near equal error rates: see the results)."""
MARGIN = 0.08
"""How much is added on every side of a head before it is read, as a share of its size."""
BATCH = 32


@dataclass(frozen=True)
class Verdict:
    """What the judge reads in one picture.

    heads: the largest first. whole: scene, style, clothing. looks: of the first head:
    expression, age, glasses, beard, gender, hair_style, hair_colour; empty without one.
    classes: (128, 128), numbers of PARTS.
    """

    pixels: NDArray[np.uint8]
    classes: NDArray[np.uint8]
    shades: NDArray[np.uint8]
    heads: tuple[Head, ...]
    picture_labels: dict[str, str]
    looks: dict[str, str]
    embedding: NDArray[np.float32] | None

    @property
    def persons(self) -> int:
        """The number of people: heads, with or without a body."""
        return len(self.heads)

    @cached_property
    def truncated(self) -> bool:
        """True if the first head lacks a neck of its skin or a body, or there is no head."""
        if not self.heads:
            return True
        tolerance = SKIN_TOLERANCE[self.picture_labels["style"]]
        return is_truncated(self.pixels, self.classes, self.heads[0], tolerance)

    @cached_property
    def unjoined(self) -> bool:
        """Like `truncated`, but a neck a shade off is accepted; True without a head.

        The skin of watercolours and sketches is not compared.
        """
        if self.apart or self.picture_labels["style"] not in ("none", "oil"):
            return self.apart
        return neck_of_other_skin(self.pixels, self.classes, self.heads[0])

    @cached_property
    def apart(self) -> bool:
        """True if the first head lacks a neck or a body, or there is no head.

        The colour of the neck does not matter.
        """
        return not self.heads or is_truncated(self.pixels, self.classes, self.heads[0], np.inf)

    @cached_property
    def things(self) -> tuple[DetectedThing, ...]:
        """The objects, the largest first."""
        return find_things(self.classes, self.shades)

    @cached_property
    def clothing_colour(self) -> str | None:
        """The commonest colour of clothes; None where there are none."""
        return common_shade(self.shades[self.classes == BODY])

    @cached_property
    def hair_colour(self) -> str | None:
        """The commonest colour of hair; None where there is none."""
        return common_shade(self.shades[self.classes == HAIR])


def common_shade(shades: NDArray[np.uint8], least: int = 40) -> str | None:
    """Return the commonest colour name; None for fewer than `least` pixels."""
    if len(shades) < least:
        return None
    return SHADES[int(np.bincount(shades, minlength=len(SHADES)).argmax())]


class Judge:
    """The two networks, on the CPU in float32."""

    def __init__(self, picture_net: PictureNet, head_net: HeadNet) -> None:
        self.picture_net, self.head_net = picture_net.eval(), head_net.eval()

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> Judge:
        """Load the bundled judge, or one from a file that `train` wrote."""
        tensors = {key: value.float() for key, value in load_file(path).items()}
        picture_net, head_net = PictureNet(), HeadNet()
        for name, net in (("picture", picture_net), ("head", head_net)):
            state = {
                k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(name)
            }
            net.load_state_dict(state)
        return cls(picture_net, head_net)

    def look(self, images: list[Image.Image], planted: list[Box] | None = None) -> list[Verdict]:
        """Return a verdict for every picture (any size; read at 128 x 128).

        planted: where a condition was planted, in pixels of the picture; the head there comes
        first, so that `looks`, `embedding` and `truncated` are its own.
        """
        verdicts: list[Verdict] = []
        for start in range(0, len(images), BATCH):
            batch = images[start : start + BATCH]
            boxes = None if planted is None else planted[start : start + BATCH]
            verdicts += self._look(batch, boxes)
        return verdicts

    @torch.no_grad()
    def _look(self, images: list[Image.Image], planted: list[Box] | None) -> list[Verdict]:
        pixels = np.stack(
            [np.asarray(i.convert("RGB").resize((128, 128), Image.Resampling.BOX)) for i in images]
        )
        reading = self.picture_net(as_input(pixels))
        classes = reading.parts.argmax(1).byte().numpy()
        shades = reading.colours.argmax(1).byte().numpy()
        heads = []
        for n, picture in enumerate(classes):
            near = None
            if planted is not None:
                scale = 128 / images[n].width, 128 / images[n].height
                near = planted[n].scaled(*scale)
            heads.append(find_heads(picture, near))
        picture_labels = {
            name: logits.argmax(1).tolist() for name, logits in reading.labels.items()
        }
        faces = [n for n, found in enumerate(heads) if found]
        embeddings, looks = self._faces(pixels[faces], [heads[n][0].box for n in faces])
        order = {n: k for k, n in enumerate(faces)}
        return [
            Verdict(
                pixels=pixels[n],
                classes=classes[n],
                shades=shades[n],
                heads=heads[n],
                picture_labels={
                    name: PICTURE[name][answers[n]] for name, answers in picture_labels.items()
                },
                looks=looks[order[n]] if n in order else {},
                embedding=embeddings[order[n]] if n in order else None,
            )
            for n in range(len(images))
        ]

    def _faces(
        self, pixels: NDArray[np.uint8], boxes: list[Box]
    ) -> tuple[NDArray[np.float32], list[dict[str, str]]]:
        """Return embeddings and looks of one head in each picture."""
        if not boxes:
            return np.empty((0, 0), np.float32), []
        crops = [cut_head(p, square(b)) for p, b in zip(pixels, boxes, strict=True)]
        embedding, logits = self.head_net(as_input(np.stack(crops)))
        answers = {name: values.argmax(1).tolist() for name, values in logits.items()}
        looks = [{k: HEAD[k][v[n]] for k, v in answers.items()} for n in range(len(boxes))]
        return embedding.numpy(), looks

    def embed(self, images: list[Image.Image]) -> list[NDArray[np.float32] | None]:
        """Return the embedding of the largest head of each picture."""
        return [verdict.embedding for verdict in self.look(images)]


def as_input(pixels: NDArray[np.uint8]) -> torch.Tensor:
    """Convert uint8 (B, H, W, 3) to float (B, 3, H, W) in [-1, 1]."""
    return torch.tensor(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1


def square(box: Box) -> tuple[float, float, float, float]:
    """Return the square in which a head or a figure is read: left, top, right, bottom."""
    side = max(box.width, box.height) * (1 + 2 * MARGIN)
    x, y = box.x + box.width / 2, box.y + box.height / 2
    return x - side / 2, y - side / 2, x + side / 2, y + side / 2


def cut_head(
    picture: NDArray[np.uint8],
    corners: tuple[float, float, float, float],
    size: int = HEAD_SIZE,
) -> NDArray[np.uint8]:
    """Cut a square out of a picture (grey outside it), resized to `size` pixels."""
    left, top, right, _ = (round(c) for c in corners)
    side = max(1, right - left)
    ground = Image.new("RGB", (side, side), (128, 128, 128))
    ground.paste(Image.fromarray(picture), (-left, -top))
    return np.asarray(ground.resize((size, size), Image.Resampling.BILINEAR))


def distance(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return ID-Distance (Sec. V-A): the Euclidean distance of two unit embeddings, 0 to 2."""
    return float(np.linalg.norm(one - other))
