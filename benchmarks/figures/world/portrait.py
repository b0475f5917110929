"""Draw a person: body, neck, head, and the arm that holds something."""

from __future__ import annotations

from sow.benchmarks.figures.world.heads import Head
from sow.benchmarks.figures.world.paper import (
    BODY,
    HAND,
    INK,
    NECK,
    SIZE,
    Colour,
    Paper,
    blend,
    shade,
)
from sow.benchmarks.figures.world.people import SKINS, Person
from sow.benchmarks.figures.world.things import COLOURS, WHITE


class Portrait:
    """One person on one sheet of paper."""

    def __init__(self, paper: Paper, person: Person) -> None:
        self.paper, self.person = paper, person
        self.identity, self.pose = person.identity, person.pose
        self.x = self.pose.x
        self.skin = SKINS[self.identity.skin]
        self.cloth = COLOURS[person.clothing_colour]
        self.chin = self.pose.y + person.radius[1]
        self.collar = self.chin + self.pose.width * 0.07
        self.shoulder = self.pose.width * (0.66 if self.identity.woman else 0.76)

    def draw(self) -> None:
        """Draw everything, from back to front."""
        head = Head(self.paper, self.person)
        head.draw_behind()
        with self.paper.drawing(BODY):
            self.arms()
            self.body()
        with self.paper.drawing(NECK):
            self.neck()
        head.draw()

    def arms(self) -> None:
        """Draw the arms hanging at the sides, except one that holds something."""
        wide, top = self.pose.width * 0.26, self.collar + 3
        for side in (-1, 1):
            if self.person.arm is not None and side == self.person.arm.side:
                continue
            x = self.x + side * self.shoulder
            shape = [
                (x - side * wide * 0.6, top + 5),
                (x + side * wide * 0.25, top + 9),
                (x + side * wide * 0.75, SIZE + 4),
                (x - side * wide * 0.5, SIZE + 4),
            ]
            self.paper.polygon(shape, self.shadow(0.9))

    def body(self) -> None:
        """Draw shoulders and what is worn on them."""
        top, s, x = self.collar, self.shoulder, self.x
        if self.person.clothing == "dress":
            right = [(0.5, 0), (0.95, 8), (0.66, 26)]
            right_side = [(x + a * s, top + b) for a, b in right]
            left_side = [(x - a * s, top + b) for a, b in reversed(right)]
            shape = [*right_side, (x + s * 1.1, SIZE + 6), (x - s * 1.1, SIZE + 6), *left_side]
        else:
            right = [(0.4, -2), (0.8, 4), (1.0, 12)]
            right_side = [(x + a * s, top + b) for a, b in right]
            left_side = [(x - a * s, top + b) for a, b in reversed(right)]
            shape = [*right_side, (x + s, SIZE + 6), (x - s, SIZE + 6), *left_side]
        self.paper.polygon(shape, self.cloth)
        getattr(self, f"_{self.person.clothing}")(self.pose.width, top, x)

    def _coat(self, wide: float, top: float, x: float) -> None:
        self.paper.line([(x, top + 8), (x, SIZE)], INK, 1.3)
        for side in (-1, 1):
            lapel = [
                (x + side * wide * 0.24, top - 3),
                (x, top + 16),
                (x + side * wide * 0.32, top + 14),
            ]
            self.paper.polygon(lapel, self.shadow(0.68), INK, 0.9)
        for y in range(int(top) + 23, SIZE, 13):
            self.paper.ellipse((x + 5, y), (2.1, 2.1), (250, 226, 120), INK, 0.6)

    def _suit(self, wide: float, top: float, x: float) -> None:
        front = [(x - wide * 0.22, top - 3), (x + wide * 0.22, top - 3), (x, top + 26)]
        self.paper.polygon(front, WHITE, INK, 0.9)
        tie = [(-2.4, 1), (2.4, 1), (3.6, 17), (0, 23), (-3.6, 17)]
        colour = (40, 50, 120) if self.person.clothing_colour == "red" else (190, 28, 40)
        self.paper.polygon([(x + a, top + b) for a, b in tie], colour, INK, 0.6)
        self.paper.line([(x, top + 26), (x, SIZE)], INK, 1.3)

    def _sweater(self, wide: float, top: float, x: float) -> None:
        pale = (
            (172, 172, 192)
            if self.person.clothing_colour == "white"
            else blend(self.cloth, WHITE, 0.55)
        )
        reach = self.shoulder * 0.95
        for y in range(int(top) + 14, SIZE, 13):
            self.paper.rectangle((x - reach, y, x + reach, y + 4.6), pale, None)

    def _shirt(self, wide: float, top: float, x: float) -> None:
        pale = blend(self.cloth, WHITE, 0.5)
        for side in (-1, 1):
            collar = [
                (x + side * wide * 0.22, top - 3),
                (x, top + 5),
                (x + side * wide * 0.2, top + 13),
            ]
            self.paper.polygon(collar, pale, INK, 0.9)

    def _dress(self, wide: float, top: float, x: float) -> None:
        reach = self.shoulder * 0.67
        belt = (x - reach, top + 24, x + reach, top + 29)
        self.paper.rectangle(belt, self.shadow(0.68), INK, 0.8)

    def neck(self) -> None:
        """Draw a column of shaded skin between chin and collar."""
        wide, low = self.pose.width, self.collar
        depth = 11 if self.person.clothing == "dress" else 4
        shape = [
            (self.x - wide * 0.17, self.chin - 7),
            (self.x + wide * 0.17, self.chin - 7),
            (self.x + wide * 0.2, low),
            (self.x, low + depth),
            (self.x - wide * 0.2, low),
        ]
        self.paper.polygon(shape, shade(self.skin, 0.86), INK, 0.9)

    def holding_arm(self) -> None:
        """Draw the arm that holds something, and its hand, after the object behind it."""
        arm = self.person.arm
        if arm is None:
            return
        x, y = self.x + arm.side * self.shoulder * 0.8, self.collar + 13
        elbow = ((x + arm.hand[0]) / 2 + arm.side * 4, max(y + 10, (y + arm.hand[1]) / 2 + 8))
        wide = self.pose.width * 0.2
        with self.paper.drawing(BODY):
            self.paper.line([(x, y), elbow, arm.hand], INK, wide + 2)
            self.paper.line([(x, y), elbow, arm.hand], self.shadow(0.9), wide)
        self.hand()

    def hand(self) -> None:
        """Draw the hand that holds something."""
        if self.person.arm is not None:
            with self.paper.drawing(HAND):
                self.paper.ellipse(self.person.arm.hand, (4.8, 4.8), self.skin)

    def shadow(self, factor: float) -> Colour:
        """Return the cloth's colour in shadow, or lit if it is black."""
        if self.person.clothing_colour == "black":
            return blend(self.cloth, WHITE, 1 - factor)
        return shade(self.cloth, factor)
