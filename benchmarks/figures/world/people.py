"""Drawn people: identity, pose and outline."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, fields
from random import Random

from sow.benchmarks.figures.world.paper import Colour, Point

SKINS: tuple[Colour, ...] = (
    (255, 224, 196),
    (248, 206, 170),
    (236, 184, 140),
    (206, 150, 106),
    (164, 108, 70),
    (116, 74, 50),
)
HAIRS: dict[str, Colour] = {
    "brown": (112, 64, 30),
    "black": (32, 28, 34),
    "blonde": (242, 206, 98),
    "red": (198, 76, 24),
    "gray": (158, 160, 168),
    "white": (240, 240, 242),
}
EYES: tuple[Colour, ...] = (
    (60, 118, 200),
    (70, 146, 70),
    (110, 68, 34),
    (46, 38, 36),
    (122, 124, 136),
)
HAIR_STYLES = ("short", "long", "curly", "bun", "bald")
CLOTHES = ("coat", "shirt", "dress", "sweater", "suit")
EXPRESSIONS = ("neutral", "smile", "sad")
AGES = ("young", "adult", "old")
NOSES = ("line", "round", "big")


@dataclass(frozen=True)
class Identity:
    """Who somebody is: what stays the same from picture to picture.

    Sizes are shares of the face's width (eye_size), of half of it (eye_spacing, mouth_width) or
    ratios (aspect: height over width; squareness: exponent of the outline, 2 an ellipse; taper:
    how much narrower the chin is). brow_slope is -0.5 (raised) to 0.5 (frowning).
    """

    woman: bool
    age: str
    skin: int
    aspect: float
    squareness: float
    taper: float
    eyes: int
    eye_spacing: float
    eye_size: float
    brow_slope: float
    brow_width: float
    nose: str
    mouth_width: float
    hair: str
    hair_style: str
    glasses: bool
    beard: bool

    def vector(self) -> tuple[float, ...]:
        """Return all fields as numbers, in order; names become their index."""
        names = {"age": AGES, "nose": NOSES, "hair": tuple(HAIRS), "hair_style": HAIR_STYLES}
        return tuple(
            float(names[field.name].index(value) if field.name in names else value)
            for field, value in zip(fields(self), astuple(self), strict=True)
        )


def features_of(identity: Identity) -> list[str]:
    """Return the visible features of an identity, the most telling first, in the world's words."""
    hair = f"{identity.hair_style} {identity.hair} hair"
    if identity.hair_style == "bun":
        hair = f"{identity.hair} hair"
    seen = ["bald"] if identity.hair_style == "bald" else [hair]
    seen += ["glasses"] * identity.glasses + ["a beard"] * identity.beard
    return seen + [identity.age] * (identity.age != "adult")


@dataclass(frozen=True)
class Pose:
    """How a head stands in the picture: centre and width of the face in pixels.

    turn moves the features sideways, as a share of half the face's width (-0.16 to 0.16).
    """

    x: float
    y: float
    width: float
    turn: float
    expression: str


@dataclass(frozen=True)
class Arm:
    """An arm that holds something: on which side (-1 left, 1 right), and where its hand is."""

    side: int
    hand: Point


@dataclass(frozen=True)
class Person:
    """Somebody in a picture."""

    identity: Identity
    pose: Pose
    clothing: str
    clothing_colour: str
    arm: Arm | None = None

    @property
    def radius(self) -> Point:
        """Half the width and half the height of the face, in pixels."""
        half = self.pose.width / 2
        return half, half * self.identity.aspect

    @property
    def head(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the head with its hair, in pixels."""
        return head_box(self.identity, self.pose)


def head_box(identity: Identity, pose: Pose) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of a head with its hair, in pixels."""
    half = pose.width / 2
    tall = half * identity.aspect
    above = {"bald": 1.0, "short": 1.08, "long": 1.08, "curly": 1.2, "bun": 1.42}
    beside = {"bald": 1.15, "short": 1.15, "long": 1.18, "curly": 1.28, "bun": 1.15}
    below = 1.25 if identity.hair_style == "long" else 1.03
    style = identity.hair_style
    return (
        pose.x - half * beside[style],
        pose.y - tall * above[style],
        pose.x + half * beside[style],
        pose.y + tall * below,
    )


def make_identity(random: Random) -> Identity:
    """Return a random identity. Features correlate as in the real world: grey hair and age, say."""
    woman = random.random() < 0.5
    age = random.choices(AGES, (0.3, 0.4, 0.3))[0]
    hair = random.choices(("brown", "black", "blonde", "red"), (0.28, 0.24, 0.24, 0.24))[0]
    if age == "old" and random.random() < 0.75:
        hair = random.choice(("gray", "white"))
    styles = (0.15, 0.5, 0.18, 0.17, 0.0) if woman else (0.5, 0.1, 0.2, 0.0, 0.2)
    return Identity(
        woman=woman,
        age=age,
        skin=random.randrange(len(SKINS)),
        aspect=random.uniform(1.06, 1.24),
        squareness=random.uniform(2.0, 2.8),
        taper=random.uniform(0.1, 0.38),
        eyes=random.randrange(len(EYES)),
        eye_spacing=random.uniform(0.38, 0.5),
        eye_size=random.uniform(0.14, 0.19),
        brow_slope=random.uniform(-0.5, 0.5),
        brow_width=random.uniform(1.4, 2.8),
        nose=random.choice(NOSES),
        mouth_width=random.uniform(0.3, 0.46),
        hair=hair,
        hair_style=random.choices(HAIR_STYLES, styles)[0],
        glasses=random.random() < 0.25,
        beard=not woman and random.random() < 0.35,
    )


def outline(
    centre: Point, radius: Point, squareness: float, taper: float, scale: float = 1.0
) -> list[Point]:
    """Return 48 points round a head, clockwise from its right side: a squashed ellipse."""
    points = []
    for n in range(48):
        cosine, sine = math.cos(2 * math.pi * n / 48), math.sin(2 * math.pi * n / 48)
        x = radius[0] * scale * math.copysign(abs(cosine) ** (2 / squareness), cosine)
        y = radius[1] * scale * math.copysign(abs(sine) ** (2 / squareness), sine)
        if y > 0:
            x *= 1 - taper * (y / radius[1]) ** 1.5
        points.append((centre[0] + x, centre[1] + y))
    return points
