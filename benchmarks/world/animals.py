"""Animals, seen from the front. The unit is half the head's width, the origin the head's centre."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from sow.benchmarks.world.sheet import (
    INK,
    Colour,
    Figure,
    Point,
    Sheet,
    darker,
    ellipse,
    lighter,
    mix,
    polygon,
    smooth,
    taper,
)


@dataclass(frozen=True)
class Species:
    """What makes an animal.

    ears: pointed, round, long, floppy, tufts, small or none. muzzle: small, long, snout, trunk,
    beak or flat. coats: the colours it may have, with the word a caption uses, "" for none.
    marks: stripes, patches, mask, mane, spots or none. body: its length in units below the head.
    """

    ears: str
    muzzle: str
    coats: dict[str, Colour]
    belly: Colour | None = None
    marks: str = "none"
    horns: str = "none"
    wide: float = 1.0
    tall: float = 0.92
    eyes: Colour = (60, 44, 36)
    places: tuple[str, ...] = (
        "garden",
        "field",
        "park",
        "forest",
        "living room",
        "studio",
        "snow",
        "farm",
    )


WHITE: Colour = (250, 246, 240)
SPECIES: dict[str, Species] = {
    "cat": Species(
        "pointed",
        "small",
        {
            "orange": (232, 144, 66),
            "black": (52, 48, 56),
            "white": (246, 242, 236),
            "gray": (150, 152, 160),
            "brown": (146, 104, 70),
        },
        WHITE,
        "stripes",
        eyes=(116, 172, 80),
    ),
    "dog": Species(
        "floppy",
        "long",
        {
            "brown": (158, 106, 64),
            "black": (56, 52, 58),
            "white": (244, 238, 228),
            "golden": (226, 178, 104),
        },
        WHITE,
        "patches",
    ),
    "rabbit": Species(
        "long",
        "small",
        {"white": (246, 242, 238), "gray": (162, 162, 168), "brown": (166, 124, 88)},
        WHITE,
    ),
    "fox": Species(
        "pointed",
        "long",
        {"": (226, 112, 50)},
        WHITE,
        "mask",
        places=("forest", "field", "snow", "garden"),
    ),
    "bear": Species(
        "round",
        "snout",
        {"brown": (136, 92, 58), "black": (58, 52, 56), "white": (244, 242, 238)},
        (214, 176, 130),
        wide=1.06,
        places=("forest", "mountains", "snow", "lake"),
    ),
    "panda": Species(
        "round",
        "snout",
        {"": (248, 246, 242)},
        None,
        "panda",
        wide=1.06,
        places=("forest", "jungle", "garden"),
    ),
    "lion": Species(
        "round",
        "long",
        {"": (226, 174, 96)},
        (246, 222, 176),
        "mane",
        eyes=(176, 120, 40),
        places=("field", "desert", "jungle"),
    ),
    "tiger": Species(
        "round",
        "long",
        {"": (236, 146, 60)},
        WHITE,
        "stripes",
        eyes=(160, 150, 60),
        places=("jungle", "forest", "snow"),
    ),
    "monkey": Species(
        "side", "flat", {"": (130, 88, 58)}, (232, 190, 148), "face", places=("jungle", "forest")
    ),
    "pig": Species(
        "pointed", "pig", {"": (246, 176, 176)}, None, places=("farm", "field", "garden")
    ),
    "cow": Species(
        "cow",
        "cow",
        {"": (250, 246, 240), "brown": (166, 110, 70)},
        None,
        "patches",
        "short",
        places=("farm", "field", "mountains"),
    ),
    "sheep": Species(
        "cow", "small", {"": (246, 240, 228)}, None, "wool", places=("farm", "field", "mountains")
    ),
    "horse": Species(
        "small",
        "horse",
        {"brown": (146, 94, 58), "black": (58, 52, 56), "white": (244, 240, 234)},
        None,
        "hair",
        tall=1.3,
        wide=0.86,
        places=("farm", "field", "beach", "mountains"),
    ),
    "elephant": Species(
        "elephant",
        "trunk",
        {"": (152, 158, 170)},
        None,
        tall=1.0,
        places=("jungle", "desert", "field"),
    ),
    "mouse": Species(
        "big",
        "small",
        {"gray": (168, 168, 176), "white": (244, 240, 238), "brown": (166, 128, 98)},
        WHITE,
        wide=0.95,
        places=("field", "kitchen", "garden", "library"),
    ),
    "owl": Species(
        "tufts",
        "beak",
        {"brown": (150, 108, 72), "white": (244, 240, 232), "gray": (150, 150, 158)},
        (236, 214, 178),
        "owl",
        eyes=(240, 180, 50),
        places=("forest", "castle", "park"),
    ),
    "penguin": Species(
        "none", "beak", {"": (52, 56, 72)}, WHITE, "penguin", places=("snow", "sea", "beach")
    ),
    "duck": Species(
        "none",
        "bill",
        {"yellow": (248, 212, 84), "white": (248, 246, 240)},
        None,
        places=("lake", "farm", "park"),
    ),
    "parrot": Species(
        "crest",
        "beak",
        {"red": (220, 64, 60), "green": (84, 172, 88), "blue": (66, 128, 214)},
        None,
        "parrot",
        places=("jungle", "garden", "beach"),
    ),
    "frog": Species(
        "frog",
        "frog",
        {"": (112, 176, 84)},
        (220, 232, 170),
        wide=1.1,
        tall=0.8,
        places=("lake", "garden", "jungle"),
    ),
    "wolf": Species(
        "pointed",
        "long",
        {"gray": (132, 138, 150), "white": (240, 240, 240), "black": (60, 60, 68)},
        WHITE,
        "mask",
        eyes=(200, 170, 70),
        places=("forest", "mountains", "snow"),
    ),
    "koala": Species(
        "big", "koala", {"": (168, 172, 180)}, WHITE, places=("forest", "jungle", "park")
    ),
    "dragon": Species(
        "dragon",
        "dragon",
        {
            "green": (96, 164, 92),
            "red": (206, 74, 62),
            "purple": (142, 96, 180),
            "blue": (84, 136, 206),
        },
        (248, 222, 150),
        "scales",
        "long",
        eyes=(240, 190, 60),
        places=("castle", "cave", "mountains"),
    ),
    "unicorn": Species(
        "small",
        "horse",
        {"white": (250, 246, 250)},
        None,
        "rainbow",
        "unicorn",
        tall=1.3,
        wide=0.86,
        places=("field", "forest", "castle", "garden"),
    ),
}


class Animal(Figure):
    """An animal on a sheet."""

    def __init__(
        self, sheet: Sheet, species: str, coat: Colour, random: Random, name: str = "animal"
    ) -> None:
        super().__init__(sheet)
        self.kind, self.species, self.name = species, SPECIES[species], name
        self.coat, self.random = coat, random
        self.a, self.b = self.species.wide, self.species.tall
        self.belly = self.species.belly or lighter(coat, 0.35)
        if sum(abs(x - y) for x, y in zip(self.belly, coat, strict=True)) < 60:
            self.belly = darker(coat, 0.1)

    def draw(self, sitting: bool = True) -> None:
        """Draw body and head."""
        if sitting:
            with self.sheet.named(f"{self.name}:body"):
                self._body()
        with self.sheet.named(f"{self.name}:face"):
            self._behind()
            self._ears()
            self._head()
            self._marks()
            self._eyes()
            self._muzzle()
            self._front()

    # ------------------------------------------------------------------ body

    def _body(self) -> None:
        coat, bird = self.coat, self.species.muzzle in ("beak", "bill")
        if self.kind in ("cat", "fox", "wolf", "monkey", "lion", "tiger", "mouse", "dragon"):
            tail = [(0.8, 3.1), (1.7, 2.9), (1.95, 2.0), (1.65, 1.5)]
            self.fill(
                taper(
                    tail,
                    [0.4, 0.4, 0.36, 0.2]
                    if self.kind not in ("fox", "wolf")
                    else [0.4, 0.7, 0.7, 0.2],
                ),
                coat,
            )
        if self.kind == "dragon":
            for side in (-1, 1):
                wing = smooth(
                    [
                        (side * 0.7, 1.3),
                        (side * 1.9, 0.2),
                        (side * 2.8, 0.5),
                        (side * 2.3, 1.1),
                        (side * 2.1, 1.7),
                        (side * 1.6, 1.6),
                        (side * 1.0, 2.2),
                    ]
                )
                self.fill(wing, darker(coat, 0.25))
        low = 3.5
        body = smooth(
            [
                (0, 0.5),
                (0.75, 0.85),
                (1.12, 1.9),
                (1.2, 2.9),
                (0.85, low),
                (0, low + 0.08),
                (-0.85, low),
                (-1.2, 2.9),
                (-1.12, 1.9),
                (-0.75, 0.85),
            ]
        )
        if self.species.marks == "wool":
            points: list[Point] = []
            for n in range(26):
                a = 2 * math.pi * n / 26
                reach = 1.0 if n % 2 else 0.92
                points.append((1.35 * reach * math.cos(a), 2.1 + 1.4 * reach * math.sin(a)))
            body = smooth(points)
        if not bird:
            for side in (-1, 1):
                self.fill(ellipse(side * 0.85, low - 0.45, 0.6, 0.62), darker(coat, 0.06))
        self.fill(body, coat, volume=0.8)
        with self.sheet.clipped(body):
            self.fill(ellipse(0, 2.2, 0.66, 1.25), self.belly, outline=None, volume=0.3, alpha=0.95)
            if self.species.marks == "stripes" and self.kind == "tiger":
                for side in (-1, 1):
                    for n in range(4):
                        self.sheet.brush(
                            [
                                (side * 1.2, 1.5 + 0.45 * n),
                                (side * 0.9, 1.55 + 0.45 * n),
                                (side * 0.6, 1.5 + 0.45 * n),
                            ],
                            (0.2, 0.14, 0.02),
                            (50, 40, 40),
                        )
            if self.species.marks == "patches":
                for _ in range(3):
                    self.fill(
                        ellipse(
                            self.random.uniform(-1, 1),
                            self.random.uniform(1, 3),
                            self.random.uniform(0.25, 0.5),
                            self.random.uniform(0.25, 0.4),
                        ),
                        darker(coat, 0.5 if sum(coat) > 500 else 0.2),
                        outline=None,
                        volume=0,
                    )
            self.sheet.shadow(ellipse(0, 0.75, 0.9, 0.4), 0.35, 0.14)
        if self.kind == "panda":
            for side in (-1, 1):
                self.fill(
                    smooth(
                        [
                            (side * 0.75, 1.0),
                            (side * 1.3, 1.7),
                            (side * 1.0, 2.4),
                            (side * 0.55, 2.0),
                        ]
                    ),
                    (50, 46, 52),
                )
        if bird:
            for side in (-1, 1):
                wing = smooth(
                    [(side * 0.8, 1.0), (side * 1.35, 1.8), (side * 1.2, 2.9), (side * 0.9, 2.5)]
                )
                self.fill(wing, darker(coat, 0.14))
                self.fill(ellipse(side * 0.4, low + 0.1, 0.36, 0.16), (240, 160, 60))
        else:
            paw = (
                (50, 46, 52)
                if self.kind == "panda"
                else darker(coat, 0.5)
                if self.kind in ("fox", "horse")
                else lighter(coat, 0.12)
            )
            for side in (-1, 1):
                self.fill(
                    smooth(
                        [
                            (side * 0.22, 1.9),
                            (side * 0.62, 1.9),
                            (side * 0.66, low - 0.1),
                            (side * 0.2, low - 0.1),
                        ]
                    ),
                    coat,
                    volume=0.5,
                )
                self.fill(ellipse(side * 0.44, low - 0.02, 0.36, 0.22), paw)
                for n in (-1, 1):
                    self.sheet.stroke(
                        [(side * 0.44 + 0.1 * n, low - 0.02), (side * 0.44 + 0.11 * n, low + 0.14)],
                        darker(paw, 0.4),
                        0.04,
                    )

    # ------------------------------------------------------------------ head

    def _behind(self) -> None:
        coat = self.coat
        if self.species.marks == "mane":
            points = []
            for n in range(36):
                a = 2 * math.pi * n / 36
                reach = 1.62 if n % 2 else 1.4
                points.append((reach * math.cos(a), 0.05 + reach * math.sin(a)))
            self.fill(smooth(points), (168, 98, 46), volume=0.7)
        if self.kind == "sheep":
            points = []
            for n in range(22):
                a = 2 * math.pi * n / 22
                reach = 1.16 if n % 2 else 1.04
                points.append((reach * math.cos(a), -0.15 + reach * 0.92 * math.sin(a)))
            self.fill(smooth(points), coat, volume=0.8)
        if self.species.marks in ("hair", "rainbow"):
            tints: list[Colour] = (
                [(238, 120, 160), (250, 190, 90), (120, 200, 150), (110, 160, 230), (170, 120, 210)]
                if self.species.marks == "rainbow"
                else [darker(coat, 0.55)] * 5
            )
            for n, tint in enumerate(tints):
                self.fill(
                    smooth(
                        [
                            (0.4 - 0.1 * n, -1.35),
                            (0.95, -1.1 + 0.28 * n),
                            (1.25, -0.3 + 0.4 * n),
                            (0.7, -0.4 + 0.4 * n),
                            (0.5, -0.9 + 0.3 * n),
                        ]
                    ),
                    tint,
                )
        if self.species.horns == "short":
            for side in (-1, 1):
                self.fill(
                    smooth(
                        [
                            (side * 0.5, -0.8),
                            (side * 0.95, -1.0),
                            (side * 1.05, -1.5),
                            (side * 0.75, -1.15),
                            (side * 0.4, -0.95),
                        ]
                    ),
                    (238, 226, 200),
                )
        if self.species.horns == "long":
            for side in (-1, 1):
                self.fill(
                    smooth(
                        [
                            (side * 0.4, -0.75),
                            (side * 0.72, -0.8),
                            (side * 1.15, -1.7),
                            (side * 0.75, -1.4),
                        ]
                    ),
                    (246, 232, 196),
                )

    def _ears(self) -> None:
        kind, coat, a, b = self.species.ears, self.coat, self.a, self.b
        inner: Colour = (246, 178, 172)
        if self.kind == "panda":
            coat = (50, 46, 52)
        for side in (-1, 1):
            if kind == "pointed":
                self.fill(
                    polygon(
                        [
                            (side * 0.98 * a, -0.25),
                            (side * 0.92 * a, -1.42 * b),
                            (side * 0.2, -0.85 * b),
                        ]
                    ),
                    coat,
                )
                self.fill(
                    polygon(
                        [
                            (side * 0.84 * a, -0.5),
                            (side * 0.82 * a, -1.18 * b),
                            (side * 0.42, -0.85 * b),
                        ]
                    ),
                    inner,
                    outline=None,
                )
            elif kind == "round":
                self.fill(ellipse(side * 0.78 * a, -0.76 * b, 0.34), coat)
                if self.kind != "panda":
                    self.fill(
                        ellipse(side * 0.78 * a, -0.74 * b, 0.19), darker(inner, 0.15), outline=None
                    )
            elif kind == "big":
                self.fill(ellipse(side * 1.0 * a, -0.72 * b, 0.56), coat)
                self.fill(
                    ellipse(side * 1.0 * a, -0.7 * b, 0.36),
                    inner if self.kind == "mouse" else (236, 232, 232),
                    outline=None,
                )
            elif kind == "side":
                self.fill(ellipse(side * 1.02 * a, -0.05, 0.34), coat)
                self.fill(ellipse(side * 1.02 * a, -0.05, 0.2), self.belly, outline=None)
            elif kind == "long":
                self.fill(
                    smooth(
                        [
                            (side * 0.2, -0.75),
                            (side * 0.24, -1.75),
                            (side * 0.5, -2.25),
                            (side * 0.78, -1.75),
                            (side * 0.72, -0.6),
                        ]
                    ),
                    coat,
                )
                self.fill(
                    smooth(
                        [
                            (side * 0.36, -0.95),
                            (side * 0.4, -1.7),
                            (side * 0.52, -2.0),
                            (side * 0.64, -1.6),
                            (side * 0.6, -0.85),
                        ]
                    ),
                    inner,
                    outline=None,
                )
            elif kind == "small":
                self.fill(
                    smooth(
                        [
                            (side * 0.3, -1.05 * b),
                            (side * 0.42, -1.5 * b),
                            (side * 0.66, -1.2 * b),
                            (side * 0.66, -0.8 * b),
                        ]
                    ),
                    coat,
                )
            elif kind == "cow":
                self.fill(
                    smooth(
                        [
                            (side * 0.8, -0.5),
                            (side * 1.4, -0.6),
                            (side * 1.5, -0.3),
                            (side * 0.9, -0.15),
                        ]
                    ),
                    coat if self.kind == "cow" else (96, 82, 78),
                )
            elif kind == "elephant":
                self.fill(
                    smooth(
                        [
                            (side * 0.7, -0.8),
                            (side * 1.5, -1.1),
                            (side * 2.1, -0.3),
                            (side * 1.8, 0.7),
                            (side * 1.0, 0.6),
                        ]
                    ),
                    coat,
                )
                self.fill(
                    smooth(
                        [
                            (side * 0.95, -0.6),
                            (side * 1.45, -0.8),
                            (side * 1.8, -0.2),
                            (side * 1.55, 0.45),
                            (side * 1.1, 0.4),
                        ]
                    ),
                    mix(coat, inner, 0.6),
                    outline=None,
                )
            elif kind == "tufts":
                self.fill(
                    polygon([(side * 0.3, -0.75), (side * 0.9, -1.3), (side * 0.95, -0.4)]), coat
                )
            elif kind == "frog":
                self.fill(ellipse(side * 0.55, -0.72, 0.4), coat)
            elif kind == "dragon":
                self.fill(
                    polygon(
                        [
                            (side * 0.85, -0.3),
                            (side * 1.45, -0.75),
                            (side * 1.3, -0.25),
                            (side * 1.5, 0.05),
                            (side * 0.9, 0.15),
                        ]
                    ),
                    darker(coat, 0.2),
                )
        if kind == "crest":
            for n in range(3):
                self.fill(
                    smooth(
                        [
                            (-0.15 + 0.15 * n, -0.8),
                            (-0.35 + 0.3 * n, -1.5),
                            (-0.1 + 0.25 * n, -1.45),
                            (0.05 + 0.15 * n, -0.8),
                        ]
                    ),
                    darker(coat, 0.1 * n),
                )

    def _head(self) -> None:
        a, b, coat = self.a, self.b, self.coat
        if self.kind == "sheep":
            self.fill(
                smooth(
                    [
                        (0, -0.75),
                        (0.62, -0.5),
                        (0.66, 0.2),
                        (0.4, 0.85),
                        (0, 0.98),
                        (-0.4, 0.85),
                        (-0.66, 0.2),
                        (-0.62, -0.5),
                    ]
                ),
                (110, 96, 90),
                volume=0.6,
            )
            points = []
            for n in range(12):
                t = -1 + 2 * n / 11
                points.append((0.75 * t, -0.72 - (0.14 if n % 2 else 0.0)))
            self.fill(smooth([*points, (0.6, -0.4), (0, -0.3), (-0.6, -0.4)]), coat)
            return
        if self.species.muzzle == "horse":
            path = smooth(
                [
                    (0, -b),
                    (0.62, -0.8 * b),
                    (0.74, -0.2),
                    (0.52, 0.5),
                    (0.56, 0.95 * b),
                    (0.3, 1.2 * b),
                    (0, 1.25 * b),
                    (-0.3, 1.2 * b),
                    (-0.56, 0.95 * b),
                    (-0.52, 0.5),
                    (-0.74, -0.2),
                    (-0.62, -0.8 * b),
                ]
            )
        else:
            cheeks = 1.06 if self.kind in ("cat", "fox", "wolf", "tiger") else 1.0
            path = smooth(
                [
                    (0, -b),
                    (0.62 * a, -0.86 * b),
                    (a, -0.2 * b),
                    (a * cheeks, 0.32 * b),
                    (0.66 * a, 0.82 * b),
                    (0, b),
                    (-0.66 * a, 0.82 * b),
                    (-a * cheeks, 0.32 * b),
                    (-a, -0.2 * b),
                    (-0.62 * a, -0.86 * b),
                ]
            )
        self.fill(path, coat, volume=0.6)
        self.outline = path

    def _marks(self) -> None:
        if self.kind == "sheep":
            return
        marks, coat, a, b = self.species.marks, self.coat, self.a, self.b
        dark = darker(coat, 0.5)
        with self.sheet.clipped(self.outline):
            if marks == "stripes":
                tint: Colour = (
                    (50, 40, 40)
                    if self.kind == "tiger"
                    else darker(coat, 0.35)
                    if sum(coat) > 200
                    else lighter(coat, 0.12)
                )
                for x in (-0.28, 0.0, 0.28):
                    self.sheet.brush(
                        [(x, -b), (x * 0.9, -0.72 * b), (x * 0.8, -0.5 * b)],
                        (0.16, 0.12, 0.02),
                        tint,
                    )
                for side in (-1, 1):
                    for n in range(3):
                        self.sheet.brush(
                            [
                                (side * 1.1 * a, 0.05 + 0.24 * n),
                                (side * 0.8 * a, 0.1 + 0.22 * n),
                                (side * 0.6 * a, 0.12 + 0.2 * n),
                            ],
                            (0.14, 0.1, 0.02),
                            tint,
                        )
            elif marks == "mask":
                for side in (-1, 1):
                    self.fill(
                        smooth(
                            [
                                (0, 0.3),
                                (side * 0.5, 0.1),
                                (side * 1.15 * a, 0.0),
                                (side * 1.1 * a, 0.6),
                                (side * 0.5, 1.0),
                                (0, 1.0),
                            ]
                        ),
                        self.belly,
                        outline=None,
                        volume=0.2,
                    )
            elif marks == "patches" and self.kind in ("dog", "cow"):
                self.fill(
                    ellipse(0.5, -0.25, 0.48, 0.55),
                    dark if sum(coat) > 500 else darker(coat, 0.25),
                    outline=None,
                    volume=0,
                )
            elif marks == "panda":
                for side in (-1, 1):
                    with self.sheet.at(side * 0.42, -0.05, 1, side * 24):
                        self.fill(ellipse(0, 0, 0.27, 0.36), (50, 46, 52), outline=None)
            elif marks == "face":
                self.fill(
                    smooth(
                        [
                            (0, -0.35),
                            (0.42, -0.6),
                            (0.8, -0.2),
                            (0.72, 0.4),
                            (0.5, 0.9),
                            (0, 1.0),
                            (-0.5, 0.9),
                            (-0.72, 0.4),
                            (-0.8, -0.2),
                            (-0.42, -0.6),
                        ]
                    ),
                    self.belly,
                    outline=None,
                    volume=0.3,
                )
            elif marks == "owl":
                for side in (-1, 1):
                    self.fill(
                        ellipse(side * 0.42, -0.08, 0.5), self.belly, outline=darker(coat, 0.2)
                    )
            elif marks == "penguin":
                for side in (-1, 1):
                    self.fill(ellipse(side * 0.38, 0.12, 0.5, 0.6), WHITE, outline=None)
                self.fill(ellipse(0, 0.75, 0.6, 0.5), WHITE, outline=None)
            elif marks == "parrot":
                for side in (-1, 1):
                    self.fill(ellipse(side * 0.5, 0.0, 0.36, 0.42), (252, 248, 240), outline=None)
            elif marks == "scales":
                for n in range(5):
                    self.fill(
                        polygon(
                            [(-0.12, -b + 0.2 * n), (0, -b - 0.16 + 0.2 * n), (0.12, -b + 0.2 * n)]
                        ),
                        darker(coat, 0.25),
                        outline=None,
                    )
            if marks in ("none", "stripes", "patches", "mane") and self.species.belly:
                self.fill(ellipse(0, 0.72 * b, 0.6, 0.42), self.belly, outline=None, volume=0.3)

    def _eyes(self) -> None:
        if self.kind == "frog":
            spots: list[Point] = [(-0.55, -0.76), (0.55, -0.76)]
            size = 0.27
        elif self.species.muzzle == "horse":
            spots, size = [(-0.46, -0.35), (0.46, -0.35)], 0.17
        elif self.kind == "sheep":
            spots, size = [(-0.32, -0.12), (0.32, -0.12)], 0.15
        else:
            spots, size = [(-0.42, -0.1), (0.42, -0.1)], 0.21
        if self.kind == "owl":
            size = 0.34
        for x, y in spots:
            dark_coat = sum(self.coat) < 240 or self.kind in ("panda", "sheep")
            self.fill(
                ellipse(x, y, size * 1.08, size * 1.12),
                (252, 250, 244) if dark_coat or self.kind == "frog" else self.species.eyes,
                outline=INK,
            )
            if dark_coat or self.kind == "frog":
                self.fill(
                    ellipse(x, y, size * 0.8, size * 0.85),
                    self.species.eyes,
                    outline=None,
                    volume=0,
                )
            slit = 0.32 if self.kind in ("cat", "dragon") else 0.62
            self.fill(ellipse(x, y, size * slit, size * 0.78), (22, 18, 22), outline=None, volume=0)
            glint = -0.3 if self.sheet.light.x < 0 else 0.3
            self.fill(
                ellipse(x + glint * size, y - 0.35 * size, size * 0.26),
                (255, 255, 255),
                outline=None,
                volume=0,
            )

    def _muzzle(self) -> None:
        kind, coat = self.species.muzzle, self.coat
        line, nose = darker(mix(coat, (120, 60, 50), 0.4), 0.5), (54, 42, 44)
        if kind in ("small", "long", "snout", "koala"):
            y = {"small": 0.34, "long": 0.4, "snout": 0.38, "koala": 0.2}[kind]
            if kind in ("long", "snout"):
                wide = 0.46 if kind == "snout" else 0.4
                patch = self.belly
                self.fill(
                    ellipse(0, y + 0.14, wide, 0.36),
                    patch,
                    outline=darker(patch, 0.25),
                    volume=0.5,
                )
            if kind == "koala":
                self.fill(ellipse(0, y + 0.05, 0.22, 0.34), nose, volume=0.9)
                y += 0.3
            else:
                pink: Colour = (226, 128, 128) if kind == "small" and self.kind != "sheep" else nose
                self.fill(
                    smooth(
                        [
                            (-0.16, y - 0.1),
                            (0.16, y - 0.1),
                            (0.1, y + 0.06),
                            (0, y + 0.12),
                            (-0.1, y + 0.06),
                        ]
                    ),
                    pink,
                    volume=0.8,
                )
            for side in (-1, 1):
                self.sheet.brush(
                    [(0, y + 0.12), (side * 0.06, y + 0.26), (side * 0.24, y + 0.24)],
                    (0.02, 0.05, 0.02),
                    line,
                )
            if self.kind in ("cat", "rabbit", "mouse", "tiger", "lion"):
                for side in (-1, 1):
                    for n in (-1, 0, 1):
                        self.sheet.brush(
                            [
                                (side * 0.3, y + 0.1 + 0.05 * n),
                                (side * 0.75, y + 0.06 + 0.13 * n),
                                (side * 1.2, y + 0.1 + 0.2 * n),
                            ],
                            (0.03, 0.025, 0.005),
                            darker(line, 0.1),
                            0.8,
                        )
            if self.kind == "rabbit":
                self.fill(
                    polygon(
                        [(-0.1, y + 0.25), (0.1, y + 0.25), (0.09, y + 0.45), (-0.09, y + 0.45)]
                    ),
                    WHITE,
                    width=0.7,
                )
            if self.kind == "dog":
                self.fill(
                    smooth(
                        [
                            (-0.12, y + 0.32),
                            (0.12, y + 0.32),
                            (0.1, y + 0.6),
                            (0, y + 0.68),
                            (-0.1, y + 0.6),
                        ]
                    ),
                    (236, 120, 126),
                )
        elif kind == "pig":
            self.fill(ellipse(0, 0.36, 0.4, 0.29), darker(coat, 0.1), volume=0.7)
            for side in (-1, 1):
                self.fill(ellipse(side * 0.14, 0.36, 0.07, 0.11), (146, 76, 84), outline=None)
            self.sheet.brush([(-0.25, 0.74), (0, 0.82), (0.25, 0.74)], (0.02, 0.05, 0.02), line)
        elif kind == "cow":
            self.fill(ellipse(0, 0.58, 0.66, 0.42), (240, 190, 178), volume=0.6)
            for side in (-1, 1):
                self.fill(ellipse(side * 0.26, 0.5, 0.09, 0.12), (120, 70, 70), outline=None)
            self.sheet.brush([(-0.3, 0.78), (0, 0.86), (0.3, 0.78)], (0.02, 0.05, 0.02), line)
        elif kind == "horse":
            b = self.b
            self.fill(
                ellipse(0, 0.98 * b, 0.5, 0.3),
                mix(darker(coat, 0.25), (220, 170, 160), 0.25),
                outline=None,
                volume=0.5,
            )
            for side in (-1, 1):
                self.fill(
                    ellipse(side * 0.22, 0.92 * b, 0.08, 0.12), darker(coat, 0.6), outline=None
                )
            self.sheet.brush(
                [(-0.26, 1.12 * b), (0, 1.16 * b), (0.26, 1.12 * b)], (0.02, 0.05, 0.02), line
            )
        elif kind == "trunk":
            trunk = taper(
                [(0, 0.1), (0.02, 0.7), (0.1, 1.4), (0.4, 1.9), (0.8, 1.8)],
                [0.56, 0.5, 0.42, 0.34, 0.26],
            )
            for side in (-1, 1):
                self.fill(
                    smooth(
                        [
                            (side * 0.3, 0.5),
                            (side * 0.5, 0.5),
                            (side * 0.66, 1.25),
                            (side * 0.42, 1.0),
                        ]
                    ),
                    WHITE,
                )
            self.fill(trunk, coat, volume=0.7)
            for n in range(4):
                self.sheet.stroke(
                    [(-0.2 + 0.02 * n, 0.5 + 0.24 * n), (0.24 + 0.02 * n, 0.5 + 0.24 * n)],
                    darker(coat, 0.3),
                    0.04,
                    alpha=0.8,
                )
        elif kind == "beak":
            tint: Colour = (244, 168, 60) if self.kind != "parrot" else (70, 62, 66)
            self.fill(
                smooth([(-0.2, 0.1), (0, 0.02), (0.2, 0.1), (0.1, 0.4), (0, 0.56), (-0.1, 0.4)]),
                tint,
                volume=0.9,
            )
        elif kind == "bill":
            self.fill(
                smooth([(-0.5, 0.3), (0, 0.18), (0.5, 0.3), (0.42, 0.5), (0, 0.58), (-0.42, 0.5)]),
                (244, 150, 56),
                volume=0.8,
            )
            self.sheet.brush(
                [(-0.45, 0.4), (0, 0.44), (0.45, 0.4)], (0.02, 0.04, 0.02), (176, 96, 40)
            )
        elif kind == "flat":
            for side in (-1, 1):
                self.fill(ellipse(side * 0.08, 0.26, 0.035, 0.05), line, outline=None)
            self.sheet.brush([(-0.42, 0.52), (0, 0.7), (0.42, 0.52)], (0.03, 0.06, 0.03), line)
        elif kind == "frog":
            self.sheet.brush(
                [(-0.8, 0.2), (0, 0.5), (0.8, 0.2)], (0.03, 0.07, 0.03), darker(coat, 0.5)
            )
            for side in (-1, 1):
                self.fill(ellipse(side * 0.1, -0.02, 0.03), darker(coat, 0.5), outline=None)
                self.sheet.glow(side * 0.7, 0.3, 0.25, (240, 140, 130), 0.5)
        elif kind == "dragon":
            self.fill(ellipse(0, 0.5, 0.58, 0.4), lighter(coat, 0.18), volume=0.7)
            for side in (-1, 1):
                self.fill(ellipse(side * 0.2, 0.36, 0.07, 0.09), darker(coat, 0.6), outline=None)
                self.fill(
                    polygon([(side * 0.3, 0.66), (side * 0.42, 0.62), (side * 0.38, 0.82)]),
                    WHITE,
                    width=0.7,
                )
            self.sheet.brush(
                [(-0.45, 0.62), (0, 0.74), (0.45, 0.62)], (0.02, 0.05, 0.02), darker(coat, 0.6)
            )

    def _front(self) -> None:
        if self.species.ears == "floppy":
            for side in (-1, 1):
                self.fill(
                    smooth(
                        [
                            (side * 0.6, -0.8),
                            (side * 1.02, -0.75),
                            (side * 1.3, 0.1),
                            (side * 1.1, 0.62),
                            (side * 0.88, 0.2),
                            (side * 0.8, -0.35),
                        ]
                    ),
                    darker(self.coat, 0.22),
                )
        if self.species.marks in ("hair", "rainbow"):
            tint: Colour = (
                (240, 140, 180) if self.species.marks == "rainbow" else darker(self.coat, 0.55)
            )
            self.fill(
                smooth([(-0.25, -1.4), (0.25, -1.42), (0.3, -0.9), (0.05, -0.5), (-0.1, -0.85)]),
                tint,
            )
        if self.species.horns == "unicorn":
            self.fill(
                polygon([(-0.13, -1.25), (0, -2.4), (0.13, -1.25)]), (248, 206, 90), volume=0.9
            )
            for n in range(3):
                self.sheet.stroke(
                    [(-0.1 + 0.02 * n, -1.45 - 0.25 * n), (0.1 - 0.02 * n, -1.55 - 0.25 * n)],
                    (206, 150, 50),
                    0.04,
                )
