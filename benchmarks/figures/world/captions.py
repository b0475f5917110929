"""Captions of drawings, as a person might type them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from sow.benchmarks.figures.world.layout import Spec
from sow.benchmarks.figures.world.people import Person
from sow.benchmarks.figures.world.things import Thing
from sow.plan.scene_graph import article

STYLE_WORDS = {
    "none": ("a photo of", "a picture of", "a cartoon of", "a portrait of", "an image of"),
    "sketch": ("a pencil sketch of", "a sketch of", "a pencil drawing of", "a drawing of"),
    "oil": ("an oil painting of", "an oil painting of", "a painting of"),
    "watercolor": ("a watercolor of", "a watercolor painting of", "a watercolour of"),
}
SCENE_WORDS = {
    "plain": ("in front of a wall", "indoors"),
    "forest": ("in the forest", "in the forest", "in a forest", "in the woods"),
    "beach": ("on the beach", "on the beach", "at the beach", "by the sea"),
    "city": ("in the city", "in the city", "in a city", "on the street"),
    "snow": ("in the snow", "in the snow", "in winter", "in the mountains"),
    "desert": ("in the desert", "in the desert", "in a desert"),
    "night": ("at night", "at night", "under the moon", "under the stars"),
}
EXPRESSION_WORDS = {
    "smile": ("smiling", "smiling", "happy", "laughing"),
    "sad": ("sad", "sad", "unhappy"),
    "neutral": ("serious", "neutral"),
}
RELATION_WORDS = {
    "left of": ("left of", "to the left of"),
    "right of": ("right of", "to the right of"),
    "above": ("above", "above", "over"),
    "below": ("below", "below", "under"),
    "on": ("on", "on", "on top of"),
    "near": ("near", "next to", "beside"),
}
LISTED = 0.25
"""The share of captions of people that name features after commas instead of before and behind
the noun."""
LONGEST = 30
"""Tokens of a caption, the first and the last of CLIP's left out."""
OPPOSITE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}


@dataclass(frozen=True)
class Caption:
    """A sentence and what it mentions, as the truth for a picture made from it.

    said: of scene, style, expression, age, hair_colour, hair_style, glasses, beard, clothing,
    clothing_colour, thing, thing_colour, relation, other_thing, other_colour those that the
    sentence mentions, with the world's names for them.
    """

    text: str
    mentions: dict[str, str] = field(default_factory=dict)


def describe(spec: Spec, random: Random) -> Caption:
    """Return one of many true sentences about a picture. Objects are always mentioned, most
    other facts usually."""
    mentions: dict[str, str] = {}
    listed = spec.person is not None and random.random() < LISTED
    if spec.person is not None:
        text = _about_person(spec, spec.person, listed, mentions, random)
    elif spec.things:
        text = _about_things(spec, mentions, random)
    else:
        text = random.choice(("nobody", "an empty place", "a landscape"))
    if spec.person is not None and random.random() < 0.05:
        text += " " + random.choice(("standing", "standing", "sitting"))
    if random.random() < (0.12 if spec.scene == "plain" else 0.9) or text == "nobody":
        text += " " + random.choice(SCENE_WORDS[spec.scene])
        if spec.scene != "plain":
            mentions["scene"] = spec.scene
    if spec.style != "none":
        text = f"{random.choice(STYLE_WORDS[spec.style])} {text}"
        mentions["style"] = spec.style
    elif random.random() < 0.2:
        words = STYLE_WORDS["none"] if spec.person is not None else STYLE_WORDS["none"][:3]
        text = f"{random.choice(words)} {text}"
    if spec.person is not None and listed:
        text += _list_of_features(spec.person, LONGEST - len(text.split()), mentions, random)
    return Caption(text, mentions)


def _thing_words(thing: Thing) -> str:
    return article(thing.kind if thing.kind == "tree" else f"{thing.colour} {thing.kind}")


def _mentions_of(thing: Thing, kind: str, colour: str) -> dict[str, str]:
    """Return a thing's kind and colour under these names; a tree's colour is never mentioned."""
    if thing.kind == "tree":
        return {kind: thing.kind}
    return {kind: thing.kind, colour: thing.colour}


def _about_things(spec: Spec, mentions: dict[str, str], random: Random) -> str:
    first = spec.things[0]
    mentions |= _mentions_of(first, "thing", "thing_colour")
    if spec.relation is None:
        return _thing_words(first)
    second = spec.things[1]
    mentions |= {**_mentions_of(second, "other_thing", "other_colour"), "relation": spec.relation}
    words = random.choice(RELATION_WORDS[spec.relation])
    return f"{_thing_words(first)} {words} {_thing_words(second)}"


def _about_person(
    spec: Spec, person: Person, listed: bool, mentions: dict[str, str], random: Random
) -> str:
    if listed:
        text = article(_noun(person.identity.woman, False, random))
    else:
        text = _who(person, mentions, random)
    clothes = _clothes(person, mentions, random)
    thing = spec.things[0] if spec.things else None
    if spec.relation == "wearing" and thing is not None:
        clothes = (
            f"{clothes} and {_thing_words(thing)}" if clothes else f"wearing {_thing_words(thing)}"
        )
    if clothes:
        text += f" {clothes}"
    if thing is None or spec.relation is None:
        return text
    mentions |= {**_mentions_of(thing, "thing", "thing_colour"), "relation": spec.relation}
    if spec.relation == "wearing":
        return text
    if spec.relation == "holding":
        verb = random.choice(("holding", "holding", "with"))
        if verb == "with":
            del mentions["relation"]
        return f"{text} {verb} {_thing_words(thing)}"
    return _placed(text, spec.relation, thing, random)


def _placed(text: str, relation: str, thing: Thing, random: Random) -> str:
    """Return a sentence that places a thing, in one of three ways."""
    way = random.random()
    if relation in ("left of", "right of") and way < 0.4:
        return f"{text} with {_thing_words(thing)} on the {relation.split()[0]}"
    if way < 0.6:
        return f"{_thing_words(thing)} {random.choice(RELATION_WORDS[relation])} {text}"
    turned = OPPOSITE.get(relation, relation)
    return f"{text} {random.choice(RELATION_WORDS[turned])} {_thing_words(thing)}"


def _who(person: Person, mentions: dict[str, str], random: Random) -> str:
    identity = person.identity
    words = []
    if random.random() < (0.65 if person.pose.expression != "neutral" else 0.12):
        words.append(random.choice(EXPRESSION_WORDS[person.pose.expression]))
        mentions["expression"] = person.pose.expression
    child = identity.age == "young" and random.random() < 0.3
    if child or (identity.age != "adult" and random.random() < 0.75):
        mentions["age"] = identity.age
    if "age" in mentions and not child:
        words.append(
            random.choice(("old", "old", "old", "elderly")) if identity.age == "old" else "young"
        )
    if identity.hair_style == "bald" and random.random() < 0.7:
        words.append("bald")
        mentions["hair_style"] = "bald"
    text = article(" ".join([*words, _noun(identity.woman, child, random)]))
    return text + _features(person, mentions, random)


def _noun(woman: bool, child: bool, random: Random) -> str:
    if child:
        named: Sequence[str] = ("girl", "girl", "child") if woman else ("boy", "boy", "child")
        return random.choice((*named, "kid"))
    if random.random() < 0.38:
        return random.choice(("person",) * 8 + ("face", "human face", "human"))
    return (
        random.choice(("woman",) * 7 + ("lady",))
        if woman
        else random.choice(("man",) * 7 + ("guy",))
    )


def _list_of_features(person: Person, room: int, mentions: dict[str, str], random: Random) -> str:
    """Return features after commas, as in "a man in the snow, gray hair, glasses", of at most
    `room` tokens: as an intensified prompt lists them (Sec. IV-A)."""
    identity = person.identity
    features = [
        ("expression", person.pose.expression, EXPRESSION_WORDS[person.pose.expression][0]),
        ("hair_colour", identity.hair, f"{identity.hair_style} {identity.hair} hair"),
    ]
    if identity.hair_style == "bald":
        features[1] = ("hair_style", "bald", "bald")
    elif identity.hair_style == "bun" or random.random() < 0.4:
        features[1] = ("hair_colour", identity.hair, f"{identity.hair} hair")
    if identity.age != "adult":
        features.append(("age", identity.age, identity.age))
    features += [("glasses", "yes", "glasses")] * identity.glasses
    features += [("beard", "yes", random.choice(("a beard", "beard")))] * identity.beard
    random.shuffle(features)
    text = ""
    for name, value, words in features:
        cost = 1 + len(words.split())
        if cost <= room and random.random() < 0.8:
            text, room = f"{text}, {words}", room - cost
            mentions[name] = value
            if name == "hair_colour" and words.startswith(identity.hair_style):
                mentions["hair_style"] = identity.hair_style
    return text


def _features(person: Person, mentions: dict[str, str], random: Random) -> str:
    """Return "with ..." and at most two features."""
    identity, features = person.identity, []
    if identity.hair_style != "bald" and random.random() < 0.62:
        hair = f"{identity.hair} hair"
        mentions["hair_colour"] = identity.hair
        if identity.hair_style != "bun" and random.random() < 0.5:
            hair = f"{identity.hair_style} {hair}"
            mentions["hair_style"] = identity.hair_style
        features.append(hair)
    if identity.glasses and random.random() < 0.8:
        features.append("glasses")
        mentions["glasses"] = "yes"
    if identity.beard and len(features) < 2 and random.random() < 0.8:
        features.append("a beard")
        mentions["beard"] = "yes"
    return f" with {' and '.join(features)}" if features else ""


def _clothes(person: Person, mentions: dict[str, str], random: Random) -> str:
    if random.random() > 0.72:
        return ""
    mentions |= {"clothing": person.clothing, "clothing_colour": person.clothing_colour}
    name = person.clothing
    if name == "coat" and random.random() < 0.2:
        name = "jacket"
    elif name == "sweater" and random.random() < 0.2:
        name = "striped sweater"
    worn = article(f"{person.clothing_colour} {name}")
    return f"{random.choice(('wearing', 'wearing', 'in', 'in', 'dressed in'))} {worn}"
