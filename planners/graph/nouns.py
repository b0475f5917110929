"""Classify the names of objects (person, animal, clothes …) by the word lists in `prompts/`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import cache

from sow.planners.graph.predicates import word_list
from sow.planners.offline.prompt_rules import is_animal, names_person
from sow.planners.rewording import reword
from sow.prompts import load_toml

ARTICLES = frozenset(load_toml("rewording")["grammar"]["articles"].replace(",", " ").split())
"""Words that may stand before a noun and are not part of its name."""


def words_of(text: str) -> list[str]:
    """Return the words of a name in lower case, without leading articles."""
    words: list[str] = re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text.lower())
    while len(words) > 1 and words[0] in ARTICLES:
        words = words[1:]
    return words


def noun_of(name: str) -> str:
    """Return the head noun of a name: its last word, or the one before "of" (glass of water)."""
    words = words_of(name)
    head = words[: words.index("of")] if "of" in words[1:] else words
    return head[-1] if head else ""


@cache
def _groups() -> dict[str, frozenset[str]]:
    """Return the groups of words in `words.toml`."""
    table = load_toml("words")["groups"]
    return {name: frozenset(re.split(r"[\s,]+", words.strip())) for name, words in table.items()}


@cache
def kind_of(name: str) -> str:
    """Return `person`, `animal`, `clothes`, `place`, `looks`, `style`, or else `thing`.

    A noun that is in no list is replaced as in rewording: a gown is a dress, a park a forest.
    """
    noun = noun_of(name)
    if noun in _groups()["styles"]:
        return "style"
    if names_person(name):
        return "person"
    if is_animal(noun):
        return "animal"
    if noun in word_list("scenery"):
        return "place"
    known = frozenset[str]().union(*_groups().values())
    replacement = words_of(reword(noun, known).text)
    # "by the sea" is where boats are, not what they are.
    noun = replacement[0] if len(replacement) == 1 else noun
    kinds = {"clothes": "clothes", "places": "place", "hair and face": "looks"}
    return next((kinds[group] for group in kinds if noun in _groups()[group]), "thing")


def condition_names(
    names: Iterable[str], related: Collection[frozenset[str]], subject: str, prompt: str
) -> set[str]:
    """Return which of these names mean the condition.

    These are the subject itself and, for a face, the person it belongs to: names such as "person"
    or "she", and the person whom the prompt mentions first. A name is somebody else if a relation
    connects the two.

    Args:
        names: the candidates.
        related: pairs of names that a relation connects.
        subject: the subject of the plan.
        prompt: the prompt.
    """
    plain = {name: " ".join(words_of(name)) for name in names}
    own_name = subject.lower().strip()
    if subject == "face":
        candidates = {name for name in plain if names_person(name)}
        certain = {name for name in candidates if word_list("selves") & {*words_of(name)}}
    else:
        candidates = {name for name in plain if noun_of(name) == noun_of(own_name)}
        certain = {name for name, text in plain.items() if text == own_name}
    text = f" {' '.join(words_of(prompt))} "
    position = {name: text.find(f" {plain[name]} ") for name in candidates}
    possible = candidates - certain
    if certain:
        in_prompt = any(position[name] >= 0 for name in certain)
        possible = {name for name in possible if not in_prompt and position[name] >= 0}
    if not possible:
        return certain
    first = min(possible, key=lambda name: (position[name] < 0, position[name], plain[name]))
    if any(frozenset((first, name)) in related for name in certain):
        return certain
    return certain | {name for name in possible if plain[name] == plain[first]}
