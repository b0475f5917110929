"""The objects of the world: names, colours and drawing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from sow.benchmarks.figures.world.paper import INK, Colour, Paper, Point, blend, shade

COLOURS: dict[str, Colour] = {
    "red": (214, 40, 46),
    "blue": (44, 88, 212),
    "green": (44, 158, 70),
    "yellow": (248, 212, 48),
    "purple": (134, 62, 172),
    "orange": (246, 138, 30),
    "pink": (246, 146, 186),
    "white": (246, 246, 246),
    "black": (38, 38, 46),
    "brown": (126, 76, 42),
    "gray": (138, 140, 148),
}

WHITE = COLOURS["white"]
BRIGHT = ("red", "blue", "green", "yellow", "purple", "orange", "pink", "white", "black")
COLOURS_OF: dict[str, tuple[str, ...]] = {
    "dog": ("brown", "black", "white"),
    "cat": ("orange", "black", "gray"),
    "tree": ("green",),
}
"""Kinds that do not come in every colour."""

KINDS = (
    "ball",
    "balloon",
    "box",
    "car",
    "cat",
    "dog",
    "hat",
    "house",
    "tree",
    "umbrella",
)
HELD = ("ball", "balloon", "box", "umbrella")
"""What a hand can hold."""


@dataclass(frozen=True)
class Thing:
    """An object; x and y are its centre, size about its height, in pixels."""

    kind: str
    colour: str
    x: float
    y: float
    size: float


def colours_of(kind: str) -> tuple[str, ...]:
    """Return the colours of a kind of object."""
    return COLOURS_OF.get(kind, BRIGHT)


def draw_thing(paper: Paper, thing: Thing) -> None:
    """Draw an object."""
    DRAW[thing.kind](paper, thing.x, thing.y, thing.size / 2, COLOURS[thing.colour])


def _dark(colour: Colour) -> Colour:
    """Return the colour of details: darker, or lighter on a black surface."""
    return (112, 112, 122) if colour == COLOURS["black"] else shade(colour, 0.66)


def _ball(paper: Paper, x: float, y: float, half: float, colour: Colour) -> None:
    paper.ellipse((x, y), (half, half), colour)
    paper.arc((x - half * 0.5, y), (half * 0.8, half * 0.9), -55, 55, _dark(colour), 1.6)
    spot = blend(colour, WHITE, 0.7)
    paper.ellipse((x + half * 0.3, y - half * 0.45), (half * 0.18, half * 0.18), spot, None)


def _balloon(paper: Paper, x: float, y: float, half: float, colour: Colour) -> None:
    paper.line([(x, y + half * 0.6), (x + 1.5, y + half), (x - 1, y + half * 1.6)], INK, 1.0)
    paper.ellipse((x, y - half * 0.1), (half * 0.76, half * 0.9), colour)
    knot = [(x - 2.4, y + half * 0.98), (x + 2.4, y + half * 0.98), (x, y + half * 0.76)]
    paper.polygon(knot, colour, INK, 0.7)
    spot = blend(colour, WHITE, 0.75)
    paper.ellipse((x - half * 0.28, y - half * 0.4), (half * 0.15, half * 0.22), spot, None)


def _box(paper: Paper, x: float, y: float, half: float, colour: Colour) -> None:
    left, top, right, bottom = x - half * 0.9, y - half * 0.75, x + half * 0.9, y + half * 0.85
    paper.rectangle((left, top, right, bottom), colour)
    paper.rectangle((x - half * 0.18, top, x + half * 0.18, bottom), _dark(colour), None)
    paper.rectangle((left, top, right, top + half * 0.4), colour)
    paper.rectangle((x - half * 0.18, top, x + half * 0.18, top + half * 0.4), _dark(colour), None)
    paper.rectangle((left, top, right, bottom), None)


def _car(paper: Paper, x: float, y: float, half: float, colour: Colour) -> None:
    roof = [(-0.65, -0.05), (-0.42, -0.66), (0.4, -0.66), (0.72, -0.05)]
    paper.polygon([(x + a * half, y + b * half) for a, b in roof], (190, 224, 244))
    body = (x - half * 1.2, y - half * 0.12, x + half * 1.2, y + half * 0.52)
    paper.rectangle(body, colour, rounded=3)
    paper.line([(x, y - half * 0.62), (x, y - half * 0.1)], INK, 1.2)
    for side in (-0.62, 0.62):
        paper.ellipse((x + side * half, y + half * 0.52), (half * 0.32, half * 0.32), (40, 40, 44))
        hub = (x + side * half, y + half * 0.52)
        paper.ellipse(hub, (half * 0.13, half * 0.13), (206, 206, 210), None)
    paper.ellipse((x + half * 1.08, y + half * 0.12), (2.0, 2.0), (255, 240, 150), INK, 0.6)


def _cat(paper: Paper, x: float, y: float, half: float, colour: Colour) -> None:
    tail = [(x + half * 0.5, y + half * 0.75), (x + half * 1.0, y + half * 0.5)]
    tail.append((x + half * 0.95, y - half * 0.2))
    paper.line(tail, INK, 5.0)
    paper.line(tail, colour, 3.2)
    paper.ellipse((x, y + half * 0.5), (half * 0.6, half * 0.55), colour)
    for side in (-1, 1):
        ear = [(0.12, -0.72), (0.62, -1.0), (0.6, -0.3)]
        paper.polygon([(x + side * a * half, y + b * half) for a, b in ear], colour)
    paper.ellipse((x, y - half * 0.3), (half * 0.64, half * 0.5), colour)
    light = (236, 232, 120)
    for side in (-1, 1):
        paper.ellipse((x + side * half * 0.26, y - half * 0.36), (2.0, 2.2), light, INK, 0.8)
        paper.line([(x + side * 3, y - half * 0.1), (x + side * half * 0.8, y)], _dark(colour), 0.8)
    paper.ellipse((x, y - half * 0.14), (1.5, 1.1), (240, 130, 140), None)


def _dog(paper: Paper, x: float, y: float, half: float, colour: Colour) -> None:
    for leg in (-0.6, -0.3, 0.3, 0.58):
        foot = (x + leg * half * 1.25 - 2.2, y + half * 0.3, x + leg * half * 1.25 + 2.2, y + half)
        paper.rectangle(foot, colour, INK, 0.9)
    tail = [(x - half * 0.85, y), (x - half * 1.2, y - half * 0.5)]
    paper.line(tail, INK, 4.4)
    paper.line(tail, colour, 2.6)
    paper.ellipse((x, y + half * 0.18), (half * 0.95, half * 0.44), colour)
    head = (x + half * 0.8, y - half * 0.4)
    paper.ellipse(head, (half * 0.52, half * 0.46), colour)
    muzzle = (head[0] + half * 0.44, head[1] + half * 0.14)
    paper.ellipse(muzzle, (half * 0.27, half * 0.21), blend(colour, WHITE, 0.4), INK, 0.8)
    paper.ellipse((muzzle[0] + half * 0.16, muzzle[1] - 1), (1.8, 1.6), (20, 20, 20), None)
    paper.ellipse((head[0] - half * 0.3, head[1]), (half * 0.18, half * 0.38), _dark(colour))
    eye = (240, 240, 240) if colour == COLOURS["black"] else (15, 15, 15)
    paper.ellipse((head[0] + half * 0.1, head[1] - half * 0.12), (1.7, 1.9), eye, None)


def _hat(paper: Paper, x: float, y: float, half: float, colour: Colour) -> None:
    crown: list[Point] = [(-0.62, 0.45), (-0.54, -0.6), (0.54, -0.6), (0.62, 0.45)]
    paper.polygon([(x + a * half, y + b * half) for a, b in crown], colour)
    band = (x - half * 0.61, y + half * 0.15, x + half * 0.61, y + half * 0.45)
    paper.rectangle(band, _dark(colour), None)
    brim = (x - half * 1.15, y + half * 0.42, x + half * 1.15, y + half * 0.72)
    paper.rectangle(brim, colour, rounded=2.5)


def _house(paper: Paper, x: float, y: float, half: float, colour: Colour) -> None:
    paper.rectangle((x - half * 0.88, y - half * 0.15, x + half * 0.88, y + half), colour)
    roof = [(x - half * 1.1, y - half * 0.12), (x + half * 1.1, y - half * 0.12), (x, y - half)]
    paper.polygon(roof, (128, 62, 48))
    door = (x - half * 0.22, y + half * 0.35, x + half * 0.22, y + half)
    paper.rectangle(door, (90, 58, 40), INK, 0.9)
    for side in (-0.52, 0.52):
        a, b = x + side * half, y + half * 0.3
        window = (a - half * 0.2, b - half * 0.2, a + half * 0.2, b + half * 0.2)
        paper.rectangle(window, (196, 230, 248), INK, 0.9)


def _tree(paper: Paper, x: float, y: float, half: float, colour: Colour) -> None:
    trunk = (x - half * 0.17, y + half * 0.1, x + half * 0.17, y + half)
    paper.rectangle(trunk, (116, 76, 46), INK, 0.9)
    leaves = shade(colour, 0.92)
    paper.ellipse((x, y - half * 0.35), (half * 0.66, half * 0.66), leaves)
    for a, b in ((-0.2, -0.5), (0.25, -0.2)):
        spot = (x + a * half, y + b * half)
        paper.ellipse(spot, (half * 0.16, half * 0.16), (230, 60, 50), None)


def _umbrella(paper: Paper, x: float, y: float, half: float, colour: Colour) -> None:
    wood = (92, 60, 40)
    paper.line([(x, y - half * 0.6), (x, y + half * 0.8)], wood, 1.9)
    paper.arc((x - 2.6, y + half * 0.8), (2.6, 3), 0, 180, wood, 1.9)
    edge = y - half * 0.08
    top = [
        (
            x - half * 1.15 * math.cos(math.pi * n / 14),
            edge - half * 0.86 * math.sin(math.pi * n / 14),
        )
        for n in range(15)
    ]
    hem: list[Point] = []
    width = half * 2.3 / 4
    for rib in range(4):
        start = x + half * 1.15 - width * rib
        hem += [
            (start - width * n / 6, edge - half * 0.16 * math.sin(math.pi * n / 6))
            for n in range(1, 7)
        ]
    paper.polygon(top + hem, colour)
    for side in (-0.5, 0.5):
        paper.line([(x, y - half * 0.9), (x + side * half * 1.15, edge)], _dark(colour), 1.0)


DRAW: dict[str, Callable[[Paper, float, float, float, Colour], None]] = {
    "ball": _ball,
    "balloon": _balloon,
    "box": _box,
    "car": _car,
    "cat": _cat,
    "dog": _dog,
    "hat": _hat,
    "house": _house,
    "tree": _tree,
    "umbrella": _umbrella,
}
