"""Things that are held, or stand beside somebody.

Each is drawn around (0, 0), where it is held or stands, and is about 2 to 5 units tall.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from sow.benchmarks.world.bodies import star
from sow.benchmarks.world.people import COLOURS
from sow.benchmarks.world.sheet import (
    Colour,
    Sheet,
    darker,
    ellipse,
    lighter,
    mix,
    polygon,
    rectangle,
    smooth,
    taper,
)

Draw = Callable[[Sheet, Colour, Random], None]
WOOD: Colour = (160, 108, 66)
STEEL: Colour = (190, 196, 208)
GREEN: Colour = (78, 144, 74)


def _book(s: Sheet, c: Colour, r: Random) -> None:
    s.fill(
        polygon(
            [(-1.25, -0.72), (0, -0.56), (1.25, -0.72), (1.25, 0.72), (0, 0.88), (-1.25, 0.72)]
        ),
        c,
    )
    s.fill(
        smooth([(-1.1, -0.74), (-0.5, -0.8), (0, -0.6), (0, 0.74), (-0.5, 0.58), (-1.1, 0.62)]),
        (252, 248, 236),
    )
    s.fill(
        smooth([(1.1, -0.74), (0.5, -0.8), (0, -0.6), (0, 0.74), (0.5, 0.58), (1.1, 0.62)]),
        (250, 244, 228),
    )
    for n in range(4):
        for side in (-1, 1):
            s.stroke(
                [(side * 0.2, -0.4 + 0.26 * n), (side * 0.95, -0.52 + 0.26 * n)],
                (150, 146, 150),
                0.05,
            )


def _umbrella(s: Sheet, c: Colour, r: Random) -> None:
    s.stroke([(0, -3.6), (0, 0.5)], (96, 70, 52), 0.14, flat=False)
    s.stroke([(0, 0.5), (0.05, 0.85), (0.35, 0.85), (0.38, 0.6)], (96, 70, 52), 0.16)
    dome = smooth(
        [
            (-2.5, -2.7),
            (-1.9, -3.9),
            (0, -4.7),
            (1.9, -3.9),
            (2.5, -2.7),
            (1.7, -2.95),
            (0.85, -2.7),
            (0, -2.95),
            (-0.85, -2.7),
            (-1.7, -2.95),
        ]
    )
    s.fill(dome, c, volume=0.8)
    for x in (-0.85, 0.0, 0.85):
        s.brush([(0, -4.65), (x * 0.7, -3.9), (x, -2.75)], (0.02, 0.06, 0.03), darker(c, 0.35), 0.8)
    s.stroke([(0, -4.65), (0, -5.0)], (96, 70, 52), 0.12)


def _balloon(s: Sheet, c: Colour, r: Random) -> None:
    s.stroke([(0, 0.3), (0.12, -0.6), (-0.08, -1.5), (0.05, -2.1)], (120, 116, 120), 0.06)
    s.fill(
        smooth(
            [(0.05, -4.6), (0.9, -4.2), (1.05, -3.3), (0.05, -2.15), (-0.95, -3.3), (-0.8, -4.2)]
        ),
        c,
        volume=1.0,
    )
    s.glow(-0.3 if s.light.x < 0 else 0.4, -3.9, 0.5, (255, 255, 255), 0.7)
    s.fill(polygon([(-0.1, -1.98), (0.2, -1.98), (0.05, -2.2)]), darker(c, 0.1))


def _balloons(s: Sheet, c: Colour, r: Random) -> None:
    for x, y, tint in (
        (-1.0, -3.3, "blue"),
        (1.0, -3.4, "yellow"),
        (0.0, -4.2, "green"),
        (-0.4, -2.9, "pink"),
        (0.5, -3.0, "red"),
    ):
        s.stroke([(0, 0.3), (x * 0.5, y * 0.5), (x, y + 0.8)], (120, 116, 120), 0.05)
        s.fill(ellipse(x, y, 0.72, 0.85), COLOURS[tint], volume=1.0)
        s.glow(x - 0.2, y - 0.3, 0.3, (255, 255, 255), 0.6)


def _guitar(s: Sheet, c: Colour, r: Random) -> None:
    with s.at(0, 0, 1, -58):
        s.fill(rectangle(-0.17, -3.6, 0.17, -0.4, 0.05), darker(WOOD, 0.35))
        s.fill(rectangle(-0.28, -4.2, 0.28, -3.5, 0.1), darker(WOOD, 0.2))
        s.fill(
            smooth(
                [
                    (-0.75, -0.6),
                    (0, -0.85),
                    (0.75, -0.6),
                    (0.68, 0.15),
                    (1.1, 0.95),
                    (0.75, 1.7),
                    (0, 1.9),
                    (-0.75, 1.7),
                    (-1.1, 0.95),
                    (-0.68, 0.15),
                ]
            ),
            c,
            volume=0.9,
        )
        s.fill(ellipse(0, 0.35, 0.34), (44, 32, 30))
        s.fill(rectangle(-0.45, 1.15, 0.45, 1.3), darker(WOOD, 0.4))
        for x in (-0.1, 0.0, 0.1):
            s.stroke([(x, -3.6), (x, 1.2)], (240, 232, 206), 0.025)


def _violin(s: Sheet, c: Colour, r: Random) -> None:
    tint: Colour = (172, 90, 44)
    with s.at(0, -0.3, 0.8, 24):
        s.fill(rectangle(-0.12, -3.0, 0.12, -0.6, 0.05), (50, 36, 34))
        s.fill(
            smooth(
                [
                    (-0.6, -0.9),
                    (0, -1.05),
                    (0.6, -0.9),
                    (0.5, -0.2),
                    (0.42, 0.1),
                    (0.8, 0.7),
                    (0.5, 1.3),
                    (0, 1.4),
                    (-0.5, 1.3),
                    (-0.8, 0.7),
                    (-0.42, 0.1),
                    (-0.5, -0.2),
                ]
            ),
            tint,
            volume=0.9,
        )
        s.fill(rectangle(-0.14, -0.6, 0.14, 0.6, 0.04), (50, 36, 34))
    s.stroke([(-1.7, -1.2), (1.7, 0.9)], (120, 84, 56), 0.09)


def _trumpet(s: Sheet, c: Colour, r: Random) -> None:
    gold = COLOURS["golden"]
    s.stroke([(-1.6, 0), (1.0, 0)], gold, 0.2, flat=False)
    s.fill(
        smooth([(0.8, -0.12), (1.5, -0.3), (2.0, -0.72), (2.0, 0.72), (1.5, 0.3), (0.8, 0.12)]),
        gold,
        volume=1.0,
    )
    s.stroke([(-0.8, 0.0), (-0.8, 0.55), (0.6, 0.55), (0.6, 0.0)], gold, 0.16, flat=False)
    for n in range(3):
        s.fill(rectangle(-0.5 + 0.36 * n, -0.4, -0.3 + 0.36 * n, 0.25, 0.05), lighter(gold, 0.3))


def _drum(s: Sheet, c: Colour, r: Random) -> None:
    s.fill(rectangle(-1.1, -0.6, 1.1, 0.8, 0.12), c)
    for n in range(5):
        s.stroke([(-1.0 + 0.4 * n, -0.5), (-0.8 + 0.4 * n, 0.7)], (250, 244, 224), 0.06)
    s.fill(ellipse(0, -0.6, 1.1, 0.32), (250, 246, 234))
    s.stroke([(-0.9, -1.4), (0.1, -0.66)], WOOD, 0.12)


def _cup(s: Sheet, c: Colour, r: Random) -> None:
    s.stroke([(0.55, -0.55), (1.0, -0.45), (0.95, 0.1), (0.5, 0.2)], darker(c, 0.15), 0.16)
    s.fill(
        smooth([(-0.6, -0.75), (0.6, -0.75), (0.52, 0.4), (0.3, 0.55), (-0.3, 0.55), (-0.52, 0.4)]),
        c,
        volume=0.9,
    )
    s.fill(ellipse(0, -0.76, 0.6, 0.15), (104, 66, 42))
    for x in (-0.2, 0.2):
        s.stroke([(x, -1.0), (x + 0.14, -1.3), (x - 0.06, -1.6)], (255, 255, 255), 0.09, alpha=0.49)


def _flowers(s: Sheet, c: Colour, r: Random) -> None:
    heads = [(-0.7, -1.3), (0.0, -1.6), (0.7, -1.3), (-0.35, -0.95), (0.4, -0.95)]
    for x, y in heads:
        s.stroke([(0, 0.7), (x * 0.5, y * 0.4), (x, y)], GREEN, 0.09)
    for n in range(4):
        s.fill(ellipse(-0.75 + 0.5 * n, -0.6, 0.32, 0.15), GREEN)
    for n, (x, y) in enumerate(heads):
        tint = c if n % 2 == 0 else lighter(c, 0.3)
        for k in range(6):
            a = k * math.pi / 3
            s.fill(ellipse(x + 0.23 * math.cos(a), y + 0.23 * math.sin(a), 0.2), tint)
        s.fill(ellipse(x, y, 0.15), (250, 206, 80))
    s.fill(polygon([(-0.5, -0.2), (0.5, -0.2), (0.12, 0.9), (-0.12, 0.9)]), (250, 244, 232))


def _rose(s: Sheet, c: Colour, r: Random) -> None:
    s.stroke([(0, 0.8), (0.05, -0.2), (0, -1.1)], GREEN, 0.11)
    s.fill(smooth([(0.05, -0.2), (0.5, -0.5), (0.7, -0.25), (0.4, -0.05)]), GREEN)
    s.fill(ellipse(0, -1.35, 0.46, 0.42), c, volume=0.9)
    s.brush(
        [(-0.25, -1.4), (0, -1.55), (0.22, -1.38), (0.05, -1.25), (-0.1, -1.36)],
        (0.02, 0.07, 0.06, 0.05, 0.02),
        darker(c, 0.4),
    )


def _apple(s: Sheet, c: Colour, r: Random) -> None:
    s.fill(
        smooth(
            [
                (0, -0.42),
                (0.45, -0.58),
                (0.68, -0.1),
                (0.38, 0.5),
                (0, 0.46),
                (-0.38, 0.5),
                (-0.68, -0.1),
                (-0.45, -0.58),
            ]
        ),
        c,
        volume=1.0,
    )
    s.stroke([(0, -0.42), (0.08, -0.8)], (96, 66, 44), 0.09)
    s.fill(smooth([(0.08, -0.7), (0.4, -0.95), (0.55, -0.7), (0.3, -0.58)]), GREEN)


def _banana(s: Sheet, c: Colour, r: Random) -> None:
    s.fill(
        smooth(
            [
                (-0.9, -0.7),
                (-0.65, 0.15),
                (0.1, 0.55),
                (0.9, 0.3),
                (0.95, 0.12),
                (0.2, 0.1),
                (-0.35, -0.2),
                (-0.65, -0.8),
            ]
        ),
        COLOURS["yellow"],
        volume=0.9,
    )


def _pizza(s: Sheet, c: Colour, r: Random) -> None:
    s.fill(polygon([(-0.95, -0.8), (0.95, -0.8), (0, 1.0)]), (248, 206, 96))
    s.fill(rectangle(-1.05, -1.0, 1.05, -0.72, 0.14), (206, 150, 84))
    for x, y in ((-0.35, -0.4), (0.4, -0.35), (0.02, 0.15)):
        s.fill(ellipse(x, y, 0.2), (196, 60, 48))


def _bread(s: Sheet, c: Colour, r: Random) -> None:
    with s.at(0, 0, 1, -30):
        s.fill(
            smooth([(-1.5, 0), (-1.1, -0.4), (1.1, -0.4), (1.5, 0), (1.1, 0.4), (-1.1, 0.4)]),
            (214, 156, 86),
            volume=0.9,
        )
        for n in range(4):
            s.stroke([(-0.9 + 0.5 * n, 0.15), (-0.6 + 0.5 * n, -0.25)], (246, 214, 156), 0.12)


def _ice_cream(s: Sheet, c: Colour, r: Random) -> None:
    s.fill(polygon([(-0.5, -0.4), (0.5, -0.4), (0, 1.0)]), (222, 166, 98))
    for n in range(3):
        s.stroke([(-0.4 + 0.3 * n, -0.35), (0.05 + 0.12 * n, 0.3)], (176, 120, 66), 0.05)
    s.fill(ellipse(0, -0.65, 0.56, 0.5), c, volume=0.9)
    s.fill(ellipse(0.05, -1.2, 0.44, 0.4), lighter(c, 0.45), volume=0.9)
    s.fill(ellipse(0.05, -1.62, 0.14), COLOURS["red"])


def _cake(s: Sheet, c: Colour, r: Random) -> None:
    s.fill(rectangle(-1.1, -0.3, 1.1, 0.7, 0.1), (250, 226, 190))
    s.fill(
        smooth(
            [
                (-1.15, -0.5),
                (1.15, -0.5),
                (1.15, -0.1),
                (0.8, 0.15),
                (0.4, -0.08),
                (0, 0.2),
                (-0.4, -0.08),
                (-0.8, 0.15),
                (-1.15, -0.1),
            ]
        ),
        c,
    )
    for n in range(3):
        x = -0.6 + 0.6 * n
        s.fill(rectangle(x - 0.06, -0.95, x + 0.06, -0.45), (250, 250, 250))
        s.glow(x, -1.12, 0.35, (255, 220, 120), 0.9)
        s.fill(ellipse(x, -1.1, 0.09, 0.15), (255, 190, 60), outline=None)


def _candle(s: Sheet, c: Colour, r: Random) -> None:
    s.glow(0, -1.0, 1.6, (255, 226, 140), 0.75)
    s.fill(rectangle(-0.18, -0.7, 0.18, 0.6, 0.05), (250, 244, 226))
    s.fill(smooth([(0, -1.4), (0.18, -1.0), (0, -0.78), (-0.18, -1.0)]), (255, 190, 60))
    s.fill(ellipse(0, 0.6, 0.5, 0.14), COLOURS["golden"])


def _lantern(s: Sheet, c: Colour, r: Random) -> None:
    s.stroke([(-0.4, 0.35), (0, 0.05), (0.4, 0.35)], (60, 56, 60), 0.08)
    s.glow(0, 0.95, 1.9, (255, 216, 110), 0.8)
    s.fill(rectangle(-0.45, 0.4, 0.45, 1.6, 0.1), (255, 224, 130))
    s.fill(polygon([(-0.55, 0.45), (0, 0.1), (0.55, 0.45)]), (60, 56, 60))
    s.fill(rectangle(-0.55, 1.55, 0.55, 1.75), (60, 56, 60))
    s.stroke([(0, 0.4), (0, 1.6)], (60, 56, 60), 0.06)


def _sword(s: Sheet, c: Colour, r: Random) -> None:
    s.fill(
        polygon([(-0.16, -0.4), (-0.13, -3.1), (0, -3.5), (0.13, -3.1), (0.16, -0.4)]),
        STEEL,
        volume=1.0,
    )
    s.fill(rectangle(-0.6, -0.5, 0.6, -0.28, 0.08), COLOURS["golden"])
    s.fill(rectangle(-0.12, -0.3, 0.12, 0.6, 0.06), (92, 60, 42))
    s.fill(ellipse(0, 0.68, 0.17), COLOURS["golden"])


def _wand(s: Sheet, c: Colour, r: Random) -> None:
    s.stroke([(0, 0.5), (0.25, -1.9)], (92, 66, 48), 0.13, flat=False)
    s.glow(0.27, -2.1, 1.1, (255, 240, 150), 0.9)
    s.fill(star(0.27, -2.15, 0.42), COLOURS["yellow"])


def _paintbrush(s: Sheet, c: Colour, r: Random) -> None:
    s.stroke([(0, 0.8), (0.15, -1.2)], WOOD, 0.14, flat=False)
    s.fill(rectangle(0.03, -1.5, 0.29, -1.1, 0.03), STEEL)
    s.fill(smooth([(0.02, -1.45), (0.3, -1.45), (0.3, -1.8), (0.17, -2.15), (0.04, -1.8)]), c)


def _camera(s: Sheet, c: Colour, r: Random) -> None:
    s.fill(rectangle(-0.95, -0.55, 0.95, 0.6, 0.14), (58, 58, 66))
    s.fill(rectangle(-0.35, -0.8, 0.35, -0.5, 0.06), (58, 58, 66))
    s.fill(ellipse(0, 0.03, 0.46), (196, 200, 208))
    s.fill(ellipse(0, 0.03, 0.33), (40, 60, 100), volume=1.2)
    s.glow(-0.1, -0.08, 0.16, (255, 255, 255), 0.9)
    s.fill(ellipse(0.7, -0.32, 0.1), (226, 60, 60))


def _phone(s: Sheet, c: Colour, r: Random) -> None:
    s.fill(rectangle(-0.42, -0.85, 0.42, 0.75, 0.12), (40, 42, 50))
    s.fill(
        rectangle(-0.34, -0.7, 0.34, 0.55, 0.03), (140, 196, 236), outline=None, to=(216, 236, 246)
    )


def _laptop(s: Sheet, c: Colour, r: Random) -> None:
    s.fill(rectangle(-1.15, -1.3, 1.15, 0.2, 0.1), (90, 94, 104))
    s.fill(
        rectangle(-1.0, -1.17, 1.0, 0.07, 0.03), (130, 190, 230), outline=None, to=(206, 230, 244)
    )
    s.fill(polygon([(-1.2, 0.2), (1.2, 0.2), (1.5, 0.6), (-1.5, 0.6)]), (196, 200, 208))


def _kite(s: Sheet, c: Colour, r: Random) -> None:
    s.stroke([(0, 0.2), (0.5, -1.5), (0.9, -2.7)], (130, 126, 130), 0.04)
    s.fill(polygon([(0.9, -5.0), (2.0, -3.9), (0.9, -2.4), (-0.2, -3.9)]), c)
    s.fill(polygon([(0.9, -5.0), (2.0, -3.9), (0.9, -3.9)]), lighter(c, 0.5))
    s.stroke([(0.9, -2.4), (1.3, -1.9), (0.8, -1.5), (1.2, -1.0)], darker(c, 0.1), 0.09)


def _newspaper(s: Sheet, c: Colour, r: Random) -> None:
    s.fill(
        polygon([(-1.3, -0.85), (0, -0.7), (1.3, -0.85), (1.3, 0.95), (0, 1.1), (-1.3, 0.95)]),
        (240, 238, 228),
    )
    for side in (-1, 1):
        s.fill(
            rectangle(side * 0.7 - 0.45, -0.66, side * 0.7 + 0.45, -0.42),
            (60, 60, 66),
            outline=None,
        )
        for n in range(5):
            s.stroke(
                [(side * 0.7 - 0.45, -0.2 + 0.22 * n), (side * 0.7 + 0.45, -0.2 + 0.22 * n)],
                (140, 140, 146),
                0.06,
            )


def _letter(s: Sheet, c: Colour, r: Random) -> None:
    s.fill(rectangle(-0.95, -0.6, 0.95, 0.6, 0.04), (252, 246, 230))
    s.stroke([(-0.9, -0.55), (0, 0.12), (0.9, -0.55)], (176, 160, 136), 0.06, smoothed=False)
    s.fill(ellipse(0, 0.12, 0.18), COLOURS["red"])


def _map(s: Sheet, c: Colour, r: Random) -> None:
    s.fill(
        polygon(
            [
                (-1.3, -0.8),
                (-0.45, -0.95),
                (0.45, -0.8),
                (1.3, -0.95),
                (1.3, 0.75),
                (0.45, 0.9),
                (-0.45, 0.75),
                (-1.3, 0.9),
            ]
        ),
        (240, 220, 170),
    )
    s.stroke([(-0.9, 0.4), (-0.3, -0.1), (0.3, 0.3), (0.8, -0.4)], (190, 80, 60), 0.08)
    s.stroke([(0.68, -0.55), (0.95, -0.28)], (190, 40, 40), 0.12)
    s.stroke([(0.95, -0.55), (0.68, -0.28)], (190, 40, 40), 0.12)


def _fish(s: Sheet, c: Colour, r: Random) -> None:
    s.fill(polygon([(0.7, 0), (1.4, -0.5), (1.4, 0.5)]), darker(c, 0.1))
    s.fill(
        smooth([(-1.1, 0), (-0.5, -0.5), (0.3, -0.4), (0.85, 0), (0.3, 0.4), (-0.5, 0.5)]),
        c,
        volume=0.9,
    )
    s.fill(ellipse(-0.7, -0.1, 0.13), (255, 255, 255))
    s.fill(ellipse(-0.72, -0.1, 0.06), (20, 20, 26), outline=None)
    s.stroke([(-0.4, -0.3), (-0.3, 0), (-0.4, 0.3)], darker(c, 0.3), 0.05)


def _basket(s: Sheet, c: Colour, r: Random) -> None:
    s.stroke(
        [(-0.9, 0.6), (-0.7, -0.2), (0, -0.4), (0.7, -0.2), (0.9, 0.6)], darker(WOOD, 0.1), 0.15
    )
    for x, tint in (
        (-0.5, "red"),
        (0.0, "green"),
        (0.5, "orange"),
        (-0.25, "yellow"),
        (0.25, "red"),
    ):
        s.fill(ellipse(x, 0.5, 0.3), COLOURS[tint], volume=0.9)
    s.fill(smooth([(-1.1, 0.55), (1.1, 0.55), (0.85, 1.5), (-0.85, 1.5)]), (196, 146, 90))
    for n in range(6):
        s.stroke([(-0.9 + 0.36 * n, 0.65), (-0.75 + 0.3 * n, 1.42)], (140, 98, 58), 0.06)


def _bag(s: Sheet, c: Colour, r: Random) -> None:
    s.stroke([(-0.5, 0.5), (-0.4, -0.1), (0.4, -0.1), (0.5, 0.5)], darker(c, 0.3), 0.12)
    s.fill(smooth([(-0.85, 0.4), (0.85, 0.4), (1.0, 1.5), (-1.0, 1.5)]), c)
    s.fill(ellipse(0, 0.75, 0.12), COLOURS["golden"])


def _suitcase(s: Sheet, c: Colour, r: Random) -> None:
    s.stroke([(-0.35, 0.35), (-0.3, 0.0), (0.3, 0.0), (0.35, 0.35)], (70, 56, 50), 0.14)
    s.fill(rectangle(-1.15, 0.3, 1.15, 1.8, 0.18), c)
    for x in (-0.7, 0.7):
        s.fill(rectangle(x - 0.1, 0.3, x + 0.1, 1.8), darker(c, 0.35))


def _teddy_bear(s: Sheet, c: Colour, r: Random) -> None:
    fur: Colour = (186, 132, 84)
    for side in (-1, 1):
        s.fill(ellipse(side * 0.42, -1.2, 0.22), fur)
        s.fill(ellipse(side * 0.62, 0.0, 0.22, 0.36), fur)
        s.fill(ellipse(side * 0.36, 0.75, 0.27, 0.33), fur)
    s.fill(ellipse(0, 0.2, 0.62, 0.68), fur)
    s.fill(ellipse(0, -0.8, 0.58, 0.52), fur)
    s.fill(ellipse(0, -0.66, 0.26, 0.2), (240, 216, 180))
    s.fill(ellipse(0, -0.74, 0.09, 0.07), (40, 30, 30), outline=None)
    for side in (-1, 1):
        s.fill(ellipse(side * 0.22, -0.92, 0.07), (30, 26, 30), outline=None)


def _key(s: Sheet, c: Colour, r: Random) -> None:
    gold = COLOURS["golden"]
    s.stroke([(0, 0.4), (0, -1.2)], gold, 0.18, flat=False)
    s.stroke(
        [
            (0.32 * math.cos(a), -1.5 + 0.32 * math.sin(a))
            for a in (k * math.pi / 8 for k in range(17))
        ],
        gold,
        0.16,
    )
    s.stroke([(0, 0.3), (0.35, 0.3)], gold, 0.14)
    s.stroke([(0, 0.0), (0.28, 0.0)], gold, 0.14)


def _heart(s: Sheet, c: Colour, r: Random) -> None:
    s.fill(
        smooth(
            [
                (0, -0.5),
                (0.5, -0.95),
                (1.0, -0.5),
                (0.7, 0.2),
                (0, 0.9),
                (-0.7, 0.2),
                (-1.0, -0.5),
                (-0.5, -0.95),
            ]
        ),
        c,
        volume=0.9,
    )
    s.glow(-0.4, -0.5, 0.35, (255, 255, 255), 0.6)


def _sign(s: Sheet, c: Colour, r: Random) -> None:
    s.fill(rectangle(-0.12, -0.6, 0.12, 1.6), WOOD)
    s.fill(rectangle(-1.3, -1.9, 1.3, -0.5, 0.1), (252, 248, 236))
    for n in range(3):
        s.stroke([(-0.9, -1.55 + 0.36 * n), (0.9 - 0.4 * (n % 2), -1.55 + 0.36 * n)], c, 0.15)


def _flag(s: Sheet, c: Colour, r: Random) -> None:
    s.stroke([(0, 0.8), (0, -3.2)], WOOD, 0.13, flat=False)
    s.fill(
        smooth(
            [
                (0.05, -3.2),
                (0.9, -3.35),
                (1.9, -3.1),
                (2.5, -3.25),
                (2.4, -2.0),
                (1.7, -1.9),
                (0.9, -2.1),
                (0.05, -1.95),
            ]
        ),
        c,
    )


def _shield(s: Sheet, c: Colour, r: Random) -> None:
    shape = smooth([(-1.1, -1.2), (0, -1.45), (1.1, -1.2), (1.05, 0.2), (0, 1.45), (-1.05, 0.2)])
    s.fill(shape, c, outline=(80, 78, 90), width=2.4, volume=0.8)
    s.fill(rectangle(-0.15, -1.35, 0.15, 1.2), (248, 246, 240), outline=None)
    s.fill(rectangle(-1.0, -0.4, 1.0, -0.1), (248, 246, 240), outline=None)


def _hammer(s: Sheet, c: Colour, r: Random) -> None:
    s.fill(rectangle(-0.12, -1.4, 0.12, 0.8, 0.06), WOOD)
    s.fill(rectangle(-0.7, -1.85, 0.6, -1.3, 0.08), (120, 124, 136), volume=0.9)


def _magnifying_glass(s: Sheet, c: Colour, r: Random) -> None:
    s.stroke([(0, 0.6), (0, -0.6)], (80, 56, 44), 0.22, flat=False)
    s.fill(ellipse(0, -1.35, 0.75), (206, 232, 244), outline=(110, 100, 96), width=2.6, volume=0.4)
    s.brush([(-0.4, -1.5), (-0.2, -1.8), (0.1, -1.88)], (0.03, 0.12, 0.03), (255, 255, 255), 0.9)


def _pumpkin(s: Sheet, c: Colour, r: Random) -> None:
    orange = COLOURS["orange"]
    s.stroke([(0, -0.75), (0.12, -1.15)], GREEN, 0.2)
    for x, wide in ((-0.6, 0.5), (0.6, 0.5), (-0.3, 0.5), (0.3, 0.5), (0, 0.5)):
        s.fill(ellipse(x, 0, wide, 0.8), orange, volume=0.8)


def _telescope(s: Sheet, c: Colour, r: Random) -> None:
    with s.at(0, 0, 1, -24):
        s.fill(rectangle(-1.6, -0.2, -0.4, 0.2, 0.05), COLOURS["golden"])
        s.fill(rectangle(-0.45, -0.28, 0.8, 0.28, 0.05), (110, 70, 46))
        s.fill(rectangle(0.75, -0.38, 1.6, 0.38, 0.05), COLOURS["golden"], volume=0.9)


def _ball(s: Sheet, c: Colour, r: Random) -> None:
    s.fill(ellipse(0, 0, 0.8), c, volume=1.0)
    s.brush([(-0.75, -0.2), (0, 0.1), (0.75, -0.2)], (0.05, 0.12, 0.05), (255, 255, 255))
    s.brush([(-0.1, -0.78), (0.2, 0), (-0.1, 0.78)], (0.05, 0.12, 0.05), (255, 255, 255))


def _gift(s: Sheet, c: Colour, r: Random) -> None:
    s.fill(rectangle(-0.9, -0.6, 0.9, 0.8, 0.05), c)
    s.fill(rectangle(-1.0, -0.8, 1.0, -0.42, 0.05), lighter(c, 0.1))
    bow = COLOURS["yellow"] if c != COLOURS["yellow"] else COLOURS["red"]
    s.fill(rectangle(-0.15, -0.8, 0.15, 0.8), bow, outline=None)
    for side in (-1, 1):
        s.fill(smooth([(0, -0.8), (side * 0.55, -1.25), (side * 0.7, -0.9)]), bow)


def _fan(s: Sheet, c: Colour, r: Random) -> None:
    for n in range(9):
        a, b = math.pi * (1.08 + 0.093 * n), math.pi * (1.08 + 0.093 * (n + 1))
        s.fill(
            polygon(
                [
                    (0, 0.3),
                    (1.6 * math.cos(a), 0.3 + 1.6 * math.sin(a)),
                    (1.6 * math.cos(b), 0.3 + 1.6 * math.sin(b)),
                ]
            ),
            c if n % 2 else lighter(c, 0.4),
        )


def _skateboard(s: Sheet, c: Colour, r: Random) -> None:
    with s.at(0, 0, 1, 76):
        s.fill(rectangle(-1.7, -0.2, 1.7, 0.12, 0.16), c)
        for x in (-1.1, 1.1):
            s.fill(ellipse(x, 0.3, 0.22), (250, 248, 240))


def _surfboard(s: Sheet, c: Colour, r: Random) -> None:
    s.fill(
        smooth(
            [
                (0, -3.6),
                (0.62, -2.4),
                (0.72, 0),
                (0.5, 2.4),
                (0, 3.0),
                (-0.5, 2.4),
                (-0.72, 0),
                (-0.62, -2.4),
            ]
        ),
        c,
        volume=0.8,
    )
    s.stroke([(0, -3.3), (0, 2.7)], (250, 250, 246), 0.14)


# ------------------------------------------------------ beside somebody, on the ground


def _chair(s: Sheet, c: Colour, r: Random) -> None:
    for x in (-0.9, 0.9):
        s.fill(rectangle(x - 0.12, -3.2, x + 0.12, 0, 0.05), darker(c, 0.1))
    for n in range(3):
        s.fill(rectangle(-0.9, -3.0 + 0.45 * n, 0.9, -2.8 + 0.45 * n, 0.05), c)
    s.fill(rectangle(-1.1, -1.5, 1.1, -1.2, 0.06), c)
    for x in (-1.0, 1.0):
        s.fill(rectangle(x - 0.12, -1.2, x + 0.12, 0), darker(c, 0.2))


def _table(s: Sheet, c: Colour, r: Random) -> None:
    for x in (-1.7, 1.7):
        s.fill(rectangle(x - 0.15, -1.6, x + 0.15, 0), darker(WOOD, 0.2))
    s.fill(rectangle(-2.1, -1.9, 2.1, -1.6, 0.06), WOOD)
    s.fill(rectangle(-0.35, -2.5, 0.35, -1.9, 0.1), c)
    _flower_in_vase(s, c)


def _flower_in_vase(s: Sheet, c: Colour) -> None:
    for x in (-0.25, 0.0, 0.25):
        s.stroke([(0, -2.5), (x, -3.1)], GREEN, 0.06)
        s.fill(ellipse(x, -3.15, 0.17), (250, 200, 80))


def _tree(s: Sheet, c: Colour, r: Random) -> None:
    s.fill(polygon([(-0.35, 0), (-0.25, -2.2), (0.25, -2.2), (0.35, 0)]), (128, 86, 56))
    for x, y, q in (
        (-0.8, -2.8, 0.9),
        (0.8, -2.8, 0.9),
        (0, -3.6, 1.1),
        (-0.4, -3.0, 0.8),
        (0.4, -3.1, 0.8),
    ):
        s.fill(ellipse(x, y, q), mix(GREEN, (110, 170, 84), (x + 1) / 2), volume=0.8)


def _christmas_tree(s: Sheet, c: Colour, r: Random) -> None:
    s.fill(rectangle(-0.25, -0.6, 0.25, 0), (120, 80, 52))
    for n in range(3):
        s.fill(
            polygon(
                [
                    (0, -4.4 + 1.1 * n),
                    (0.9 + 0.4 * n, -2.5 + 0.95 * n),
                    (-0.9 - 0.4 * n, -2.5 + 0.95 * n),
                ]
            ),
            (44, 110, 70),
        )
    for x, y, tint in (
        (-0.4, -2.9, "red"),
        (0.3, -2.7, "golden"),
        (-0.8, -1.8, "blue"),
        (0.1, -1.9, "red"),
        (0.8, -1.7, "golden"),
        (-1.1, -0.9, "pink"),
        (0.0, -1.0, "golden"),
        (1.0, -0.9, "red"),
    ):
        s.fill(ellipse(x, y, 0.17), COLOURS[tint], volume=1.0)
    s.fill(star(0, -4.5, 0.42), COLOURS["yellow"])


def _bicycle(s: Sheet, c: Colour, r: Random) -> None:
    for x in (-1.5, 1.5):
        s.stroke(
            [
                (x + 0.95 * math.cos(a), -0.95 + 0.95 * math.sin(a))
                for a in (k * math.pi / 14 for k in range(29))
            ],
            (48, 48, 56),
            0.15,
        )
        for k in range(6):
            a = k * math.pi / 3
            s.stroke(
                [(x, -0.95), (x + 0.9 * math.cos(a), -0.95 + 0.9 * math.sin(a))],
                (170, 172, 180),
                0.03,
            )
    for start, end in (
        ((-1.5, -0.95), (-0.3, -0.95)),
        ((-1.5, -0.95), (-0.6, -2.1)),
        ((-0.3, -0.95), (-0.65, -2.3)),
        ((-0.3, -0.95), (1.1, -2.2)),
        ((-0.6, -2.1), (1.1, -2.2)),
        ((1.5, -0.95), (1.0, -2.6)),
    ):
        s.stroke([start, end], c, 0.16, flat=False)
    s.fill(rectangle(-1.05, -2.5, -0.25, -2.28, 0.1), (50, 40, 40))
    s.stroke([(0.65, -2.75), (1.0, -2.6), (1.35, -2.8)], (60, 60, 66), 0.12)


def _motorcycle(s: Sheet, c: Colour, r: Random) -> None:
    for x in (-1.6, 1.6):
        s.fill(ellipse(x, -0.85, 0.85), (44, 44, 52))
        s.fill(ellipse(x, -0.85, 0.42), (180, 184, 194))
    s.fill(
        smooth([(-1.9, -1.6), (-0.8, -2.0), (0.2, -2.3), (1.2, -2.0), (0.9, -1.2), (-0.8, -0.9)]),
        c,
        volume=0.9,
    )
    s.fill(smooth([(-1.7, -2.0), (-0.2, -2.1), (-0.2, -1.85), (-1.6, -1.8)]), (50, 42, 42))
    s.stroke([(1.6, -0.9), (1.1, -2.4), (0.7, -2.7)], (120, 124, 134), 0.17)


def _car(s: Sheet, c: Colour, r: Random) -> None:
    s.fill(smooth([(-1.7, -1.3), (-1.1, -2.2), (0.9, -2.25), (1.7, -1.35)]), c)
    s.fill(smooth([(-1.35, -1.35), (-0.95, -2.0), (-0.1, -2.05), (-0.1, -1.35)]), (180, 220, 240))
    s.fill(smooth([(0.1, -1.35), (0.1, -2.05), (0.8, -2.02), (1.3, -1.35)]), (180, 220, 240))
    s.fill(rectangle(-2.7, -1.45, 2.7, -0.45, 0.4), c, volume=0.8)
    for x in (-1.6, 1.6):
        s.fill(ellipse(x, -0.42, 0.52), (44, 44, 52))
        s.fill(ellipse(x, -0.42, 0.24), (196, 200, 208))
    s.fill(ellipse(2.5, -1.05, 0.18), (255, 240, 170))


def _snowman(s: Sheet, c: Colour, r: Random) -> None:
    white: Colour = (248, 250, 254)
    s.fill(ellipse(0, -0.9, 1.1, 0.95), white)
    s.fill(ellipse(0, -2.3, 0.8, 0.75), white)
    s.fill(ellipse(0, -3.35, 0.56, 0.54), white)
    for x in (-0.2, 0.2):
        s.fill(ellipse(x, -3.45, 0.08), (30, 28, 34), outline=None)
    s.fill(polygon([(0, -3.35), (0.6, -3.22), (0, -3.18)]), COLOURS["orange"])
    s.fill(taper([(-0.55, -2.9), (0, -2.75), (0.55, -2.9)], [0.26, 0.3, 0.26]), c)
    for y in (-2.4, -2.0):
        s.fill(ellipse(0, y, 0.09), (40, 36, 44), outline=None)
    for side in (-1, 1):
        s.stroke([(side * 0.7, -2.4), (side * 1.6, -2.9)], (110, 76, 52), 0.1)
    s.fill(rectangle(-0.6, -3.95, 0.6, -3.8, 0.05), (44, 42, 50))
    s.fill(rectangle(-0.38, -4.6, 0.38, -3.9, 0.05), (44, 42, 50))


def _campfire(s: Sheet, c: Colour, r: Random) -> None:
    s.glow(0, -1.0, 3.0, (255, 170, 70), 0.6)
    for a in (-0.9, 0.9):
        s.stroke([(-a, -0.1), (a, -0.45)], (110, 72, 48), 0.32, flat=False)
    s.fill(
        smooth([(-0.7, -0.4), (-0.5, -1.4), (0, -2.4), (0.4, -1.5), (0.75, -0.5), (0, -0.2)]),
        (250, 140, 50),
    )
    s.fill(
        smooth([(-0.35, -0.4), (-0.2, -1.0), (0.05, -1.5), (0.35, -0.7), (0, -0.25)]),
        (255, 220, 100),
        outline=None,
    )


def _lamp(s: Sheet, c: Colour, r: Random) -> None:
    s.stroke([(0, 0), (0, -3.6)], (70, 72, 82), 0.17, flat=False)
    s.glow(0, -3.9, 1.7, (255, 236, 160), 0.8)
    s.fill(polygon([(-0.45, -3.5), (-0.6, -4.2), (0.6, -4.2), (0.45, -3.5)]), (255, 240, 190))
    s.fill(polygon([(-0.7, -4.2), (0, -4.7), (0.7, -4.2)]), (70, 72, 82))


def _house(s: Sheet, c: Colour, r: Random) -> None:
    s.fill(rectangle(-1.5, -2.2, 1.5, 0), (248, 232, 204))
    s.fill(polygon([(-1.9, -2.15), (0, -3.8), (1.9, -2.15)]), c)
    s.fill(rectangle(-0.4, -1.3, 0.4, 0, 0.05), (126, 82, 54))
    for x in (-1.0, 1.0):
        s.fill(rectangle(x - 0.32, -1.7, x + 0.32, -1.0), (170, 210, 236))


def _boat(s: Sheet, c: Colour, r: Random) -> None:
    s.stroke([(0, -0.8), (0, -4.0)], WOOD, 0.15, flat=False)
    s.fill(smooth([(0.12, -3.9), (1.5, -1.4), (0.12, -1.2)]), (252, 248, 238))
    s.fill(smooth([(-0.12, -3.5), (-1.1, -1.4), (-0.12, -1.2)]), lighter(c, 0.4))
    s.fill(smooth([(-2.1, -0.9), (2.1, -0.9), (1.5, 0.0), (-1.5, 0.0)]), c)


def _piano(s: Sheet, c: Colour, r: Random) -> None:
    s.fill(rectangle(-1.9, -2.9, 1.9, -0.3, 0.08), (46, 42, 50))
    s.fill(rectangle(-2.1, -1.6, 2.1, -1.2), (250, 250, 246))
    for n in range(13):
        s.stroke([(-1.95 + 0.32 * n, -1.6), (-1.95 + 0.32 * n, -1.2)], (60, 60, 66), 0.03)
        if n % 7 not in (2, 6):
            s.fill(
                rectangle(-1.9 + 0.32 * n, -1.6, -1.74 + 0.32 * n, -1.36),
                (30, 30, 36),
                outline=None,
            )
    s.fill(rectangle(-1.9, -0.3, -1.6, 0), (46, 42, 50))
    s.fill(rectangle(1.6, -0.3, 1.9, 0), (46, 42, 50))


def _tent(s: Sheet, c: Colour, r: Random) -> None:
    s.fill(polygon([(-2.3, 0), (0, -2.9), (2.3, 0)]), c)
    s.fill(polygon([(-0.75, 0), (0, -2.0), (0.75, 0)]), darker(c, 0.5))


def _sunflower(s: Sheet, c: Colour, r: Random) -> None:
    s.stroke([(0, 0), (0.1, -1.6), (0, -2.8)], GREEN, 0.17, flat=False)
    for side in (-1, 1):
        s.fill(
            smooth([(0.05, -1.2), (side * 0.9, -1.6), (side * 1.1, -1.2), (side * 0.6, -1.0)]),
            GREEN,
        )
    for k in range(14):
        a = k * math.pi / 7
        s.fill(ellipse(0.62 * math.cos(a), -3.1 + 0.62 * math.sin(a), 0.24), COLOURS["yellow"])
    s.fill(ellipse(0, -3.1, 0.5), (110, 70, 42))


def _robot(s: Sheet, c: Colour, r: Random) -> None:
    for side in (-1, 1):
        s.fill(rectangle(side * 0.45 - 0.2, -0.9, side * 0.45 + 0.2, 0, 0.06), (140, 146, 158))
        s.fill(rectangle(side * 1.05 - 0.17, -2.3, side * 1.05 + 0.17, -1.1, 0.1), (140, 146, 158))
    s.fill(rectangle(-0.85, -2.5, 0.85, -0.85, 0.14), c, volume=0.9)
    s.fill(rectangle(-0.65, -3.6, 0.65, -2.6, 0.16), (196, 202, 212), volume=0.9)
    for side in (-1, 1):
        s.fill(ellipse(side * 0.28, -3.15, 0.17), (90, 210, 240))
    s.stroke([(-0.3, -2.8), (0.3, -2.8)], (60, 64, 74), 0.09)
    s.stroke([(0, -3.6), (0, -4.0)], (120, 124, 134), 0.08)
    s.fill(ellipse(0, -4.05, 0.13), COLOURS["red"])
    s.fill(ellipse(0, -1.7, 0.24), COLOURS["yellow"])


@dataclass(frozen=True)
class Thing:
    """A thing: how it is drawn, whether captions name its colour, and how it is held.

    grip: where the hand is in the thing's own units. high: it is held up, beside the head.
    """

    draw: Draw
    coloured: bool = True
    high: bool = False
    size: float = 0.9
    front: bool = False


HELD: dict[str, Thing] = {
    "book": Thing(_book, size=0.95, front=True),
    "umbrella": Thing(_umbrella, high=True, size=0.78),
    "balloon": Thing(_balloon, high=True, size=0.72),
    "balloons": Thing(_balloons, False, True, 0.72),
    "guitar": Thing(_guitar, size=0.85, front=True),
    "violin": Thing(_violin, False),
    "trumpet": Thing(_trumpet, False, size=0.75),
    "drum": Thing(_drum, size=0.9, front=True),
    "cup": Thing(_cup, size=0.8),
    "flowers": Thing(_flowers, size=0.9),
    "rose": Thing(_rose, size=0.95),
    "apple": Thing(_apple, size=0.7),
    "banana": Thing(_banana, False, size=0.8),
    "pizza": Thing(_pizza, False, size=0.85),
    "loaf of bread": Thing(_bread, False, size=0.8),
    "ice cream": Thing(_ice_cream, size=0.8),
    "cake": Thing(_cake, size=0.9, front=True),
    "candle": Thing(_candle, False),
    "lantern": Thing(_lantern, False),
    "sword": Thing(_sword, False, True, 0.75),
    "magic wand": Thing(_wand, False, True, 0.8),
    "paintbrush": Thing(_paintbrush, size=0.85),
    "camera": Thing(_camera, False, size=0.85, front=True),
    "phone": Thing(_phone, False, size=0.8),
    "laptop": Thing(_laptop, False, size=0.9, front=True),
    "kite": Thing(_kite, high=True, size=0.6),
    "newspaper": Thing(_newspaper, False, size=0.95, front=True),
    "letter": Thing(_letter, False, size=0.8, front=True),
    "map": Thing(_map, False, size=0.95, front=True),
    "fish": Thing(_fish, size=0.9),
    "basket": Thing(_basket, False, size=0.85),
    "bag": Thing(_bag, size=0.85),
    "suitcase": Thing(_suitcase, size=0.85),
    "teddy bear": Thing(_teddy_bear, False, size=0.95, front=True),
    "key": Thing(_key, False, size=0.75),
    "heart": Thing(_heart, size=0.85, front=True),
    "sign": Thing(_sign, high=True, size=0.75),
    "flag": Thing(_flag, high=True, size=0.7),
    "shield": Thing(_shield, size=0.9),
    "hammer": Thing(_hammer, False, size=0.85),
    "magnifying glass": Thing(_magnifying_glass, False, size=0.85),
    "pumpkin": Thing(_pumpkin, False, size=0.9, front=True),
    "telescope": Thing(_telescope, False, size=0.75),
    "ball": Thing(_ball, size=0.9, front=True),
    "gift": Thing(_gift, size=0.85, front=True),
    "fan": Thing(_fan, size=0.8),
    "skateboard": Thing(_skateboard, size=0.8),
    "surfboard": Thing(_surfboard, high=True, size=0.8),
}
STANDING: dict[str, Thing] = {
    "chair": Thing(_chair),
    "table": Thing(_table, False),
    "tree": Thing(_tree, False),
    "christmas tree": Thing(_christmas_tree, False),
    "bicycle": Thing(_bicycle),
    "motorcycle": Thing(_motorcycle),
    "car": Thing(_car),
    "snowman": Thing(_snowman, False),
    "campfire": Thing(_campfire, False),
    "street lamp": Thing(_lamp, False),
    "house": Thing(_house, False),
    "sailing boat": Thing(_boat),
    "piano": Thing(_piano, False),
    "tent": Thing(_tent),
    "sunflower": Thing(_sunflower, False),
    "robot": Thing(_robot),
}
