"""Captions: what a scene shows, in ordinary English, with more or fewer details."""

from __future__ import annotations

import re
from random import Random

from sow.benchmarks.world.animals import SPECIES
from sow.benchmarks.world.hats import COLOURED
from sow.benchmarks.world.mounts import SEATS
from sow.benchmarks.world.people import Identity, Person
from sow.benchmarks.world.places import PLACES, Surroundings
from sow.benchmarks.world.quality import quality_caption
from sow.benchmarks.world.scenes import Scene, Subject
from sow.benchmarks.world.things import HELD, STANDING

HAIR_WORDS: dict[str, tuple[str, ...]] = {
    "short": ("short {c} hair",),
    "long": ("long {c} hair", "long straight {c} hair"),
    "curly": ("curly {c} hair", "{c} curls"),
    "wavy": ("wavy {c} hair", "long wavy {c} hair"),
    "bun": ("{c} hair in a bun", "a {c} bun"),
    "ponytail": ("a {c} ponytail",),
    "pigtails": ("{c} pigtails",),
    "braids": ("{c} braids", "{c} plaits"),
    "afro": ("a {c} afro", "big {c} hair"),
    "mohawk": ("a {c} mohawk",),
    "bob": ("a {c} bob", "chin-length {c} hair"),
    "spiky": ("spiky {c} hair",),
    "bald": ("no hair",),
}
EXPRESSION_WORDS: dict[str, tuple[str, ...]] = {
    "neutral": ("",),
    "smiling": ("smiling", "happy", "friendly"),
    "laughing": ("laughing", "cheerful"),
    "sad": ("sad", "unhappy"),
    "crying": ("crying", "weeping"),
    "angry": ("angry", "furious"),
    "surprised": ("surprised", "astonished"),
    "sleeping": ("sleeping", "sleepy"),
    "winking": ("winking",),
    "scared": ("scared", "frightened"),
}
PATTERN_WORDS: dict[str, tuple[str, ...]] = {
    "plain": ("",),
    "striped": ("striped",),
    "dotted": ("dotted", "spotted"),
    "checked": ("checked", "plaid"),
    "flowered": ("flowered", "floral"),
    "starry": ("starry",),
}
ROLE_WORDS: dict[str, tuple[str, ...]] = {
    "chef": ("chef", "cook", "baker"),
    "police officer": ("police officer",),
    "firefighter": ("firefighter",),
    "builder": ("builder", "worker"),
    "painter": ("painter", "artist"),
    "waiter": ("waiter",),
    "elf": ("elf",),
    "doctor": ("doctor", "nurse"),
}
STYLE_WORDS: dict[str, tuple[str, ...]] = {
    "pencil sketch": ("a pencil sketch of", "a pencil drawing of", "a sketch of"),
    "watercolour": ("a watercolor painting of", "a watercolour of", "a watercolor of"),
    "oil painting": ("an oil painting of", "a painting of"),
    "pop art": ("a pop art picture of", "pop art of"),
    "pixel art": ("pixel art of", "a pixel art picture of"),
    "neon": ("a neon picture of", "neon art of"),
    "black and white": ("a black and white photo of", "a black and white picture of"),
}
STYLE_ENDS: dict[str, tuple[str, ...]] = {
    "pencil sketch": ("pencil sketch", "in pencil"),
    "watercolour": ("watercolor", "in watercolour"),
    "oil painting": ("oil painting", "oil on canvas"),
    "pop art": ("pop art", "in pop art style"),
    "pixel art": ("pixel art",),
    "neon": ("neon lights", "neon style"),
    "black and white": ("black and white",),
}
PLAIN_STARTS = (
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "a picture of",
    "an illustration of",
    "a drawing of",
    "a portrait of",
    "a cartoon of",
)
CLOSE_UPS = ("a close-up of", "a close-up of", "the face of", "a portrait of", "a closeup of")
TIME_WORDS: dict[str, tuple[str, ...]] = {
    "day": ("",) * 6 + ("on a sunny day", "during the day"),
    "sunrise": ("at sunrise", "in the morning", "at dawn"),
    "sunset": ("at sunset", "in the evening", "at dusk"),
    "night": ("at night", "at night", "under the stars", "by moonlight"),
}
SEASON_WORDS: dict[str, tuple[str, ...]] = {
    "summer": ("",) * 5 + ("in summer",),
    "spring": ("in spring",),
    "autumn": ("in autumn", "in fall", "in the fall"),
    "winter": ("in winter",),
}
WEATHER_WORDS: dict[str, tuple[str, ...]] = {
    "clear": ("",),
    "cloudy": ("under a cloudy sky", "on a cloudy day"),
    "rain": ("in the rain", "on a rainy day"),
    "snowfall": ("while it snows", "in falling snow"),
    "fog": ("in the fog", "on a foggy day"),
    "storm": ("in a storm", "in a thunderstorm"),
    "rainbow": ("under a rainbow", "with a rainbow"),
}
SYNONYMS: dict[str, tuple[str, ...]] = {
    "gray": ("gray", "grey"),
    "blonde": ("blonde", "blond"),
    "armour": ("armour", "armor"),
    "pyjamas": ("pyjamas", "pajamas"),
    "moustache": ("moustache", "mustache"),
    "cup": ("cup", "mug"),
    "gift": ("gift", "present"),
    "bicycle": ("bicycle", "bike"),
    "motorcycle": ("motorcycle", "motorbike"),
    "sofa": ("sofa", "couch"),
    "sailing boat": ("sailing boat", "sailboat"),
    "beanie": ("beanie", "woolly hat"),
    "golden": ("golden", "gold"),
}
NUMBERS = {2: "two", 3: "three"}


def article(words: str) -> str:
    """Put a or an before words."""
    return f"{'an' if words[:1] in 'aeiou' and not words.startswith('uni') else 'a'} {words}"


def _varied(text: str, random: Random) -> str:
    """Replace some words by others of the same meaning."""
    for word, others in SYNONYMS.items():
        if word in text:
            text = re.sub(rf"\b{word}\b", random.choice(others), text)
    return text


def _joined(*words: str) -> str:
    return " ".join(word for word in words if word)


def noun_for(identity: Identity, random: Random) -> str:
    """Return a noun for somebody: a woman, an old man, a boy …"""
    woman, age = identity.woman, identity.age
    if age == "child":
        return random.choice(
            ("girl", "girl", "little girl", "child", "kid")
            if woman
            else ("boy", "boy", "little boy", "child", "kid")
        )
    if age == "old":
        plain = "woman" if woman else "man"
        return random.choice(
            (
                f"old {plain}",
                f"old {plain}",
                f"elderly {plain}",
                "grandmother" if woman else "grandfather",
                "old person",
                f"senior {plain}",
            )
        )
    if age == "young" and random.random() < 0.6:
        return random.choice(("young woman", "young lady") if woman else ("young man",))
    return random.choice(
        ("woman", "woman", "woman", "lady", "person") if woman else ("man", "man", "man", "person")
    )


def garment_words(person: Person, random: Random) -> str:
    """Return the words for what somebody wears, with its article."""
    garment = person.garment
    name = {
        "pirate's coat": "coat",
        "doctor's coat": "white coat",
        "chef's jacket": "jacket",
        "superhero suit": "superhero suit",
    }.get(garment.type, garment.type)
    colour = "" if garment.type in ("doctor's coat", "armour", "spacesuit") else garment.colour
    words = _joined(random.choice(PATTERN_WORDS[garment.pattern]), colour, name)
    if random.random() < 0.1:
        words = _joined(colour, random.choice(PATTERN_WORDS[garment.pattern]), name)
    return words if name in ("overalls", "pyjamas", "armour") else article(words)


def describe(subject: Subject, random: Random, detail: float) -> str:
    """Return a phrase for a person; detail: the probability that something is mentioned."""
    person, identity = subject.person, subject.person.identity

    def said(share: float = 1.0) -> bool:
        return random.random() < detail * share

    mood = random.choice(EXPRESSION_WORDS[person.expression]) if said() else ""
    if subject.role and said(1.4):
        role = random.choice(ROLE_WORDS.get(subject.role, (subject.role,)))
        gender = (
            random.choice(("", "", "female" if identity.woman else "male"))
            if subject.role not in ("king", "queen", "princess", "witch", "fairy", "monk")
            else ""
        )
        phrase, dressed = (
            article(_joined(mood, "old" if identity.age == "old" and said() else "", gender, role)),
            False,
        )
    else:
        phrase, dressed = article(_joined(mood, noun_for(identity, random))), True
    traits = []
    if identity.hair_style != "bald" and said(0.5):
        traits.append(random.choice(HAIR_WORDS[identity.hair_style]).format(c=identity.hair))
    elif identity.hair_style == "bald" and said(0.6):
        phrase = article(f"bald {phrase.split(' ', 1)[1]}")
    if identity.glasses != "none" and said(0.7):
        traits.append(identity.glasses)
    if identity.beard != "none" and said(0.7):
        traits.append(
            article(
                _joined(
                    identity.hair if random.random() < 0.3 and "long" not in identity.beard else "",
                    identity.beard,
                )
            )
        )
    if identity.freckles and said(0.4):
        traits.append("freckles")
    if traits:
        phrase += " with " + _listed(traits)
    worn = []
    if (dressed and said(1.3)) or (not dressed and said(0.35)):
        worn.append(garment_words(person, random))
    if person.hat and ((dressed and said(1.3)) or said(0.25)):
        colour = person.hat_colour if person.hat in COLOURED else ""
        worn.append(
            _joined(colour, person.hat)
            if person.hat in ("headphones", "bunny ears")
            else article(_joined(colour, person.hat))
        )
    for extra in person.extras:
        if extra != "cape" and said():
            worn.append(article(extra))
    if worn:
        phrase += (
            " in " if random.random() < 0.4 and person.hat is None else " wearing "
        ) + _listed(worn)
    held = next((hand for hand in (person.left, person.right) if hand and hand.thing), None)
    if held and held.thing and said(1.5):
        thing = HELD[held.thing]
        words = _joined(
            held.colour if thing.coloured and random.random() < 0.75 else "", held.thing
        )
        verb = {
            "book": ("reading", "holding"),
            "guitar": ("playing", "playing", "with"),
            "violin": ("with",),
            "umbrella": ("holding", "under", "with"),
            "newspaper": ("reading", "holding"),
            "cup": ("holding", "with"),
        }.get(held.thing, ("holding", "holding", "with", "carrying"))
        plural = held.thing in ("flowers", "balloons")
        phrase += f" {random.choice(verb)} {words if plural else article(words)}"
    elif any(hand and hand.raised for hand in (person.left, person.right)) and said():
        phrase += " waving"
    if person.seat and said(1.6):
        seat = SEATS[person.seat]
        colour = person.seat_colour if seat.coloured and random.random() < 0.6 else ""
        phrase += f" {random.choice(seat.verb)} {article(_joined(colour, person.seat))}"
    return phrase


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def surroundings(where: Surroundings, random: Random, detail: float) -> str:
    """Return the words for place, time, season and weather."""
    place = PLACES[where.place]
    words = [random.choice(place.words)] if random.random() < min(1.0, detail * 1.7) else []
    if not place.indoors and where.place not in ("underwater", "space", "moon", "cave"):
        for choices, share in (
            (WEATHER_WORDS[where.weather], 1.3),
            (_time_words(where), 1.3),
            (SEASON_WORDS[where.season], 0.8),
        ):
            if random.random() < detail * share:
                words.append(random.choice(choices))
    return _joined(*words)


def _time_words(where: Surroundings) -> tuple[str, ...]:
    words = TIME_WORDS[where.time]
    return words if where.weather == "clear" else tuple(w for w in words if "sunny" not in w)


def _close_up(text: str, plain: str, random: Random) -> str:
    """Return a caption for a head that fills the picture; plain: the least that it may say."""
    roll = random.random()
    if roll < 0.2:
        return random.choice((plain, plain, "a human face", "a face"))
    if roll < 0.65:
        return f"{random.choice(CLOSE_UPS)} {text}"
    return f"{text}, human face" if roll < 0.8 else text


def caption(scene: Scene, seed: int = 0) -> str:
    """Return a caption for a scene; another seed words it otherwise."""
    random = Random(f"caption {scene.seed} {seed}")
    detail = random.choice((0.3, 0.55, 0.75, 0.95))
    parts = []
    if len(scene.people) > 1:
        if random.random() < 0.3:
            women = [s.person.identity.woman for s in scene.people]
            noun = "women" if all(women) else "men" if not any(women) else "people"
            parts.append(f"{NUMBERS[len(women)]} {noun}")
        else:
            parts.append(
                _listed([describe(subject, random, detail * 0.7) for subject in scene.people])
            )
    elif scene.people:
        parts.append(describe(scene.people[0], random, detail))
    for beast in scene.animals:
        coat = beast.coat if beast.coat and random.random() < 0.75 else ""
        animal = article(_joined(coat, beast.species))
        parts.append(
            f"{random.choice(('with', 'and', 'beside', 'next to'))} {animal}" if parts else animal
        )
    for thing in scene.things:
        drawn = STANDING[thing.thing]
        words = article(
            _joined(thing.colour if drawn.coloured and random.random() < 0.7 else "", thing.thing)
        )
        parts.append(f"{random.choice(('beside', 'next to', 'with'))} {words}" if parts else words)
    parts.append(surroundings(scene.where, random, detail if parts else 1.0))
    text = _varied(_joined(*parts), random)
    if scene.close_up:
        text = _close_up(text, "a human face" if scene.style else "human face", random)
    elif len(scene.people) == 1 and random.random() < 0.04:
        text = f"{text}, human face"
    text = _in_style(scene, text, random)
    said = quality_caption(scene.quality, text, random)
    if said is not None:
        return said
    return text if scene.style or scene.close_up else _joined(random.choice(PLAIN_STARTS), text)


def _in_style(scene: Scene, text: str, random: Random) -> str:
    if scene.style:
        if random.random() < 0.7:
            return f"{random.choice(STYLE_WORDS[scene.style])} {text}"
        return f"{text}, {random.choice(STYLE_ENDS[scene.style])}"
    return text


__all__ = ["SPECIES", "article", "caption", "describe", "garment_words", "noun_for", "surroundings"]
