"""What somebody sits on, rides or stands in, seen from the front.

The unit is half the width of the rider's face, the origin its centre, as for a body: `Seat.behind`
is drawn before the person, `Seat.front` after.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from sow.benchmarks.world.animals import SPECIES, Animal
from sow.benchmarks.world.bodies import Body
from sow.benchmarks.world.people import COLOURS
from sow.benchmarks.world.sheet import (
    Colour,
    Point,
    darker,
    ellipse,
    lighter,
    mix,
    polygon,
    rectangle,
    smooth,
    taper,
)

WOOD: Colour = (160, 108, 66)


@dataclass(frozen=True)
class Seat:
    """A seat, a mount or a vessel.

    verb: how a caption says it. hands: where the hand of a side (-1 or 1) is, if it does nothing
    else. places: where it may be. knees: the rider's legs are bent forward. coloured: a caption may
    name its colour.
    """

    verb: tuple[str, ...]
    hands: Callable[[Body, int], Point]
    behind: Callable[[Body, Colour, Random], None] | None = None
    front: Callable[[Body, Colour, Random], None] | None = None
    knees: bool = False
    coloured: bool = True
    places: tuple[str, ...] = ()


def draw_knees(body: Body) -> None:
    """Draw legs bent forward: thighs that point at us, and shins."""
    kind = body.kind
    cloth: Colour = (
        body.cloth
        if kind
        in (
            "spacesuit",
            "suit",
            "pyjamas",
            "armour",
            "overalls",
            "dress",
            "gown",
            "robe",
            "kimono",
            "superhero suit",
        )
        else (70, 80, 112)
    )
    child = body.identity.age == "child"
    drop = 1.5 if child else 2.3
    for side in (-1, 1):
        x = side * body.hip * 0.62
        shin = polygon(
            [
                (x - 0.42, body.low + 0.2),
                (x + 0.42, body.low + 0.2),
                (x + 0.34, body.low + drop),
                (x - 0.34, body.low + drop),
            ]
        )
        body.fill(shin, darker(cloth, 0.12))
        body.fill(
            smooth(
                [
                    (x - side * 0.3, body.low + drop - 0.15),
                    (x + side * 0.36, body.low + drop - 0.15),
                    (x + side * 0.6, body.low + drop + 0.3),
                    (x - side * 0.32, body.low + drop + 0.32),
                ]
            ),
            (66, 48, 42),
        )
        body.fill(
            smooth(
                [
                    (x - 0.58, body.low - 0.55),
                    (x + 0.58, body.low - 0.55),
                    (x + 0.62, body.low + 0.35),
                    (x, body.low + 0.66),
                    (x - 0.62, body.low + 0.35),
                ]
            ),
            cloth,
            volume=0.9,
        )


def _chair(body: Body, colour: Colour, random: Random) -> None:
    top, low = body.top + 0.4, body.low
    for x in (-1.75, 1.75):
        body.fill(rectangle(x - 0.14, top, x + 0.14, low + 2.6, 0.06), darker(colour, 0.15))
    for n in range(3):
        body.fill(rectangle(-1.75, top + 0.2 + 0.7 * n, 1.75, top + 0.5 + 0.7 * n, 0.06), colour)
    body.fill(rectangle(-2.0, low - 0.05, 2.0, low + 0.4, 0.1), colour)


def _throne(body: Body, colour: Colour, random: Random) -> None:
    gold, low = COLOURS["golden"], body.low
    body.fill(
        smooth(
            [
                (-2.2, low + 0.3),
                (-2.3, -1.0),
                (-1.2, -2.4),
                (0, -2.9),
                (1.2, -2.4),
                (2.3, -1.0),
                (2.2, low + 0.3),
            ]
        ),
        gold,
        volume=0.9,
    )
    body.fill(
        smooth(
            [
                (-1.7, low + 0.1),
                (-1.8, -0.8),
                (-0.9, -1.9),
                (0, -2.25),
                (0.9, -1.9),
                (1.8, -0.8),
                (1.7, low + 0.1),
            ]
        ),
        colour,
    )
    for side in (-1, 1):
        body.fill(ellipse(side * 2.25, -1.1, 0.3), lighter(gold, 0.3), volume=1.0)
        body.fill(
            rectangle(side * 2.35 - 0.35, low - 1.3, side * 2.35 + 0.35, low + 2.6, 0.12), gold
        )
    body.fill(rectangle(-2.2, low - 0.05, 2.2, low + 0.5, 0.1), colour)


def _sofa(body: Body, colour: Colour, random: Random) -> None:
    low = body.low
    body.fill(rectangle(-4.4, body.top + 0.6, 4.4, low + 1.2, 0.6), colour)
    for side in (-1, 1):
        body.fill(
            rectangle(side * 4.5 - 0.7, low - 1.4, side * 4.5 + 0.7, low + 1.6, 0.5),
            darker(colour, 0.1),
        )
    body.fill(rectangle(-4.0, low - 0.1, 4.0, low + 1.0, 0.35), lighter(colour, 0.08))


def _bench(body: Body, colour: Colour, random: Random) -> None:
    low = body.low
    for n in range(3):
        body.fill(
            rectangle(-4.2, body.top + 1.2 + 0.66 * n, 4.2, body.top + 1.62 + 0.66 * n, 0.08), WOOD
        )
    for x in (-3.4, 3.4):
        body.fill(rectangle(x - 0.2, body.top + 1.0, x + 0.2, low + 2.4, 0.06), (66, 66, 74))
    body.fill(rectangle(-4.4, low - 0.05, 4.4, low + 0.4, 0.08), lighter(WOOD, 0.1))


def _swing(body: Body, colour: Colour, random: Random) -> None:
    for side in (-1, 1):
        body.fill(
            taper([(side * 1.9, -14), (side * 1.9, body.low + 0.2)], [0.14, 0.14]), (196, 164, 110)
        )
    body.fill(rectangle(-2.2, body.low, 2.2, body.low + 0.4, 0.08), WOOD)


def _rock(body: Body, colour: Colour, random: Random) -> None:
    low = body.low
    body.fill(
        smooth(
            [
                (-2.9, low + 2.8),
                (-2.6, low + 0.8),
                (-1.4, low - 0.1),
                (0.4, low - 0.2),
                (2.0, low + 0.2),
                (2.9, low + 1.4),
                (3.1, low + 2.8),
            ]
        ),
        (142, 142, 152),
        volume=1.0,
    )


def _animal(species: str, scale: float = 1.55) -> Callable[[Body, Colour, Random], None]:
    def front(body: Body, colour: Colour, random: Random) -> None:
        x = 0.5
        with body.sheet.at(x, body.low - (0.5 if species == "elephant" else 0.2), scale):
            Animal(body.sheet, species, colour, random, species).draw()

    return front


def _mount_behind(species: str) -> Callable[[Body, Colour, Random], None]:
    def behind(body: Body, colour: Colour, random: Random) -> None:
        body.fill(ellipse(0.5, body.low + 1.4, 2.4, 1.9), darker(colour, 0.08), volume=0.9)
        for side in (-1, 1):
            body.fill(
                rectangle(
                    0.5 + side * 1.4 - 0.5,
                    body.low + 1.6,
                    0.5 + side * 1.4 + 0.5,
                    body.low + 5.0,
                    0.3,
                ),
                darker(colour, 0.14),
            )

    return behind


def _bicycle(body: Body, colour: Colour, random: Random) -> None:
    y = body.low + 0.2
    body.fill(ellipse(0, y + 2.9, 0.34, 1.75), (48, 48, 56))
    body.fill(ellipse(0, y + 2.9, 0.14, 1.45), (150, 152, 160))
    for side in (-1, 1):
        body.fill(taper([(side * 0.32, y - 0.2), (side * 0.4, y + 2.9)], [0.16, 0.16]), colour)
    body.fill(rectangle(-0.3, y - 0.9, 0.3, y + 0.2, 0.1), colour)
    body.sheet.stroke(
        [(-1.7, y - 1.0), (-0.6, y - 0.85), (0, y - 0.95), (0.6, y - 0.85), (1.7, y - 1.0)],
        (70, 70, 78),
        0.2,
        flat=False,
    )
    for side in (-1, 1):
        body.fill(ellipse(side * 1.7, y - 1.0, 0.26, 0.2), (44, 40, 44))
    body.sheet.glow(0, y - 0.4, 0.7, (255, 246, 200), 0.7)
    body.fill(ellipse(0, y - 0.4, 0.26), (255, 246, 200))


def _motorcycle(body: Body, colour: Colour, random: Random) -> None:
    y = body.low + 0.2
    body.fill(ellipse(0, y + 2.6, 0.7, 1.8), (44, 44, 52), volume=1.0)
    body.fill(
        smooth(
            [
                (-1.3, y + 1.6),
                (-1.1, y - 0.4),
                (0, y - 1.1),
                (1.1, y - 0.4),
                (1.3, y + 1.6),
                (0.7, y + 1.9),
                (0, y + 1.3),
                (-0.7, y + 1.9),
            ]
        ),
        colour,
        volume=1.0,
    )
    body.sheet.stroke(
        [(-2.0, y - 1.0), (-1.0, y - 0.7), (1.0, y - 0.7), (2.0, y - 1.0)],
        (70, 70, 78),
        0.26,
        flat=False,
    )
    body.sheet.glow(0, y + 0.1, 1.0, (255, 246, 200), 0.8)
    body.fill(ellipse(0, y + 0.1, 0.5), (255, 250, 220), volume=0.8)


def _boat(body: Body, colour: Colour, random: Random) -> None:
    y = body.low - 0.7
    body.fill(
        smooth(
            [
                (-4.6, y - 0.5),
                (-2.0, y),
                (2.0, y),
                (4.6, y - 0.5),
                (3.6, y + 1.9),
                (1.8, y + 2.6),
                (-1.8, y + 2.6),
                (-3.6, y + 1.9),
            ]
        ),
        colour,
    )
    body.fill(
        taper(
            [(-4.7, y - 0.5), (-2.0, y + 0.05), (2.0, y + 0.05), (4.7, y - 0.5)],
            [0.3, 0.36, 0.36, 0.3],
        ),
        WOOD,
    )
    for n in range(2):
        body.sheet.brush(
            [
                (-4.1 + 0.3 * n, y + 0.7 + 0.7 * n),
                (0, y + 1.0 + 0.7 * n),
                (4.1 - 0.3 * n, y + 0.7 + 0.7 * n),
            ],
            (0.04, 0.08, 0.04),
            darker(colour, 0.35),
            0.8,
        )
    water: Colour = (66, 136, 184)
    body.fill(
        smooth(
            [
                (-9, y + 2.0),
                (-4, y + 1.8),
                (-2, y + 2.2),
                (0, y + 1.9),
                (2, y + 2.2),
                (4, y + 1.8),
                (9, y + 2.0),
                (9, y + 9),
                (-9, y + 9),
            ]
        ),
        water,
        outline=lighter(water, 0.5),
        volume=0,
    )


def _car(body: Body, colour: Colour, random: Random) -> None:
    y = body.top + 1.5
    body.fill(
        smooth(
            [
                (-3.6, y + 0.4),
                (-2.6, y),
                (2.6, y),
                (3.6, y + 0.4),
                (4.0, y + 2.2),
                (3.6, y + 3.6),
                (-3.6, y + 3.6),
                (-4.0, y + 2.2),
            ]
        ),
        colour,
        volume=0.9,
    )
    for side in (-1, 1):
        body.sheet.glow(side * 2.7, y + 1.6, 1.2, (255, 246, 200), 0.6)
        body.fill(ellipse(side * 2.7, y + 1.6, 0.6), (255, 250, 220), volume=0.8)
        body.fill(
            rectangle(side * 2.9 - 0.5, y + 3.2, side * 2.9 + 0.5, y + 4.4, 0.2), (44, 44, 52)
        )
    for n in range(4):
        body.sheet.stroke(
            [(-1.5, y + 1.3 + 0.36 * n), (1.5, y + 1.3 + 0.36 * n)], (120, 124, 134), 0.13
        )
    body.fill(rectangle(-3.8, y + 3.0, 3.8, y + 3.5, 0.2), (196, 200, 208))


def _car_behind(body: Body, colour: Colour, random: Random) -> None:
    y = body.top + 1.5
    frame = smooth([(-2.9, y + 0.3), (-2.2, -2.3), (2.2, -2.3), (2.9, y + 0.3)])
    body.fill(frame, mix(colour, (60, 60, 70), 0.3))
    body.fill(
        smooth([(-2.5, y + 0.3), (-1.9, -2.0), (1.9, -2.0), (2.5, y + 0.3)]),
        (176, 214, 234),
        volume=0.3,
    )


def _on_knees(body: Body, side: int) -> Point:
    return side * body.hip * 0.66, body.low - 0.6


def _on_rests(body: Body, side: int) -> Point:
    return side * 2.15, body.low - 1.45


def _at_ropes(body: Body, side: int) -> Point:
    return side * 1.9, body.top + 1.35


def _at_neck(body: Body, side: int) -> Point:
    # The mount's head is a little to the right of the rider.
    return 0.5 + side * 1.4, body.low - 1.35


def _at_handlebar(body: Body, side: int) -> Point:
    return side * 1.7, body.low - 0.85


def _on_rim(body: Body, side: int) -> Point:
    return side * 2.0, body.low - 0.85


def _at_wheel(body: Body, side: int) -> Point:
    return side * 0.95, body.top + 1.4


SEATS: dict[str, Seat] = {
    "chair": Seat(("sitting on", "on"), _on_knees, _chair, knees=True),
    "throne": Seat(
        ("sitting on", "on"),
        _on_rests,
        _throne,
        knees=True,
        coloured=False,
        places=("castle", "church", "museum", "studio"),
    ),
    "sofa": Seat(
        ("sitting on", "on"),
        _on_knees,
        _sofa,
        knees=True,
        places=("living room", "bedroom", "office", "studio", "cafe"),
    ),
    "bench": Seat(
        ("sitting on", "on"),
        _on_knees,
        _bench,
        knees=True,
        coloured=False,
        places=("park", "garden", "street", "beach", "lake"),
    ),
    "swing": Seat(
        ("sitting on", "on"),
        _at_ropes,
        _swing,
        knees=True,
        coloured=False,
        places=("playground", "garden", "park", "forest"),
    ),
    "rock": Seat(
        ("sitting on", "on"),
        _on_knees,
        _rock,
        knees=True,
        coloured=False,
        places=("beach", "mountains", "lake", "desert", "forest", "moon"),
    ),
    "horse": Seat(
        ("riding", "riding on", "on"),
        _at_neck,
        _mount_behind("horse"),
        _animal("horse"),
        places=("field", "farm", "beach", "castle", "mountains", "forest", "desert"),
    ),
    "elephant": Seat(
        ("riding", "riding on", "on"),
        _at_neck,
        _mount_behind("elephant"),
        _animal("elephant", 1.7),
        coloured=False,
        places=("jungle", "desert", "field"),
    ),
    "dragon": Seat(
        ("riding", "riding on", "on"),
        _at_neck,
        _mount_behind("dragon"),
        _animal("dragon", 1.6),
        places=("castle", "mountains", "cave"),
    ),
    "unicorn": Seat(
        ("riding", "riding on", "on"),
        _at_neck,
        _mount_behind("unicorn"),
        _animal("unicorn"),
        coloured=False,
        places=("field", "forest", "castle"),
    ),
    "bicycle": Seat(
        ("riding", "riding", "on"),
        _at_handlebar,
        None,
        _bicycle,
        places=("street", "park", "city", "village", "field", "bridge"),
    ),
    "motorcycle": Seat(
        ("riding", "on"),
        _at_handlebar,
        None,
        _motorcycle,
        places=("street", "city", "desert", "bridge"),
    ),
    "boat": Seat(("in", "sitting in"), _on_rim, None, _boat, places=("sea", "lake", "harbour")),
    "car": Seat(
        ("driving", "in"),
        _at_wheel,
        _car_behind,
        _car,
        places=("street", "city", "village", "desert", "snow"),
    ),
}


def coat_of(seat: str, colour: str) -> Colour:
    """Return the colour of a seat: an animal's coat or a thing's colour."""
    if seat in SPECIES:
        return SPECIES[seat].coats[colour]
    return COLOURS[colour]


def colours_for(seat: str) -> tuple[str, ...]:
    """Return the colours that a seat may have."""
    if seat in SPECIES:
        return tuple(SPECIES[seat].coats)
    return ("red", "blue", "green", "yellow", "brown", "white", "black", "orange", "purple")


__all__ = ["SEATS", "Seat", "coat_of", "colours_for", "draw_knees"]
