"""Read objects and relations from a sentence, with the phrases of known relations only.

"A person holding a red balloon, with a dog on the left" has two objects and two relations. The
surroundings ("in the snow") and a person's looks ("with brown hair") are not objects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

from sow.plan.scene_graph import CONDITION
from sow.planners.graph.nouns import ARTICLES, kind_of
from sow.planners.graph.predicates import parse_predicate, predicate_phrases, word_list
from sow.planners.graph_spec import MAX_PHRASE_LENGTH, Triple

SIDES = re.compile(r"(?:on|to|at) (?:the|his|her|their|its) (?:far )?(left|right)(?: side)?$")
MAX_RELATION_WORDS = 5
LIVING = ("person", "animal")
Token = tuple[str, str]
"""Its type (`name`, `pronoun`, `relation`, `side`, `with`, `and`, `stop`) and its words."""


@dataclass
class ParsedSentence:
    """The names of the objects in a sentence, and triples of them."""

    names: list[str] = field(default_factory=list)
    triples: list[Triple] = field(default_factory=list)


def parse_sentence(text: str) -> ParsedSentence:
    """Return the objects and relations of a sentence, with names as they stand in it."""
    tokens = list(_tokens(re.findall(r"[^\W_]+(?:['’-][^\W_]+)*|[,;:.!?()]", text.lower())))
    parser = _Parser()
    for position, token in enumerate(tokens):
        parser.feed(token, tokens[position + 1 : position + 3])
    return parser.parsed


@cache
def _relation_phrases() -> frozenset[str]:
    return frozenset(predicate_phrases()) - word_list("ambiguous")


def _tokens(words: Sequence[str]) -> Iterator[Token]:
    """Yield the tokens of a sentence."""
    name: list[str] = []
    position = 0
    while position < len(words):
        size, token = _token_at(words, position, name)
        if token == ("of", ""):
            name = [] if kind_of(" ".join(name) or "it") == "style" else [*name, "of"]
        elif token is None:
            name.append(words[position])
        else:
            yield from _name_token(name)
            name = []
            if token[0]:
                yield token
        position += size
    yield from _name_token(name)


def _token_at(words: Sequence[str], position: int, name: Sequence[str]) -> tuple[int, Token | None]:
    """Return the number of words of the token at a position, and the token.

    None instead of a token means that the word belongs to a name.
    """
    for size in range(MAX_RELATION_WORDS, 0, -1):
        phrase = " ".join(words[position : position + size])
        after = words[position + size : position + size + 1]
        side = SIDES.match(phrase)
        if side and after != ["of"] and len(words[position : position + size]) == size:
            return size, ("side", side[1])
        if phrase in word_list("times") and phrase not in _relation_phrases():
            return size, ("stop", "")
        if phrase in _relation_phrases() and len(words[position : position + size]) == size:
            return size, ("relation", phrase)
    word, after = words[position], words[position + 1 : position + 2]
    if word in ("with", "and", "of"):
        return 1, (word, "")
    if not word[0].isalnum():
        return 1, ("stop", "")
    if word in word_list("breaks"):
        return 1, ("", "")
    if word in ARTICLES:
        if name[-1:] == ["of"]:
            return 1, None
        is_pronoun = word in word_list("pronouns") and (
            not after or _token_at(words, position + 1, ())[1] is not None
        )
        return 1, ("pronoun", word) if is_pronoun else ("", "")
    if word in word_list("pronouns"):
        return 1, ("pronoun", word)
    if word.endswith("ing") and name and after and after[0] in ARTICLES:
        return 1, ("relation", word)  # an unknown action: "a man painting a fence"
    return 1, None


def _name_token(words: list[str]) -> Iterator[Token]:
    """Yield a name without a trailing verb: "a person standing" is a person.

    What is too long for a name ends a clause: it is a sentence in which no relation was found.
    """
    while (len(words) > 1 and words[-1].endswith("ing")) or words[-1:] == ["of"]:
        words = words[:-1]
    if words:
        name = " ".join(words)
        yield ("name", name) if len(name) <= MAX_PHRASE_LENGTH else ("stop", "")


class _Parser:
    """Reads a sentence token by token.

    Attributes:
        parsed: the result.
        main: the name that the sentence is about; empty before it came.
        last: the name that a following relation belongs to.
        open: a subject and a relation that wait for their object.
        listing: the same where "and" may add further objects.
    """

    def __init__(self) -> None:
        self.parsed = ParsedSentence()
        self.main = self.last = ""
        self.open: tuple[str, str] | None = None
        self.listing: tuple[str, str] | None = None

    def feed(self, token: Token, following: Sequence[Token]) -> None:
        """Read a token; `following` are the two after it."""
        kind, words = token
        next_types = [name for name, _ in following]
        if kind == "name":
            self._name(words)
        elif kind == "pronoun":
            self._name(self._antecedent(words))
        elif kind == "relation":
            self._relation(words)
        elif kind == "side":
            self._side(words)
        elif kind == "with":
            new_clause = next_types[1:] in (["relation"], ["side"])
            self.open = None if new_clause else (self.last or self.main or CONDITION, "near")
            self.listing = None
        elif kind == "and":
            self._and(next_types)
        else:
            self.open = self.listing = None
            self.last = self.main

    def _antecedent(self, pronoun: str) -> str:
        """Return who a pronoun refers to: the main name, or else the condition."""
        is_person = pronoun not in ("it", "its", "itself")
        if self.main and (kind_of(self.main) == "person") >= is_person:
            return self.main
        return CONDITION

    def _and(self, next_types: Sequence[str]) -> None:
        """Continue a list of objects, or begin a new clause."""
        if next_types[:1] == ["relation"]:
            self.last = self.main
        self.open = None if next_types[1:] in (["relation"], ["side"]) else self.listing

    def _relation(self, words: str) -> None:
        subject = self.last or self.main or CONDITION
        match = parse_predicate(words)
        if match is not None and match.predicate.place in ("hand", "worn") and not match.reversed:
            # Only the living hold things: in "a person near a tree holding a balloon" the person.
            subject = subject if kind_of(subject) in LIVING else self.main or CONDITION
        self.open = (subject, words)
        self.listing = None

    def _side(self, side: str) -> None:
        """Read "on the left": relative to the main name, or to the condition for the main name.

        In a sentence without one ("left of a cat on the left") it is where the condition is, of
        which something was said already.
        """
        if self.main and self.last not in ("", self.main):
            self._add(self.last, f"{side} of", self.main)
        elif self.last and self.last == self.main and kind_of(self.main) != "person":
            self._add(self.main, f"{side} of", CONDITION)
        self.open = self.listing = None

    def _name(self, name: str) -> None:
        kind = kind_of(name)
        opened, self.open = self.open, None
        if kind in ("place", "looks", "style"):
            return
        if opened is not None:
            subject, words = opened
            clothes = kind == "clothes" and words in ("in", "near", "on")
            words = "wearing" if clothes and kind_of(subject) == "person" else words
            self._add(subject, words, name)
            match = parse_predicate(words)
            if match is None or match.predicate.place in ("hand", "worn"):
                self.listing = (subject, words)  # what follows belongs to the holder
            else:
                self.last = name
            return
        self.last = name
        if not self.main or (kind == "person" and kind_of(self.main) != "person"):
            self.main = name
        self._add_name(name)

    def _add(self, subject: str, words: str, name: str) -> None:
        self._add_name(subject)
        self._add_name(name)
        if subject != name:
            self.parsed.triples.append((subject, words, name))

    def _add_name(self, name: str) -> None:
        if name not in self.parsed.names:
            self.parsed.names.append(name)
