"""Usual sizes of objects in a picture, from `prompts/proportions.toml`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from sow.planners.graph.nouns import kind_of, noun_of
from sow.prompts import load_toml


@dataclass(frozen=True)
class Proportions:
    """The usual size of an object.

    Attributes:
        height: relative to a person who fills the picture's height.
        aspect: width divided by height.
    """

    height: float
    aspect: float


def proportions_of(name: str) -> Proportions:
    """Return the proportions of a named object; those of a dog if the name is not listed."""
    if kind_of(name) == "person":
        return _entry(load_toml("proportions")["person"])
    noun = noun_of(name)
    return _table().get(noun) or _table().get(noun.removesuffix("s")) or _default()


def worn_on(name: str) -> str:
    """Return where a worn object is worn: `head`, `face` or `body`."""
    worn = load_toml("proportions")["worn"]
    return next((part for part in ("head", "face") if noun_of(name) in _names(worn[part])), "body")


@cache
def _table() -> dict[str, Proportions]:
    entries = load_toml("proportions")["things"]
    return {name: _entry(entry) for entry in entries for name in _names(entry["names"])}


def _default() -> Proportions:
    return _entry(load_toml("proportions")["usual"])


def _entry(entry: dict[str, float]) -> Proportions:
    return Proportions(entry["tall"], entry["wide"])


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.replace("\n", " ").split(",")]
