"""Places: what is around people, indoors and outdoors, at any time, season and weather."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import skia

from sow.benchmarks.world.sheet import (
    Colour,
    Light,
    Point,
    Sheet,
    darker,
    ellipse,
    lighter,
    mix,
    polygon,
    rectangle,
    smooth,
)

TIMES = ("day", "sunrise", "sunset", "night")
SEASONS = ("summer", "spring", "autumn", "winter")
WEATHERS = ("clear", "cloudy", "rain", "snowfall", "fog", "storm", "rainbow")

SKIES: dict[str, tuple[Colour, Colour, Colour]] = {
    "day": ((104, 176, 236), (172, 214, 244), (226, 240, 246)),
    "sunrise": ((150, 160, 220), (246, 186, 176), (255, 228, 178)),
    "sunset": ((92, 76, 150), (236, 122, 96), (255, 204, 112)),
    "night": ((16, 20, 54), (30, 40, 92), (62, 74, 130)),
}
LEAVES: dict[str, tuple[Colour, ...]] = {
    "summer": ((62, 132, 66), (84, 156, 74), (48, 110, 62)),
    "spring": ((136, 190, 92), (244, 176, 200), (168, 208, 110)),
    "autumn": ((214, 122, 44), (232, 168, 60), (176, 72, 42)),
    "winter": ((214, 222, 232), (236, 240, 246), (190, 204, 220)),
}
GRASS: dict[str, Colour] = {
    "summer": (116, 176, 82),
    "spring": (150, 200, 96),
    "autumn": (190, 164, 92),
    "winter": (238, 242, 248),
}


@dataclass(frozen=True)
class Surroundings:
    """Where, when and in what weather."""

    place: str
    time: str = "day"
    season: str = "summer"
    weather: str = "clear"

    def light(self, side: int) -> Light:
        """Return the light there; side: -1 from the left, 1 from the right."""
        x = 0.55 * side
        if PLACES[self.place].indoors:
            return Light(x, -0.75, 0.5, (255, 240, 214), (52, 38, 60))
        if self.time == "night":
            return Light(x, -0.75, 0.6, (188, 206, 255), (10, 14, 48))
        if self.time == "sunset":
            return Light(x * 1.4, -0.35, 0.75, (255, 196, 120), (66, 34, 84))
        if self.time == "sunrise":
            return Light(x * 1.4, -0.4, 0.6, (255, 222, 196), (74, 60, 110))
        if self.weather in ("cloudy", "fog", "rain", "snowfall", "storm"):
            return Light(x * 0.6, -0.8, 0.32, (240, 244, 250), (50, 54, 78))
        return Light(x, -0.8, 0.6, (255, 248, 222), (44, 40, 84))


class Backdrop:
    """Draws surroundings on a sheet. Coordinates are shares of its width and height."""

    def __init__(self, sheet: Sheet, where: Surroundings, random: Random) -> None:
        self.sheet, self.where, self.random = sheet, where, random
        self.w, self.h = float(sheet.width), float(sheet.height)
        self.u = min(self.w, self.h) / 256  # the unit in which things have their size

    def draw(self) -> None:
        """Draw the place."""
        with self.sheet.named(f"place:{self.where.place}"):
            PLACES[self.where.place].draw(self)

    # ------------------------------------------------------------------ in front of everything

    def draw_weather(self) -> None:
        """Draw what falls, and what the light does to everything."""
        place, where, sheet = PLACES[self.where.place], self.where, self.sheet
        if place.indoors:
            return
        if where.weather == "rain" or where.weather == "storm":
            for _ in range(int(70 * self.w * self.h / 65536)):
                x, y, long = (
                    self.random.uniform(0, self.w),
                    self.random.uniform(0, self.h),
                    self.random.uniform(7, 14) * self.u,
                )
                sheet.stroke(
                    [(x, y), (x - long * 0.25, y + long)], (206, 224, 244), 0.9 * self.u, alpha=0.49
                )
        elif where.weather == "snowfall":
            for _ in range(int(90 * self.w * self.h / 65536)):
                x, y = self.random.uniform(0, self.w), self.random.uniform(0, self.h)
                sheet.fill(
                    ellipse(x, y, self.random.uniform(1.0, 2.6) * self.u),
                    (255, 255, 255),
                    outline=None,
                    volume=0,
                    alpha=0.49,
                )
        elif where.weather == "fog":
            for n in range(5):
                sheet.glow(
                    self.w * self.random.random(),
                    self.h * (0.3 + 0.14 * n),
                    self.w * 0.5,
                    (236, 240, 244),
                    0.34,
                )
        if where.time == "night":
            sheet.wash((126, 138, 206), 0.6)
        elif where.time == "sunset":
            sheet.wash((255, 196, 148), 0.5)
        elif where.time == "sunrise":
            sheet.wash((255, 226, 214), 0.5)
        elif where.weather in ("storm", "rain"):
            sheet.wash((178, 188, 208), 0.5)

    # ------------------------------------------------------------------ pieces of the outdoors

    def sky(self, horizon: float = 1.0) -> None:
        """Draw the sky with what is in it, down to a share of the height."""
        where, sheet, w, h = self.where, self.sheet, self.w, self.h
        top, middle, bottom = SKIES[where.time]
        if where.weather in ("cloudy", "rain", "snowfall", "fog", "storm"):
            gray: Colour = (96, 102, 118) if where.weather == "storm" else (196, 204, 214)
            top, middle, bottom = (
                mix(c, gray, 0.75 if where.time == "day" else 0.45) for c in (top, middle, bottom)
            )
        sheet.sky(top, bottom, h * horizon, middle)
        side = 1 if sheet.light.x > 0 else -1
        x = w * (0.5 + 0.34 * side)
        clear = where.weather in ("clear", "rainbow")
        if where.time == "night":
            for _ in range(34 if clear else 8):
                sheet.glow(
                    self.random.uniform(0, w),
                    self.random.uniform(0, h * horizon * 0.85),
                    self.random.uniform(0.8, 2.0) * self.u,
                    (255, 252, 230),
                    0.95,
                )
            if clear:
                self._moon(x, h * 0.16)
        elif clear:
            y = h * (0.14 if where.time == "day" else horizon * 0.8)
            size = (13 if where.time == "day" else 20) * self.u
            sheet.glow(x, y, size * 4, (255, 244, 190), 0.75)
            colour: Colour = (255, 232, 120) if where.time == "day" else (255, 190, 96)
            sheet.fill(ellipse(x, y, size), colour, outline=None, volume=0)
        for _ in range({"clear": 2, "rainbow": 3}.get(where.weather, 6)):
            self._cloud(
                self.random.uniform(0, w),
                self.random.uniform(0.04, 0.34) * h * min(1.0, horizon + 0.3),
                self.random.uniform(0.7, 1.5),
            )
        if where.weather == "rainbow":
            colours: list[Colour] = [
                (226, 70, 70),
                (242, 150, 60),
                (248, 222, 86),
                (98, 184, 96),
                (80, 140, 214),
                (138, 92, 180),
            ]
            for n, tint in enumerate(colours):
                radius = w * 0.56 - n * 4.2 * self.u
                arc = [
                    (w * 0.5 + radius * math.cos(a), h * horizon + radius * math.sin(a) * 0.95)
                    for a in (math.pi * (1 + k / 24) for k in range(25))
                ]
                sheet.stroke(arc, tint, 4.4 * self.u, alpha=0.6)
        if where.weather == "storm":
            self._lightning(self.random.choice((0.16, 0.84)) * w, horizon)

    def _moon(self, x: float, y: float) -> None:
        size = 13 * self.u
        self.sheet.glow(x, y, size * 3, (220, 228, 255), 0.5)
        disc = ellipse(x, y, size)
        bite = ellipse(x + size * 0.55, y - size * 0.2, size * 0.85)
        self.sheet.fill(
            skia.Op(disc, bite, skia.PathOp.kDifference_PathOp),
            (250, 244, 214),
            outline=None,
            volume=0,
        )

    def _cloud(self, x: float, y: float, size: float) -> None:
        dark = {"storm": 0.55, "rain": 0.3, "cloudy": 0.1}.get(self.where.weather, 0.0)
        base = mix(
            SKIES[self.where.time][2], (255, 255, 255), 0.2 if self.where.time == "night" else 0.75
        )
        colour = mix(base, (84, 88, 104), dark)
        s = size * 11 * self.u
        for dx, dy, r in (
            (-1.5, 0.3, 0.8),
            (-0.6, -0.25, 1.1),
            (0.5, -0.1, 1.2),
            (1.5, 0.35, 0.8),
            (0, 0.4, 1.2),
        ):
            self.sheet.fill(
                ellipse(x + dx * s, y + dy * s, r * s, r * s * 0.72),
                colour,
                outline=None,
                volume=0.5,
                alpha=0.49,
            )

    def _lightning(self, x: float, horizon: float) -> None:
        points = [(x, 0.0)]
        for n in range(5):
            points.append(
                (x + self.random.uniform(-14, 14) * self.u, self.h * horizon * (n + 1) / 6)
            )
        self.sheet.stroke(points, (255, 250, 190), 2.6 * self.u, smoothed=False)
        self.sheet.glow(points[2][0], points[2][1], 60 * self.u, (255, 250, 210), 0.35)

    def ground(
        self, horizon: float, colour: Colour, to: Colour | None = None, bumpy: float = 0.02
    ) -> None:
        """Draw the ground from the horizon (a share of the height) down."""
        w, h = self.w, self.h
        points: list[Point] = [(-20, h * horizon)]
        for n in range(7):
            points.append((w * n / 6, h * (horizon + self.random.uniform(-bumpy, bumpy))))
        points += [(w + 20, h * horizon), (w + 20, h + 20), (-20, h + 20)]
        path = smooth(points[:-2], closed=False)
        path.lineTo(w + 20, h + 20)
        path.lineTo(-20, h + 20)
        path.close()
        self.sheet.fill(
            path, colour, outline=darker(colour, 0.25), volume=0, to=to or darker(colour, 0.22)
        )

    def hills(self, horizon: float, colour: Colour, height: float) -> None:
        """Draw rolling hills behind the horizon."""
        phase = self.random.uniform(0, 6)
        points = [
            (self.w * n / 12, self.h * (horizon - height * (0.5 + 0.5 * math.sin(phase + n * 0.9))))
            for n in range(-1, 14)
        ]
        path = smooth(points, closed=False)
        path.lineTo(self.w + 40, self.h)
        path.lineTo(-40, self.h)
        path.close()
        self.sheet.fill(
            path, colour, outline=darker(colour, 0.2), volume=0, to=darker(colour, 0.15)
        )

    def tree(self, x: float, y: float, size: float, kind: str = "round") -> None:
        """Draw a tree that stands at (x, y), `size` pixels tall."""
        sheet, leaves = self.sheet, LEAVES[self.where.season]
        trunk = darker((134, 92, 60), 0.1)
        sheet.fill(
            polygon(
                [
                    (x - size * 0.06, y),
                    (x - size * 0.04, y - size * 0.5),
                    (x + size * 0.04, y - size * 0.5),
                    (x + size * 0.06, y),
                ]
            ),
            trunk,
        )
        if kind == "pine":
            green = (52, 104, 76) if self.where.season != "winter" else (96, 134, 122)
            for n in range(3):
                top, base, wide = (
                    y - size * (1.0 - 0.24 * n),
                    y - size * (0.56 - 0.2 * n),
                    size * (0.2 + 0.08 * n),
                )
                shape = smooth(
                    [
                        (x, top),
                        (x + wide * 0.5, (top + base) / 2),
                        (x + wide, base),
                        (x, base + size * 0.05),
                        (x - wide, base),
                        (x - wide * 0.5, (top + base) / 2),
                    ]
                )
                sheet.fill(shape, green)
                if self.where.season == "winter":
                    sheet.fill(
                        smooth(
                            [
                                (x, top),
                                (x + wide * 0.55, (top + base) / 2 + 2),
                                (x, (top + base) / 2 - 1),
                                (x - wide * 0.55, (top + base) / 2 + 2),
                            ]
                        ),
                        (250, 252, 255),
                        outline=None,
                    )
            return
        if kind == "palm":
            for n in range(6):
                angle = math.pi * (1.0 + n / 5)
                tip = (
                    x + size * 0.42 * math.cos(angle),
                    y - size * 0.55 + size * 0.3 * math.sin(angle) + size * 0.1,
                )
                middle = ((x + tip[0]) / 2, (y - size * 0.55 + tip[1]) / 2 - size * 0.12)
                sheet.brush(
                    [(x, y - size * 0.52), middle, tip],
                    (size * 0.05, size * 0.12, 1),
                    (64, 140, 76),
                )
            return
        if kind == "bare":
            for n in range(7):
                angle = math.pi * (1.12 + 0.76 * n / 6)
                sheet.brush(
                    [
                        (x, y - size * 0.45),
                        (
                            x + size * 0.22 * math.cos(angle),
                            y - size * 0.62 + size * 0.1 * math.sin(angle),
                        ),
                        (
                            x + size * 0.38 * math.cos(angle),
                            y - size * 0.55 + size * 0.38 * math.sin(angle),
                        ),
                    ],
                    (size * 0.05, size * 0.03, 1),
                    trunk,
                )
            return
        for n in range(7):
            angle, reach = n * 0.9 + self.random.random(), size * (0.2 if n else 0)
            tint = leaves[n % len(leaves)]
            sheet.fill(
                ellipse(
                    x + reach * math.cos(angle),
                    y - size * 0.7 + reach * 0.8 * math.sin(angle),
                    size * 0.22,
                    size * 0.2,
                ),
                tint,
                outline=darker(tint, 0.25),
                volume=0.8,
            )

    def flower(self, x: float, y: float, size: float) -> None:
        """Draw a flower that grows at (x, y)."""
        colour = self.random.choice(
            ((232, 70, 90), (250, 208, 70), (244, 150, 190), (150, 100, 200), (255, 255, 255))
        )
        self.sheet.stroke([(x, y), (x + 1, y - size)], (72, 136, 66), 1.3 * self.u)
        for n in range(5):
            a = n * 2 * math.pi / 5
            self.sheet.fill(
                ellipse(
                    x + 1 + 0.32 * size * math.cos(a),
                    y - size + 0.32 * size * math.sin(a),
                    0.24 * size,
                ),
                colour,
                outline=None,
                volume=0,
            )
        self.sheet.fill(
            ellipse(x + 1, y - size, 0.17 * size), (248, 190, 60), outline=None, volume=0
        )

    def building(self, left: float, top: float, right: float, colour: Colour, base: float) -> None:
        """Draw a house front with windows, in pixels."""
        sheet, night = self.sheet, self.where.time == "night"
        sheet.fill(rectangle(left, top, right, base), colour, volume=0.35)
        across = max(2, int((right - left) / (15 * self.u)))
        step = (right - left) / across
        for row in range(int((base - top) / (20 * self.u))):
            for column in range(across):
                x, y = left + step * (column + 0.5), top + (row + 0.55) * 20 * self.u
                lit = self.random.random() < (0.6 if night else 0.12)
                pane: Colour = (
                    (255, 226, 140) if lit else mix(darker(colour, 0.45), (120, 160, 200), 0.4)
                )
                sheet.fill(
                    rectangle(x - step * 0.24, y - 5 * self.u, x + step * 0.24, y + 6 * self.u),
                    pane,
                    outline=darker(colour, 0.4),
                    width=0.7,
                    volume=0,
                )

    # ------------------------------------------------------------------ pieces of the indoors

    def room(self, wall: Colour, floor: Colour, line: float = 0.78) -> None:
        """Draw a wall and a floor."""
        w, h = self.w, self.h
        self.sheet.fill(rectangle(-5, -5, w + 5, h * line), wall, outline=None, volume=0.25)
        self.sheet.fill(
            rectangle(-5, h * line, w + 5, h + 5),
            floor,
            outline=None,
            volume=0.2,
            to=darker(floor, 0.25),
        )
        self.sheet.fill(
            rectangle(-5, h * line - 4 * self.u, w + 5, h * line), lighter(wall, 0.4), volume=0
        )

    def window(self, left: float, top: float, right: float, bottom: float) -> None:
        """Draw a window with the sky in it, in shares."""
        w, h, sheet = self.w, self.h, self.sheet
        a, b, c, d = left * w, top * h, right * w, bottom * h
        colours = SKIES[self.where.time]
        sheet.fill(rectangle(a - 4, b - 4, c + 4, d + 4), (250, 246, 238))
        sheet.fill(rectangle(a, b, c, d), colours[0], volume=0, to=colours[2])
        if self.where.time == "night":
            for _ in range(6):
                sheet.glow(
                    self.random.uniform(a, c), self.random.uniform(b, d), 1.4, (255, 250, 220), 0.9
                )
        else:
            sheet.fill(
                smooth(
                    [
                        (a, d),
                        (a + (c - a) * 0.3, d - (d - b) * 0.3),
                        (a + (c - a) * 0.7, d - (d - b) * 0.16),
                        (c, d - (d - b) * 0.25),
                        (c, d),
                    ]
                ),
                LEAVES[self.where.season][0],
                outline=None,
            )
        sheet.stroke([((a + c) / 2, b), ((a + c) / 2, d)], (250, 246, 238), 3 * self.u)
        sheet.stroke([(a, (b + d) / 2), (c, (b + d) / 2)], (250, 246, 238), 3 * self.u)

    def shelf(self, left: float, top: float, right: float, rows: int, step: float) -> None:
        """Draw shelves full of books, in shares of the sheet."""
        w, h, sheet = self.w, self.h, self.sheet
        a, c = left * w, right * w
        sheet.fill(rectangle(a - 4, top * h - 5, c + 4, (top + rows * step) * h + 4), (118, 78, 50))
        for row in range(rows):
            floor = (top + (row + 1) * step) * h
            x = a
            while x < c - 3:
                wide, tall = (
                    self.random.uniform(4, 8.5) * self.u,
                    step * h * self.random.uniform(0.62, 0.88),
                )
                colour = self.random.choice(
                    (
                        (176, 58, 52),
                        (60, 94, 140),
                        (78, 120, 80),
                        (206, 164, 84),
                        (110, 70, 120),
                        (230, 220, 196),
                        (60, 60, 70),
                    )
                )
                sheet.fill(
                    rectangle(x, floor - tall, min(x + wide, c), floor),
                    colour,
                    volume=0.3,
                    width=0.8,
                )
                sheet.stroke(
                    [
                        (x + wide * 0.25, floor - tall * 0.78),
                        (min(x + wide * 0.75, c), floor - tall * 0.78),
                    ],
                    lighter(colour, 0.5),
                    1.0,
                )
                x += wide
            sheet.fill(rectangle(a - 4, floor, c + 4, floor + 4), (146, 100, 66))

    def picture(self, x: float, y: float, wide: float, tall: float) -> None:
        """Draw a painting on the wall, in pixels."""
        self.sheet.fill(rectangle(x - 4, y - 4, x + wide + 4, y + tall + 4), (196, 150, 70))
        hue = self.random.choice(
            ((120, 168, 200), (214, 160, 110), (150, 190, 130), (200, 120, 120))
        )
        self.sheet.fill(rectangle(x, y, x + wide, y + tall), hue, to=lighter(hue, 0.5), volume=0)
        with self.sheet.clipped(rectangle(x, y, x + wide, y + tall)):
            self.sheet.fill(
                ellipse(
                    x + wide * self.random.uniform(0.3, 0.7), y + tall, wide * 0.5, tall * 0.45
                ),
                darker(hue, 0.3),
                outline=None,
            )
            self.sheet.fill(
                ellipse(x + wide * 0.7, y + tall * 0.3, wide * 0.1), (255, 236, 170), outline=None
            )

    def table(self, top: float, colour: Colour = (168, 116, 74)) -> None:
        """Draw a table top across the sheet, in a share of the height."""
        self.sheet.fill(rectangle(-5, top * self.h, self.w + 5, (top + 0.06) * self.h), colour)


# ---------------------------------------------------------------------- the places


def _forest(b: Backdrop) -> None:
    b.sky(0.62)
    far = mix(LEAVES[b.where.season][2], SKIES[b.where.time][2], 0.5)
    b.hills(0.6, far, 0.16)
    for n in range(9):
        b.tree(
            b.w * (n + b.random.random()) / 9,
            b.h * 0.68,
            b.h * b.random.uniform(0.42, 0.6),
            "pine" if b.random.random() < 0.6 else "round",
        )
    b.ground(
        0.68, mix(GRASS[b.where.season], (70, 100, 60), 0.35 if b.where.season != "winter" else 0.0)
    )
    for x in (0.04, 0.96):
        b.tree(
            b.w * x,
            b.h * 0.95,
            b.h * b.random.uniform(0.85, 1.0),
            b.random.choice(("pine", "round")),
        )


def _beach(b: Backdrop) -> None:
    b.sky(0.46)
    sea = mix((44, 130, 186), SKIES[b.where.time][1], 0.3)
    b.sheet.fill(
        rectangle(-5, b.h * 0.44, b.w + 5, b.h * 0.7),
        sea,
        outline=None,
        volume=0,
        to=lighter(sea, 0.35),
    )
    for n in range(7):
        x, y = b.random.uniform(0, b.w), b.h * (0.47 + 0.03 * n)
        b.sheet.stroke(
            [(x - 12 * b.u, y), (x, y - 2 * b.u), (x + 12 * b.u, y)],
            lighter(sea, 0.6),
            1.3 * b.u,
            alpha=0.8,
        )
    b.ground(0.68, (242, 216, 160), (226, 190, 130))
    if b.random.random() < 0.7:
        b.tree(b.w * b.random.choice((0.09, 0.91)), b.h * 0.86, b.h * 0.7, "palm")


def _city(b: Backdrop) -> None:
    b.sky(0.75)
    tints: list[Colour] = [
        (196, 132, 112),
        (214, 184, 150),
        (150, 160, 176),
        (178, 150, 160),
        (140, 170, 170),
        (226, 206, 170),
    ]
    x = -10.0
    while x < b.w:
        wide = b.random.uniform(34, 60) * b.u
        b.building(
            x,
            b.h * b.random.uniform(0.1, 0.4),
            x + wide,
            mix(b.random.choice(tints), SKIES[b.where.time][1], 0.18),
            b.h * 0.78,
        )
        x += wide
    b.ground(0.77, (130, 132, 142), (104, 106, 118), 0.0)
    for n in range(4):
        b.sheet.fill(
            rectangle(b.w * (0.04 + 0.27 * n), b.h * 0.9, b.w * (0.16 + 0.27 * n), b.h * 0.915),
            (246, 240, 220),
            outline=None,
            volume=0,
        )


def _village(b: Backdrop) -> None:
    b.sky(0.7)
    b.hills(0.62, mix(GRASS[b.where.season], SKIES[b.where.time][2], 0.35), 0.14)
    for n in range(4):
        x, y, s = b.w * (0.08 + 0.28 * n), b.h * 0.72, b.u * b.random.uniform(44, 58)
        wall = b.random.choice(((246, 228, 196), (236, 196, 160), (220, 226, 230), (250, 240, 210)))
        roof = b.random.choice(((186, 78, 60), (150, 84, 66), (96, 110, 140)))
        b.sheet.fill(rectangle(x - s * 0.42, y - s * 0.6, x + s * 0.42, y), wall)
        b.sheet.fill(
            polygon(
                [(x - s * 0.54, y - s * 0.56), (x, y - s * 1.12), (x + s * 0.54, y - s * 0.56)]
            ),
            roof if b.where.season != "winter" else (244, 247, 252),
        )
        b.sheet.fill(rectangle(x - s * 0.1, y - s * 0.3, x + s * 0.1, y), (124, 82, 54))
        for side in (-1, 1):
            b.sheet.fill(
                rectangle(
                    x + side * 0.27 * s - s * 0.08,
                    y - s * 0.44,
                    x + side * 0.27 * s + s * 0.08,
                    y - s * 0.26,
                ),
                (255, 226, 140) if b.where.time == "night" else (150, 190, 220),
            )
    b.ground(0.71, GRASS[b.where.season])


def _mountains(b: Backdrop) -> None:
    b.sky(0.72)
    for layer in range(2):
        colour = mix((108, 118, 146), SKIES[b.where.time][2], 0.45 - 0.3 * layer)
        for n in range(4):
            x, peak = (
                b.w * (n / 3 + b.random.uniform(-0.12, 0.12)),
                b.h * b.random.uniform(0.12 + 0.14 * layer, 0.3 + 0.14 * layer),
            )
            wide = b.w * b.random.uniform(0.22, 0.34)
            b.sheet.fill(
                polygon(
                    [
                        (x - wide, b.h * 0.76),
                        (x - wide * 0.4, (peak + b.h * 0.76) / 2),
                        (x, peak),
                        (x + wide * 0.5, (peak * 1.1 + b.h * 0.76) / 2),
                        (x + wide, b.h * 0.76),
                    ]
                ),
                colour,
                volume=0.9,
            )
            b.sheet.fill(
                polygon(
                    [
                        (x, peak),
                        (x + wide * 0.24, peak + (b.h * 0.76 - peak) * 0.25),
                        (x + wide * 0.06, peak + (b.h * 0.76 - peak) * 0.2),
                        (x - wide * 0.08, peak + (b.h * 0.76 - peak) * 0.28),
                        (x - wide * 0.2, peak + (b.h * 0.76 - peak) * 0.22),
                    ]
                ),
                (248, 250, 255),
                outline=None,
                volume=0.5,
            )
    b.ground(0.75, GRASS[b.where.season])


def _snow(b: Backdrop) -> None:
    b.sky(0.64)
    b.hills(0.62, (222, 232, 244), 0.12)
    for n in range(6):
        where = Surroundings("snow", b.where.time, "winter", b.where.weather)
        Backdrop(b.sheet, where, b.random).tree(
            b.w * (n + b.random.random() * 0.8) / 6,
            b.h * 0.7,
            b.h * b.random.uniform(0.26, 0.44),
            "pine",
        )
    b.ground(0.68, (242, 246, 252), (206, 218, 238))


def _desert(b: Backdrop) -> None:
    b.sky(0.64)
    b.hills(0.64, (232, 186, 120), 0.12)
    b.hills(0.7, (240, 200, 130), 0.08)
    b.ground(0.74, (246, 212, 146), (222, 174, 104))
    for _ in range(3):
        x, y, s = (
            b.w * b.random.choice((0.08, 0.2, 0.82, 0.93)),
            b.h * b.random.uniform(0.74, 0.84),
            b.u * b.random.uniform(34, 52),
        )
        green: Colour = (88, 146, 90)
        b.sheet.stroke([(x, y), (x, y - s)], green, s * 0.22, flat=False)
        for side in (-1, 1):
            b.sheet.stroke(
                [
                    (x, y - s * 0.4),
                    (x + side * s * 0.3, y - s * 0.42),
                    (x + side * s * 0.3, y - s * 0.72),
                ],
                green,
                s * 0.15,
                flat=False,
            )


def _garden(b: Backdrop) -> None:
    b.sky(0.6)
    for n in range(7):
        b.tree(b.w * (n + b.random.random()) / 7, b.h * 0.66, b.h * b.random.uniform(0.3, 0.46))
    for n in range(int(b.w / (13 * b.u)) + 1):
        x = n * 13 * b.u
        b.sheet.fill(
            polygon(
                [
                    (x, b.h * 0.74),
                    (x, b.h * 0.58),
                    (x + 4.5 * b.u, b.h * 0.55),
                    (x + 9 * b.u, b.h * 0.58),
                    (x + 9 * b.u, b.h * 0.74),
                ]
            ),
            (250, 248, 242),
        )
    b.ground(0.7, GRASS[b.where.season])
    if b.where.season != "winter":
        for _ in range(32):
            b.flower(
                b.random.uniform(0, b.w),
                b.h * b.random.uniform(0.76, 1.0),
                b.u * b.random.uniform(8, 13),
            )


def _park(b: Backdrop) -> None:
    b.sky(0.62)
    b.hills(0.62, mix(LEAVES[b.where.season][0], SKIES[b.where.time][2], 0.4), 0.1)
    for n in range(5):
        b.tree(b.w * (n + b.random.random()) / 5, b.h * 0.7, b.h * b.random.uniform(0.4, 0.58))
    b.ground(0.68, GRASS[b.where.season])
    b.sheet.fill(
        smooth(
            [
                (b.w * 0.4, b.h * 0.7),
                (b.w * 0.6, b.h * 0.7),
                (b.w * 0.9, b.h * 1.05),
                (b.w * 0.1, b.h * 1.05),
            ]
        ),
        (224, 206, 170),
        outline=None,
    )
    x, y = b.w * b.random.choice((0.14, 0.86)), b.h * 0.84
    for n in range(3):
        b.sheet.fill(
            rectangle(
                x - 24 * b.u, y - (20 - 7 * n) * b.u, x + 24 * b.u, y - (15 - 7 * n) * b.u, 2
            ),
            (158, 106, 66),
        )
    b.sheet.stroke([(x + 30 * b.u, y + 4), (x + 30 * b.u, y - 66 * b.u)], (66, 70, 80), 2.6 * b.u)
    b.sheet.glow(
        x + 30 * b.u,
        y - 70 * b.u,
        18 * b.u,
        (255, 236, 170),
        0.9 if b.where.time == "night" else 0.3,
    )
    b.sheet.fill(ellipse(x + 30 * b.u, y - 70 * b.u, 5.5 * b.u), (255, 242, 200))


def _field(b: Backdrop) -> None:
    b.sky(0.6)
    b.hills(0.6, mix(GRASS[b.where.season], SKIES[b.where.time][2], 0.35), 0.12)
    b.ground(0.62, GRASS[b.where.season])
    tint: Colour = (
        (236, 196, 92)
        if b.where.season in ("summer", "autumn")
        else darker(GRASS[b.where.season], 0.15)
    )
    for n in range(70):
        x, y = b.random.uniform(0, b.w), b.h * b.random.uniform(0.68, 1.02)
        b.sheet.brush(
            [(x, y), (x + 2, y - 9 * b.u), (x + 4, y - 15 * b.u)],
            (1.2, 2.0 * b.u, 0.6),
            mix(tint, darker(tint), n % 3 / 4),
        )


def _lake(b: Backdrop) -> None:
    b.sky(0.55)
    b.hills(0.54, mix((96, 126, 120), SKIES[b.where.time][2], 0.35), 0.2)
    for n in range(8):
        b.tree(
            b.w * (n + b.random.random()) / 8,
            b.h * 0.57,
            b.h * b.random.uniform(0.16, 0.28),
            "pine",
        )
    water = mix((82, 148, 176), SKIES[b.where.time][1], 0.35)
    b.sheet.fill(
        rectangle(-5, b.h * 0.56, b.w + 5, b.h * 1.02),
        water,
        outline=None,
        volume=0,
        to=darker(water, 0.25),
    )
    for n in range(16):
        x, y = b.random.uniform(0, b.w), b.h * (0.58 + 0.026 * n)
        b.sheet.stroke(
            [(x - 16 * b.u, y), (x + 16 * b.u, y)], lighter(water, 0.4), 1.2 * b.u, alpha=0.6
        )


def _sea(b: Backdrop) -> None:
    b.sky(0.5)
    deep = mix((30, 96, 150), SKIES[b.where.time][1], 0.2)
    for n in range(6):
        y, tint = b.h * (0.5 + 0.09 * n), mix(lighter(deep, 0.2), darker(deep, 0.25), n / 5)
        points = [(b.w * k / 8, y + 4 * b.u * math.sin(k * 1.7 + n * 1.3)) for k in range(-1, 10)]
        path = smooth(points, closed=False)
        path.lineTo(b.w * 1.2, b.h * 1.1)
        path.lineTo(-b.w * 0.2, b.h * 1.1)
        path.close()
        b.sheet.fill(path, tint, outline=lighter(tint, 0.5), volume=0)


def _underwater(b: Backdrop) -> None:
    b.sheet.sky((70, 178, 208), (14, 60, 110), b.h, (34, 118, 170))
    for n in range(4):
        x = b.w * (0.1 + 0.25 * n)
        b.sheet.fill(
            polygon([(x, -5), (x + 18 * b.u, -5), (x + 44 * b.u, b.h), (x - 6 * b.u, b.h)]),
            (190, 240, 250),
            outline=None,
            volume=0,
            alpha=0.12,
        )
    b.ground(0.86, (226, 206, 150), (178, 160, 120))
    for _ in range(9):
        x = b.random.uniform(0, b.w)
        tint: Colour = b.random.choice(((60, 150, 110), (226, 110, 110), (232, 160, 90)))
        b.sheet.brush(
            [
                (x, b.h * 0.95),
                (x + 6 * b.u, b.h * 0.82),
                (x - 4 * b.u, b.h * 0.72),
                (x + 4 * b.u, b.h * 0.64),
            ],
            (7 * b.u, 6 * b.u, 5 * b.u, 1),
            tint,
        )
    for _ in range(5):
        x, y, tint = (
            b.random.uniform(0, b.w),
            b.h * b.random.uniform(0.08, 0.6),
            b.random.choice(((250, 150, 60), (250, 210, 80), (230, 90, 110))),
        )
        b.sheet.fill(
            polygon([(x - 7 * b.u, y), (x - 14 * b.u, y - 5 * b.u), (x - 14 * b.u, y + 5 * b.u)]),
            tint,
        )
        b.sheet.fill(ellipse(x, y, 8 * b.u, 5 * b.u), tint)
        b.sheet.fill(ellipse(x + 4 * b.u, y - 1, 1.1 * b.u), (30, 30, 40), outline=None)
    for _ in range(12):
        b.sheet.fill(
            ellipse(
                b.random.uniform(0, b.w), b.random.uniform(0, b.h), b.random.uniform(1.5, 4) * b.u
            ),
            (200, 240, 250),
            volume=0,
            alpha=0.4,
        )


def _space(b: Backdrop) -> None:
    b.sheet.sky((10, 10, 32), (38, 22, 70), b.h, (20, 16, 52))
    for _ in range(3):
        b.sheet.glow(
            b.random.uniform(0, b.w),
            b.random.uniform(0, b.h),
            90 * b.u,
            b.random.choice(((120, 60, 160), (40, 90, 170), (170, 70, 110))),
            0.4,
        )
    for _ in range(90):
        b.sheet.glow(
            b.random.uniform(0, b.w),
            b.random.uniform(0, b.h),
            b.random.uniform(0.8, 2.2) * b.u,
            (255, 252, 236),
            1.0,
        )
    for _ in range(2):
        x, y, r = (
            b.random.choice((0.14, 0.86)) * b.w,
            b.random.uniform(0.12, 0.5) * b.h,
            b.u * b.random.uniform(14, 26),
        )
        tint: Colour = b.random.choice(
            ((226, 140, 90), (110, 160, 220), (220, 190, 120), (170, 130, 200))
        )
        b.sheet.fill(ellipse(x, y, r), tint, volume=1.6)
        if b.random.random() < 0.5:
            b.sheet.stroke(
                [(x - r * 1.6, y + r * 0.3), (x, y + r * 0.05), (x + r * 1.6, y - r * 0.3)],
                lighter(tint, 0.4),
                2.4 * b.u,
            )


def _moon(b: Backdrop) -> None:
    _space(b)
    x = b.w * (0.8 if b.sheet.light.x < 0 else 0.2)
    b.sheet.fill(ellipse(x, b.h * 0.2, 24 * b.u), (78, 142, 210), volume=1.4)
    b.sheet.fill(
        smooth(
            [
                (x - 12 * b.u, b.h * 0.16),
                (x + 2 * b.u, b.h * 0.15),
                (x + 4 * b.u, b.h * 0.22),
                (x - 8 * b.u, b.h * 0.24),
            ]
        ),
        (104, 172, 96),
        outline=None,
    )
    b.ground(0.68, (196, 196, 204), (140, 140, 154), 0.03)
    for _ in range(9):
        cx, cy, r = (
            b.random.uniform(0, b.w),
            b.h * b.random.uniform(0.74, 1.0),
            b.u * b.random.uniform(6, 17),
        )
        b.sheet.fill(ellipse(cx, cy, r, r * 0.36), (158, 158, 170), volume=0)


def _jungle(b: Backdrop) -> None:
    b.sky(0.5)
    b.sheet.fill(
        rectangle(-5, b.h * 0.2, b.w + 5, b.h + 5),
        (58, 112, 72),
        outline=None,
        volume=0,
        to=(28, 70, 52),
        alpha=0.92,
    )
    for _ in range(46):
        x, y = b.random.uniform(-10, b.w + 10), b.random.uniform(0, b.h)
        angle, long = b.random.uniform(0, 2 * math.pi), b.u * b.random.uniform(22, 46)
        tint = b.random.choice(((52, 130, 70), (86, 160, 78), (36, 98, 62), (120, 180, 84)))
        tip = (x + long * math.cos(angle), y + long * math.sin(angle))
        b.sheet.fill(
            smooth(
                [
                    (x, y),
                    (
                        (x + tip[0]) / 2 - long * 0.2 * math.sin(angle),
                        (y + tip[1]) / 2 + long * 0.2 * math.cos(angle),
                    ),
                    tip,
                    (
                        (x + tip[0]) / 2 + long * 0.2 * math.sin(angle),
                        (y + tip[1]) / 2 - long * 0.2 * math.cos(angle),
                    ),
                ]
            ),
            tint,
        )


def _cave(b: Backdrop) -> None:
    b.sheet.sky((60, 52, 66), (38, 32, 46), b.h)
    b.sheet.fill(
        ellipse(b.w * 0.5, b.h * 0.42, b.w * 0.3, b.h * 0.34),
        (176, 206, 226),
        outline=(40, 34, 44),
        volume=0.4,
    )
    for n in range(10):
        x, s = b.w * (n + b.random.random()) / 10, b.u * b.random.uniform(16, 52)
        b.sheet.fill(
            polygon([(x - s * 0.3, -4), (x + s * 0.3, -4), (x + b.random.uniform(-3, 3), s)]),
            (96, 84, 96),
        )
    b.ground(0.8, (86, 74, 84), (56, 48, 58), 0.04)
    for n in range(7):
        x, s = b.w * (n + b.random.random()) / 7, b.u * b.random.uniform(10, 30)
        b.sheet.fill(
            polygon([(x - s * 0.3, b.h * 0.86), (x + s * 0.3, b.h * 0.86), (x, b.h * 0.86 - s)]),
            (112, 98, 108),
        )


def _farm(b: Backdrop) -> None:
    b.sky(0.62)
    b.hills(0.62, mix(GRASS[b.where.season], SKIES[b.where.time][2], 0.3), 0.1)
    x, y, s = b.w * b.random.choice((0.2, 0.8)), b.h * 0.7, 74 * b.u
    b.sheet.fill(rectangle(x - s * 0.5, y - s * 0.62, x + s * 0.5, y), (186, 62, 52))
    b.sheet.fill(
        polygon(
            [
                (x - s * 0.6, y - s * 0.6),
                (x - s * 0.36, y - s * 0.94),
                (x, y - s * 1.12),
                (x + s * 0.36, y - s * 0.94),
                (x + s * 0.6, y - s * 0.6),
            ]
        ),
        (112, 70, 62),
    )
    b.sheet.fill(rectangle(x - s * 0.2, y - s * 0.42, x + s * 0.2, y), (240, 234, 222))
    b.sheet.stroke([(x - s * 0.2, y - s * 0.42), (x + s * 0.2, y)], (186, 62, 52), 3 * b.u)
    b.sheet.stroke([(x + s * 0.2, y - s * 0.42), (x - s * 0.2, y)], (186, 62, 52), 3 * b.u)
    b.ground(0.69, GRASS[b.where.season])
    for row in range(2):
        b.sheet.stroke(
            [(-5, b.h * (0.77 + 0.05 * row)), (b.w + 5, b.h * (0.77 + 0.05 * row))],
            (160, 112, 72),
            3.4 * b.u,
            flat=False,
        )
    for n in range(7):
        b.sheet.stroke(
            [(b.w * n / 6, b.h * 0.72), (b.w * n / 6, b.h * 0.88)],
            (146, 100, 64),
            5 * b.u,
            flat=False,
        )


def _castle(b: Backdrop) -> None:
    b.sky(0.72)
    stone = mix((172, 172, 182), SKIES[b.where.time][1], 0.12)

    def tower(x: float, wide: float, top: float, roof: bool) -> None:
        b.sheet.fill(rectangle(x - wide, top, x + wide, b.h * 0.8), stone, volume=0.7)
        if roof:
            b.sheet.fill(
                polygon([(x - wide * 1.25, top), (x, top - wide * 2.2), (x + wide * 1.25, top)]),
                (112, 82, 150),
            )
            b.sheet.stroke([(x, top - wide * 2.2), (x, top - wide * 3.0)], (60, 50, 60), 1.3 * b.u)
            b.sheet.fill(
                polygon(
                    [
                        (x, top - wide * 3.0),
                        (x + wide * 0.9, top - wide * 2.75),
                        (x, top - wide * 2.5),
                    ]
                ),
                (214, 66, 60),
            )
        else:
            for n in range(4):
                b.sheet.fill(
                    rectangle(
                        x - wide + n * wide * 0.56,
                        top - 6 * b.u,
                        x - wide + n * wide * 0.56 + wide * 0.32,
                        top,
                    ),
                    stone,
                )
        b.sheet.fill(
            rectangle(x - 3 * b.u, top + 14 * b.u, x + 3 * b.u, top + 26 * b.u, 3), (64, 60, 80)
        )

    b.sheet.fill(rectangle(b.w * 0.1, b.h * 0.4, b.w * 0.9, b.h * 0.8), darker(stone, 0.08))
    for n in range(14):
        b.sheet.fill(
            rectangle(b.w * (0.1 + 0.058 * n), b.h * 0.37, b.w * (0.13 + 0.058 * n), b.h * 0.4),
            darker(stone, 0.08),
        )
    tower(b.w * 0.12, 22 * b.u, b.h * 0.3, True)
    tower(b.w * 0.88, 22 * b.u, b.h * 0.3, True)
    tower(b.w * 0.36, 16 * b.u, b.h * 0.22, False)
    tower(b.w * 0.64, 16 * b.u, b.h * 0.22, False)
    b.ground(0.79, GRASS[b.where.season])


def _street(b: Backdrop) -> None:
    b.sky(0.6)
    tints: list[Colour] = [
        (224, 150, 120),
        (240, 206, 140),
        (160, 196, 190),
        (214, 170, 190),
        (176, 190, 150),
    ]
    for side in (0, 1):
        for n in range(3):
            wide = b.w * 0.17
            left = n * wide if side == 0 else b.w - (n + 1) * wide
            top = b.h * (0.02 + 0.14 * n)
            b.building(left, top, left + wide, b.random.choice(tints), b.h * (0.84 - 0.05 * n))
            y = b.h * (0.64 - 0.03 * n)
            awning = b.random.choice(((206, 64, 60), (70, 130, 90), (60, 100, 160)))
            b.sheet.fill(
                polygon(
                    [(left, y), (left + wide, y), (left + wide, y + 12 * b.u), (left, y + 12 * b.u)]
                ),
                awning,
            )
    b.sheet.fill(
        polygon(
            [
                (b.w * 0.46, b.h * 0.7),
                (b.w * 0.54, b.h * 0.7),
                (b.w * 1.05, b.h * 1.02),
                (-b.w * 0.05, b.h * 1.02),
            ]
        ),
        (156, 152, 156),
        outline=None,
    )
    b.sheet.fill(
        rectangle(-5, b.h * 0.84, b.w + 5, b.h * 1.02), (168, 162, 164), outline=None, volume=0.1
    )


def _bridge(b: Backdrop) -> None:
    _lake(b)
    deck = b.h * 0.8
    b.sheet.fill(rectangle(-5, deck, b.w + 5, b.h + 5), (178, 120, 84))
    for n in range(6):
        b.sheet.stroke(
            [(-5, deck + (6 + 9 * n) * b.u), (b.w + 5, deck + (6 + 9 * n) * b.u)],
            (140, 92, 62),
            1.3 * b.u,
        )
    for n in range(8):
        x = b.w * n / 7
        b.sheet.stroke([(x, deck), (x, deck - 44 * b.u)], (196, 66, 56), 5 * b.u, flat=False)
    b.sheet.stroke(
        [(-5, deck - 42 * b.u), (b.w + 5, deck - 42 * b.u)], (196, 66, 56), 5 * b.u, flat=False
    )


def _harbour(b: Backdrop) -> None:
    _sea(b)
    for n in range(3):
        x, y, s = b.w * (0.16 + 0.36 * n), b.h * 0.66, b.u * b.random.uniform(26, 36)
        tint: Colour = b.random.choice(
            ((206, 70, 60), (60, 110, 170), (240, 196, 80), (250, 250, 250))
        )
        b.sheet.stroke([(x, y), (x, y - s * 1.7)], (110, 76, 52), 2 * b.u)
        b.sheet.fill(
            polygon([(x + 2, y - s * 1.65), (x + s * 0.9, y - s * 0.2), (x + 2, y - s * 0.2)]),
            (250, 246, 236),
        )
        b.sheet.fill(
            smooth(
                [
                    (x - s, y - s * 0.1),
                    (x + s, y - s * 0.1),
                    (x + s * 0.7, y + s * 0.3),
                    (x - s * 0.7, y + s * 0.3),
                ]
            ),
            tint,
        )
    b.sheet.fill(rectangle(-5, b.h * 0.86, b.w + 5, b.h + 5), (150, 112, 80))


def _library(b: Backdrop) -> None:
    b.room((168, 130, 96), (140, 92, 60))
    b.shelf(-0.02, 0.05, 0.32, 4, 0.18)
    b.shelf(0.68, 0.05, 1.02, 4, 0.18)
    b.window(0.4, 0.08, 0.6, 0.5)


def _kitchen(b: Backdrop) -> None:
    b.room((250, 232, 196), (206, 176, 140), 0.7)
    for n in range(3):
        x = b.w * (0.02 + 0.2 * n) if n < 2 else b.w * 0.76
        b.sheet.fill(rectangle(x, b.h * 0.06, x + b.w * 0.19, b.h * 0.3), (120, 170, 160))
        b.sheet.fill(ellipse(x + b.w * 0.16, b.h * 0.26, 2 * b.u), (240, 236, 220))
    b.window(0.48, 0.08, 0.7, 0.36)
    for n in range(4):
        x = b.w * (0.06 + 0.08 * n)
        b.sheet.stroke([(x, b.h * 0.34), (x, b.h * 0.4)], (120, 120, 130), 1.5 * b.u)
        b.sheet.fill(
            ellipse(x, b.h * 0.43, 7 * b.u, 6 * b.u),
            b.random.choice(((196, 120, 70), (150, 156, 168), (190, 80, 70))),
        )
    b.sheet.fill(rectangle(-5, b.h * 0.6, b.w + 5, b.h * 0.64), (236, 228, 214))
    b.sheet.fill(rectangle(-5, b.h * 0.64, b.w + 5, b.h * 0.98), (104, 154, 146), volume=0.2)
    x = b.w * 0.86
    b.sheet.fill(rectangle(x - 16 * b.u, b.h * 0.52, x + 16 * b.u, b.h * 0.6, 3), (206, 70, 60))
    b.sheet.fill(ellipse(x - 24 * b.u, b.h * 0.575, 7 * b.u), (226, 60, 60))


def _living_room(b: Backdrop) -> None:
    wall = b.random.choice(((186, 206, 200), (236, 214, 190), (196, 190, 214), (226, 196, 180)))
    b.room(wall, (176, 126, 86))
    b.window(0.06, 0.1, 0.28, 0.5)
    b.picture(b.w * 0.72, b.h * 0.12, 44 * b.u, 34 * b.u)
    sofa: Colour = b.random.choice(((190, 84, 76), (80, 124, 150), (110, 150, 100)))
    b.sheet.fill(rectangle(b.w * 0.06, b.h * 0.56, b.w * 0.94, b.h * 0.9, 14 * b.u), sofa)
    for side in (0.02, 0.86):
        b.sheet.fill(
            rectangle(b.w * side, b.h * 0.64, b.w * (side + 0.12), b.h * 0.94, 10 * b.u),
            darker(sofa, 0.1),
        )
    x = b.w * 0.62
    b.sheet.stroke([(b.w * 0.62, b.h * 0.56), (x, b.h * 0.26)], (90, 76, 66), 2.4 * b.u)
    b.sheet.glow(x, b.h * 0.24, 34 * b.u, (255, 238, 180), 0.6)
    b.sheet.fill(
        polygon(
            [
                (x - 14 * b.u, b.h * 0.28),
                (x - 8 * b.u, b.h * 0.16),
                (x + 8 * b.u, b.h * 0.16),
                (x + 14 * b.u, b.h * 0.28),
            ]
        ),
        (250, 230, 180),
    )


def _bedroom(b: Backdrop) -> None:
    b.room(b.random.choice(((190, 200, 226), (226, 206, 222), (206, 220, 200))), (186, 146, 110))
    b.window(0.68, 0.08, 0.92, 0.46)
    b.sheet.fill(rectangle(b.w * 0.02, b.h * 0.4, b.w * 0.98, b.h * 0.8, 8 * b.u), (146, 100, 66))
    for x in (0.1, 0.62):
        b.sheet.fill(
            rectangle(b.w * x, b.h * 0.54, b.w * (x + 0.28), b.h * 0.76, 9 * b.u), (250, 248, 242)
        )
    quilt: Colour = b.random.choice(((120, 150, 200), (214, 120, 130), (140, 180, 130)))
    b.sheet.fill(rectangle(-5, b.h * 0.74, b.w + 5, b.h + 5, 8), quilt)
    for n in range(5):
        b.sheet.stroke(
            [(b.w * (0.1 + 0.2 * n), b.h * 0.75), (b.w * (0.1 + 0.2 * n), b.h)],
            lighter(quilt, 0.3),
            2 * b.u,
        )


def _classroom(b: Backdrop) -> None:
    b.room((240, 226, 190), (190, 146, 100))
    b.sheet.fill(rectangle(b.w * 0.06, b.h * 0.08, b.w * 0.94, b.h * 0.56), (150, 104, 66))
    b.sheet.fill(
        rectangle(b.w * 0.09, b.h * 0.11, b.w * 0.91, b.h * 0.53), (52, 92, 78), volume=0.25
    )
    for n in range(4):
        y, x = b.h * (0.18 + 0.09 * n), b.w * 0.13
        while x < b.w * 0.3:
            b.sheet.stroke(
                [(x, y), (x + 6 * b.u, y - 3 * b.u), (x + 9 * b.u, y + 2 * b.u)],
                (236, 240, 236),
                1.4 * b.u,
                alpha=0.85,
            )
            x += 12 * b.u
    b.sheet.stroke(
        [
            (b.w * 0.72, b.h * 0.42),
            (b.w * 0.78, b.h * 0.22),
            (b.w * 0.85, b.h * 0.42),
            (b.w * 0.72, b.h * 0.42),
        ],
        (236, 240, 236),
        1.5 * b.u,
        smoothed=False,
    )


def _office(b: Backdrop) -> None:
    b.room((206, 216, 224), (136, 142, 154))
    b.window(0.04, 0.06, 0.44, 0.56)
    b.window(0.54, 0.06, 0.96, 0.56)
    b.sheet.fill(rectangle(-5, b.h * 0.82, b.w + 5, b.h * 0.87), (186, 140, 96))
    x = b.w * 0.86
    b.sheet.fill(rectangle(x - 22 * b.u, b.h * 0.66, x + 22 * b.u, b.h * 0.79, 2), (46, 50, 60))
    b.sheet.fill(
        rectangle(x - 19 * b.u, b.h * 0.675, x + 19 * b.u, b.h * 0.775),
        (120, 180, 220),
        outline=None,
    )
    b.sheet.fill(rectangle(x - 4 * b.u, b.h * 0.79, x + 4 * b.u, b.h * 0.82), (46, 50, 60))


def _museum(b: Backdrop) -> None:
    b.room((226, 222, 214), (150, 120, 96))
    for n, (x, y, s) in enumerate(((0.04, 0.1, 52), (0.38, 0.06, 60), (0.74, 0.12, 50))):
        b.picture(b.w * x, b.h * y, s * b.u, (s * 0.78 if n % 2 else s * 1.1) * b.u)


def _church(b: Backdrop) -> None:
    b.room((196, 186, 178), (146, 130, 122))
    for x in (0.1, 0.42, 0.74):
        a, c = b.w * x, b.w * (x + 0.16)
        arch = smooth(
            [
                (a, b.h * 0.62),
                (a, b.h * 0.24),
                ((a + c) / 2, b.h * 0.06),
                (c, b.h * 0.24),
                (c, b.h * 0.62),
            ]
        )
        b.sheet.fill(arch, (70, 80, 120))
        with b.sheet.clipped(arch):
            for row in range(8):
                for column in range(3):
                    tint = b.random.choice(
                        (
                            (220, 70, 70),
                            (80, 130, 220),
                            (250, 206, 80),
                            (90, 180, 120),
                            (170, 90, 190),
                        )
                    )
                    b.sheet.fill(
                        rectangle(
                            a + (c - a) * column / 3,
                            b.h * (0.06 + 0.075 * row),
                            a + (c - a) * (column + 1) / 3,
                            b.h * (0.13 + 0.075 * row),
                        ),
                        tint,
                        outline=(50, 50, 66),
                        width=1.6,
                    )
    for x in (0.34, 0.66):
        b.sheet.fill(
            rectangle(b.w * x - 7 * b.u, -5, b.w * x + 7 * b.u, b.h * 0.8), (214, 206, 196)
        )


def _stage(b: Backdrop) -> None:
    b.sheet.fill(rectangle(-5, -5, b.w + 5, b.h * 0.8), (58, 34, 60), outline=None, volume=0)
    b.sheet.fill(
        rectangle(-5, b.h * 0.78, b.w + 5, b.h + 5), (150, 98, 60), outline=None, to=(104, 64, 42)
    )
    for n in range(9):
        for side in (0, 1):
            x = b.w * (0.035 * n) if side == 0 else b.w * (1 - 0.035 * n)
            b.sheet.fill(
                smooth(
                    [
                        (x - 8 * b.u, -6),
                        (x + 8 * b.u, -6),
                        (x + 7 * b.u, b.h * 0.84),
                        (x - 7 * b.u, b.h * 0.84),
                    ]
                ),
                (178, 34, 46) if n % 2 else (150, 26, 40),
            )
    b.sheet.fill(rectangle(-5, -5, b.w + 5, b.h * 0.1), (196, 44, 52))
    for from_x in (0.2, 0.8):
        b.sheet.fill(
            polygon([(b.w * from_x, -5), (b.w * 0.36, b.h), (b.w * 0.64, b.h)]),
            (255, 246, 200),
            outline=None,
            volume=0,
            alpha=0.16,
        )


def _cafe(b: Backdrop) -> None:
    b.room((198, 150, 116), (120, 84, 62))
    b.window(0.05, 0.1, 0.4, 0.56)
    b.sheet.fill(rectangle(b.w * 0.56, b.h * 0.08, b.w * 0.94, b.h * 0.4), (52, 56, 54))
    for n in range(5):
        b.sheet.stroke(
            [
                (b.w * 0.6, b.h * (0.14 + 0.05 * n)),
                (b.w * (0.74 + 0.03 * (n % 3)), b.h * (0.14 + 0.05 * n)),
            ],
            (240, 236, 224),
            1.4 * b.u,
        )
    for n in range(4):
        x = b.w * (0.1 + 0.27 * n)
        b.sheet.stroke([(x, -3), (x, b.h * 0.07)], (70, 56, 50), 1.3 * b.u)
        b.sheet.glow(x, b.h * 0.1, 22 * b.u, (255, 230, 160), 0.6)
        b.sheet.fill(ellipse(x, b.h * 0.09, 7 * b.u, 5 * b.u), (250, 214, 130))
    b.table(0.86)
    b.sheet.fill(rectangle(b.w * 0.84, b.h * 0.79, b.w * 0.93, b.h * 0.87, 4), (250, 248, 242))


def _market(b: Backdrop) -> None:
    b.sky(0.6)
    b.sheet.fill(
        rectangle(-5, b.h * 0.34, b.w + 5, b.h + 5), (190, 160, 130), outline=None, volume=0.1
    )
    for n in range(3):
        left, right, y = b.w * (0.01 + 0.33 * n), b.w * (0.32 + 0.33 * n), b.h * 0.26
        colour = b.random.choice(((206, 60, 56), (70, 130, 80), (60, 100, 170), (230, 160, 60)))
        for k in range(6):
            a = left + (right - left) * k / 6
            b.sheet.fill(
                rectangle(a, y, a + (right - left) / 6, y + 26 * b.u),
                colour if k % 2 else (250, 246, 236),
            )
        b.sheet.fill(rectangle(left, b.h * 0.66, right, b.h * 0.84), (150, 104, 66))
        for _ in range(16):
            tint = b.random.choice(
                ((226, 60, 50), (250, 180, 50), (110, 170, 60), (240, 140, 40), (150, 80, 160))
            )
            b.sheet.fill(
                ellipse(
                    left + (right - left) * b.random.random(),
                    b.h * b.random.uniform(0.61, 0.67),
                    5.5 * b.u,
                ),
                tint,
            )


def _train(b: Backdrop) -> None:
    b.room((206, 210, 200), (110, 110, 118), 0.88)
    for x in (0.05, 0.55):
        b.window(x, 0.12, x + 0.4, 0.56)
    b.sheet.stroke([(-5, b.h * 0.06), (b.w + 5, b.h * 0.06)], (150, 154, 160), 4 * b.u, flat=False)
    for x in (0.02, 0.7):
        b.sheet.fill(
            rectangle(b.w * x, b.h * 0.62, b.w * (x + 0.28), b.h * 1.02, 9 * b.u), (60, 96, 150)
        )


def _hospital(b: Backdrop) -> None:
    b.room((220, 236, 236), (170, 190, 196))
    b.window(0.66, 0.08, 0.92, 0.44)
    b.sheet.fill(rectangle(b.w * 0.08, b.h * 0.1, b.w * 0.24, b.h * 0.26, 3), (250, 252, 252))
    b.sheet.fill(
        rectangle(b.w * 0.145, b.h * 0.12, b.w * 0.175, b.h * 0.24), (214, 56, 56), outline=None
    )
    b.sheet.fill(
        rectangle(b.w * 0.105, b.h * 0.165, b.w * 0.215, b.h * 0.195), (214, 56, 56), outline=None
    )
    b.sheet.fill(rectangle(-5, b.h * 0.7, b.w * 0.4, b.h * 0.9, 6), (250, 250, 250))
    b.sheet.fill(rectangle(-5, b.h * 0.64, b.w * 0.16, b.h * 0.74, 6), (190, 214, 226))


def _laboratory(b: Backdrop) -> None:
    b.room((206, 220, 226), (150, 160, 170))
    for row in range(2):
        y = b.h * (0.24 + 0.22 * row)
        b.sheet.fill(rectangle(-5, y, b.w + 5, y + 4 * b.u), (240, 244, 246))
        for n in range(9):
            x, tint = (
                b.w * (0.04 + 0.115 * n),
                b.random.choice(
                    (
                        (90, 190, 120),
                        (90, 150, 230),
                        (230, 100, 140),
                        (250, 190, 60),
                        (170, 110, 210),
                    )
                ),
            )
            if b.random.random() < 0.5:
                b.sheet.fill(
                    polygon(
                        [
                            (x - 3 * b.u, y - 24 * b.u),
                            (x + 3 * b.u, y - 24 * b.u),
                            (x + 3 * b.u, y - 15 * b.u),
                            (x + 9 * b.u, y),
                            (x - 9 * b.u, y),
                            (x - 3 * b.u, y - 15 * b.u),
                        ]
                    ),
                    (224, 240, 246),
                )
                b.sheet.fill(
                    polygon(
                        [
                            (x - 5.5 * b.u, y - 7 * b.u),
                            (x + 5.5 * b.u, y - 7 * b.u),
                            (x + 8.4 * b.u, y - 1),
                            (x - 8.4 * b.u, y - 1),
                        ]
                    ),
                    tint,
                    outline=None,
                )
            else:
                b.sheet.fill(
                    rectangle(x - 3.5 * b.u, y - 22 * b.u, x + 3.5 * b.u, y, 3), (224, 240, 246)
                )
                b.sheet.fill(
                    rectangle(x - 3 * b.u, y - 12 * b.u, x + 3 * b.u, y - 1, 2), tint, outline=None
                )


def _studio(b: Backdrop) -> None:
    tint = b.random.choice(
        (
            (226, 214, 206),
            (206, 216, 226),
            (214, 224, 206),
            (232, 220, 196),
            (216, 206, 224),
            (196, 200, 206),
        )
    )
    b.sheet.sky(lighter(tint, 0.25), darker(tint, 0.1), b.h)
    b.sheet.glow(b.w * (0.5 + 0.2 * b.sheet.light.x), b.h * 0.35, b.w * 0.6, (255, 255, 255), 0.4)


def _playground(b: Backdrop) -> None:
    _park(b)
    x, y = b.w * 0.2, b.h * 0.86
    b.sheet.stroke(
        [
            (x - 34 * b.u, y),
            (x - 20 * b.u, y - 74 * b.u),
            (x + 30 * b.u, y - 74 * b.u),
            (x + 44 * b.u, y),
        ],
        (206, 70, 60),
        4 * b.u,
        smoothed=False,
    )
    for side in (-1, 1):
        b.sheet.stroke(
            [(x + (5 + side * 6) * b.u, y - 73 * b.u), (x + (5 + side * 6) * b.u, y - 26 * b.u)],
            (90, 90, 96),
            1.3 * b.u,
        )
    b.sheet.fill(rectangle(x - 4 * b.u, y - 27 * b.u, x + 14 * b.u, y - 23 * b.u), (240, 190, 60))
    x = b.w * 0.82
    b.sheet.fill(
        smooth(
            [
                (x - 8 * b.u, y - 66 * b.u),
                (x + 6 * b.u, y - 66 * b.u),
                (x + 40 * b.u, y - 6 * b.u),
                (x + 30 * b.u, y),
            ]
        ),
        (250, 200, 70),
    )
    b.sheet.stroke([(x - 8 * b.u, y), (x - 8 * b.u, y - 66 * b.u)], (60, 110, 170), 4 * b.u)


@dataclass(frozen=True)
class Place:
    """A place: how it is drawn, and the words for it with their preposition."""

    draw: Callable[[Backdrop], None]
    words: tuple[str, ...]
    indoors: bool = False


PLACES: dict[str, Place] = {
    "forest": Place(_forest, ("in the forest", "in the woods")),
    "beach": Place(_beach, ("on the beach", "at the beach")),
    "city": Place(_city, ("in the city", "in a big city")),
    "street": Place(_street, ("on a street", "in the street")),
    "village": Place(_village, ("in a village", "in a small town")),
    "mountains": Place(_mountains, ("in the mountains", "on a mountain")),
    "snow": Place(_snow, ("in the snow",)),
    "desert": Place(_desert, ("in the desert",)),
    "garden": Place(_garden, ("in a garden", "in the garden")),
    "park": Place(_park, ("in the park", "in a park")),
    "field": Place(_field, ("in a field", "in a meadow")),
    "lake": Place(_lake, ("by a lake", "at the lake", "by a river")),
    "sea": Place(_sea, ("at sea", "on the sea", "on the ocean")),
    "harbour": Place(_harbour, ("at the harbour", "in the harbor")),
    "bridge": Place(_bridge, ("on a bridge",)),
    "underwater": Place(_underwater, ("underwater", "under the sea")),
    "space": Place(_space, ("in space", "among the stars")),
    "moon": Place(_moon, ("on the moon",)),
    "jungle": Place(_jungle, ("in the jungle",)),
    "cave": Place(_cave, ("in a cave",)),
    "farm": Place(_farm, ("on a farm",)),
    "castle": Place(_castle, ("at a castle", "in front of a castle")),
    "playground": Place(_playground, ("at the playground",)),
    "market": Place(_market, ("at the market", "in a market")),
    "library": Place(_library, ("in a library", "in the library"), True),
    "kitchen": Place(_kitchen, ("in a kitchen", "in the kitchen"), True),
    "living room": Place(_living_room, ("in the living room", "at home"), True),
    "bedroom": Place(_bedroom, ("in the bedroom", "in bed"), True),
    "classroom": Place(_classroom, ("in a classroom", "at school"), True),
    "office": Place(_office, ("in an office", "at work"), True),
    "museum": Place(_museum, ("in a museum", "in a gallery"), True),
    "church": Place(_church, ("in a church",), True),
    "stage": Place(_stage, ("on stage", "in a theatre"), True),
    "cafe": Place(_cafe, ("in a cafe", "in a restaurant"), True),
    "train": Place(_train, ("on a train",), True),
    "hospital": Place(_hospital, ("in a hospital",), True),
    "laboratory": Place(_laboratory, ("in a laboratory",), True),
    "studio": Place(_studio, ("in a studio", "in front of a plain wall"), True),
}
