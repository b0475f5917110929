"""The 24 relations of a scene graph and the phrases for them, from `prompts/predicates.toml`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal, cast

from sow.planners.relation_phrases import relation_phrases
from sow.prompts import load_toml

Place = Literal[
    "left", "right", "above", "below", "front", "behind",
    "upon", "hanging", "inside", "worn", "hand", "beside",
]  # fmt: skip
DIRECTIONS = ("left", "right", "above", "below", "front", "behind")
UNKNOWN = "near"
"""The relation used for an unknown one."""


@dataclass(frozen=True)
class Predicate:
    """One of the 24 relations.

    Attributes:
        name: its canonical phrase: left of.
        place: where it puts the subject's box.
    """

    name: str
    place: Place

    @property
    def directional(self) -> bool:
        """Whether it states a direction and nothing else."""
        return self.place in DIRECTIONS

    @property
    def is_action(self) -> bool:
        """Whether something happens between subject and object, beyond one being near the other."""
        return not self.directional and self.name != UNKNOWN


@dataclass(frozen=True)
class PredicateMatch:
    """A predicate read from a phrase.

    Attributes:
        predicate: the predicate.
        reversed: whether the phrase swaps subject and object, as "held by" does.
    """

    predicate: Predicate
    reversed: bool = False


@cache
def word_list(name: str) -> frozenset[str]:
    """Return a list of words in `prompts/sentences.toml`."""
    return frozenset(load_toml("sentences")[name].replace(",", " ").split())


@cache
def predicates() -> dict[str, Predicate]:
    """Return all predicates by name."""
    return {
        name: Predicate(name, cast(Place, one.place)) for name, one in relation_phrases().items()
    }


@cache
def predicate_phrases() -> dict[str, PredicateMatch]:
    """Return every known phrase and the predicate it means."""
    found: dict[str, PredicateMatch] = {}
    for name, predicate in predicates().items():
        phrases = relation_phrases()[name]
        found |= dict.fromkeys(phrases.said, PredicateMatch(predicate))
        found |= dict.fromkeys(phrases.turned, PredicateMatch(predicate, True))
    return found


def parse_predicate(text: str) -> PredicateMatch | None:
    """Return the predicate of a phrase, or None. Case, hyphens and leading fillers are ignored."""
    words = re.findall(r"[^\W_]+", text.lower())
    while words:
        known = predicate_phrases().get(" ".join(words))
        if known is not None:
            return known
        if words[0] not in word_list("fillers"):
            return None
        words = words[1:]
    return None
