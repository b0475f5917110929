"""Heads: hair behind, face, features, beard, hair in front, glasses.

The unit is half a face's width, the origin the face's centre.
"""

from __future__ import annotations

import math
from random import Random

import skia

from sow.benchmarks.world.people import EYES, Identity, Person
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
    rectangle,
    smooth,
    without,
)

WHITE: Colour = (252, 250, 246)


def face_path(identity: Identity, scale: float = 1.0) -> skia.Path:
    """Return the outline of a face around (0, 0), clockwise from the top."""
    tall = identity.aspect
    jaw, chin, cheek = {
        "oval": (0.74, 0.32, 1.0),
        "round": (0.86, 0.42, 1.02),
        "square": (0.9, 0.5, 0.98),
        "heart": (0.7, 0.24, 1.04),
    }[identity.face]
    half = [
        (0.0, -tall),
        (0.55, -0.9 * tall),
        (0.93, -0.48 * tall),
        (cheek, 0.02),
        (0.94 * cheek, 0.36 * tall),
        (jaw, 0.66 * tall),
        (chin, 0.93 * tall),
        (0.0, tall),
    ]
    points = half + [(-x, y) for x, y in reversed(half[1:-1])]
    return smooth([(x * scale, y * scale) for x, y in points])


class Head(Figure):
    """The head of a person on a sheet."""

    def __init__(self, sheet: Sheet, person: Person) -> None:
        super().__init__(sheet)
        self.person, self.identity = person, person.identity
        self.random = Random(str(person.identity))
        self.skin = self.identity.skin_colour
        self.hair = self.identity.hair_colour
        self.tall = self.identity.aspect
        self.child = self.identity.age == "child"
        self.level = 0.12 if self.child else 0.0  # of the eyes: low in a child's face
        self.turn = person.turn

    # ------------------------------------------------------------------ order

    def draw_behind(self) -> None:
        """Draw the hair that hangs behind the body."""
        with self.sheet.named(f"{self.person.name}:hair"):
            self._hair_behind()

    def draw(self) -> None:
        """Draw everything else but the hat."""
        name = self.person.name
        with self.sheet.named(f"{name}:face"):
            self._ears()
            self._face()
            self._cheeks()
            self._eyes()
            self._nose()
        if self.identity.beard != "none":
            with self.sheet.named(f"{name}:beard"):
                self._beard()
        with self.sheet.named(f"{name}:face"):
            self._mouth()
            self._wrinkles()
        with self.sheet.named(f"{name}:hair"):
            self._hair_in_front()
        with self.sheet.named(f"{name}:face"):
            self._brows()
        if self.identity.glasses != "none":
            with self.sheet.named(f"{name}:glasses"):
                self._glasses()

    # ------------------------------------------------------------------ the face

    def _ears(self) -> None:
        for side in (-1, 1):
            x = side * 1.0 - self.turn * 0.6
            self.fill(ellipse(x, 0.1 + self.level, 0.17, 0.25), mix(self.skin, (226, 110, 90), 0.1))
            inner = [
                (x - side * 0.02, -0.02 + self.level),
                (x + side * 0.06, 0.08 + self.level),
                (x, 0.2 + self.level),
            ]
            self.sheet.stroke(inner, darker(self.skin, 0.3), 0.04)

    def _face(self) -> None:
        path = face_path(self.identity)
        self.fill(path, self.skin, volume=0.42)
        with self.sheet.clipped(path):
            # The light falls from one side; below the hair, and at the jaw's other side, is shade.
            light = self.sheet.light
            self.sheet.glow(
                light.x * 0.5, -0.25, 0.95, lighter(self.skin, 0.55), 0.34 * light.strength * 1.6
            )
            self.sheet.glow(
                -light.x * 1.25, 0.75, 0.95, darker(self.skin, 0.5), 0.42 * light.strength
            )

    def _cheeks(self) -> None:
        blush = mix(self.skin, (236, 88, 84), 0.62 if self.child or self.identity.woman else 0.4)
        for side in (-1, 1):
            self.sheet.glow(
                side * 0.6 + self.turn,
                0.38 + self.level * 0.7,
                0.32,
                blush,
                0.62 if self.child else 0.45,
            )
        if self.identity.freckles:
            spot = darker(mix(self.skin, (190, 100, 50), 0.5), 0.2)
            for _ in range(14):
                x = self.random.choice((-1, 1)) * self.random.uniform(0.22, 0.68) + self.turn
                y = self.random.uniform(0.22, 0.44) + self.level
                self.fill(ellipse(x, y, 0.022), spot, outline=None, volume=0, alpha=0.8)

    def eye(self, side: int) -> Point:
        """Return the centre of the left (-1) or right (1) eye."""
        return side * self.identity.eye_spacing + self.turn, -0.03 + self.level

    def _eyes(self) -> None:
        mood = self.person.expression
        for side in (-1, 1):
            if mood == "sleeping" or (mood == "winking" and side == 1):
                self._closed_eye(side, 1)
            elif mood == "laughing":
                self._closed_eye(side, -1)
            else:
                self._open_eye(side)
        if mood == "crying":
            self._tears()

    def _closed_eye(self, side: int, down: int) -> None:
        x, y = self.eye(side)
        size = self.identity.eye_size
        arc = [(x - size * 1.1, y), (x, y + down * size * 0.75), (x + size * 1.1, y)]
        self.sheet.brush(arc, (0.03, 0.08, 0.03), INK)
        if self.identity.woman:
            for share in (0.5, 1.0):
                start = (x + side * size * share, y + down * size * (0.5 - 0.4 * share))
                self.sheet.stroke(
                    [start, (start[0] + side * 0.07, start[1] + 0.07 * down)], INK, 0.035
                )

    def _open_eye(self, side: int) -> None:
        x, y = self.eye(side)
        size, mood = self.identity.eye_size, self.person.expression
        open_ = {"surprised": 1.3, "scared": 1.3, "angry": 0.82, "smiling": 0.92, "sad": 0.92}.get(
            mood, 1.0
        )
        open_ *= 0.85 if self.identity.age == "old" else 1.0
        white = ellipse(x, y, size * 1.02, size * 0.98 * open_)
        self.fill(
            white, WHITE, outline=mix(INK, self.skin, 0.35), width=self.line * 0.8, volume=0.15
        )
        with self.sheet.clipped(white):
            gaze = self.turn * 0.35
            iris = EYES[self.identity.eyes]
            shrink = 0.8 if mood in ("surprised", "scared") else 1.0
            self.fill(
                ellipse(x + gaze, y + 0.01, size * 0.64 * shrink),
                darker(iris, 0.25),
                outline=None,
                volume=0,
            )
            self.fill(
                ellipse(x + gaze, y + 0.035, size * 0.5 * shrink, size * 0.46 * shrink),
                lighter(iris, 0.12),
                outline=None,
                volume=0,
            )
            self.fill(
                ellipse(x + gaze, y + 0.01, size * 0.33 * shrink),
                (22, 18, 24),
                outline=None,
                volume=0,
            )
            glint = -0.24 if self.sheet.light.x < 0 else 0.24
            self.fill(
                ellipse(x + gaze + glint * size, y - 0.26 * size, size * 0.17),
                (255, 255, 255),
                outline=None,
                volume=0,
            )
            self.fill(
                ellipse(x + gaze - glint * size, y + 0.34 * size, size * 0.08),
                (255, 255, 255),
                outline=None,
                volume=0,
                alpha=0.8,
            )
            lid = ellipse(x, y - size * (1.55 * open_ + 0.3), size * 1.5, size * 1.02)
            self.fill(lid, darker(self.skin, 0.16), outline=None, volume=0, alpha=0.75)
        upper = [
            (x - size * 1.05, y - 0.1 * size),
            (x - size * 0.5, y - size * 0.88 * open_),
            (x + size * 0.5, y - size * 0.88 * open_),
            (x + size * 1.05, y - 0.1 * size),
        ]
        thick = 0.075 if self.identity.woman else 0.05
        self.sheet.brush(upper, (0.02, thick, thick, 0.02), INK)
        if self.identity.woman:
            for share in (0.62, 1.0):
                start = (x + side * size * share * 1.02, y - size * open_ * (0.95 - 0.62 * share))
                end = (start[0] + side * 0.1, start[1] - 0.1 * (1.4 - share * 0.6))
                self.sheet.brush(
                    [
                        start,
                        ((start[0] + end[0]) / 2 + side * 0.01, (start[1] + end[1]) / 2 + 0.015),
                        end,
                    ],
                    (0.05, 0.04, 0.015),
                    INK,
                )

    def _tears(self) -> None:
        for side in (-1, 1):
            x, y = self.eye(side)
            drop = smooth(
                [
                    (x + side * 0.05, y + 0.24),
                    (x + side * 0.12, y + 0.46),
                    (x + side * 0.05, y + 0.58),
                    (x - side * 0.02, y + 0.46),
                ]
            )
            self.fill(drop, (142, 202, 244), width=self.line * 0.7)

    def _brows(self) -> None:
        colour = mix(darker(self.hair, 0.35), INK, 0.25)
        if self.identity.hair == "white":
            colour = (176, 174, 172)
        mood = self.person.expression
        tilt = {
            "angry": -0.17,
            "sad": 0.15,
            "crying": 0.17,
            "scared": 0.16,
            "surprised": 0.0,
            "laughing": 0.03,
        }.get(mood, self.identity.brow * -0.04)
        lift = {"surprised": 0.14, "scared": 0.1, "angry": -0.09}.get(
            mood, -0.03 * self.identity.brow
        )
        size, width = self.identity.eye_size, self.identity.brow_width
        for side in (-1, 1):
            x, y = self.eye(side)
            top = y - size * 1.35 - 0.1 - lift
            inner = (x - side * size * 1.05, top - tilt + 0.03)
            middle = (x + side * size * 0.15, top - 0.06 - tilt * 0.15)
            outer = (x + side * size * 1.35, top + tilt * 0.8 + 0.05)
            self.sheet.brush([inner, middle, outer], (width, width * 0.95, width * 0.3), colour)

    def _nose(self) -> None:
        x, y = self.turn * 1.25, 0.3 + self.level * 0.8
        line, tip = (
            darker(mix(self.skin, (190, 70, 50), 0.2), 0.32),
            mix(self.skin, (230, 110, 90), 0.3),
        )
        lit = -1 if self.sheet.light.x < 0 else 1
        kind = self.identity.nose
        if kind == "button":
            self.sheet.glow(x, y, 0.17, tip, 0.7)
            self.sheet.brush(
                [(x - 0.1, y + 0.03), (x, y + 0.11), (x + 0.1, y + 0.03)], (0.02, 0.045, 0.02), line
            )
        elif kind == "small":
            self.sheet.brush(
                [(x - 0.07, y + 0.04), (x, y + 0.08), (x + 0.07, y + 0.04)],
                (0.02, 0.04, 0.02),
                line,
            )
        elif kind == "round":
            self.sheet.glow(x, y, 0.2, tip, 0.8)
            self.sheet.brush(
                [
                    (x - 0.19, y - 0.04),
                    (x - 0.2, y + 0.1),
                    (x, y + 0.15),
                    (x + 0.2, y + 0.1),
                    (x + 0.19, y - 0.04),
                ],
                (0.015, 0.04, 0.045, 0.04, 0.015),
                line,
            )
        elif kind == "long":
            side = -lit
            self.sheet.brush(
                [
                    (x + side * 0.05, y - 0.36),
                    (x + side * 0.08, y - 0.05),
                    (x + side * 0.17, y + 0.1),
                    (x, y + 0.16),
                    (x - side * 0.12, y + 0.11),
                ],
                (0.012, 0.03, 0.045, 0.04, 0.015),
                line,
            )
        else:
            side = -lit
            self.sheet.brush(
                [
                    (x + side * 0.05, y - 0.34),
                    (x + side * 0.17, y - 0.14),
                    (x + side * 0.16, y + 0.1),
                    (x, y + 0.19),
                    (x - side * 0.1, y + 0.11),
                ],
                (0.015, 0.045, 0.045, 0.045, 0.015),
                line,
            )
        self.sheet.glow(x + lit * 0.04, y - 0.06, 0.1, (255, 255, 255), 0.28)

    def _mouth(self) -> None:
        x, y = self.turn * 1.1, 0.64 * self.tall + self.level * 0.35 - 0.04
        reach, mood = self.identity.mouth, self.person.expression
        lips = mix(mix(self.skin, (198, 62, 66), 0.5), (190, 30, 54), 0.65 * self.identity.lips)
        line = darker(mix(self.skin, (150, 40, 40), 0.55), 0.4)
        if mood in ("smiling", "winking"):
            wide = reach * 1.18
            bow = smooth(
                [
                    (x - wide, y - 0.1),
                    (x, y - 0.02),
                    (x + wide, y - 0.1),
                    (x + wide * 0.55, y + 0.12),
                    (x, y + 0.19),
                    (x - wide * 0.55, y + 0.12),
                ]
            )
            self.fill(bow, WHITE, outline=line, volume=0)
            self._lower_lip(x, y + 0.2, wide * 0.6, lips)
            for side in (-1, 1):
                self.sheet.brush(
                    [
                        (x + side * wide * 0.98, y - 0.15),
                        (x + side * wide * 1.08, y - 0.1),
                        (x + side * wide * 1.02, y - 0.04),
                    ],
                    (0.015, 0.035, 0.015),
                    line,
                )
        elif mood == "laughing":
            wide = reach * 1.15
            open_ = smooth(
                [
                    (x - wide, y - 0.14),
                    (x, y - 0.08),
                    (x + wide, y - 0.14),
                    (x + wide * 0.66, y + 0.2),
                    (x, y + 0.32),
                    (x - wide * 0.66, y + 0.2),
                ]
            )
            self.fill(open_, (112, 28, 36), outline=line, volume=0)
            with self.sheet.clipped(open_):
                self.fill(
                    ellipse(x, y + 0.3, wide * 0.6, 0.16), (232, 108, 112), outline=None, volume=0
                )
                self.fill(
                    rectangle(x - wide, y - 0.16, x + wide, y + 0.02), WHITE, outline=None, volume=0
                )
        elif mood in ("surprised", "scared"):
            self.fill(
                ellipse(x, y + 0.06, reach * 0.42, 0.2 if mood == "surprised" else 0.12),
                (112, 28, 36),
                outline=lips,
                width=self.line * 1.5,
                volume=0,
            )
        elif mood in ("sad", "crying"):
            arc = [(x - reach, y + 0.14), (x, y - 0.02), (x + reach, y + 0.14)]
            self.sheet.brush(arc, (0.03, 0.075, 0.03), line)
            self._lower_lip(x, y + 0.16, reach * 0.5, lips)
        elif mood == "angry":
            arc = [
                (x - reach, y + 0.1),
                (x - reach * 0.4, y + 0.01),
                (x + reach * 0.5, y + 0.01),
                (x + reach, y + 0.12),
            ]
            self.sheet.brush(arc, (0.03, 0.085, 0.085, 0.03), line)
        else:
            if self.identity.lips > 0.4:
                upper = smooth(
                    [
                        (x - reach * 0.85, y),
                        (x - reach * 0.25, y - 0.085),
                        (x, y - 0.055),
                        (x + reach * 0.25, y - 0.085),
                        (x + reach * 0.85, y),
                        (x, y + 0.13),
                    ]
                )
                self.fill(upper, lips, outline=None, volume=0.4)
            curve = 0.05 if mood == "neutral" else 0.03
            arc = [(x - reach * 0.92, y - 0.01), (x, y + curve), (x + reach * 0.92, y - 0.01)]
            self.sheet.brush(arc, (0.025, 0.05, 0.025), line)
            if self.identity.lips <= 0.4:
                self._lower_lip(x, y + 0.15, reach * 0.42, lips)

    def _lower_lip(self, x: float, y: float, reach: float, colour: Colour) -> None:
        self.sheet.brush(
            [(x - reach, y), (x, y + 0.045), (x + reach, y)], (0.01, 0.06, 0.01), colour, 0.55
        )

    def _wrinkles(self) -> None:
        if self.identity.age != "old":
            return
        colour = darker(self.skin, 0.36)
        for n in range(3):
            level = -self.tall * (0.44 + 0.1 * n)
            reach = 0.42 - 0.06 * n
            self.sheet.brush(
                [(self.turn - reach, level), (self.turn, level - 0.04), (self.turn + reach, level)],
                (0.012, 0.035, 0.012),
                colour,
                0.75,
            )
        for side in (-1, 1):
            x, y = self.eye(side)
            size = self.identity.eye_size
            fold = [
                (self.turn + side * 0.22, 0.34),
                (self.turn + side * 0.42, 0.52 * self.tall),
                (self.turn + side * 0.44, 0.72 * self.tall),
            ]
            self.sheet.brush(fold, (0.015, 0.045, 0.012), colour, 0.8)
            self.sheet.brush(
                [(x - size, y + size * 1.1), (x, y + size * 1.42), (x + size, y + size * 1.1)],
                (0.01, 0.04, 0.01),
                colour,
                0.75,
            )
            for n in (-1, 0, 1):
                self.sheet.brush(
                    [
                        (x + side * size * 1.25, y + 0.05 * n),
                        (x + side * size * 1.5, y + 0.075 * n),
                        (x + side * size * 1.75, y + 0.12 * n),
                    ],
                    (0.02, 0.028, 0.01),
                    colour,
                    0.7,
                )

    # ------------------------------------------------------------------ beard

    def _beard(self) -> None:
        kind, colour = self.identity.beard, mix(self.hair, darker(self.hair), 0.3)
        if self.identity.hair == "white":
            colour = self.hair
        x, tall = self.turn, self.tall
        mouth = 0.64 * tall - 0.04
        if kind in ("beard", "long beard"):
            low = tall * (1.14 if kind == "beard" else 2.0)
            around = [
                (-1.0, 0.08),
                (-0.97, 0.5 * tall),
                (-0.8, 0.88 * tall),
                (-0.42, low * 0.97 if kind == "beard" else low * 0.8),
                (0, low + 0.04),
            ]
            around += [(-a, b) for a, b in reversed(around[:-1])]
            inner = [
                (0.84, 0.24),
                (0.6, 0.4 * tall),
                (0.34 + x, 0.47 * tall),
                (x, 0.42 * tall),
                (-0.34 + x, 0.47 * tall),
                (-0.6, 0.4 * tall),
                (-0.84, 0.24),
            ]
            shape = smooth([*around, *inner])
            hole = ellipse(
                x * 1.1,
                mouth + 0.05,
                self.identity.mouth * 1.2,
                0.19 if self.person.expression not in ("laughing",) else 0.3,
            )
            self.fill(without(shape, hole), colour, volume=0.7)
            with self.sheet.clipped(without(shape, hole)):
                self._strands(
                    [(n * 0.16 - 0.88, 0.35 * tall + abs(n - 5.5) * -0.02) for n in range(12)],
                    (0, 0.45 if kind == "beard" else 1.1),
                    colour,
                )
        if kind == "goatee":
            chin = smooth(
                [
                    (x - 0.22, mouth + 0.22),
                    (x, mouth + 0.19),
                    (x + 0.22, mouth + 0.22),
                    (x + 0.2, tall * 1.05),
                    (x, tall * 1.2),
                    (x - 0.2, tall * 1.05),
                ]
            )
            self.fill(chin, colour)
        if kind in ("moustache", "goatee", "beard", "long beard"):
            y, big = mouth - 0.13, 1.0 if kind == "moustache" else 0.8
            wings = smooth(
                [
                    (x, y - 0.07),
                    (x + 0.26 * big, y - 0.07),
                    (x + 0.56 * big, y + 0.1),
                    (x + 0.62 * big, y + 0.02),
                    (x + 0.3 * big, y + 0.13),
                    (x, y + 0.07),
                    (x - 0.3 * big, y + 0.13),
                    (x - 0.62 * big, y + 0.02),
                    (x - 0.56 * big, y + 0.1),
                    (x - 0.26 * big, y - 0.07),
                ]
            )
            self.fill(wings, colour)

    def _strands(
        self, starts: list[Point], way: Point, colour: Colour, width: float = 0.035
    ) -> None:
        """Draw locks of hair: thin lines, lighter and darker."""
        for n, (x, y) in enumerate(starts):
            tint = lighter(colour, 0.22) if n % 3 == 0 else darker(colour, 0.28)
            bend = self.random.uniform(-0.06, 0.06)
            points = [(x, y), (x + way[0] * 0.5 + bend, y + way[1] * 0.5), (x + way[0], y + way[1])]
            self.sheet.brush(points, (0.01, width, 0.01), tint, 0.7)

    # ------------------------------------------------------------------ hair

    def _cap(self, above: float, low: float, beside: float = 1.08) -> list[Point]:
        """Return the outer outline of hair on a head, from its left lower end over the top."""
        tall = self.tall
        half = [
            (beside, low),
            (beside * 1.02, -0.1),
            (beside * 0.98, -0.5 * tall),
            (0.66, -tall * 0.96 * above),
            (0.0, -tall * 1.02 * above),
        ]
        return [(-x, y) for x, y in half] + list(reversed(half[:-1]))

    def _fringe(self, line: float) -> list[Point]:
        """Return the lower outline of the hair over the forehead, from right to left."""
        tall, part = self.tall, self.identity.parting
        top = -tall * line
        if part == 0:
            return [
                (0.9, 0.0),
                (0.82, top + 0.28),
                (0.4, top + 0.12),
                (0.0, top + 0.16),
                (-0.4, top + 0.12),
                (-0.82, top + 0.28),
                (-0.9, 0.0),
            ]
        points = [
            (0.9, 0.0),
            (0.84, top + 0.34),
            (0.58, top + 0.02),
            (0.38, top - 0.13),
            (0.0, top + 0.05),
            (-0.5, top + 0.3),
            (-0.84, top + 0.46),
            (-0.9, 0.0),
        ]
        return points if part > 0 else [(-x, y) for x, y in reversed(points)]

    def _hair_behind(self) -> None:
        style, hair, tall = self.identity.hair_style, self.hair, self.tall
        back = darker(hair, 0.22)
        if style in ("long", "wavy"):
            if style == "long":
                half = [
                    (0.0, -tall * 1.05),
                    (0.8, -tall * 0.88),
                    (1.16, -0.3),
                    (1.24, 0.6),
                    (1.26, tall + 0.55),
                    (0.98, tall + 0.95),
                    (0.4, tall + 0.9),
                ]
            else:
                half = [
                    (0.0, -tall * 1.08),
                    (0.86, -tall * 0.9),
                    (1.24, -0.2),
                    (1.12, 0.3),
                    (1.4, 0.75),
                    (1.24, 1.15),
                    (1.5, tall + 0.5),
                    (1.2, tall + 0.95),
                    (0.5, tall + 0.85),
                ]
            shape = smooth([*half, *[(-x, y) for x, y in reversed(half[1:])]])
            self.fill(shape, back, volume=0.5)
            with self.sheet.clipped(shape):
                self._strands([(x * 0.13, 0.2) for x in range(-9, 10)], (0, 1.6), back)
        elif style == "bob":
            half = [
                (0.0, -tall * 1.06),
                (0.86, -tall * 0.86),
                (1.2, -0.2),
                (1.3, 0.62),
                (1.12, tall * 0.86),
                (0.5, tall * 0.9),
            ]
            self.fill(smooth([*half, *[(-x, y) for x, y in reversed(half[1:])]]), back)
        elif style == "bun":
            self.fill(ellipse(0.0, -tall * 1.2, 0.46, 0.42), hair, volume=0.8)
            with self.sheet.clipped(ellipse(0.0, -tall * 1.2, 0.46, 0.42)):
                for n in range(4):
                    self.sheet.brush(
                        [
                            (-0.4 + 0.1 * n, -tall * 1.2 - 0.3),
                            (0.12 * n - 0.05, -tall * 1.2 + 0.05),
                            (0.3, -tall * 1.2 + 0.3),
                        ],
                        (0.01, 0.04, 0.01),
                        darker(hair, 0.3),
                        0.7,
                    )
        elif style == "ponytail":
            tail = smooth(
                [
                    (0.2, -tall * 1.0),
                    (0.7, -tall * 1.22),
                    (1.3, -tall * 0.7),
                    (1.62, 0.3),
                    (1.45, 1.2),
                    (1.22, 0.9),
                    (1.18, 0.1),
                    (0.9, -tall * 0.6),
                ]
            )
            self.fill(tail, hair, volume=0.7)
            with self.sheet.clipped(tail):
                self._strands([(0.9 + 0.12 * n, -0.9) for n in range(6)], (0.3, 1.7), hair)
        elif style == "pigtails":
            for side in (-1, 1):
                tail = smooth(
                    [
                        (side * 0.95, -0.5),
                        (side * 1.4, -0.75),
                        (side * 1.85, 0.1),
                        (side * 1.72, 1.0),
                        (side * 1.42, 1.1),
                        (side * 1.25, 0.2),
                    ]
                )
                self.fill(tail, hair, volume=0.7)
        elif style == "braids":
            for side in (-1, 1):
                for n in range(5):
                    self.fill(
                        ellipse(side * (1.08 + 0.03 * n), 0.35 + 0.36 * n, 0.25 - 0.015 * n, 0.25),
                        hair if n % 2 else lighter(hair, 0.08),
                        volume=0.8,
                    )
        elif style == "curly":
            self._curls(
                [
                    (1.06 * math.cos(a), -0.22 + 1.0 * tall * math.sin(a))
                    for a in _angles(22, 158, -1, 15)
                ],
                0.34,
                back,
            )
            for side in (-1, 1):
                self._curls(
                    [(side * 1.12, 0.1), (side * 1.2, 0.5), (side * 1.14, 0.88)]
                    if self.identity.woman
                    else [(side * 1.05, 0.05)],
                    0.34,
                    back,
                )
        elif style == "afro":
            self.fill(self._bumpy(1.62, -0.42, 22), back, volume=0.6)

    def _bumpy(self, radius: float, y: float, count: int) -> skia.Path:
        points = []
        for n in range(count * 2):
            angle = math.pi * n / count
            reach = radius * (1.0 if n % 2 else 0.94)
            points.append((reach * math.cos(angle), y + reach * 0.98 * math.sin(angle)))
        return smooth(points)

    def _curls(self, centres: list[Point], radius: float, colour: Colour) -> None:
        """Draw ringlets: round locks with a spiral in each."""
        for n, (x, y) in enumerate(centres):
            size = radius * (0.92 + 0.16 * ((n * 7) % 5) / 4)
            tint = colour if n % 2 else lighter(colour, 0.07)
            self.fill(ellipse(x, y, size), tint, volume=0.8)
            spiral = [
                (
                    x + size * (0.72 - 0.11 * k) * math.cos(k * 1.25 + n),
                    y + size * (0.72 - 0.11 * k) * math.sin(k * 1.25 + n),
                )
                for k in range(6)
            ]
            self.sheet.brush(
                spiral, (0.015, 0.05, 0.05, 0.045, 0.035, 0.015), darker(colour, 0.34), 0.85
            )
            self.sheet.glow(x - size * 0.3, y - size * 0.35, size * 0.4, lighter(colour, 0.5), 0.4)

    def _hair_in_front(self) -> None:
        style, hair, tall = self.identity.hair_style, self.hair, self.tall
        if style == "bald":
            self.sheet.glow(self.sheet.light.x * 0.6, -tall * 0.75, 0.34, (255, 255, 255), 0.4)
            return
        if style == "curly":
            self._curls(
                [
                    (0.92 * t, -tall * (0.98 - 0.36 * t * t))
                    for t in (-1, 1, -0.66, 0.66, -0.33, 0.33, 0.0)
                ],
                0.33,
                hair,
            )
            return
        if style == "afro":
            outer = [
                (1.3 * math.cos(a), -0.3 + 1.28 * tall * math.sin(a))
                for a in _angles(8, 172, -1, 17)
            ]
            inner = [
                (-0.94, -0.12),
                (-0.7, -tall * 0.62),
                (0, -tall * 0.74),
                (0.7, -tall * 0.62),
                (0.94, -0.12),
            ]
            self.fill(smooth([*outer, *inner]), hair, volume=0.5)
            for _ in range(46):
                angle, far = (
                    self.random.uniform(math.pi * 1.04, math.pi * 1.96),
                    self.random.uniform(0.86, 1.2),
                )
                self.sheet.glow(
                    far * 1.12 * math.cos(angle),
                    -0.3 + far * tall * 1.1 * math.sin(angle),
                    0.1,
                    self.random.choice((lighter(hair, 0.3), darker(hair, 0.4))),
                    0.6,
                )
            return
        if style == "mohawk":
            points: list[Point] = [(-0.3, -tall * 0.8)]
            for n in range(7):
                x = -0.3 + 0.1 * n
                points += [
                    (x - 0.02, -tall * (1.3 + 0.22 * math.sin(math.pi * n / 6))),
                    (x + 0.05, -tall * (1.16 + 0.2 * math.sin(math.pi * n / 6))),
                ]
            points += [(0.3, -tall * 0.8), (0.0, -tall * 0.66)]
            self.fill(polygon(points), hair, volume=0.7)
            return
        if style == "spiky":
            outer, count = [], 11
            for n in range(count):
                a = math.pi * (1.02 + 0.96 * n / (count - 1))
                outer += [(1.08 * math.cos(a), tall * 1.0 * math.sin(a) - 0.04)]
                if n < count - 1:
                    b = math.pi * (1.02 + 0.96 * (n + 0.5) / (count - 1))
                    outer += [(1.28 * math.cos(b) + 0.06, tall * 1.36 * math.sin(b))]
            self.fill(polygon([*outer, *self._fringe(0.56)]), hair, volume=0.6)
            return
        above = {"long": 1.06, "wavy": 1.1, "bob": 1.08, "short": 1.1}.get(style, 1.06)
        low = {"short": 0.06, "long": 0.35, "wavy": 0.3, "bob": 0.5}.get(style, 0.0)
        beside = 1.12 if style in ("long", "wavy", "bob") else 1.06
        line = 0.6 if self.identity.age == "old" and not self.identity.woman else 0.52
        if style in ("bun", "ponytail", "pigtails", "braids"):
            line = 0.58
        shape = smooth([*self._cap(above, low, beside), *self._fringe(line)])
        with self.sheet.clipped(face_path(self.identity)):
            moved = skia.Path(shape)
            moved.offset(0.02, 0.09)
            self.sheet.shadow(moved, 0.32, 0.06)
        self.fill(shape, hair, volume=0.55)
        with self.sheet.clipped(shape):
            part = self.identity.parting * 0.4
            for n in range(15):
                x = -1.05 + 0.15 * n
                way = (x - part) * 0.32
                tint = lighter(hair, 0.25) if n % 3 == 0 else darker(hair, 0.3)
                self.sheet.brush(
                    [
                        (part + (x - part) * 0.35, -tall * 1.0),
                        (x, -tall * 0.7),
                        (x + way, -tall * 0.2),
                        (x + way, low),
                    ],
                    (0.01, 0.04, 0.03, 0.01),
                    tint,
                    0.6,
                )
            shine = [(-0.7, -tall * 0.72), (-0.2, -tall * 0.9), (0.35, -tall * 0.88)]
            shine = shine if self.sheet.light.x < 0 else [(-x, y) for x, y in shine]
            self.sheet.brush(shine, (0.02, 0.1, 0.02), lighter(hair, 0.6), 0.35)
        if style in ("pigtails", "braids"):
            for side in (-1, 1):
                y = -0.5 if style == "pigtails" else 0.2
                self.fill(ellipse(side * 1.04, y, 0.13), (228, 74, 96))

    # ------------------------------------------------------------------ glasses

    def _glasses(self) -> None:
        kind, line = self.identity.glasses, (36, 32, 40)
        size = self.identity.eye_size * 1.5
        for side in (-1, 1):
            x, y = self.eye(side)
            radius = min(size, self.identity.eye_spacing - 0.06)
            lens = ellipse(x, y + 0.02, radius, radius * 0.98)
            if kind == "sunglasses":
                lens = smooth(
                    [
                        (x - radius * 1.05, y - 0.16),
                        (x + radius * 1.05, y - 0.16),
                        (x + radius * 0.85, y + 0.26),
                        (x - radius * 0.85, y + 0.26),
                    ]
                )
                self.fill(lens, (34, 34, 46), outline=line, width=self.line * 1.4, volume=0.6)
                self.sheet.brush(
                    [(x - radius * 0.5, y - 0.05), (x - radius * 0.1, y - 0.1)],
                    (0.05, 0.02),
                    (230, 240, 250),
                    0.7,
                )
            else:
                self.sheet.glow(x, y, radius, (255, 255, 255), 0.14)
                self.sheet.stroke(
                    [
                        (x + radius * math.cos(a), y + 0.02 + radius * 0.98 * math.sin(a))
                        for a in _angles(0, 360, 1, 25)
                    ],
                    line,
                    0.075,
                )
            self.sheet.stroke([(x + side * radius, y - 0.03), (side * 1.0, y - 0.08)], line, 0.065)
        left, right = self.eye(-1), self.eye(1)
        radius = min(size, self.identity.eye_spacing - 0.06)
        self.sheet.stroke(
            [
                (left[0] + radius, left[1] - 0.04),
                ((left[0] + right[0]) / 2, left[1] - 0.09),
                (right[0] - radius, right[1] - 0.04),
            ],
            line,
            0.065,
        )


def _angles(first: float, last: float, sign: int, count: int) -> list[float]:
    """Return angles in radians, evenly from first to last degrees; sign -1 is above the axis."""
    return [sign * math.radians(first + (last - first) * n / (count - 1)) for n in range(count)]
