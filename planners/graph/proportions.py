"""How large things usually are in a picture: `prompts/proportions.toml`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from sow.planners.graph.kinds import kind_of, noun_of
from sow.prompts import load_toml


@dataclass(frozen=True)
class Proportions:
    """Of a thing: how tall, as a share of a person who fills the picture's height, and how wide,
    as a share of its own height."""

    tall: float
    wide: float


def proportions_of(name: str) -> Proportions:
    """Those of what a name names; of what is in no list, a dog's."""
    if kind_of(name) == "person":
        return _entry(load_toml("proportions")["person"])
    noun = noun_of(name)
    return _table().get(noun) or _table().get(noun.removesuffix("s")) or _usual()


def worn_on(name: str) -> str:
    """Where what is worn is worn: `head`, `face` or `body`."""
    worn = load_toml("proportions")["worn"]
    return next((part for part in ("head", "face") if noun_of(name) in _names(worn[part])), "body")


@cache
def _table() -> dict[str, Proportions]:
    things = load_toml("proportions")["things"]
    return {name: _entry(entry) for entry in things for name in _names(entry["names"])}


def _usual() -> Proportions:
    return _entry(load_toml("proportions")["usual"])


def _entry(entry: dict[str, float]) -> Proportions:
    return Proportions(entry["tall"], entry["wide"])


def _names(listed: str) -> list[str]:
    return [name.strip() for name in listed.replace("\n", " ").split(",")]
