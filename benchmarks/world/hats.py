"""What is worn on the head. The unit is half a face's width, the origin the face's centre."""

from __future__ import annotations

import math
from collections.abc import Callable

import skia

from sow.benchmarks.world.bodies import star
from sow.benchmarks.world.heads import Head, face_path
from sow.benchmarks.world.people import COLOURS
from sow.benchmarks.world.sheet import (
    Colour,
    darker,
    ellipse,
    lighter,
    polygon,
    rectangle,
    smooth,
    taper,
    without,
)


def _band(
    head: Head, y: float, thick: float, colour: Colour, bend: float = 0.1, wide: float = 1.14
) -> None:
    ring = [
        (-wide, y),
        (-wide * 0.5, y - bend),
        (0, y - bend * 1.35),
        (wide * 0.5, y - bend),
        (wide, y),
    ]
    head.fill(taper(ring, [thick * 0.9, thick, thick, thick, thick * 0.9]), colour)


def _dome(top: float, low: float, wide: float = 1.16) -> skia.Path:
    half = [(0.0, top), (0.62, top + 0.1), (1.04, top + 0.52), (wide, low)]
    path = smooth([(-x, y) for x, y in reversed(half[1:])] + half, closed=False)
    path.lineTo(-wide, low)
    path.close()
    return path


def _hat(head: Head, colour: Colour) -> None:
    t = head.tall
    head.fill(_dome(-t * 1.62, -t * 0.62, 1.02), colour)
    _band(head, -t * 0.72, 0.24, darker(colour, 0.45), wide=1.02)
    head.fill(ellipse(0, -t * 0.56, 1.75, 0.22), lighter(colour, 0.06))


def _straw_hat(head: Head, colour: Colour) -> None:
    straw: Colour = (238, 206, 128)
    t = head.tall
    head.fill(_dome(-t * 1.5, -t * 0.62, 1.0), straw)
    _band(head, -t * 0.72, 0.26, colour, wide=1.0)
    brim = ellipse(0, -t * 0.56, 1.95, 0.3)
    head.fill(brim, straw)
    for n in range(9):
        x = -1.6 + 0.4 * n
        head.sheet.stroke(
            [(x, -t * 0.56 - 0.1), (x * 1.1, -t * 0.56 + 0.12)],
            darker(straw, 0.25),
            0.03,
            alpha=0.7,
        )


def _cap(head: Head, colour: Colour) -> None:
    t = head.tall
    head.fill(_dome(-t * 1.24, -t * 0.5), colour)
    head.sheet.brush(
        [(0, -t * 1.22), (0.05, -t * 0.9), (0, -t * 0.52)],
        (0.02, 0.05, 0.02),
        darker(colour, 0.4),
        0.7,
    )
    visor = smooth(
        [
            (-0.95, -t * 0.56),
            (0, -t * 0.7),
            (0.95, -t * 0.56),
            (0.8, -t * 0.34),
            (0, -t * 0.22),
            (-0.8, -t * 0.34),
        ]
    )
    head.fill(visor, darker(colour, 0.18))
    head.fill(ellipse(0, -t * 1.25, 0.1, 0.07), darker(colour, 0.2))


def _beanie(head: Head, colour: Colour) -> None:
    t = head.tall
    head.fill(_dome(-t * 1.36, -t * 0.5), colour)
    for n in range(-3, 4):
        head.sheet.brush(
            [(n * 0.12, -t * 1.3), (n * 0.27, -t * 0.95), (n * 0.31, -t * 0.6)],
            (0.015, 0.045, 0.03),
            darker(colour, 0.35),
            0.6,
        )
    _band(head, -t * 0.5, 0.36, lighter(colour, 0.2), 0.12, 1.18)
    for n in range(7):
        a = n * 2 * math.pi / 7
        head.fill(
            ellipse(0.13 * math.cos(a), -t * 1.44 + 0.13 * math.sin(a), 0.15),
            (250, 248, 244) if sum(colour) < 600 else COLOURS["red"],
            outline=None,
        )


def _crown(head: Head, colour: Colour) -> None:
    t, gold = head.tall, COLOURS["golden"]
    points = [
        (-0.98, -t * 0.62),
        (-1.12, -t * 1.3),
        (-0.62, -t * 0.98),
        (-0.42, -t * 1.46),
        (0, -t * 1.06),
        (0.42, -t * 1.46),
        (0.62, -t * 0.98),
        (1.12, -t * 1.3),
        (0.98, -t * 0.62),
    ]
    head.fill(polygon(points), gold, volume=1.0)
    _band(head, -t * 0.62, 0.24, lighter(gold, 0.25), 0.12, 1.0)
    for x, tint in ((-0.6, "blue"), (0.0, "red"), (0.6, "green")):
        head.fill(ellipse(x, -t * 0.76, 0.11), COLOURS[tint], volume=1.0)
    for x in (-1.12, -0.42, 0.42, 1.12):
        head.fill(ellipse(x, -t * (1.3 if abs(x) > 1 else 1.46), 0.1), lighter(gold, 0.4))


def _tiara(head: Head, colour: Colour) -> None:
    t, silver = head.tall, (226, 230, 240)
    points = [
        (-0.85, -t * 0.66),
        (-0.5, -t * 0.98),
        (-0.25, -t * 0.86),
        (0, -t * 1.18),
        (0.25, -t * 0.86),
        (0.5, -t * 0.98),
        (0.85, -t * 0.66),
        (0, -t * 0.8),
    ]
    head.fill(polygon(points), silver, volume=0.9)
    for x, y in ((-0.45, 0.86), (0.0, 1.0), (0.45, 0.86)):
        head.fill(ellipse(x, -t * y, 0.09), COLOURS["pink"], volume=1.0)


def _top_hat(head: Head, colour: Colour) -> None:
    t = head.tall
    head.fill(
        polygon([(-0.86, -t * 0.62), (-0.94, -t * 1.8), (0.94, -t * 1.8), (0.86, -t * 0.62)]),
        colour,
    )
    head.fill(ellipse(0, -t * 1.8, 0.94, 0.13), lighter(colour, 0.1))
    _band(
        head,
        -t * 0.74,
        0.26,
        COLOURS["red"] if colour != COLOURS["red"] else COLOURS["black"],
        0.04,
        0.87,
    )
    head.fill(ellipse(0, -t * 0.58, 1.4, 0.2), colour)


def _cowboy_hat(head: Head, colour: Colour) -> None:
    t = head.tall
    leather: Colour = (150, 100, 60) if colour == COLOURS["red"] else colour
    crown = smooth(
        [
            (-0.92, -t * 0.6),
            (-0.8, -t * 1.3),
            (-0.4, -t * 1.5),
            (0, -t * 1.32),
            (0.4, -t * 1.5),
            (0.8, -t * 1.3),
            (0.92, -t * 0.6),
        ]
    )
    head.fill(crown, leather)
    _band(head, -t * 0.7, 0.2, darker(leather, 0.45), 0.06, 0.94)
    brim = smooth(
        [
            (-2.0, -t * 0.92),
            (-1.2, -t * 0.56),
            (0, -t * 0.48),
            (1.2, -t * 0.56),
            (2.0, -t * 0.92),
            (1.5, -t * 0.42),
            (0, -t * 0.3),
            (-1.5, -t * 0.42),
        ]
    )
    head.fill(brim, lighter(leather, 0.06))


def _wizard_hat(head: Head, colour: Colour) -> None:
    t = head.tall
    head.fill(
        smooth(
            [
                (-0.98, -t * 0.6),
                (-0.5, -t * 1.4),
                (0.22, -t * 2.25),
                (0.4, -t * 2.1),
                (0.5, -t * 1.4),
                (0.98, -t * 0.6),
            ]
        ),
        colour,
    )
    head.fill(ellipse(0, -t * 0.55, 1.6, 0.24), darker(colour, 0.1))
    for x, y, s in ((-0.35, 1.0, 0.18), (0.3, 1.2, 0.15), (0.1, 1.7, 0.12)):
        head.fill(star(x, -t * y, s), COLOURS["yellow"], width=0.7)


def _witch_hat(head: Head, colour: Colour) -> None:
    t, black = head.tall, COLOURS["black"]
    head.fill(
        smooth(
            [
                (-0.96, -t * 0.6),
                (-0.4, -t * 1.4),
                (-0.15, -t * 1.9),
                (0.5, -t * 2.2),
                (0.3, -t * 1.7),
                (0.5, -t * 1.2),
                (0.96, -t * 0.6),
            ]
        ),
        black,
    )
    _band(head, -t * 0.74, 0.26, COLOURS["purple"] if colour == black else colour, 0.06, 0.92)
    head.fill(rectangle(-0.2, -t * 0.9, 0.2, -t * 0.66, 0.04), COLOURS["golden"])
    head.fill(ellipse(0, -t * 0.55, 1.85, 0.25), black)


def _chef_hat(head: Head, colour: Colour) -> None:
    t, white = head.tall, (252, 251, 247)
    for x, y, r in (
        (-0.7, 1.5, 0.52),
        (0.7, 1.5, 0.52),
        (-0.3, 1.78, 0.52),
        (0.35, 1.78, 0.52),
        (0, 1.45, 0.62),
    ):
        head.fill(ellipse(x, -t * y, r), white)
    head.fill(rectangle(-0.98, -t * 1.22, 0.98, -t * 0.58, 0.06), white)
    for n in range(-3, 4):
        head.sheet.stroke([(n * 0.25, -t * 1.16), (n * 0.25, -t * 0.68)], (206, 206, 210), 0.03)


def _pirate_hat(head: Head, colour: Colour) -> None:
    t, black = head.tall, COLOURS["black"]
    shape = smooth(
        [
            (-1.62, -t * 0.7),
            (-1.0, -t * 1.22),
            (0, -t * 1.72),
            (1.0, -t * 1.22),
            (1.62, -t * 0.7),
            (0.8, -t * 0.56),
            (0, -t * 0.5),
            (-0.8, -t * 0.56),
        ]
    )
    head.fill(shape, black)
    head.sheet.brush(
        [(-1.5, -t * 0.76), (-0.8, -t * 0.66), (0, -t * 0.6), (0.8, -t * 0.66), (1.5, -t * 0.76)],
        (0.05, 0.1, 0.1, 0.1, 0.05),
        COLOURS["golden"],
    )
    head.fill(ellipse(0, -t * 1.12, 0.24, 0.22), (248, 246, 240))
    head.fill(rectangle(-0.12, -t * 1.0, 0.12, -t * 0.88, 0.03), (248, 246, 240))
    for x in (-0.09, 0.09):
        head.fill(ellipse(x, -t * 1.13, 0.06), (30, 28, 34), outline=None)


def _helmet(head: Head, colour: Colour) -> None:
    t, steel = head.tall, (186, 192, 204)
    head.fill(
        without(_dome(-t * 1.2, 0.65, 1.2), rectangle(-0.78, -t * 0.36, 0.78, 1.2, 0.25)),
        steel,
        volume=1.1,
    )
    head.fill(rectangle(-0.09, -t * 1.2, 0.09, 0.18, 0.06), lighter(steel, 0.25))
    plume = smooth(
        [
            (-0.1, -t * 1.16),
            (0.2, -t * 1.7),
            (0.85, -t * 1.66),
            (1.15, -t * 1.1),
            (0.7, -t * 1.3),
            (0.15, -t * 1.18),
        ]
    )
    head.fill(plume, colour if colour not in ((186, 192, 204),) else COLOURS["red"])


def _space_helmet(head: Head, colour: Colour) -> None:
    t = head.tall
    ring = without(
        ellipse(0, -0.04, 1.75, 1.72 * max(1.0, t * 0.9)),
        ellipse(0, -0.02, 1.46, 1.42 * max(1.0, t * 0.9)),
    )
    head.fill(ring, (240, 242, 246), volume=0.9)
    head.sheet.fill(
        ellipse(0, -0.02, 1.46, 1.42 * max(1.0, t * 0.9)),
        (150, 200, 240),
        outline=None,
        volume=0.4,
        alpha=0.16,
    )
    side = -1 if head.sheet.light.x < 0 else 1
    head.sheet.brush(
        [(side * 1.2, -0.5), (side * 1.05, -0.95), (side * 0.65, -1.25)],
        (0.03, 0.13, 0.03),
        (255, 255, 255),
        0.75,
    )
    for x in (-1.72, 1.72):
        head.fill(ellipse(x, 0.1, 0.18, 0.3), COLOURS["red"])


def _fire_helmet(head: Head, colour: Colour) -> None:
    t, red = head.tall, COLOURS["red"]
    head.fill(_dome(-t * 1.34, -t * 0.56), red)
    head.sheet.brush(
        [(0, -t * 1.32), (0, -t * 0.9), (0, -t * 0.6)], (0.1, 0.14, 0.1), darker(red, 0.25)
    )
    head.fill(
        polygon(
            [
                (-0.32, -t * 1.1),
                (0.32, -t * 1.1),
                (0.32, -t * 0.8),
                (0, -t * 0.62),
                (-0.32, -t * 0.8),
            ]
        ),
        COLOURS["golden"],
    )
    head.fill(ellipse(0, -t * 0.52, 1.5, 0.2), red)


def _hard_hat(head: Head, colour: Colour) -> None:
    t, yellow = head.tall, COLOURS["yellow"]
    head.fill(_dome(-t * 1.3, -t * 0.56), yellow, volume=0.9)
    for x in (-0.35, 0.0, 0.35):
        head.sheet.brush(
            [(x * 0.6, -t * 1.26), (x, -t * 0.9), (x * 1.1, -t * 0.6)],
            (0.06, 0.1, 0.08),
            darker(yellow, 0.15),
            0.8,
        )
    head.fill(ellipse(0, -t * 0.52, 1.38, 0.16), yellow)


def _police_cap(head: Head, colour: Colour) -> None:
    t, navy = head.tall, (44, 58, 104)
    head.fill(
        smooth(
            [
                (-1.1, -t * 0.66),
                (-1.5, -t * 1.08),
                (-0.7, -t * 1.36),
                (0.7, -t * 1.36),
                (1.5, -t * 1.08),
                (1.1, -t * 0.66),
            ]
        ),
        navy,
    )
    _band(head, -t * 0.66, 0.24, darker(navy, 0.4), 0.08, 1.1)
    head.fill(
        smooth(
            [
                (-0.8, -t * 0.6),
                (0, -t * 0.68),
                (0.8, -t * 0.6),
                (0.55, -t * 0.42),
                (0, -t * 0.36),
                (-0.55, -t * 0.42),
            ]
        ),
        (26, 26, 34),
        volume=0.9,
    )
    head.fill(star(0, -t * 0.98, 0.22, 6), COLOURS["golden"])


def _beret(head: Head, colour: Colour) -> None:
    t = head.tall
    head.fill(
        smooth(
            [
                (-1.0, -t * 0.62),
                (-1.36, -t * 0.98),
                (-0.8, -t * 1.34),
                (0.3, -t * 1.3),
                (0.98, -t * 0.94),
                (0.96, -t * 0.62),
                (0, -t * 0.72),
            ]
        ),
        colour,
    )
    head.sheet.stroke([(-0.25, -t * 1.32), (-0.3, -t * 1.46)], darker(colour, 0.4), 0.08)


def _party_hat(head: Head, colour: Colour) -> None:
    t = head.tall
    cone = polygon([(-0.6, -t * 0.8), (0, -t * 1.95), (0.6, -t * 0.8)])
    head.fill(cone, colour)
    with head.sheet.clipped(cone):
        for n in range(9):
            head.sheet.fill(
                ellipse(-0.4 + 0.4 * (n % 3), -t * (0.9 + 0.3 * (n // 3)), 0.09),
                lighter(colour, 0.7),
                outline=None,
                volume=0,
            )
    head.fill(ellipse(0, -t * 1.97, 0.14), COLOURS["yellow"])


def _headphones(head: Head, colour: Colour) -> None:
    t = head.tall
    arc = [(-1.1, 0.0), (-1.06, -t * 0.66), (0, -t * 1.2), (1.06, -t * 0.66), (1.1, 0.0)]
    head.fill(taper(arc, [0.14, 0.16, 0.18, 0.16, 0.14]), (52, 52, 62))
    for side in (-1, 1):
        head.fill(ellipse(side * 1.1, 0.12 + head.level, 0.24, 0.36), colour, volume=0.8)


def _headband(head: Head, colour: Colour) -> None:
    _band(head, -head.tall * 0.56, 0.24, colour, 0.14, 1.08)


def _flower_wreath(head: Head, colour: Colour) -> None:
    t = head.tall
    for n in range(9):
        a = math.pi * (1.04 + 0.92 * n / 8)
        x, y = 1.08 * math.cos(a), -t * 0.32 + 0.62 * t * math.sin(a)
        head.fill(ellipse(x, y + 0.1, 0.2, 0.1), (84, 150, 78))
        tint = (COLOURS["pink"], COLOURS["yellow"], (255, 255, 255), COLOURS["red"])[n % 4]
        for k in range(5):
            b = k * 2 * math.pi / 5
            head.fill(ellipse(x + 0.12 * math.cos(b), y + 0.12 * math.sin(b), 0.1), tint, width=0.6)
        head.fill(ellipse(x, y, 0.07), (246, 190, 60), outline=None)


def _bunny_ears(head: Head, colour: Colour) -> None:
    t = head.tall
    for side in (-1, 1):
        ear = smooth(
            [
                (side * 0.25, -t * 0.95),
                (side * 0.3, -t * 1.8),
                (side * 0.6, -t * 2.1),
                (side * 0.78, -t * 1.7),
                (side * 0.66, -t * 0.9),
            ]
        )
        head.fill(ear, (246, 240, 236))
        head.fill(
            smooth(
                [
                    (side * 0.4, -t * 1.1),
                    (side * 0.44, -t * 1.7),
                    (side * 0.58, -t * 1.9),
                    (side * 0.66, -t * 1.6),
                    (side * 0.58, -t * 1.1),
                ]
            ),
            (248, 176, 190),
            outline=None,
        )
    _band(head, -head.tall * 0.72, 0.14, (246, 240, 236), 0.2, 0.98)


def _turban(head: Head, colour: Colour) -> None:
    t = head.tall
    head.fill(
        smooth(
            [
                (-1.12, -t * 0.5),
                (-1.3, -t * 0.95),
                (-0.7, -t * 1.46),
                (0.7, -t * 1.46),
                (1.3, -t * 0.95),
                (1.12, -t * 0.5),
                (0, -t * 0.62),
            ]
        ),
        colour,
    )
    for side in (-1, 1):
        head.sheet.brush(
            [(side * 1.15, -t * 0.6), (side * 0.4, -t * 1.0), (-side * 0.3, -t * 1.4)],
            (0.03, 0.07, 0.03),
            darker(colour, 0.35),
            0.8,
        )
    head.fill(ellipse(0, -t * 0.86, 0.15), COLOURS["golden"], volume=1.0)


def _hood(head: Head, colour: Colour) -> None:
    t = head.tall
    outer = smooth(
        [
            (-1.3, 1.25),
            (-1.5, 0.1),
            (-1.2, -t * 0.95),
            (0, -t * 1.42),
            (1.2, -t * 0.95),
            (1.5, 0.1),
            (1.3, 1.25),
            (0, 1.55),
        ]
    )
    inner = smooth(
        [
            (-0.92, 0.95),
            (-1.04, 0.1),
            (-0.85, -t * 0.66),
            (0, -t * 0.92),
            (0.85, -t * 0.66),
            (1.04, 0.1),
            (0.92, 0.95),
            (0, t * 1.08),
        ]
    )
    head.fill(without(outer, inner), colour)


def _viking_helmet(head: Head, colour: Colour) -> None:
    t, steel = head.tall, (176, 170, 160)
    for side in (-1, 1):
        horn = smooth(
            [
                (side * 0.95, -t * 0.72),
                (side * 1.5, -t * 0.95),
                (side * 1.62, -t * 1.55),
                (side * 1.3, -t * 1.2),
                (side * 0.98, -t * 1.02),
            ]
        )
        head.fill(horn, (246, 236, 210))
    head.fill(_dome(-t * 1.28, -t * 0.5), steel, volume=1.0)
    _band(head, -t * 0.52, 0.26, (146, 104, 62), 0.1, 1.16)


HATS: dict[str, Callable[[Head, Colour], None]] = {
    "hat": _hat,
    "straw hat": _straw_hat,
    "cap": _cap,
    "beanie": _beanie,
    "crown": _crown,
    "tiara": _tiara,
    "top hat": _top_hat,
    "cowboy hat": _cowboy_hat,
    "wizard hat": _wizard_hat,
    "witch hat": _witch_hat,
    "chef hat": _chef_hat,
    "pirate hat": _pirate_hat,
    "helmet": _helmet,
    "space helmet": _space_helmet,
    "fire helmet": _fire_helmet,
    "hard hat": _hard_hat,
    "police cap": _police_cap,
    "beret": _beret,
    "party hat": _party_hat,
    "headphones": _headphones,
    "headband": _headband,
    "flower wreath": _flower_wreath,
    "bunny ears": _bunny_ears,
    "turban": _turban,
    "hood": _hood,
    "viking helmet": _viking_helmet,
}
COLOURED = (
    "hat",
    "straw hat",
    "cap",
    "beanie",
    "top hat",
    "wizard hat",
    "beret",
    "party hat",
    "headphones",
    "headband",
    "turban",
    "hood",
)
"""Hats whose colour a caption may name."""


def draw_hat(head: Head) -> None:
    """Draw the person's hat, if there is one."""
    hat = head.person.hat
    if hat is None:
        return
    with head.sheet.named(f"{head.person.name}:hat"):
        with head.sheet.clipped(face_path(head.identity)):
            head.sheet.shadow(ellipse(0, -head.tall * 0.66, 1.1, 0.3), 0.3, 0.08)
        HATS[hat](head, COLOURS[head.person.hat_colour])
