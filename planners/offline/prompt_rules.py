"""Read setting, subject and composition from a prompt, by the words in `prompts/offline.toml`."""

from __future__ import annotations

import re
from typing import Literal

from sow.plan.plan import Setting
from sow.plan.prompt_syntax import plain_text
from sow.prompts import load_toml

Side = Literal["left", "right"]


def words(prompt: str) -> list[str]:
    """Return the words of a prompt in lower case, without weights."""
    return re.findall(r"[\w'-]+", plain_text(prompt).lower())


def mentions(prompt: str, phrases: list[str]) -> bool:
    """Return whether one of the phrases occurs in the prompt, as complete words."""
    text = f" {' '.join(words(prompt))} "
    return any(f" {' '.join(words(phrase))} " in text for phrase in phrases)


def read_setting(prompt: str) -> Setting:
    """Return which of the paper's three settings a prompt asks for."""
    table = load_toml("offline")
    if mentions(prompt, table["style"]["phrases"]):
        return "style"
    if mentions(prompt, table["attribute"]["phrases"]) or _describes_person(prompt):
        return "attribute"
    return "normal"


def _describes_person(prompt: str) -> bool:
    """Return whether an adjective such as "old" stands before a person, up to two words away."""
    table = load_toml("offline")
    text = words(prompt)
    for place, word in enumerate(text):
        if word in table["attribute"]["adjectives"]:
            after = text[place + 1 : place + 4]
            reach = next(
                (n for n, w in enumerate(after) if w in {"a", "an", "the", "in", "on", "with"}),
                len(after),
            )
            if any(person in table["people"] for person in after[:reach]):
                return True
    return False


def names_person(text: str) -> bool:
    """Return whether a text names a person or a part of one that shows who it is."""
    people = load_toml("offline")["people"]
    return any(word in people or word == "head" for word in words(text))


def named_animal(prompt: str) -> str | None:
    """Return the animal in a prompt without people, or None."""
    animals = load_toml("offline")["animals"]["names"]
    if names_person(prompt):
        return None
    return next((word for word in words(prompt) if word in animals), None)


def is_animal(subject: str) -> bool:
    """Return whether a subject is an animal, which has a body below its head."""
    return any(word in load_toml("offline")["animals"]["names"] for word in words(subject))


def side_of_subject(prompt: str, subject: str) -> Side | None:
    """Return the side where the subject leaves room for what the prompt puts beside it.

    None is the middle.
    """
    table = load_toml("offline")
    text = " ".join(words(prompt))
    names = table["people"] if subject == "face" else words(subject)
    sides: tuple[tuple[Side, Side], ...] = (("left", "right"), ("right", "left"))
    for side, other in sides:
        split = re.search(rf"\b(?:to the )?{side} of\b", text)
        if split:
            subject_first = any(name in text[: split.start()].split() for name in names)
            return side if subject_first else other
    for side, other in sides:
        place = text.find(f"on the {side}")
        if place >= 0:
            # "a king on the left" places the king there, "with a dog on the left" the dog.
            clause = re.split(r"\b(?:with|and|beside|near)\b", text[:place])[-1]
            return side if any(name in clause.split() for name in names) else other
    return "left" if mentions(prompt, table["place"]["near"]) else None


def share_of_canvas(prompt: str) -> float:
    """Return the condition's longer side as a share of the canvas's shorter side."""
    place = load_toml("offline")["place"]
    if mentions(prompt, place["close"]):
        return 256 / 512
    if mentions(prompt, place["wide"]):
        return 180 / 512
    return 216 / 512
