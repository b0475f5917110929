"""Find what a prompt says is absent: "without glasses", "no hat", "not smiling".

A text-to-image model draws what its prompt names, so these words belong in a negative prompt. The
word lists are in `prompts/rewording.toml`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sow.plan.prompt_syntax import plain_text
from sow.prompts import load_toml

MAX_WORDS = 3
"""The most words that are taken for the name of what is absent."""


@dataclass(frozen=True)
class Negation:
    """Words of a prompt that say that something is absent.

    Attributes:
        said: the words, as they stand in the prompt.
        absent: what is absent: for "without a hat or glasses", hat and glasses.
    """

    said: str
    absent: tuple[str, ...]


def find_negations(prompt: str) -> list[Negation]:
    """Return what an English prompt says is absent, in order."""
    text = plain_text(prompt)
    tokens = list(re.finditer(r"[^\W_]+(?:['’-][^\W_]+)*|[^\w\s]", text))
    words = [token[0].lower().replace("’", "'") for token in tokens]
    found, place = [], 0
    while place < len(words):
        absent, end = _absent(words, place + 1) if _negates(words, place) else ([], place + 1)
        if absent:
            said = text[tokens[place].start() : tokens[end - 1].end()]
            found.append(Negation(" ".join(said.split()), tuple(absent)))
        place = max(end, place + 1)
    return found


def _negates(words: Sequence[str], place: int) -> bool:
    word = words[place]
    return (word in _list("negations") and words[place : place + 2] != ["no", "one"]) or (
        word.endswith("n't")
    )


def _absent(words: Sequence[str], start: int) -> tuple[list[str], int]:
    """Return the names after a negation, which "or" may join, and where the words end."""
    names, end, place = list[str](), start, start
    while True:
        name, place = _name(words, place)
        if not name:
            return names, end
        names.append(name)
        end = place
        if words[place : place + 1] not in (["or"], ["nor"]):
            return names, end
        place += 1


def _name(words: Sequence[str], place: int) -> tuple[str, int]:
    """Return the next few words of a name without what leads to it, and where they end."""
    opening = _list("articles") | _list("little") | _list("links") | _list("negations")
    while place < len(words) and words[place] in opening:
        place += 1
    end = place
    while (
        end < min(len(words), place + MAX_WORDS)
        and words[end][0].isalnum()
        and words[end] not in _list("links")
    ):
        end += 1
    return " ".join(words[place:end]), end


def _list(name: str) -> frozenset[str]:
    text = load_toml("rewording")["grammar"][name]
    return frozenset(" ".join(word.split()) for word in text.split(","))
