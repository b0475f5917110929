"""The drawing of a head: hair behind, face, features, hair in front, glasses."""

from __future__ import annotations

import math

from sow.benchmarks.figures.world.paper import FACE, HAIR, INK, Paper, Point, blend, curve, shade
from sow.benchmarks.figures.world.people import EYES, HAIRS, SKINS, Person, outline


class Head:
    """The head of a person on a sheet of paper."""

    def __init__(self, paper: Paper, person: Person) -> None:
        self.paper, self.identity, self.pose = paper, person.identity, person.pose
        self.x, self.y = self.pose.x, self.pose.y
        self.half, self.tall = person.radius
        self.middle = self.x + self.pose.turn * self.half  # the features' centre line
        self.skin = SKINS[self.identity.skin]
        self.hair = HAIRS[self.identity.hair]

    def draw_behind(self) -> None:
        """Draw what a body hides: the hair behind the shoulders."""
        with self.paper.drawing(HAIR):
            self.hair_behind()

    def draw(self) -> None:
        """Draw everything else, from back to front."""
        with self.paper.drawing(FACE):
            self.outline()
            self.eyes()
            self.nose()
            self.mouth()
            self.age()
        with self.paper.drawing(HAIR):
            self.hair_in_front()
        with self.paper.drawing(FACE):
            self.glasses()

    def outline(self) -> None:
        """Draw ears, the face's outline, and the beard."""
        centre, radius = (self.x, self.y), (self.half, self.tall)
        for side in (-1, 1):
            ear = (self.x + side * self.half, self.y + self.tall * 0.08)
            self.paper.ellipse(
                ear, (self.half * 0.16, self.tall * 0.17), shade(self.skin, 0.94), INK, 0.9
            )
        squareness, taper = self.identity.squareness, self.identity.taper
        self.paper.polygon(outline(centre, radius, squareness, taper), self.skin)
        if self.identity.beard:
            around = outline(centre, radius, squareness, taper, 1.02)[:25]
            low = [point for point in around if point[1] > self.y + self.tall * 0.16]
            inner = [(-0.62, 0.44), (-0.34, 0.36), (0.34, 0.36), (0.62, 0.44)]
            upper = [(self.middle + a * self.half, self.y + b * self.tall) for a, b in inner]
            self.paper.polygon(low + upper, self.hair, INK, 0.8)

    def eyes(self) -> None:
        """Draw whites, irises, lashes and brows."""
        size, y = self.identity.eye_size * self.pose.width, self.eye_level
        mood = {"sad": 2.0, "smile": -0.6}.get(self.pose.expression, 0.0)
        slope = self.identity.brow_slope * 1.8 + mood
        brow = shade(self.hair, 0.62)
        for side in (-1, 1):
            x = self.eye(side)
            self.paper.ellipse((x, y), (size * 0.74, size * 0.7), (255, 255, 255), INK, 1.1)
            self.paper.ellipse(
                (x, y + 0.3), (size * 0.45, size * 0.5), EYES[self.identity.eyes], None
            )
            self.paper.ellipse((x, y + 0.3), (size * 0.22, size * 0.25), (15, 15, 20), None)
            if self.identity.woman:
                lash = [
                    (x + side * size * 0.6, y - size * 0.55),
                    (x + side * size * 1.25, y - size),
                ]
                self.paper.line(lash, INK, 1.4)
            above = y - size * 1.3
            arch = [
                (x - side * size * 0.8, above - slope * 0.6),
                (x, above - 1.0),
                (x + side * size * 0.85, above + slope * 0.6 + 0.5),
            ]
            width = self.identity.brow_width * (0.8 if self.identity.woman else 1.0)
            self.paper.line(arch, brow, width)

    @property
    def eye_level(self) -> float:
        """The height of the eyes."""
        return self.y - self.tall * 0.02

    def eye(self, side: int) -> float:
        """Return the x of the left (-1) or right (1) eye."""
        return self.middle + side * self.identity.eye_spacing * self.half

    def nose(self) -> None:
        """Draw a line, a button or a wedge."""
        x, y = self.middle, self.y + self.tall * 0.27
        line, top = shade(self.skin, 0.58), self.eye_level + 3
        if self.identity.nose == "line":
            self.paper.line([(x - 1, top), (x + 3, y), (x - 1.5, y + 1)], line, 1.4)
        elif self.identity.nose == "round":
            self.paper.ellipse(
                (x, y - 1), (self.half * 0.15, self.half * 0.13), shade(self.skin, 0.9), line, 1.2
            )
        else:
            wedge = [
                (x - self.half * 0.05, top),
                (x + self.half * 0.21, y + 1),
                (x - self.half * 0.21, y + 1),
            ]
            self.paper.polygon(wedge, shade(self.skin, 0.88), line, 1.2)

    def mouth(self) -> None:
        """Draw a smile with teeth, a line, or its corners down."""
        x, y = self.middle, self.y + self.tall * 0.58
        reach = self.identity.mouth_width * self.half * 1.15
        lips = (198, 40, 56) if self.identity.woman else (126, 44, 42)
        if self.pose.expression == "smile":
            bow = [
                (x - reach + 2 * reach * n / 12, y - 2 + 6.2 * math.sin(math.pi * n / 12))
                for n in range(13)
            ]
            self.paper.polygon(bow, (252, 252, 252), lips, 1.6)
        elif self.pose.expression == "sad":
            self.paper.arc((x, y + 5), (reach, 6), 200, 340, lips, 2.2)
        else:
            self.paper.line([(x - reach * 0.9, y), (x + reach * 0.9, y)], lips, 2.2)

    def age(self) -> None:
        """Draw wrinkles of the old, red cheeks of the young."""
        x, y, a, b = self.middle, self.y, self.half, self.tall
        if self.identity.age == "young":
            for side in (-1, 1):
                cheek = blend(self.skin, (240, 80, 80), 0.5)
                self.paper.ellipse(
                    (x + side * a * 0.58, y + b * 0.36), (a * 0.17, b * 0.11), cheek, None
                )
        elif self.identity.age == "old":
            line = shade(self.skin, 0.6)
            for n in range(2):
                level = y - b * (0.44 + 0.13 * n)
                brow: list[Point] = [
                    (x - a * 0.4, level),
                    (x, level - b * 0.03),
                    (x + a * 0.4, level),
                ]
                self.paper.line(brow, line, 1.3)
            for side in (-1, 1):
                fold = [(0.24, 0.32), (0.46, 0.48), (0.48, 0.66)]
                self.paper.line([(x + side * p * a, y + q * b) for p, q in fold], line, 1.4)
                bag = (
                    self.eye(side),
                    self.eye_level + self.identity.eye_size * self.pose.width * 0.75,
                )
                size = self.identity.eye_size * self.pose.width
                self.paper.arc(bag, (size * 0.8, size * 0.55), 20, 160, line, 1.2)

    def glasses(self) -> None:
        """Draw two thick rings, a bridge and their arms."""
        if not self.identity.glasses:
            return
        size, y, frame = self.identity.eye_size * self.pose.width, self.eye_level, (20, 20, 26)
        ring = min(size * 1.3, self.identity.eye_spacing * self.half - 1.2)
        for side in (-1, 1):
            self.paper.ellipse((self.eye(side), y), (ring, size * 1.15), None, frame, 2.0)
            self.paper.line(
                [(self.eye(side) + side * ring, y), (self.x + side * self.half, y - 2)], frame, 2.0
            )
        self.paper.line([(self.eye(-1) + ring, y), (self.eye(1) - ring, y)], frame, 2.0)

    def hair_behind(self) -> None:
        """Draw the hair behind the shoulders or above the head."""
        x, y, a, b = self.x, self.y, self.half, self.tall
        if self.identity.hair_style == "long":
            back = (x - a * 1.18, y - b * 0.75, x + a * 1.18, y + b * 1.25)
            self.paper.rectangle(back, self.hair, rounded=a * 0.55)
        elif self.identity.hair_style == "bun":
            self.paper.ellipse((x, y - b * 1.1), (a * 0.38, a * 0.36), self.hair)
        elif self.identity.hair_style == "curly":
            for px, py in curve((x, y - b * 0.18), (a * 1.02, b * 0.78), 14, -194, 12):
                self.paper.ellipse((px, py), (a * 0.27, a * 0.27), self.hair, INK, 0.9)

    def hair_in_front(self) -> None:
        """Draw the cap of hair over the forehead."""
        style = self.identity.hair_style
        if style == "bald":
            return
        x, y, a, b = self.x, self.y, self.half, self.tall
        if style == "curly":
            for n in range(7):
                t = -0.8 + 1.6 * n / 6
                lock = (x + a * t, y - b * (0.92 - 0.34 * t * t))
                self.paper.ellipse(
                    lock, (a * 0.26, a * 0.24), self.hair, INK if n % 2 else None, 0.9
                )
            return
        around = outline((x, y), (a, b), self.identity.squareness, 0, 1.07)
        over = [point for point in [*around[24:], around[0]] if point[1] < y - b * 0.1]
        line = 0.6 if self.identity.age == "old" else 0.52
        if style in ("long", "bun"):
            under = curve((x, y - b * 0.18), (a * 0.92, b * (line - 0.06)), 0, -180, 10)
        else:
            part = 1 if self.identity.taper > 0.24 else -1
            shape = [(0.9, 0.14), (0.8, line * 0.9), (part * 0.35, line + 0.12), (0, line * 0.98)]
            shape += [(-part * 0.3, line), (-0.8, line * 0.9), (-0.9, 0.14)]
            if part < 0:
                shape[2:5] = reversed(shape[2:5])
            under = [(x + p * a, y - q * b) for p, q in shape]
        self.paper.polygon(over + under, self.hair, INK, 0.9)
