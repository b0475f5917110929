"""The scenes of pictures, and the styles they can be drawn in."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import numpy as np
from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps

from sow.benchmarks.figures.world.paper import SIZE, Colour, Paper, shade

SCENES = ("plain", "forest", "beach", "city", "snow", "desert", "night")
STYLES = ("none", "sketch", "oil", "watercolor")

WALLS: tuple[Colour, ...] = (
    (232, 226, 214),
    (214, 226, 236),
    (226, 236, 220),
    (240, 226, 226),
    (236, 234, 206),
    (224, 220, 238),
)


def draw_scene(paper: Paper, scene: str, random: Random) -> None:
    """Fill the paper with a background; hills, houses and clouds are placed at random."""
    SCENERY[scene](paper, random, random.uniform(80, 96))


def _fill(paper: Paper, top: float, colour: Colour, bottom: float = SIZE) -> None:
    paper.rectangle((0, top, SIZE, bottom), colour, None)


def _disc(paper: Paper, x: float, y: float, radius: float, colour: Colour) -> None:
    paper.ellipse((x, y), (radius, radius), colour, None)


def _plain(paper: Paper, random: Random, horizon: float) -> None:
    _fill(paper, 0, random.choice(WALLS))


def _forest(paper: Paper, random: Random, horizon: float) -> None:
    _fill(paper, 0, (178, 220, 192))
    for x in range(-4, 142, 14):
        green = shade((40, 112, 68), random.uniform(0.85, 1.2))
        _pine(paper, x + random.uniform(-4, 4), horizon + 3, random.uniform(52, 82), green)
    _fill(paper, horizon, (86, 142, 68))


def _pine(paper: Paper, x: float, y: float, height: float, colour: Colour) -> None:
    trunk = (x - height * 0.05, y - height * 0.2, x + height * 0.05, y)
    paper.rectangle(trunk, (100, 66, 40), None)
    for layer in range(3):
        base, half = y - height * (0.15 + layer * 0.25), height * (0.28 - 0.06 * layer)
        paper.polygon([(x - half, base), (x + half, base), (x, base - height * 0.38)], colour, None)


def _sun(random: Random) -> float:
    """Return the sun's x: left or right, so that a head in the middle does not hide it."""
    return random.choice((random.uniform(10, 28), random.uniform(100, 118)))


def _beach(paper: Paper, random: Random, horizon: float) -> None:
    _fill(paper, 0, (146, 212, 244))
    _disc(paper, _sun(random), 17, 9.5, (255, 226, 90))
    _fill(paper, horizon - 24, (40, 128, 196), horizon)
    for wave in range(3):
        x, y = random.uniform(0, 100), horizon - 19 + 7 * wave
        paper.line([(x, y), (x + 20, y)], (150, 206, 236), 1.4)
    _fill(paper, horizon, (240, 214, 150))


def _city(paper: Paper, random: Random, horizon: float) -> None:
    _fill(paper, 0, (196, 210, 226))
    walls = ((120, 126, 146), (150, 130, 126), (104, 116, 130), (164, 156, 150))
    x = -4.0
    while x < SIZE:
        width, top = random.uniform(20, 28), random.uniform(14, 50)
        wall = random.choice(walls)
        paper.rectangle((x, top, x + width, horizon), wall, shade(wall, 0.7), 0.9)
        for row in range(int((horizon - top - 8) // 11)):
            for column in range(int((width - 5) // 8)):
                a, b = x + 4 + column * 8, top + 5 + row * 11
                lit = (250, 232, 150) if random.random() < 0.6 else (88, 98, 118)
                paper.rectangle((a, b, a + 4.2, b + 5.5), lit, None)
        x += width
    _fill(paper, horizon, (112, 112, 118))
    for mark in range(3):
        left = 6 + mark * 44
        paper.rectangle((left, horizon + 16, left + 22, horizon + 19), (236, 236, 220), None)


def _snow(paper: Paper, random: Random, horizon: float) -> None:
    _fill(paper, 0, (186, 206, 226))
    for x, top, half, stone in (
        (random.uniform(10, 50), 30, 40, (150, 170, 196)),
        (random.uniform(80, 120), 40, 36, (160, 180, 204)),
    ):
        paper.polygon([(x - half, horizon), (x, top), (x + half, horizon)], stone, None)
        cap = top + 16
        share = 16 / (horizon - top)
        paper.polygon(
            [(x - half * share, cap), (x, top), (x + half * share, cap)], (246, 250, 254), None
        )
    _fill(paper, horizon, (244, 248, 252))
    for _ in range(20):
        _disc(paper, random.uniform(0, SIZE), random.uniform(0, horizon), 1.7, (255, 255, 255))


def _desert(paper: Paper, random: Random, horizon: float) -> None:
    _fill(paper, 0, (250, 206, 132))
    _disc(paper, _sun(random), 18, 9.5, (255, 244, 180))
    paper.ellipse((random.uniform(0, 50), horizon + 6), (60, 18), (222, 164, 90), None)
    paper.ellipse((random.uniform(80, 128), horizon + 8), (60, 18), (214, 154, 82), None)
    _fill(paper, horizon + 6, (230, 176, 100))
    for x in (random.uniform(8, 28), random.uniform(100, 120)):
        _cactus(paper, x, horizon + 10)


def _cactus(paper: Paper, x: float, y: float) -> None:
    green = (70, 138, 76)
    for left, top, right, bottom, rounded in (
        (-3.5, -34, 3.5, 0, 3),
        (-12, -27, -7.5, -12, 2),
        (-11, -16.5, 0, -12, 1),
        (7.5, -31, 12, -16, 2),
        (0, -20.5, 11, -16, 1),
    ):
        paper.rectangle((x + left, y + top, x + right, y + bottom), green, None, rounded=rounded)


def _night(paper: Paper, random: Random, horizon: float) -> None:
    sky = (24, 30, 74)
    _fill(paper, 0, sky)
    for _ in range(14):
        x, y = random.uniform(0, SIZE), random.uniform(0, horizon)
        _disc(paper, x, y, random.uniform(1.2, 1.8), (250, 246, 210))
    x = random.choice((random.uniform(12, 26), random.uniform(102, 116)))
    _disc(paper, x, 17, 9.5, (250, 244, 200))
    _disc(paper, x + 4.5, 14.5, 8.2, sky)
    _fill(paper, horizon, (28, 54, 58))


SCENERY: dict[str, Callable[[Paper, Random, float], None]] = {
    "plain": _plain,
    "forest": _forest,
    "beach": _beach,
    "city": _city,
    "snow": _snow,
    "desert": _desert,
    "night": _night,
}


def apply_style(image: Image.Image, style: str) -> Image.Image:
    """Return the picture as a pencil sketch, an oil painting or a watercolor; "none" leaves it."""
    return STYLED[style](image)


def _sketch(image: Image.Image) -> Image.Image:
    """Return grey lines on white paper: the grey picture divided by its blur."""
    grey = ImageOps.grayscale(image)
    blurred = np.asarray(grey.filter(ImageFilter.GaussianBlur(3.2)), np.float32)
    tone = np.asarray(grey, np.float32)
    lines = np.clip(tone * 255 / np.maximum(blurred, 1), 0, 255)
    drawn = 0.8 * (255 - (255 - lines) * 1.25) + 0.2 * tone
    paper = Image.fromarray(np.clip(drawn, 0, 255).astype(np.uint8))
    return Image.merge("RGB", [paper] * 3)


def _oil(image: Image.Image) -> Image.Image:
    """Return a picture in patches of strong, warm colour."""
    patches = image.filter(ImageFilter.ModeFilter(3)).filter(ImageFilter.GaussianBlur(0.6))
    strong = ImageEnhance.Contrast(ImageEnhance.Color(patches).enhance(1.35)).enhance(1.05)
    return ImageChops.multiply(strong, Image.new("RGB", image.size, (252, 234, 190)))


def _watercolor(image: Image.Image) -> Image.Image:
    """Return a pale, soft picture with much of the paper's white."""
    soft = ImageEnhance.Color(image.filter(ImageFilter.GaussianBlur(0.5))).enhance(0.95)
    return Image.blend(soft, Image.new("RGB", image.size, (255, 252, 246)), 0.36)


STYLED: dict[str, Callable[[Image.Image], Image.Image]] = {
    "none": lambda image: image,
    "sketch": _sketch,
    "oil": _oil,
    "watercolor": _watercolor,
}
