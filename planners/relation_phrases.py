"""The phrases that say each relation, from `prompts/predicates.toml`; relations in plain words."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from sow.prompts import load_toml

ARTICLES = ("a", "an", "the")


class RelationPhrases(NamedTuple):
    """How a relation is said.

    Attributes:
        place: what it means for the subject's box.
        said: phrases for it, its name first.
        turned: phrases that swap subject and object, as "held by" does.
    """

    place: str
    said: tuple[str, ...]
    turned: tuple[str, ...]


@cache
def relation_phrases() -> dict[str, RelationPhrases]:
    """Return the phrases of all relations by name."""
    return {
        name: RelationPhrases(
            entry["place"], (name, *_phrases(entry, "words")), _phrases(entry, "turned")
        )
        for name, entry in load_toml("predicates").items()
        if isinstance(entry, dict)
    }


def _phrases(entry: dict[str, str], name: str) -> tuple[str, ...]:
    phrases = (" ".join(words.split()) for words in entry.get(name, "").split(","))
    return tuple(phrase for phrase in phrases if phrase)


@cache
def _every_phrase() -> frozenset[tuple[str, ...]]:
    every = (phrase for one in relation_phrases().values() for phrase in (*one.said, *one.turned))
    return frozenset(tuple(phrase.split()) for phrase in every)


def split_at_relation(text: str) -> tuple[str, str, str] | None:
    """Split "a person is holding a red balloon" at its relation; None if none is known.

    The longest known phrase with words on both sides is the relation, the first of several.
    """
    words = text.split()
    lower = [word.lower() for word in words]
    sizes = range(len(words) - 2, 0, -1)
    places = ((size, at) for size in sizes for at in range(1, len(words) - size))
    for size, at in places:
        if tuple(lower[at : at + size]) in _every_phrase():
            subject = _name(words[:at], lower[:at])
            thing = _name(words[at + size :], lower[at + size :])
            return (subject, " ".join(words[at : at + size]), thing) if subject and thing else None
    return None


def _name(words: list[str], lower: list[str]) -> str:
    """Return a name without its article, nor an "is" or "standing" before the relation."""
    fillers = load_toml("sentences")["fillers"].replace(",", " ").split()
    start = 1 if lower[:1] and lower[0] in ARTICLES else 0
    end = len(words)
    while end > start + 1 and (lower[end - 1] in fillers or lower[end - 1].endswith("ing")):
        end -= 1
    return " ".join(words[start:end])
