"""Bodies: neck, arms, clothes. The unit is half a face's width, the origin the face's centre."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import skia

from sow.benchmarks.world.people import COLOURS, Hand, Person
from sow.benchmarks.world.sheet import (
    Colour,
    Figure,
    Point,
    Sheet,
    darker,
    ellipse,
    joined,
    lighter,
    mix,
    polygon,
    rectangle,
    smooth,
    taper,
)

PATTERNS = ("plain", "striped", "dotted", "checked", "flowered", "starry")
GARMENTS = (
    "coat",
    "jacket",
    "shirt",
    "t-shirt",
    "sweater",
    "hoodie",
    "dress",
    "suit",
    "vest",
    "apron",
    "cape",
    "robe",
    "uniform",
    "overalls",
    "raincoat",
    "armour",
    "spacesuit",
    "gown",
    "pyjamas",
    "kimono",
    "doctor's coat",
    "chef's jacket",
    "pirate's coat",
    "superhero suit",
    "tunic",
)
LONG = ("coat", "dress", "robe", "raincoat", "gown", "kimono", "doctor's coat", "pirate's coat")
"""Garments that reach below the hips."""
BARE_ARMS = ("t-shirt", "dress", "vest", "gown", "overalls", "apron")
"""Garments with short sleeves, or none."""


class Body(Figure):
    """The body of a person on a sheet, without the head."""

    def __init__(self, sheet: Sheet, person: Person) -> None:
        super().__init__(sheet)
        self.person, self.identity = person, person.identity
        self.skin = self.identity.skin_colour
        self.random = Random(f"{person.identity}{person.garment}")
        self.tall = self.identity.aspect
        child, woman = self.identity.age == "child", self.identity.woman
        self.shoulder = 1.2 if child else 1.55 if woman else 1.88
        self.waist = 1.05 if child else 1.08 if woman else 1.5
        self.hip = 1.15 if child else 1.45 if woman else 1.5
        self.top = self.tall + (0.22 if child else 0.42)  # height of the shoulders
        self.low = self.top + (2.6 if child else 3.7)  # the hips
        self.feet = self.low + (2.6 if child else 4.2)
        self.cloth = person.garment.rgb
        self.kind = person.garment.type

    # ------------------------------------------------------------------ order

    def draw(self) -> None:
        """Draw everything that lies behind the head and does not hold anything in front."""
        name = self.person.name
        with self.sheet.named(f"{name}:clothes"):
            self._cape_behind()
            if self.person.seat is None:
                self._legs()
        for side, hand in ((-1, self.person.left), (1, self.person.right)):
            if hand is None:
                self._arm(side, None)
        with self.sheet.named(f"{name}:neck"):
            self._neck()
        with self.sheet.named(f"{name}:clothes"):
            self._torso()
            self._collar()

    def draw_arms(self, hold: Callable[[int, Hand], None]) -> None:
        """Draw the arms that do something; `hold` draws what a hand holds, before its fingers."""
        for side, hand in ((-1, self.person.left), (1, self.person.right)):
            if hand is not None:
                self._arm(side, hand, hold)

    # ------------------------------------------------------------------ parts

    def _neck(self) -> None:
        wide = 0.42 if self.identity.woman or self.identity.age == "child" else 0.56
        neck = smooth(
            [
                (-wide, 0.5),
                (wide, 0.5),
                (wide, self.top - 0.1),
                (wide * 1.7, self.top + 0.25),
                (0, self.top + 0.75),
                (-wide * 1.7, self.top + 0.25),
                (-wide, self.top - 0.1),
            ]
        )
        self.fill(neck, darker(self.skin, 0.07))
        with self.sheet.clipped(neck):
            self.sheet.shadow(ellipse(0, self.tall * 0.82, 0.72, 0.4), 0.5, 0.1)

    def torso(self) -> skia.Path:
        """Return the outline of the trunk."""
        s, w, h, top, low = self.shoulder, self.waist, self.hip, self.top, self.low
        middle = (top + low) / 2 + 0.2
        half = [
            (0.44, top - 0.12),
            (0.8, top + 0.0),
            (s * 0.9, top + 0.16),
            (s, top + 0.55),
            (s * 0.93, top + 1.2),
            (w, middle),
            (h, low),
        ]
        return smooth_half(half)

    def _torso(self) -> None:
        path = self.torso()
        if self.kind in LONG and self.person.seat is None:
            flare = 1.9 if self.kind in ("gown", "dress") else 1.3
            hem = self.feet - (0.5 if self.kind in ("gown", "robe", "kimono") else 1.9)
            skirt = polygon(
                [
                    (-self.waist, self.low - 1.2),
                    (self.waist, self.low - 1.2),
                    (self.hip * flare, hem),
                    (-self.hip * flare, hem),
                ]
            )
            path = joined(path, skirt)
        if self.kind == "overalls":
            self.fill(self.torso(), (238, 236, 230))
            bib = joined(
                polygon(
                    [
                        (-0.75, self.top + 0.75),
                        (0.75, self.top + 0.75),
                        (self.waist * 1.02, self.top + 1.8),
                        (self.hip, self.low),
                        (-self.hip, self.low),
                        (-self.waist * 1.02, self.top + 1.8),
                    ]
                )
            )
            for side in (-1, 1):
                self.sheet.stroke(
                    [(side * 0.6, self.top + 0.9), (side * 0.85, self.top + 0.1)],
                    darker(self.cloth, 0.1),
                    0.24,
                )
            self.fill(bib, self.cloth)
            self.patterned(bib)
            self.fill(
                rectangle(-0.35, self.top + 1.0, 0.35, self.top + 1.5, 0.08),
                darker(self.cloth, 0.1),
            )
            for side in (-1, 1):
                self.fill(ellipse(side * 0.6, self.top + 0.92, 0.1), COLOURS["golden"])
            return
        if self.kind == "apron":
            self.fill(path, (120, 150, 186))
            front = smooth(
                [
                    (-0.7, self.top + 0.5),
                    (0.7, self.top + 0.5),
                    (self.waist * 0.98, self.top + 1.9),
                    (self.hip * 1.02, self.feet - 2.4),
                    (-self.hip * 1.02, self.feet - 2.4),
                    (-self.waist * 0.98, self.top + 1.9),
                ]
            )
            self.sheet.stroke(
                [
                    (-0.65, self.top + 0.6),
                    (-0.3, self.top),
                    (0.3, self.top),
                    (0.65, self.top + 0.6),
                ],
                darker(self.cloth, 0.15),
                0.12,
            )
            self.fill(front, self.cloth)
            self.patterned(front)
            return
        self.fill(path, self.cloth, volume=0.75)
        self.patterned(path)
        with self.sheet.clipped(path):
            self._folds()
            self._details()
        head_shadow = ellipse(0, self.tall * 0.9, 0.95, 0.5)
        with self.sheet.clipped(path):
            self.sheet.shadow(head_shadow, 0.35, 0.16)

    def _folds(self) -> None:
        for side in (-1, 1):
            line = darker(self.cloth, 0.38)
            self.sheet.brush(
                [
                    (side * self.shoulder * 0.86, self.top + 1.0),
                    (side * self.shoulder * 0.76, self.top + 1.5),
                    (side * self.waist * 0.82, self.top + 2.1),
                ],
                (0.02, 0.07, 0.02),
                line,
                0.5,
            )
            self.sheet.brush(
                [
                    (side * self.waist * 0.9, self.low - 1.3),
                    (side * self.waist * 0.5, self.low - 1.0),
                    (side * self.waist * 0.2, self.low - 1.05),
                ],
                (0.02, 0.06, 0.02),
                line,
                0.45,
            )

    def patterned(self, path: skia.Path) -> None:
        """Draw the garment's pattern inside a path."""
        pattern = self.person.garment.pattern
        if pattern == "plain":
            return
        light = sum(self.cloth) > 520
        colour = (
            darker(self.cloth, 0.45)
            if light
            else mix(lighter(self.cloth, 0.75), (255, 255, 255), 0.3)
        )
        draw = self.sheet
        with draw.clipped(path):
            if pattern == "striped":
                for n in range(30):
                    y = self.top - 0.6 + 0.56 * n
                    draw.fill(
                        rectangle(-6, y, 6, y + 0.24), colour, outline=None, volume=0, alpha=0.85
                    )
            elif pattern == "checked":
                for n in range(30):
                    y = self.top - 0.6 + 0.6 * n
                    draw.fill(
                        rectangle(-6, y, 6, y + 0.22), colour, outline=None, volume=0, alpha=0.5
                    )
                    x = -6 + 0.6 * n
                    draw.fill(
                        rectangle(x, -2, x + 0.22, 20), colour, outline=None, volume=0, alpha=0.5
                    )
            else:
                for row in range(22):
                    for column in range(-7, 8):
                        x, y = column * 0.62 + (0.31 if row % 2 else 0), self.top + row * 0.52
                        self._motif(pattern, x, y, colour)

    def _motif(self, pattern: str, x: float, y: float, colour: Colour) -> None:
        if pattern == "dotted":
            self.sheet.fill(ellipse(x, y, 0.13), colour, outline=None, volume=0)
        elif pattern == "starry":
            self.sheet.fill(star(x, y, 0.2), colour, outline=None, volume=0)
        else:
            petal = self.random.choice(
                ((248, 120, 150), (250, 214, 90), (255, 255, 255), (240, 140, 60))
            )
            for n in range(5):
                angle = n * 2 * math.pi / 5
                self.sheet.fill(
                    ellipse(x + 0.11 * math.cos(angle), y + 0.11 * math.sin(angle), 0.085),
                    petal,
                    outline=None,
                    volume=0,
                )
            self.sheet.fill(ellipse(x, y, 0.06), (240, 190, 60), outline=None, volume=0)

    # ------------------------------------------------------------------ what makes a garment

    def _details(self) -> None:
        kind, line, sheet, top, low = (
            self.kind,
            darker(self.cloth, 0.5),
            self.sheet,
            self.top,
            self.low,
        )
        trim = lighter(self.cloth, 0.55)
        if kind in (
            "coat",
            "raincoat",
            "doctor's coat",
            "pirate's coat",
            "jacket",
            "uniform",
            "chef's jacket",
        ):
            sheet.stroke([(0.06, top), (0.06, self.feet)], line, 0.05)
            gold = kind in ("pirate's coat", "uniform")
            for n in range(5):
                colour = (
                    COLOURS["golden"]
                    if gold
                    else darker(self.cloth, 0.6)
                    if sum(self.cloth) > 300
                    else lighter(self.cloth, 0.5)
                )
                for x in (-0.34, 0.34) if kind in ("chef's jacket", "pirate's coat") else (0.24,):
                    self.fill(ellipse(x, top + 0.95 + 0.62 * n, 0.085), colour)
            for side in (-1, 1):
                self.fill(
                    rectangle(side * 0.9 - 0.38, low - 0.75, side * 0.9 + 0.38, low - 0.6, 0.05),
                    darker(self.cloth, 0.2),
                )
        if kind == "pirate's coat":
            for side in (-1, 1):
                self.fill(
                    polygon(
                        [
                            (side * 0.2, top - 0.1),
                            (side * 1.1, top + 0.5),
                            (side * 0.5, low),
                            (side * 0.3, low),
                        ]
                    ),
                    COLOURS["golden"],
                    alpha=0.9,
                )
        if kind == "uniform":
            self.fill(
                rectangle(-self.hip * 1.1, low - 1.0, self.hip * 1.1, low - 0.68), (52, 40, 36)
            )
            self.fill(rectangle(-0.22, low - 1.05, 0.22, low - 0.63, 0.05), COLOURS["golden"])
            self.fill(star(-0.85, top + 1.05, 0.26), COLOURS["golden"])
        if kind == "sweater":
            for n in range(16):
                x = -2 + 0.27 * n
                sheet.stroke([(x, low - 0.42), (x, low + 0.1)], line, 0.04, alpha=0.6)
            sheet.stroke([(-3, low - 0.44), (3, low - 0.44)], line, 0.05, alpha=0.7)
        if kind == "hoodie":
            self.fill(
                smooth(
                    [(-0.9, low - 1.0), (0.9, low - 1.0), (1.15, low - 0.1), (-1.15, low - 0.1)]
                ),
                darker(self.cloth, 0.1),
            )
            for side in (-1, 1):
                sheet.stroke(
                    [(side * 0.28, top + 0.3), (side * 0.3, top + 1.1)],
                    lighter(self.cloth, 0.7),
                    0.07,
                )
        if kind == "t-shirt":
            mark = self.random.randrange(3)
            if mark == 0 and self.person.garment.pattern == "plain":
                self.fill(star(0, top + 1.35, 0.5), trim)
        if kind in ("shirt", "pyjamas"):
            sheet.stroke([(0, top), (0, self.feet)], line, 0.045)
            for n in range(6):
                self.fill(ellipse(0, top + 0.7 + 0.55 * n, 0.06), lighter(self.cloth, 0.7))
        if kind == "suit":
            self.fill(
                polygon([(-0.55, top - 0.1), (0.55, top - 0.1), (0, top + 1.75)]),
                (250, 249, 246),
                outline=None,
            )
            self.fill(
                polygon(
                    [
                        (-0.13, top + 0.12),
                        (0.13, top + 0.12),
                        (0.21, top + 1.2),
                        (0, top + 1.5),
                        (-0.21, top + 1.2),
                    ]
                ),
                self._tie(),
            )
            self.fill(
                polygon(
                    [(-0.15, top + 0.02), (0.15, top + 0.02), (0.1, top + 0.26), (-0.1, top + 0.26)]
                ),
                self._tie(),
            )
            for side in (-1, 1):
                self.fill(
                    polygon(
                        [
                            (side * 0.46, top - 0.15),
                            (side * 0.95, top + 0.45),
                            (side * 0.7, top + 0.65),
                            (side * 0.82, top + 0.8),
                            (0, top + 1.85),
                        ]
                    ),
                    darker(self.cloth, 0.12),
                )
            sheet.stroke([(0, top + 1.8), (0, self.feet)], line, 0.05)
            for n in range(2):
                self.fill(ellipse(0.1, top + 2.1 + 0.6 * n, 0.08), darker(self.cloth, 0.5))
        if kind == "vest":
            self.fill(
                polygon([(-0.5, top - 0.1), (0.5, top - 0.1), (0, top + 1.4)]),
                (248, 246, 240),
                outline=None,
            )
            for side in (-1, 1):
                self.fill(
                    polygon(
                        [
                            (side * 1.05, top - 0.2),
                            (side * 3, top),
                            (side * 3, low),
                            (side * 1.5, top + 1.6),
                            (side * 1.25, top + 0.9),
                        ]
                    ),
                    (248, 246, 240),
                )
            sheet.stroke([(0, top + 1.4), (0, low)], line, 0.05)
        if kind in ("dress", "gown"):
            belt = low - 1.45
            self.fill(
                smooth(
                    [
                        (-self.waist * 1.1, belt),
                        (0, belt + 0.12),
                        (self.waist * 1.1, belt),
                        (self.waist * 1.1, belt + 0.26),
                        (0, belt + 0.38),
                        (-self.waist * 1.1, belt + 0.26),
                    ]
                ),
                darker(self.cloth, 0.28) if kind == "dress" else COLOURS["golden"],
            )
            for n in range(-4, 5):
                sheet.brush(
                    [(n * 0.2, belt + 0.5), (n * 0.42, self.low + 1.0), (n * 0.62, self.feet)],
                    (0.02, 0.08, 0.05),
                    line,
                    0.4,
                )
        if kind in ("robe", "kimono"):
            for side in (1, -1):
                sheet.brush(
                    [(side * 0.6, top - 0.15), (side * 0.1, top + 1.0), (-side * 0.55, low - 0.9)],
                    (0.32, 0.32, 0.26),
                    trim if kind == "kimono" else COLOURS["golden"],
                )
            self.fill(
                rectangle(
                    -self.hip * 1.2,
                    low - 1.35,
                    self.hip * 1.2,
                    low - (0.6 if kind == "kimono" else 1.0),
                ),
                mix(self._tie(), self.cloth, 0.2),
            )
        if kind == "tunic":
            self.fill(
                rectangle(-self.hip * 1.2, low - 1.1, self.hip * 1.2, low - 0.8), (104, 68, 42)
            )
            self.fill(rectangle(-0.2, low - 1.15, 0.2, low - 0.75, 0.04), COLOURS["golden"])
            for side in (-1, 1):
                sheet.stroke([(side * 0.35, top), (0, top + 0.8)], trim, 0.08)
        if kind == "armour":
            for n in range(4):
                y = top + 0.9 + 0.75 * n
                sheet.stroke([(-2, y), (0, y + 0.25), (2, y)], line, 0.06)
            sheet.stroke([(0, top), (0, low)], line, 0.06)
            sheet.glow(-0.7 if sheet.light.x < 0 else 0.7, top + 0.9, 0.8, (255, 255, 255), 0.7)
            for side in (-1, 1):
                self.fill(
                    ellipse(side * self.shoulder * 0.92, top + 0.42, 0.62, 0.5),
                    lighter(self.cloth, 0.2),
                    volume=1.0,
                )
        if kind == "spacesuit":
            self.fill(rectangle(-0.75, top + 1.0, 0.75, top + 2.1, 0.18), (206, 210, 218))
            for n, colour in enumerate((COLOURS["red"], COLOURS["green"], COLOURS["blue"])):
                self.fill(ellipse(-0.45 + 0.45 * n, top + 1.35, 0.13), colour, volume=1.0)
            sheet.stroke([(-0.5, top + 1.8), (0.5, top + 1.8)], (110, 114, 126), 0.1)
            for side in (-1, 1):
                sheet.brush(
                    [(side * 0.75, top + 1.6), (side * 1.3, top + 2.0), (side * 1.5, low)],
                    (0.14, 0.16, 0.14),
                    (168, 174, 186),
                )
        if kind == "superhero suit":
            self.fill(
                polygon(
                    [
                        (-0.75, top + 0.7),
                        (0.75, top + 0.7),
                        (0.55, top + 1.4),
                        (0, top + 1.95),
                        (-0.55, top + 1.4),
                    ]
                ),
                COLOURS["yellow"],
            )
            self.fill(star(0, top + 1.22, 0.42), COLOURS["red"])
            self.fill(
                rectangle(-self.hip * 1.1, low - 0.9, self.hip * 1.1, low - 0.6), COLOURS["yellow"]
            )
        if kind == "doctor's coat":
            for side in (-1, 1):
                self.fill(
                    polygon([(side * 0.46, top - 0.15), (side * 0.9, top + 0.5), (0.0, top + 1.8)]),
                    darker(self.cloth, 0.07),
                )
            self.fill(
                polygon([(-0.42, top - 0.1), (0.42, top - 0.1), (0, top + 1.5)]),
                (122, 176, 206),
                outline=None,
            )
            tube = (60, 64, 76)
            sheet.stroke(
                [(-0.6, top + 0.0), (-0.7, top + 0.9), (-0.25, top + 1.5), (0.2, top + 1.2)],
                tube,
                0.1,
            )
            sheet.stroke([(0.6, top + 0.0), (0.7, top + 0.9), (0.2, top + 1.5)], tube, 0.1)
            self.fill(ellipse(0.2, top + 1.65, 0.2), (200, 204, 212), volume=1.0)

    def _tie(self) -> Colour:
        choices = [
            name
            for name in ("red", "blue", "green", "purple", "golden")
            if name != self.person.garment.colour
        ]
        return COLOURS[choices[self.random.randrange(len(choices))]]

    def _collar(self) -> None:
        top, cloth = self.top, self.cloth
        if self.kind in (
            "coat",
            "jacket",
            "raincoat",
            "shirt",
            "pyjamas",
            "uniform",
            "chef's jacket",
        ):
            white = (250, 248, 244) if self.kind in ("coat", "jacket") else lighter(cloth, 0.12)
            if self.kind in ("coat", "jacket"):
                self.fill(
                    polygon([(-0.42, top - 0.2), (0.42, top - 0.2), (0, top + 0.85)]),
                    white,
                    outline=None,
                    volume=0.2,
                )
            for side in (-1, 1):
                lapel = [
                    (side * 0.4, top - 0.34),
                    (side * 0.86, top + 0.06),
                    (side * 0.62, top + 0.62),
                    (side * 0.02, top + 0.88 if self.kind in ("coat", "jacket") else top + 0.42),
                ]
                self.fill(polygon(lapel), lighter(cloth, 0.1))
        elif self.kind in ("sweater", "hoodie", "t-shirt"):
            thick = 0.3 if self.kind == "sweater" else 0.5 if self.kind == "hoodie" else 0.16
            ring = [
                (-0.62, top - 0.12),
                (-0.4, top + 0.22),
                (0, top + 0.36),
                (0.4, top + 0.22),
                (0.62, top - 0.12),
            ]
            self.fill(
                taper(ring, [thick * 0.7, thick, thick, thick, thick * 0.7]), lighter(cloth, 0.08)
            )
        elif self.kind in ("armour", "spacesuit"):
            ring = [
                (-0.85, top - 0.2),
                (-0.5, top + 0.18),
                (0, top + 0.3),
                (0.5, top + 0.18),
                (0.85, top - 0.2),
            ]
            self.fill(taper(ring, [0.3, 0.4, 0.4, 0.4, 0.3]), lighter(cloth, 0.25), volume=1.0)
        for extra in self.person.extras:
            self._extra(extra)

    def _extra(self, extra: str) -> None:
        top = self.top
        if extra == "necklace":
            for n in range(9):
                angle = math.pi * (0.12 + 0.76 * n / 8)
                self.fill(
                    ellipse(0.72 * math.cos(angle), top - 0.05 + 0.62 * math.sin(angle), 0.1),
                    (250, 246, 236),
                    volume=1.0,
                )
        elif extra.endswith(" scarf"):
            colour = COLOURS[extra.removesuffix(" scarf")]
            tail = polygon([(0.2, top), (0.75, top + 0.1), (0.95, top + 1.9), (0.4, top + 2.0)])
            self.fill(tail, darker(colour, 0.08))
            ring = [
                (-0.8, top - 0.3),
                (-0.5, top + 0.12),
                (0, top + 0.22),
                (0.5, top + 0.12),
                (0.8, top - 0.3),
            ]
            self.fill(taper(ring, [0.5, 0.62, 0.64, 0.62, 0.5]), colour, volume=0.9)
            for n in range(4):
                self.sheet.stroke(
                    [(0.46 + 0.13 * n, top + 1.95), (0.47 + 0.13 * n, top + 2.2)],
                    darker(colour, 0.15),
                    0.08,
                )
        elif extra == "bow tie":
            for side in (-1, 1):
                self.fill(
                    smooth([(0, top + 0.12), (side * 0.5, top - 0.12), (side * 0.52, top + 0.36)]),
                    COLOURS["red"],
                )
            self.fill(ellipse(0, top + 0.12, 0.13), darker(COLOURS["red"], 0.2))

    def _cape_behind(self) -> None:
        if self.kind not in ("cape", "superhero suit") and "cape" not in self.person.extras:
            return
        colour = self.cloth if self.kind == "cape" else COLOURS["red"]
        cape = smooth(
            [
                (-0.7, self.top - 0.1),
                (0.7, self.top - 0.1),
                (self.shoulder * 1.35, self.top + 1.4),
                (self.shoulder * 1.75, self.feet - 1),
                (0, self.feet - 0.6),
                (-self.shoulder * 1.75, self.feet - 1),
                (-self.shoulder * 1.35, self.top + 1.4),
            ]
        )
        self.fill(cape, darker(colour, 0.15))

    def _legs(self) -> None:
        trousers = {
            "spacesuit": self.cloth,
            "superhero suit": self.cloth,
            "armour": self.cloth,
            "pyjamas": self.cloth,
            "overalls": self.cloth,
            "suit": self.cloth,
        }.get(
            self.kind,
            ((62, 72, 104), (92, 78, 66), (60, 60, 68), (104, 116, 140))[self.random.randrange(4)],
        )
        for side in (-1, 1):
            x = side * self.hip * 0.52
            leg = polygon(
                [
                    (x - self.hip * 0.46, self.low - 0.4),
                    (x + self.hip * 0.46, self.low - 0.4),
                    (x + 0.42, self.feet),
                    (x - 0.42, self.feet),
                ]
            )
            bare = self.kind in ("dress",)
            self.fill(
                leg
                if not bare
                else polygon(
                    [
                        (x - 0.3, self.low),
                        (x + 0.3, self.low),
                        (x + 0.24, self.feet),
                        (x - 0.24, self.feet),
                    ]
                ),
                self.skin if bare else trousers,
            )
            shoe = smooth(
                [
                    (x - side * 0.4, self.feet - 0.2),
                    (x + side * 0.35, self.feet - 0.25),
                    (x + side * 0.75, self.feet + 0.18),
                    (x - side * 0.42, self.feet + 0.22),
                ]
            )
            self.fill(shoe, (66, 48, 42) if not bare else self.cloth)

    # ------------------------------------------------------------------ arms

    def _arm(
        self, side: int, hand: Hand | None, hold: Callable[[int, Hand], None] | None = None
    ) -> None:
        name = self.person.name
        start = (side * self.shoulder * 0.86, self.top + 0.55)
        upper, lower = (1.5, 1.4) if self.identity.age == "child" else (1.95, 1.8)
        goal = (hand.x, hand.y) if hand else self._resting_hand(side)
        elbow, wrist = _elbow(start, goal, upper, lower, side)
        thick = 0.62 if self.identity.age == "child" or self.identity.woman else 0.8
        bare = self.kind in BARE_ARMS
        sleeve = self.skin if bare else self.cloth
        if self.kind == "apron":
            bare, sleeve = False, (120, 150, 186)
        if self.kind in ("vest", "overalls"):
            bare, sleeve = False, (244, 242, 236)
        with self.sheet.named(f"{name}:arm"):
            middle = ((start[0] + elbow[0]) / 2, (start[1] + elbow[1]) / 2)
            shape = taper(
                [
                    start,
                    middle,
                    elbow,
                    ((elbow[0] + wrist[0]) / 2, (elbow[1] + wrist[1]) / 2),
                    wrist,
                ],
                [
                    thick * 1.12,
                    thick * 1.05,
                    thick * 0.96,
                    thick * 0.86,
                    thick * (0.62 if bare else 0.78),
                ],
            )
            shape = joined(shape, ellipse(*start, thick * 0.5), ellipse(*elbow, thick * 0.47))
            self.fill(shape, sleeve, volume=0.7)
            if not bare and sleeve == self.cloth:
                self.patterned(shape)
                self.sheet.brush(
                    [elbow, ((elbow[0] * 2 + wrist[0]) / 3, (elbow[1] * 2 + wrist[1]) / 3)],
                    (0.05, 0.02),
                    darker(sleeve, 0.4),
                    0.6,
                )
            if bare and self.kind != "gown":
                cap = taper([start, middle], [thick * 1.25, thick * 1.3])
                self.fill(joined(cap, ellipse(*start, thick * 0.6)), self.cloth)
                self.patterned(cap)
            if not bare:
                near = ((elbow[0] + 5 * wrist[0]) / 6, (elbow[1] + 5 * wrist[1]) / 6)
                self.fill(taper([near, wrist], [thick * 0.86, thick * 0.88]), lighter(sleeve, 0.14))
        if hand and hold and hand.thing:
            with self.sheet.named(f"thing:{hand.thing}"):
                hold(side, hand)
        with self.sheet.named(f"{name}:hand"):
            if hand and hand.raised:
                self._open_hand(side, wrist, elbow, hand.drawn)
            else:
                self._hand(side, wrist, elbow, grips=hand is not None and hand.thing is not None)

    def _resting_hand(self, side: int) -> Point:
        """Return where an arm that does nothing has its hand: hanging down, or on the hip."""
        child = self.identity.age == "child"
        if Random(f"{self.person.identity}{self.person.garment}rest").random() < 0.25:
            return side * self.hip * 1.02, self.low - 0.7
        return side * (self.shoulder * 1.12), self.top + (3.3 if child else 4.25)

    def _glove(self) -> Colour:
        """Return the colour of the hands: the skin, or that of gloves."""
        return {
            "spacesuit": (230, 232, 238),
            "armour": lighter(self.cloth, 0.1),
            "superhero suit": COLOURS["yellow"],
        }.get(self.kind, self.skin)

    def _open_hand(self, side: int, wrist: Point, elbow: Point, drawn: str) -> None:
        """Draw a hand that shows its palm: four fingers and a thumb, unless it is drawn badly."""
        glove = self._glove()
        random = Random(f"{self.person.identity}{wrist}{drawn}")
        turn = math.degrees(math.atan2(wrist[1] - elbow[1], wrist[0] - elbow[0])) + 90
        with self.sheet.at(*wrist, 1.12, max(-40.0, min(40.0, turn))):
            for base, goal, width in _fingers(side, drawn, random):
                bend = random.uniform(-0.3, 0.3) if drawn == "deformed hands" else 0.0
                middle = ((base[0] + goal[0]) / 2 + bend, (base[1] + goal[1]) / 2)
                self.fill(taper([base, middle, goal], [width, width, width * 0.8]), glove)
                self.fill(ellipse(*goal, width * 0.42), glove, outline=None)
            palm = ellipse(0, -0.3, 0.34, 0.36)
            if drawn == "deformed hands":
                around = [n * math.pi / 3 for n in range(6)]
                reach = [random.uniform(0.2, 0.6) for _ in around]
                palm = smooth(
                    [
                        (r * math.cos(a), r * math.sin(a) - 0.3)
                        for a, r in zip(around, reach, strict=True)
                    ]
                )
            self.fill(palm, glove, volume=0.6)
            line = darker(glove, 0.3)
            self.sheet.brush([(-0.18, -0.32), (0, -0.24), (0.2, -0.34)], (0.02, 0.04, 0.02), line)

    def _hand(self, side: int, wrist: Point, elbow: Point, grips: bool) -> None:
        glove = self._glove()
        angle = math.atan2(wrist[1] - elbow[1], wrist[0] - elbow[0])
        x, y = wrist[0] + 0.22 * math.cos(angle), wrist[1] + 0.22 * math.sin(angle)
        self.fill(ellipse(x, y, 0.36, 0.34), glove, volume=0.6)
        line = darker(glove, 0.4)
        if grips:
            for n in (-1, 0, 1):
                self.sheet.stroke(
                    [(x - side * 0.3, y + 0.17 * n), (x - side * 0.05, y + 0.17 * n)], line, 0.04
                )
        else:
            thumb = (x - side * 0.26 * abs(math.sin(angle)), y - 0.1)
            self.fill(ellipse(thumb[0] - side * 0.06, thumb[1] + 0.04, 0.12, 0.18), glove)
            for n in (-1, 1):
                self.sheet.stroke(
                    [(x + 0.1 * n, y + 0.1), (x + 0.12 * n, y + 0.3)], line, 0.035, alpha=0.8
                )


def _fingers(side: int, drawn: str, random: Random) -> list[tuple[Point, Point, float]]:
    """Return foot, tip and width of the fingers of a raised hand, the thumb towards the head.

    The origin is the wrist; the fingers point up.
    """
    count = random.randint(6, 8) if drawn == "extra fingers" else 4
    if drawn == "deformed hands":
        count = random.choice((2, 3, 3, 5, 6))
    fingers: list[tuple[Point, Point, float]] = []
    for n in range(count):
        across = (n / (count - 1) - 0.5) * 2
        long, lean = 0.62 - 0.1 * abs(across + 0.15 * side), 0.42 * across
        if drawn == "deformed hands":
            long, lean = random.uniform(0.1, 1.15), lean + random.uniform(-0.6, 0.6)
        base = (0.27 * across, -0.5 + 0.06 * abs(across))
        tip = (base[0] + long * math.sin(lean), base[1] - long * math.cos(lean))
        fingers.append((base, tip, 0.17 if count < 6 else 0.14))
    if drawn != "deformed hands" or random.random() < 0.6:
        fingers.append(((-side * 0.24, -0.2), (-side * 0.62, -0.5), 0.18))
    if drawn == "extra fingers" and random.random() < 0.4:
        fingers.append(((side * 0.24, -0.2), (side * 0.62, -0.5), 0.18))
    return fingers


def smooth_half(half: list[Point]) -> skia.Path:
    """Return a smooth symmetric shape from its right half, top to bottom, with a straight foot."""
    path = smooth([(-x, y) for x, y in reversed(half)] + half, closed=False)
    path.close()
    return path


def star(x: float, y: float, radius: float, points: int = 5) -> skia.Path:
    """Return a star."""
    around = []
    for n in range(points * 2):
        angle, reach = math.pi * n / points - math.pi / 2, radius if n % 2 == 0 else radius * 0.44
        around.append((x + reach * math.cos(angle), y + reach * math.sin(angle)))
    return polygon(around)


def _elbow(start: Point, goal: Point, upper: float, lower: float, side: int) -> tuple[Point, Point]:
    """Return elbow and wrist of an arm that reaches for a goal, the elbow pointing outwards."""
    dx, dy = goal[0] - start[0], goal[1] - start[1]
    distance = max(0.3, min(math.hypot(dx, dy), (upper + lower) * 0.995))
    direction = math.atan2(dy, dx)
    wrist = (start[0] + distance * math.cos(direction), start[1] + distance * math.sin(direction))
    cosine = (upper**2 + distance**2 - lower**2) / (2 * upper * distance)
    bend = math.acos(max(-1.0, min(1.0, cosine)))
    candidates = [
        (
            start[0] + upper * math.cos(direction + way * bend),
            start[1] + upper * math.sin(direction + way * bend),
        )
        for way in (-1, 1)
    ]
    elbow = max(candidates, key=lambda point: point[0] * side + 0.3 * point[1])
    return elbow, wrist
