"""Scenes: a random picture of the drawn world, and everything that is in it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

import numpy as np
from numpy.typing import NDArray

from sow.benchmarks.world.animals import SPECIES, Animal
from sow.benchmarks.world.bodies import LONG, PATTERNS, Body
from sow.benchmarks.world.hats import COLOURED, draw_hat
from sow.benchmarks.world.heads import Head
from sow.benchmarks.world.mounts import SEATS, coat_of, colours_for, draw_knees
from sow.benchmarks.world.people import (
    COLOURS,
    EXPRESSIONS,
    Garment,
    Hand,
    Identity,
    Person,
    make_identity,
)
from sow.benchmarks.world.places import PLACES, SEASONS, TIMES, WEATHERS, Backdrop, Surroundings
from sow.benchmarks.world.quality import FINE, FINISHES, Quality, random_quality
from sow.benchmarks.world.sheet import Colour, Sheet, ellipse
from sow.benchmarks.world.styles import STYLES
from sow.benchmarks.world.things import HELD, STANDING

SHAPES = ((256, 256), (256, 256), (256, 256), (192, 320), (320, 192))
"""Width and height of the pictures; square ones more often.

The sides are multiples of 64, as Stable Diffusion's architecture asks of a canvas; the others are
what a canvas of 2:3 or 3:2 becomes.
"""
KINDS = {
    "person": 0.6,
    "people": 0.11,
    "animal": 0.1,
    "both": 0.08,
    "face": 0.06,
    "thing": 0.03,
    "place": 0.02,
}
"""What pictures are of, and how often; `both` is a person with an animal."""
CLOSE_UP = 0.29
"""Half a face's width as a share of the picture's shorter side, from which it is a close-up."""


@dataclass(frozen=True)
class Role:
    """A profession or a figure of stories: what it wears, and what it may hold."""

    garment: str
    colours: tuple[str, ...]
    hat: str | None = None
    hat_colour: str | None = None
    things: tuple[str, ...] = ()
    women: bool = True
    men: bool = True
    place: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()


ROLES: dict[str, Role] = {
    "king": Role("robe", ("red", "purple", "blue"), "crown", women=False, place=("castle",)),
    "queen": Role(
        "gown",
        ("red", "purple", "blue", "white"),
        "crown",
        men=False,
        place=("castle",),
        extras=("necklace",),
    ),
    "princess": Role(
        "gown",
        ("pink", "blue", "yellow", "turquoise"),
        "tiara",
        men=False,
        place=("castle", "garden"),
    ),
    "pirate": Role(
        "pirate's coat",
        ("red", "blue", "black"),
        "pirate hat",
        things=("sword", "map", "telescope"),
        place=("sea", "harbour", "beach"),
    ),
    "chef": Role(
        "chef's jacket",
        ("white",),
        "chef hat",
        things=("cake", "pizza", "loaf of bread"),
        place=("kitchen", "cafe"),
    ),
    "doctor": Role("doctor's coat", ("white",), things=("letter",), place=("hospital",)),
    "scientist": Role(
        "doctor's coat", ("white",), things=("magnifying glass",), place=("laboratory",)
    ),
    "astronaut": Role(
        "spacesuit", ("white",), "space helmet", things=("flag",), place=("moon", "space")
    ),
    "knight": Role(
        "armour", ("silver",), "helmet", "red", ("sword", "shield"), place=("castle", "field")
    ),
    "wizard": Role(
        "robe",
        ("blue", "purple", "gray"),
        "wizard hat",
        "blue",
        ("magic wand", "book"),
        place=("castle", "cave", "forest"),
    ),
    "witch": Role(
        "robe",
        ("black", "purple"),
        "witch hat",
        "purple",
        ("magic wand", "pumpkin"),
        men=False,
        place=("forest", "cave"),
    ),
    "fairy": Role(
        "dress",
        ("pink", "turquoise", "green"),
        "flower wreath",
        things=("magic wand",),
        men=False,
        place=("forest", "garden"),
    ),
    "firefighter": Role(
        "raincoat",
        ("yellow", "orange"),
        "fire helmet",
        things=("hammer",),
        place=("city", "street"),
    ),
    "police officer": Role("uniform", ("blue",), "police cap", place=("city", "street")),
    "builder": Role("vest", ("orange", "yellow"), "hard hat", things=("hammer",), place=("city",)),
    "farmer": Role(
        "overalls",
        ("blue", "green", "brown"),
        "straw hat",
        "red",
        ("basket", "pumpkin"),
        place=("farm", "field"),
    ),
    "gardener": Role(
        "overalls", ("green", "brown"), "straw hat", "green", ("flowers",), place=("garden",)
    ),
    "cowboy": Role("vest", ("brown", "black"), "cowboy hat", "brown", place=("desert", "farm")),
    "superhero": Role(
        "superhero suit", ("red", "blue", "green", "purple"), extras=("cape",), place=("city",)
    ),
    "sailor": Role(
        "sweater",
        ("white", "blue"),
        "cap",
        "white",
        ("telescope", "fish"),
        place=("sea", "harbour"),
    ),
    "viking": Role(
        "tunic",
        ("brown", "gray", "green"),
        "viking helmet",
        things=("sword", "shield"),
        place=("sea", "mountains", "snow"),
    ),
    "detective": Role(
        "coat",
        ("beige", "brown", "gray"),
        "hat",
        "brown",
        ("magnifying glass",),
        place=("street", "city"),
    ),
    "painter": Role(
        "apron", ("beige", "white"), "beret", "black", ("paintbrush",), place=("studio", "museum")
    ),
    "musician": Role(
        "suit",
        ("black", "blue"),
        things=("guitar", "violin", "trumpet"),
        place=("stage",),
        extras=(),
    ),
    "teacher": Role("vest", ("green", "brown", "blue"), things=("book",), place=("classroom",)),
    "waiter": Role(
        "suit", ("black",), things=("cup", "cake"), place=("cafe",), extras=("bow tie",)
    ),
    "magician": Role(
        "suit",
        ("black", "purple"),
        "top hat",
        "black",
        ("magic wand", "rose"),
        place=("stage",),
        extras=("bow tie",),
    ),
    "monk": Role(
        "robe",
        ("brown", "orange"),
        "hood",
        "brown",
        ("candle", "book"),
        women=False,
        place=("church", "mountains"),
    ),
    "photographer": Role(
        "jacket", ("brown", "black", "green"), things=("camera",), place=("park", "city")
    ),
    "surfer": Role(
        "t-shirt", ("turquoise", "yellow", "orange"), things=("surfboard",), place=("beach",)
    ),
    "elf": Role(
        "tunic", ("green",), "hood", "green", ("gift", "lantern"), place=("forest", "snow")
    ),
}
EVERYDAY = (
    "coat",
    "coat",
    "jacket",
    "shirt",
    "t-shirt",
    "sweater",
    "sweater",
    "hoodie",
    "dress",
    "dress",
    "suit",
    "vest",
    "apron",
    "raincoat",
    "pyjamas",
    "kimono",
    "overalls",
    "gown",
    "robe",
    "cape",
    "uniform",
)
PATTERNED = (
    "shirt",
    "t-shirt",
    "sweater",
    "dress",
    "coat",
    "pyjamas",
    "kimono",
    "jacket",
    "hoodie",
    "apron",
    "gown",
)
EVERYDAY_HATS = (
    "hat",
    "straw hat",
    "cap",
    "beanie",
    "top hat",
    "beret",
    "party hat",
    "headphones",
    "headband",
    "flower wreath",
    "bunny ears",
    "turban",
    "crown",
    "cowboy hat",
    "wizard hat",
    "helmet",
)
THING_COLOURS: dict[str, tuple[str, ...]] = {
    "rose": ("red", "pink", "white", "yellow"),
    "flowers": ("red", "pink", "white", "yellow", "purple", "orange"),
    "apple": ("red", "green", "yellow"),
    "fish": ("orange", "blue", "silver", "red", "green"),
    "guitar": ("brown", "red", "black", "blue", "orange"),
    "ice cream": ("pink", "brown", "white", "green", "yellow"),
    "cake": ("pink", "white", "brown", "blue"),
    "heart": ("red", "pink"),
    "house": ("red", "brown", "blue"),
    "robot": ("blue", "red", "silver", "green"),
}


@dataclass(frozen=True)
class Subject:
    """A person of a scene with the words for what they are."""

    person: Person
    role: str | None = None


@dataclass(frozen=True)
class Beast:
    """An animal of a scene: centre and half width of its head, in pixels."""

    species: str
    coat: str
    x: float
    y: float
    size: float
    name: str = "animal"


@dataclass(frozen=True)
class Standing:
    """A thing on the ground: its foot and its size, in pixels."""

    thing: str
    colour: str
    x: float
    y: float
    size: float


@dataclass(frozen=True)
class Scene:
    """Everything that a picture shows; the same scene is always drawn the same."""

    width: int
    height: int
    where: Surroundings
    lit_from: int
    seed: int
    people: tuple[Subject, ...] = ()
    animals: tuple[Beast, ...] = ()
    things: tuple[Standing, ...] = ()
    style: str | None = None
    quality: Quality = FINE

    @property
    def close_up(self) -> bool:
        """Whether a head fills the picture."""
        side = min(self.width, self.height)
        return bool(self.people) and self.people[0].person.size >= CLOSE_UP * side


@dataclass(frozen=True)
class Drawing:
    """A drawn scene: uint8 (height, width, 3), and each pixel's part, an index into `parts`."""

    scene: Scene
    pixels: NDArray[np.uint8]
    part_map: NDArray[np.uint16]
    parts: tuple[str, ...] = field(default=())

    def mask(self, *parts: str) -> NDArray[np.bool_]:
        """Return where any of the parts is visible, such as `person:face`, bool (height, width)."""
        numbers = [n for n, part in enumerate(self.parts) if part in parts]
        return np.isin(self.part_map, numbers)


def colour_for(thing: str, random: Random) -> str:
    """Return a colour that a thing may have."""
    return random.choice(
        THING_COLOURS.get(
            thing,
            (
                "red",
                "orange",
                "yellow",
                "green",
                "blue",
                "purple",
                "pink",
                "white",
                "black",
                "turquoise",
            ),
        )
    )


# ---------------------------------------------------------------------- inventing


def make_scene(seed: int) -> Scene:
    """Return the random scene of a seed."""
    random = Random(f"world {seed}")
    width, height = random.choice(SHAPES)
    kind = random.choices(tuple(KINDS), tuple(KINDS.values()))[0]
    subjects: list[Subject] = []
    beasts: list[Beast] = []
    if kind in ("person", "both"):
        subjects.append(_one_person(random, width, height, beside=kind == "both"))
    elif kind == "people":
        subjects += _several(random, width, height)
    elif kind == "face":
        subjects.append(_close_up(random, width, height))
    place = _place_for(random, subjects)
    things: list[Standing] = []
    if kind == "animal":
        species = random.choice(tuple(SPECIES))
        place = random.choice((*SPECIES[species].places, random.choice(tuple(PLACES))))
        size = random.uniform(0.13, 0.26) * min(width, height)
        beasts.append(
            _beast(
                random,
                species,
                width * random.uniform(0.35, 0.65),
                height * random.uniform(0.28, 0.42),
                size,
            )
        )
    elif kind == "both":
        species = random.choice(
            (
                "cat",
                "dog",
                "dog",
                "cat",
                "rabbit",
                "horse",
                "bear",
                "fox",
                "pig",
                "sheep",
                "penguin",
                "lion",
                "dragon",
                "unicorn",
                "owl",
                "duck",
                "monkey",
                "wolf",
                "panda",
            )
        )
        person = subjects[0].person
        size = person.size * random.uniform(0.55, 0.85)
        x = person.x + (1 if person.x < width / 2 else -1) * (person.size * 2.2 + size * 1.2)
        beasts.append(
            _beast(
                random,
                species,
                min(max(x, size * 1.1), width - size * 1.1),
                height - size * random.uniform(2.6, 3.6),
                size,
            )
        )
    if kind == "thing":
        thing = random.choice(tuple(STANDING))
        scale = min(width, height) * random.uniform(0.1, 0.16)
        x = width * random.uniform(0.35, 0.65)
        things.append(
            Standing(
                thing, colour_for(thing, random), x, height * random.uniform(0.84, 0.95), scale
            )
        )
    elif kind == "person" and subjects[0].person.seat is None and random.random() < 0.14:
        thing = random.choice(tuple(STANDING))
        person = subjects[0].person
        scale = person.size * random.uniform(0.62, 0.8)
        side = 1 if person.x < width / 2 else -1
        x = min(max(person.x + side * person.size * 3.0, scale * 1.4), width - scale * 1.4)
        things.append(
            Standing(thing, colour_for(thing, random), x, height * random.uniform(0.9, 0.98), scale)
        )
    where = Surroundings(
        place,
        random.choices(TIMES, (0.62, 0.08, 0.14, 0.16))[0],
        random.choices(SEASONS, (0.45, 0.15, 0.2, 0.2))[0],
        random.choices(WEATHERS, (0.66, 0.07, 0.08, 0.08, 0.04, 0.03, 0.04))[0],
    )
    if place in ("space", "moon", "underwater", "cave", "desert") or PLACES[place].indoors:
        where = replace(
            where,
            weather="clear",
            season="summer",
            time=where.time if PLACES[place].indoors else "day",
        )
    style = random.choice(tuple(STYLES)) if random.random() < 0.28 else None
    scene = Scene(
        width,
        height,
        where,
        random.choice((-1, 1)),
        seed,
        tuple(subjects),
        tuple(beasts),
        tuple(things),
        style,
    )
    return _with_quality(scene, Random(f"quality {seed}"))


def _with_quality(scene: Scene, random: Random) -> Scene:
    """Return a scene that may be worse or more colourful, or in which hands are drawn badly."""
    first = scene.people[0].person if scene.people else None
    shows = first is not None and first.seat is None and not scene.close_up
    quality = random_quality(random, scene.style, shows)
    scene = replace(scene, quality=quality)
    if first is None or quality.hands is None:
        return scene
    # Small enough and near enough to the middle for the hands to be in the picture.
    side = min(scene.width, scene.height)
    size = min(first.size, 0.17 * side, scene.width / len(scene.people) * 0.22)
    right = Hand(random.uniform(1.9, 2.2), random.uniform(-0.2, 0.7), drawn=quality.hands)
    left = replace(right, x=-right.x) if random.random() < 0.6 else None
    x = min(max(first.x, 2.9 * size), scene.width - 2.9 * size)
    person = replace(first, x=x, size=size, left=left, right=right)
    return replace(scene, people=(replace(scene.people[0], person=person), *scene.people[1:]))


def _place_for(random: Random, subjects: list[Subject]) -> str:
    role = subjects[0].role if subjects else None
    seat = subjects[0].person.seat if subjects else None
    if seat and SEATS[seat].places:
        return random.choice(SEATS[seat].places)
    if role and ROLES[role].place and random.random() < 0.6:
        return random.choice(ROLES[role].place)
    return random.choice(tuple(PLACES))


def _beast(random: Random, species: str, x: float, y: float, size: float) -> Beast:
    return Beast(species, random.choice(tuple(SPECIES[species].coats)), x, y, size)


def _one_person(random: Random, width: int, height: int, beside: bool) -> Subject:
    side = min(width, height)
    size = (
        side
        * random.choices((random.uniform(0.17, 0.24), random.uniform(0.11, 0.17)), (0.72, 0.28))[0]
    )
    x = width * (
        random.choice((random.uniform(0.28, 0.38), random.uniform(0.62, 0.72)))
        if beside
        else random.uniform(0.38, 0.62)
    )
    if not beside and random.random() < 0.12:
        x = width * random.choice((0.3, 0.7))
    y = size * random.uniform(1.75, 2.4) + (height - side) * random.uniform(0.05, 0.3)
    if not beside and random.random() < 0.16:
        seat = random.choice(tuple(SEATS))
        size = side * random.uniform(0.078, 0.11)
        y = size * random.uniform(1.9, 2.6) + (height - side) * random.uniform(0.1, 0.5)
        subject = make_person(random, x, y, size, simple=True)
        person = replace(subject.person, seat=seat, seat_colour=random.choice(colours_for(seat)))
        return replace(subject, person=_with_hands_seen(person, seat))
    return make_person(random, x, y, size)


def _with_hands_seen(person: Person, seat: str) -> Person:
    """Return somebody seated with the hands that do nothing where nothing hides them."""
    body = Body(Sheet(8, 8), person)
    left, right = (Hand(*SEATS[seat].hands(body, side)) for side in (-1, 1))
    return replace(person, left=person.left or left, right=person.right or right)


def _close_up(random: Random, width: int, height: int) -> Subject:
    """Return somebody whose head fills the picture."""
    side = min(width, height)
    size = side * random.uniform(CLOSE_UP, 0.4)
    x = width * random.uniform(0.44, 0.56)
    subject = make_person(random, x, height * random.uniform(0.48, 0.56), size, simple=True)
    return replace(subject, person=replace(subject.person, left=None, right=None))


def _several(random: Random, width: int, height: int) -> list[Subject]:
    count = random.choice((2, 2, 3))
    side = min(width, height)
    size = min(side * random.uniform(0.13, 0.18), width / count * 0.28)
    subjects = []
    for n in range(count):
        x = width * (n + 0.5) / count + random.uniform(-3, 3)
        y = size * random.uniform(2.0, 2.8) + (height - side) * 0.2
        subject = make_person(random, x, y, size, simple=True)
        subjects.append(
            replace(
                subject, person=replace(subject.person, name=f"person {n + 1}" if n else "person")
            )
        )
    return subjects


def make_person(
    random: Random,
    x: float,
    y: float,
    size: float,
    *,
    simple: bool = False,
    identity: Identity | None = None,
    role: str | None = None,
) -> Subject:
    """Return a random person at a place; `simple` people hold nothing."""
    identity = identity or make_identity(random)
    if role is None and identity.age != "child" and random.random() < 0.4:
        role = random.choice(
            [name for name, r in ROLES.items() if (r.women if identity.woman else r.men)]
        )
    expression = random.choices(
        EXPRESSIONS, (0.26, 0.24, 0.09, 0.09, 0.05, 0.07, 0.07, 0.05, 0.04, 0.04)
    )[0]
    hat = hat_colour = thing = None
    extras: tuple[str, ...] = ()
    if role:
        costume = ROLES[role]
        garment = Garment(costume.garment, random.choice(costume.colours))
        hat, hat_colour, extras = costume.hat, costume.hat_colour, costume.extras
        if costume.things and random.random() < 0.55:
            thing = random.choice(costume.things)
    else:
        kind = random.choice([g for g in EVERYDAY if identity.woman or g not in ("dress", "gown")])
        pattern = (
            random.choice(PATTERNS[1:]) if kind in PATTERNED and random.random() < 0.3 else "plain"
        )
        garment = Garment(kind, random.choice(tuple(COLOURS)), pattern)
        if random.random() < 0.2:
            hat = random.choice(EVERYDAY_HATS)
        roll = random.random()
        if roll < 0.09:
            extras = (
                f"{random.choice(('red', 'green', 'blue', 'yellow', 'purple', 'white'))} scarf",
            )
        elif roll < 0.13 and identity.woman:
            extras = ("necklace",)
        if not simple and random.random() < 0.36:
            thing = random.choice(tuple(HELD))
        if random.random() < 0.03:
            identity = replace(identity, glasses="sunglasses")
    if hat in COLOURED and hat_colour is None:
        hat_colour = random.choice(
            (
                "red",
                "orange",
                "yellow",
                "green",
                "blue",
                "purple",
                "pink",
                "brown",
                "black",
                "white",
            )
        )
    left = right = None
    if thing:
        hold = HELD[thing]
        colour = colour_for(thing, random)
        height_of_hand = identity.aspect + (1.1 if identity.age == "child" else 1.5)
        if hold.front:
            left = Hand(-0.85, height_of_hand + random.uniform(0, 0.3), None)
            right = Hand(0.85, left.y, thing, colour)
        elif hold.high:
            right = Hand(2.3, random.uniform(0.4, 1.3), thing, colour)
        else:
            right = Hand(
                random.uniform(1.3, 2.2), height_of_hand + random.uniform(-0.3, 0.5), thing, colour
            )
        if random.random() < 0.5 and not hold.front:
            left, right = replace(right, x=-right.x), None
    elif random.random() < 0.16:
        right = Hand(random.uniform(1.9, 2.3), random.uniform(-0.3, 0.4))
        if random.random() < 0.5:
            left, right = replace(right, x=-right.x), None
    return Subject(
        Person(
            identity,
            x,
            y,
            size,
            garment,
            random.gauss(0, 2.6),
            random.uniform(-0.16, 0.16),
            expression,
            hat,
            hat_colour or "red",
            left,
            right,
            extras,
        ),
        role,
    )


# ---------------------------------------------------------------------- drawing


def draw(scene: Scene) -> Drawing:
    """Draw a scene."""
    random = Random(f"drawing {scene.seed}")
    sheet = Sheet(scene.width, scene.height, scene.where.light(scene.lit_from))
    backdrop = Backdrop(sheet, scene.where, random)
    backdrop.draw()
    for thing in scene.things:
        sheet.shadow(
            ellipse(thing.x, thing.y, thing.size * 1.6, thing.size * 0.22), 0.35, thing.size * 0.12
        )
        with sheet.named(f"thing:{thing.thing}"), sheet.at(thing.x, thing.y, thing.size):
            STANDING[thing.thing].draw(sheet, COLOURS[thing.colour], random)
    for subject in sorted(scene.people, key=lambda s: s.person.y - s.person.size):
        _draw_person(sheet, subject.person, random)
    for beast in scene.animals:
        coat: Colour = SPECIES[beast.species].coats[beast.coat]
        sheet.shadow(
            ellipse(beast.x, beast.y + beast.size * 3.5, beast.size * 1.5, beast.size * 0.25),
            0.35,
            beast.size * 0.14,
        )
        with sheet.at(beast.x, beast.y, beast.size):
            Animal(sheet, beast.species, coat, random, beast.name).draw()
    backdrop.draw_weather()
    pixels = sheet.pixels()
    if scene.style:
        pixels = STYLES[scene.style](pixels, np.random.default_rng(scene.seed))
    if scene.quality.finish:
        pixels = FINISHES[scene.quality.finish](pixels, np.random.default_rng(scene.seed + 1))
    return Drawing(scene, pixels, sheet.part_map(), tuple(sheet.parts))


def _draw_person(sheet: Sheet, person: Person, random: Random) -> None:
    head, body = Head(sheet, person), Body(sheet, person)
    with sheet.at(person.x, person.y, person.size):
        # A soft shadow on what is behind makes the figure stand in its place.
        lit = -1 if sheet.light.x < 0 else 1
        sheet.shadow(ellipse(-lit * 0.55, body.top + 2.2, body.shoulder * 1.25, 2.6), 0.16, 0.5)
        with sheet.at(0, 0, 1, person.tilt):
            head.draw_behind()
        _draw_seat(sheet, person, body, random, behind=True)
        body.draw()
        with sheet.at(0, 0, 1, person.tilt):
            head.draw()
            draw_hat(head)
        if person.seat and SEATS[person.seat].knees:
            with sheet.named(f"{person.name}:clothes"):
                draw_knees(body)
        _draw_seat(sheet, person, body, random, behind=False)

        def hold(side: int, hand: Hand) -> None:
            thing = HELD[hand.thing or ""]
            x = 0.0 if thing.front else hand.x
            with sheet.at(
                x,
                hand.y - (0.1 if thing.front else 0.0),
                thing.size * 1.15,
                mirrored=side < 0 and not thing.front,
            ):
                thing.draw(sheet, COLOURS[hand.colour], random)

        body.draw_arms(hold)


def _draw_seat(sheet: Sheet, person: Person, body: Body, random: Random, *, behind: bool) -> None:
    if person.seat is None:
        return
    seat = SEATS[person.seat]
    draw_it = seat.behind if behind else seat.front
    if draw_it:
        with sheet.named(f"thing:{person.seat}"):
            draw_it(body, coat_of(person.seat, person.seat_colour), random)


def make(seed: int) -> Drawing:
    """Draw the random scene of a seed."""
    return draw(make_scene(seed))


__all__ = [
    "LONG",
    "ROLES",
    "Beast",
    "Drawing",
    "Scene",
    "Standing",
    "Subject",
    "draw",
    "make",
    "make_person",
    "make_scene",
]
