"""The sentences of Figures-TV2I's pairs and what they mention, by setting."""

from __future__ import annotations

from random import Random

from sow.benchmarks.figures.world.captions import SCENE_WORDS, STYLE_WORDS
from sow.benchmarks.figures.world.scenes import SCENES
from sow.benchmarks.figures.world.things import COLOURS, HELD, colours_of
from sow.plan.scene_graph import article

SCENED, CLOTHED = 0.8, 0.4
"""How often a sentence that leaves the clothes' colour open says where, and what is worn."""


def _scene(random: Random) -> str:
    return random.choice([scene for scene in SCENES if scene != "plain"])


def _normal(random: Random) -> tuple[str, dict[str, str]]:
    """Return a sentence with clothes, a place, and in a third of cases something held."""
    scene, colour = _scene(random), random.choice(tuple(COLOURS))
    clothing = random.choice(("coat", "shirt", "sweater", "suit"))
    mentions = {"scene": scene, "clothing": clothing, "clothing_colour": colour}
    text = f"a person {random.choice(('wearing', 'in'))} {article(f'{colour} {clothing}')}"
    if random.random() < 1 / 3:
        thing = random.choice(HELD)
        held = random.choice(colours_of(thing))
        mentions |= {"thing": thing, "thing_colour": held, "relation": "holding"}
        text += f" holding {article(f'{held} {thing}')}"
    return f"{text} {SCENE_WORDS[scene][0]}", mentions


ATTRIBUTES: tuple[tuple[str, dict[str, str]], ...] = (
    ("an old person", {"age": "old"}),
    ("a young person", {"age": "young"}),
    ("a smiling person", {"expression": "smile"}),
    ("a sad person", {"expression": "sad"}),
    ("a person with glasses", {"glasses": "yes"}),
    ("a person with a beard", {"beard": "yes"}),
    ("a bald person", {"hair_style": "bald"}),
    ("a person with long hair", {"hair_style": "long"}),
    *(
        (f"a person with {hair} hair", {"hair_colour": hair})
        for hair in ("gray", "red", "blonde", "black")
    ),
)


def _attribute(random: Random) -> tuple[str, dict[str, str]]:
    """Return a sentence about the face, which may contradict it, and a place."""
    text, changed = random.choice(ATTRIBUTES)
    scene = _scene(random)
    mentions = {**changed, "scene": scene}
    if random.random() < 0.5:
        colour = random.choice(tuple(COLOURS))
        mentions["clothing_colour"] = colour
        clothing = random.choice(("coat", "shirt", "sweater"))
        mentions["clothing"] = clothing
        text += f" in {article(f'{colour} {clothing}')}"
    return f"{text} {SCENE_WORDS[scene][0]}", mentions


def _style(random: Random) -> tuple[str, dict[str, str]]:
    """Return a sentence with a style, clothes and a place."""
    style = random.choice(("sketch", "oil", "watercolor"))
    scene, colour = _scene(random), random.choice(tuple(COLOURS))
    clothing = random.choice(("coat", "shirt", "sweater", "suit"))
    mentions = {"style": style, "scene": scene, "clothing": clothing, "clothing_colour": colour}
    words = f"a person in {article(f'{colour} {clothing}')} {SCENE_WORDS[scene][0]}"
    return f"{STYLE_WORDS[style][0]} {words}", mentions


MAKERS = {"normal": _normal, "attribute": _attribute, "style": _style}


def open_sentence(random: Random, *, woman: bool) -> tuple[str, dict[str, str]]:
    """Return a sentence that does not name the colour of the clothes: a person, and a place or
    clothes or both.

    woman: who is planted, so that "a man" is one.
    """
    noun = random.choice(("person", "person", "woman" if woman else "man"))
    text, mentions = f"a {noun}", {}
    clothed, scened = random.random() < CLOTHED, random.random() < SCENED
    if clothed:
        mentions["clothing"] = random.choice(("coat", "shirt", "sweater", "suit"))
        text += f" in {article(mentions['clothing'])}"
    if scened or not clothed:
        mentions["scene"] = _scene(random)
        text += f" {random.choice(SCENE_WORDS[mentions['scene']])}"
    return text, mentions
