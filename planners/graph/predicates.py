"""The 24 relations of a scene graph, and how else they are said: `prompts/predicates.toml`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

from sow.prompts import load_toml

Place = Literal[
    "left", "right", "above", "below", "front", "behind",
    "upon", "hanging", "inside", "worn", "hand", "beside",
]  # fmt: skip
DIRECTIONS = ("left", "right", "above", "below", "front", "behind")
UNKNOWN = "near"
"""What stands for a relation that nobody knows."""


@dataclass(frozen=True)
class Predicate:
    """One of the 24 classes.

    Attributes:
        name: as it is said: left of.
        place: what it means for the subject's box.
    """

    name: str
    place: Place

    @property
    def directional(self) -> bool:
        """Whether it says something else with subject and object swapped, and only where."""
        return self.place in DIRECTIONS

    @property
    def acts(self) -> bool:
        """Whether something happens between the two, and not only one stands near the other."""
        return not self.directional and self.name != UNKNOWN


@dataclass(frozen=True)
class Saying:
    """A predicate as somebody said it; `turned`: of object and subject, as in "held by"."""

    predicate: Predicate
    turned: bool = False


@cache
def little(name: str) -> frozenset[str]:
    """A list of little words: `prompts/sentences.toml`."""
    return frozenset(load_toml("sentences")[name].replace(",", " ").split())


@cache
def predicates() -> dict[str, Predicate]:
    """All of them by name."""
    table = load_toml("predicates")
    return {name: Predicate(name, entry["place"]) for name, entry in table.items()
            if isinstance(entry, dict)}  # fmt: skip


@cache
def sayings() -> dict[str, Saying]:
    """Everything that says one of them."""
    table, found = load_toml("predicates"), dict[str, Saying]()
    for name, predicate in predicates().items():
        found |= {words: Saying(predicate) for words in [name, *_listed(table[name], "words")]}
        found |= {words: Saying(predicate, True) for words in _listed(table[name], "turned")}
    return found


def _listed(entry: dict[str, str], name: str) -> list[str]:
    return [" ".join(words.split()) for words in entry.get(name, "").split(",") if words.strip()]


def read_predicate(text: str) -> Saying | None:
    """The predicate that a text says, in any case, with hyphens or fillers; or None."""
    words = re.findall(r"[^\W_]+", text.lower())
    while words:
        known = sayings().get(" ".join(words))
        if known is not None:
            return known
        if words[0] not in little("fillers"):
            return None
        words = words[1:]
    return None
