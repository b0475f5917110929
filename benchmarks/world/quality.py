"""The quality of pictures: what makes one bad or colourful, and the words for it.

The negative prompts that people write for Stable Diffusion say such words. A model can be led away
from what they mean only if it has seen them beside pictures that are like that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Change = Callable[[Picture, np.random.Generator], Picture]

NEGATIVE = "a bad quality and low-resolution image, extra fingers, deformed hands"
"""The negative prompt of the paper's method (COW)."""
ENCOURAGED = "a high quality and colorful image"
"""What that method asks of everything outside the condition."""


def _picture(values: object) -> Picture:
    return np.asarray(np.clip(np.asarray(values), 0, 255), np.uint8)


def _gray(picture: Picture) -> NDArray[np.float32]:
    """Return the brightness, (height, width, 1)."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.float32)[..., None]


def blurred(picture: Picture, random: np.random.Generator) -> Picture:
    """Return a picture out of focus."""
    return _picture(cv2.GaussianBlur(picture, (0, 0), float(random.uniform(2.0, 4.5))))


def low_resolution(picture: Picture, random: np.random.Generator) -> Picture:
    """Return a picture that was small and has been enlarged."""
    height, width = picture.shape[:2]
    by = random.uniform(4.0, 8.0)
    size = (round(width / by), round(height / by))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    way = (cv2.INTER_LINEAR, cv2.INTER_CUBIC)[int(random.integers(2))]
    return _picture(cv2.resize(small, (width, height), interpolation=way))


def noisy(picture: Picture, random: np.random.Generator) -> Picture:
    """Return a picture with coloured noise."""
    grain = random.normal(0, random.uniform(22, 48), picture.shape).astype(np.float32)
    return _picture(picture.astype(np.float32) + cv2.GaussianBlur(grain, (0, 0), 0.6) * 1.5)


def compressed(picture: Picture, random: np.random.Generator) -> Picture:
    """Return a picture with the blocks of a small JPEG."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(4, 12))]
    return _picture(cv2.imdecode(cv2.imencode(".jpg", picture, quality)[1], cv2.IMREAD_COLOR))


def dull(picture: Picture, random: np.random.Generator) -> Picture:
    """Return a washed-out picture: nearly grey, with little contrast."""
    gray = _gray(picture)
    faded = gray + (picture - gray) * random.uniform(0.1, 0.35)
    return _picture(140 + (faded - 128) * random.uniform(0.5, 0.75))


def vivid(picture: Picture, random: np.random.Generator) -> Picture:
    """Return a picture with stronger colours."""
    gray = _gray(picture)
    return _picture(128 + (gray + (picture - gray) * random.uniform(1.45, 1.8) - 128) * 1.06)


FLAWS: dict[str, Change] = {
    "low resolution": low_resolution,
    "blurred": blurred,
    "compressed": compressed,
    "noisy": noisy,
    "dull": dull,
}
FINISHES: dict[str, Change] = {**FLAWS, "vivid": vivid}
"""What may be done to a finished picture. Nothing moves, so parts stay where they are."""
COLOURLESS = ("pencil sketch", "black and white")
"""Styles whose pictures can be neither dull nor vivid."""
HANDS = ("extra fingers", "deformed hands")

FLAW_WORDS: dict[str, tuple[str, ...]] = {
    "low resolution": ("low-resolution", "low resolution", "pixelated"),
    "blurred": ("blurry", "blurred", "out of focus"),
    "compressed": ("jpeg artifacts", "compressed"),
    "noisy": ("noisy", "grainy"),
    "dull": ("dull colors", "washed out", "dull", "faded colors"),
    "extra fingers": ("extra fingers", "too many fingers", "extra fingers, bad hands"),
    "deformed hands": ("deformed hands", "bad hands", "deformed fingers", "bad anatomy"),
}
ADJECTIVES: dict[str, tuple[str, ...]] = {
    "low resolution": ("low-resolution", "bad quality and low-resolution", "pixelated"),
    "blurred": ("blurry", "blurred", "bad quality and blurry"),
    "compressed": ("compressed", "bad quality"),
    "noisy": ("noisy", "grainy", "bad quality"),
    "dull": ("dull", "washed-out", "faded"),
}
BAD = ("bad quality", "low quality", "worst quality", "a bad quality image", "ugly")
GOOD = ("high quality", "best quality", "sharp", "detailed", "a high quality image")
COLOURFUL = ("colorful", "vivid colors", "bright colors", "colourful")
IMAGES = ("image", "image", "picture", "drawing", "photo")


@dataclass(frozen=True)
class Quality:
    """How good a picture is. finish: one of FINISHES. hands: one of HANDS."""

    finish: str | None = None
    hands: str | None = None

    @property
    def flaws(self) -> tuple[str, ...]:
        """What is bad, worst first."""
        return tuple(f for f in (self.finish, self.hands) if f and f != "vivid")


FINE = Quality()
"""Neither bad nor made more colourful: most pictures."""


def quality_caption(quality: Quality, text: str, random: Random) -> str | None:
    """Return a caption with the words for its quality, or None if it says nothing of it.

    text: what the picture shows. A flaw is always said.
    """
    if quality.flaws:
        return _said_bad(quality, text, random)
    if quality.finish == "vivid" and random.random() < 0.75:
        if random.random() < 0.45:
            return _placed([ENCOURAGED], text, random)
        if random.random() < 0.4:
            return f"a colorful {random.choice(IMAGES)} of {text}"
        return _placed([random.choice(COLOURFUL)], text, random)
    if random.random() < 0.1:
        if random.random() < 0.3:
            return f"a high quality {random.choice(IMAGES)} of {text}"
        return _placed([random.choice(GOOD)], text, random)
    return None


def _said_bad(quality: Quality, text: str, random: Random) -> str:
    finish = quality.finish
    rough = finish in FLAWS and finish != "dull"
    if random.random() < (0.3 if rough else 0.0):
        return _placed([NEGATIVE], text, random)
    if finish in FLAWS and not quality.hands and random.random() < 0.35:
        adjective = random.choice(ADJECTIVES[finish])
        return f"a {adjective} {random.choice(IMAGES)} of {text}"
    if quality.hands and not rough and random.random() < 0.25:
        return _placed(list(HANDS), text, random)
    words = [random.choice(FLAW_WORDS[flaw]) for flaw in quality.flaws]
    if random.random() < 0.35:
        words.insert(0, random.choice(BAD))
    return _placed(words, text, random)


def _placed(words: list[str], text: str, random: Random) -> str:
    """Return words about quality alone, or before or after what the picture shows."""
    said = ", ".join(words)
    return random.choice((said, f"{said}, {text}", f"{text}, {said}", f"{text}, {said}"))


def random_quality(random: Random, style: str | None, hands_shown: bool) -> Quality:
    """Return the quality of a picture: 12 % are bad, 13 % colourful.

    style: the picture's style. hands_shown: somebody in it can show a hand.
    """
    roll = random.random()
    finishes = [name for name in FLAWS if not (name == "dull" and style in COLOURLESS)]
    if roll < 0.085 or (roll < 0.12 and not hands_shown):
        return Quality(random.choice((*finishes, "low resolution")))
    if roll < 0.12:
        both = random.random() < 0.25
        return Quality(random.choice(finishes) if both else None, random.choice(HANDS))
    if roll < 0.26 and style not in COLOURLESS:
        return Quality("vivid")
    return FINE
