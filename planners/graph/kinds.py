"""What kind of thing a name names, by the word lists that the other rules read too."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import cache

from sow.planners.graph.predicates import little
from sow.planners.offline.wording import is_animal, names_person
from sow.planners.rewording import reword
from sow.prompts import load_toml

SILENT = frozenset(load_toml("rewording")["grammar"]["articles"].replace(",", " ").split())
"""What may stand before a noun and is no part of its name."""


def words_of(text: str) -> list[str]:
    """The words of a name in lower case, without articles before it."""
    words: list[str] = re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text.lower())
    while len(words) > 1 and words[0] in SILENT:
        words = words[1:]
    return words


def noun_of(name: str) -> str:
    """The word that says what it is: the last, of "glass of water" the first before "of"."""
    words = words_of(name)
    head = words[: words.index("of")] if "of" in words[1:] else words
    return head[-1] if head else ""


@cache
def _groups() -> dict[str, frozenset[str]]:
    """The words of the groups in `words.toml`."""
    table = load_toml("words")["groups"]
    return {name: frozenset(re.split(r"[\s,]+", words.strip())) for name, words in table.items()}


@cache
def kind_of(name: str) -> str:
    """`person`, `animal`, `clothes`, `place`, `looks`, `style`, or else `thing`.

    A noun that is in no list is what stands in for it: a gown is a dress, a park a forest.
    """
    noun = noun_of(name)
    if noun in _groups()["styles"]:
        return "style"
    if names_person(name):
        return "person"
    if is_animal(noun):
        return "animal"
    if noun in little("scenery"):
        return "place"
    known = frozenset[str]().union(*_groups().values())
    near = words_of(reword(noun, known).text)
    # "by the sea" is where boats are, not what they are.
    noun = near[0] if len(near) == 1 else noun
    kinds = {"clothes": "clothes", "places": "place", "hair and face": "looks"}
    return next((kinds[group] for group in kinds if noun in _groups()[group]), "thing")


def condition_names(
    names: Iterable[str], together: Collection[frozenset[str]], subject: str, prompt: str
) -> set[str]:
    """Which of these names mean what is planted.

    That is its own name; of a face, who it belongs to: a person, and whoever the prompt speaks of
    first, unless they are somebody else: a relation has both.

    together: names that a relation has both of.
    """
    plain = {name: " ".join(words_of(name)) for name in names}
    own = subject.lower().strip()
    if subject == "face":
        alike = {name for name in plain if names_person(name)}
        selves = {name for name in alike if little("selves") & {*words_of(name)}}
    else:
        alike = {name for name in plain if noun_of(name) == noun_of(own)}
        selves = {name for name, said in plain.items() if said == own}
    text = f" {' '.join(words_of(prompt))} "
    places = {name: text.find(f" {plain[name]} ") for name in alike}
    others = alike - selves
    if selves:
        in_prompt = any(places[name] >= 0 for name in selves)
        others = {name for name in others if not in_prompt and places[name] >= 0}
    if not others:
        return selves
    first = min(others, key=lambda name: (places[name] < 0, places[name], plain[name]))
    if any(frozenset((first, name)) in together for name in selves):
        return selves
    return selves | {name for name in others if plain[name] == plain[first]}
