"""Who is drawn: identities that stay the same from picture to picture, and how they look today."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from sow.benchmarks.world.sheet import Colour

SKINS: tuple[Colour, ...] = (
    (255, 226, 204),
    (250, 210, 178),
    (238, 188, 148),
    (212, 156, 112),
    (172, 116, 78),
    (122, 80, 56),
    (88, 56, 42),
)
HAIRS: dict[str, Colour] = {
    "brown": (108, 66, 38),
    "black": (38, 34, 42),
    "blonde": (238, 200, 106),
    "red": (196, 82, 34),
    "gray": (158, 160, 168),
    "white": (236, 234, 232),
    "pink": (242, 134, 178),
    "blue": (72, 122, 204),
    "green": (84, 166, 96),
    "purple": (142, 88, 180),
}
EYES: dict[str, Colour] = {
    "blue": (70, 130, 204),
    "green": (84, 152, 84),
    "brown": (112, 70, 38),
    "dark": (50, 38, 36),
    "gray": (124, 130, 142),
}
COLOURS: dict[str, Colour] = {
    "red": (206, 52, 48),
    "orange": (240, 140, 48),
    "yellow": (248, 208, 66),
    "green": (70, 150, 80),
    "blue": (58, 106, 190),
    "purple": (128, 76, 168),
    "pink": (244, 150, 180),
    "brown": (126, 84, 52),
    "black": (48, 46, 54),
    "white": (246, 244, 238),
    "gray": (150, 152, 160),
    "golden": (226, 178, 60),
    "silver": (196, 202, 212),
    "turquoise": (56, 182, 180),
    "beige": (222, 200, 164),
}
AGES = ("child", "young", "adult", "old")
EXPRESSIONS = (
    "neutral",
    "smiling",
    "laughing",
    "sad",
    "crying",
    "angry",
    "surprised",
    "sleeping",
    "winking",
    "scared",
)
HAIR_STYLES = (
    "short",
    "long",
    "curly",
    "wavy",
    "bun",
    "ponytail",
    "pigtails",
    "braids",
    "bald",
    "afro",
    "mohawk",
    "bob",
    "spiky",
)
BEARDS = ("none", "beard", "long beard", "moustache", "goatee")
NOSES = ("button", "round", "long", "small", "hooked")
FACES = ("oval", "round", "square", "heart")


@dataclass(frozen=True)
class Identity:
    """What stays the same from picture to picture.

    Sizes are in half widths of the face (`eye_spacing`, `eye_size`, `mouth`), or ratios (`aspect`:
    height over width). `brow` is -1 (raised) to 1 (low).
    """

    woman: bool
    age: str
    skin: int
    face: str
    aspect: float
    eyes: str
    eye_spacing: float
    eye_size: float
    brow: float
    brow_width: float
    nose: str
    mouth: float
    lips: float
    hair: str
    hair_style: str
    parting: int
    beard: str = "none"
    glasses: str = "none"
    freckles: bool = False

    @property
    def skin_colour(self) -> Colour:
        """The colour of the skin."""
        return SKINS[self.skin]

    @property
    def hair_colour(self) -> Colour:
        """The colour of the hair."""
        return HAIRS[self.hair]


@dataclass(frozen=True)
class Garment:
    """A piece of clothing: its type, colour and pattern."""

    type: str
    colour: str
    pattern: str = "plain"

    @property
    def rgb(self) -> Colour:
        """The colour of the cloth."""
        return COLOURS[self.colour]


@dataclass(frozen=True)
class Hand:
    """Where a hand is, in half widths of the face from the face's centre, and what it holds.

    drawn: `fine`, or a flaw of `quality.HANDS`, which only a raised hand shows.
    """

    x: float
    y: float
    thing: str | None = None
    colour: str = "red"
    drawn: str = "fine"

    @property
    def raised(self) -> bool:
        """Whether it is held up and open, as in waving."""
        return self.thing is None and self.y < 1.0


@dataclass(frozen=True)
class Person:
    """Somebody in a picture.

    x, y: centre of the face in pixels. size: half its width in pixels. tilt: degrees. turn: how far
    the features are moved sideways, in half widths (-0.2 to 0.2). seat: what is sat on or ridden.
    """

    identity: Identity
    x: float
    y: float
    size: float
    garment: Garment
    tilt: float = 0.0
    turn: float = 0.0
    expression: str = "neutral"
    hat: str | None = None
    hat_colour: str = "red"
    left: Hand | None = None
    right: Hand | None = None
    extras: tuple[str, ...] = field(default=())
    seat: str | None = None
    seat_colour: str = "red"
    name: str = "person"


def make_identity(random: Random, age: str | None = None, woman: bool | None = None) -> Identity:
    """Return a random identity. Features go together as in the real world: grey hair and age."""
    woman = random.random() < 0.5 if woman is None else woman
    age = age or random.choices(AGES, (0.2, 0.25, 0.32, 0.23))[0]
    child, old = age == "child", age == "old"
    hair = random.choices(("brown", "black", "blonde", "red"), (0.3, 0.28, 0.24, 0.18))[0]
    if old and random.random() < 0.85:
        hair = random.choice(("gray", "white"))
    elif not old and random.random() < 0.08:
        hair = random.choice(("pink", "blue", "green", "purple"))
    if woman:
        styles = (
            0.08,
            0.24,
            0.12,
            0.11,
            0.1,
            0.1,
            0.07 if child else 0.02,
            0.07,
            0.0,
            0.05,
            0.01,
            0.1,
            0.0,
        )
    else:
        styles = (
            0.42,
            0.04,
            0.13,
            0.04,
            0.01,
            0.01,
            0.0,
            0.0,
            0.0 if child else 0.14,
            0.06,
            0.04,
            0.0,
            0.1,
        )
    beard = "none"
    if not woman and not child and random.random() < (0.5 if old else 0.38):
        beard = random.choices(BEARDS[1:], (0.4, 0.15, 0.28, 0.17))[0]
    return Identity(
        woman=woman,
        age=age,
        skin=random.choices(range(len(SKINS)), (0.18, 0.2, 0.17, 0.15, 0.13, 0.1, 0.07))[0],
        face="round" if child else random.choice(FACES),
        aspect=random.uniform(0.98, 1.06) if child else random.uniform(1.08, 1.24),
        eyes=random.choice(tuple(EYES)),
        eye_spacing=random.uniform(0.4, 0.48),
        eye_size=random.uniform(0.19, 0.23) if child else random.uniform(0.15, 0.2),
        brow=random.uniform(-0.7, 0.7),
        brow_width=random.uniform(0.05, 0.12) * (0.75 if woman else 1.15),
        nose=random.choice(("button", "small")) if child else random.choice(NOSES),
        mouth=random.uniform(0.28, 0.4),
        lips=random.uniform(0.5, 1.0) if woman else random.uniform(0.0, 0.35),
        hair=hair,
        hair_style=random.choices(HAIR_STYLES, styles)[0],
        parting=random.choice((-1, 0, 1)),
        beard=beard,
        glasses="glasses" if random.random() < (0.35 if old else 0.18) else "none",
        freckles=random.random() < (0.3 if hair == "red" else 0.08),
    )
