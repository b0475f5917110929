"""Reading a scene graph out of a sentence, by the vocabulary of relations: no model, no grammar.

"A person holding a red balloon, with a dog on the left" has two things and two relations. What is
around all of it ("in the snow") and how somebody looks ("with brown hair") are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

from sow.planners.graph.kinds import SILENT, kind_of
from sow.planners.graph.predicates import little, read_predicate, sayings
from sow.planners.scenes import Triple
from sow.scene import CONDITION

SIDES = re.compile(r"(?:on|to|at) (?:the|his|her|their|its) (?:far )?(left|right)(?: side)?$")
LONGEST_SAYING = 5
SOMEBODY = ("person", "animal")
Item = tuple[str, str]
"""What it is (`name`, `pronoun`, `link`, `side`, `with`, `and`, `stop`) and its words."""


@dataclass
class Said:
    """What a sentence says: the names of things, and triples of them."""

    names: list[str] = field(default_factory=list)
    triples: list[Triple] = field(default_factory=list)


def read_sentence(text: str) -> Said:
    """The graph of a sentence; the words of a name stand in it as they are here."""
    items = list(_items(re.findall(r"[^\W_]+(?:['’-][^\W_]+)*|[,;:.!?()]", text.lower())))
    reader = _Reader()
    for place, item in enumerate(items):
        reader.hear(item, items[place + 1 : place + 3])
    return reader.said


@cache
def _links() -> frozenset[str]:
    return frozenset(sayings()) - little("ambiguous")


def _items(words: Sequence[str]) -> Iterator[Item]:
    """The pieces of a sentence."""
    name: list[str] = []
    place = 0
    while place < len(words):
        size, piece = _piece(words, place, name)
        if piece == ("of", ""):
            name = [] if kind_of(" ".join(name) or "it") == "style" else [*name, "of"]
        elif piece is None:
            name.append(words[place])
        else:
            yield from _named(name)
            name = []
            if piece[0]:
                yield piece
        place += size
    yield from _named(name)


def _piece(words: Sequence[str], place: int, name: Sequence[str]) -> tuple[int, Item | None]:
    """What begins here and how many words it has; None: a word of a name."""
    for size in range(LONGEST_SAYING, 0, -1):
        phrase = " ".join(words[place : place + size])
        after = words[place + size : place + size + 1]
        side = SIDES.match(phrase)
        if side and after != ["of"] and len(words[place : place + size]) == size:
            return size, ("side", side[1])
        if phrase in little("times") and phrase not in _links():
            return size, ("stop", "")
        if phrase in _links() and len(words[place : place + size]) == size:
            return size, ("link", phrase)
    word, after = words[place], words[place + 1 : place + 2]
    if word in ("with", "and", "of"):
        return 1, (word, "")
    if not word[0].isalnum():
        return 1, ("stop", "")
    if word in little("breaks"):
        return 1, ("", "")
    if word in SILENT:
        if name[-1:] == ["of"]:
            return 1, None
        alone = word in little("pronouns") and (
            not after or _piece(words, place + 1, ())[1] is not None
        )
        return 1, ("pronoun", word) if alone else ("", "")
    if word in little("pronouns"):
        return 1, ("pronoun", word)
    if word.endswith("ing") and name and after and after[0] in SILENT:
        return 1, ("link", word)  # what nobody knows: "a man painting a fence"
    return 1, None


def _named(words: list[str]) -> Iterator[Item]:
    """A name, without what somebody only does: "a person standing" is a person."""
    while (len(words) > 1 and words[-1].endswith("ing")) or words[-1:] == ["of"]:
        words = words[:-1]
    if words:
        yield "name", " ".join(words)


class _Reader:
    """Hears a sentence piece by piece."""

    def __init__(self) -> None:
        self.said = Said()
        self.main = self.last = ""
        self.open: tuple[str, str] | None = None  # a subject and what is said of it, so far
        self.listing: tuple[str, str] | None = None  # the same, where "and" may go on

    def hear(self, item: Item, after: Sequence[Item]) -> None:
        """The next piece, and the two after it."""
        kind, words = item
        coming = [name for name, _ in after]
        if kind == "name":
            self._name(words)
        elif kind == "pronoun":
            self._name(self._meant(words))
        elif kind == "link":
            self._link(words)
        elif kind == "side":
            self._side(words)
        elif kind == "with":
            begins_anew = coming[1:] in (["link"], ["side"])
            self.open = None if begins_anew else (self.last or self.main or CONDITION, "near")
            self.listing = None
        elif kind == "and":
            self._and(coming)
        else:
            self.open = self.listing = None
            self.last = self.main

    def _meant(self, pronoun: str) -> str:
        """Who a pronoun is: whoever the sentence is about, or who nobody needs to name."""
        somebody = pronoun not in ("it", "its", "itself")
        if self.main and (kind_of(self.main) == "person") >= somebody:
            return self.main
        return CONDITION

    def _and(self, coming: Sequence[str]) -> None:
        """More of the same, or something new that is said."""
        if coming[:1] == ["link"]:
            self.last = self.main
        self.open = None if coming[1:] in (["link"], ["side"]) else self.listing

    def _link(self, words: str) -> None:
        subject = self.last or self.main or CONDITION
        saying = read_predicate(words)
        if saying is not None and saying.predicate.place in ("hand", "worn") and not saying.turned:
            # A thing holds nothing: "a person near a tree holding a balloon" is about the person.
            subject = subject if kind_of(subject) in SOMEBODY else self.main or CONDITION
        self.open = (subject, words)
        self.listing = None

    def _side(self, side: str) -> None:
        """ "A dog on the left": of whom the sentence is about; of themselves it says nothing."""
        if self.last and self.last != self.main:
            self._add(self.last, f"{side} of", self.main)
        elif self.last and kind_of(self.last) != "person":
            self._add(self.last, f"{side} of", CONDITION)
        self.open = self.listing = None

    def _name(self, name: str) -> None:
        kind = kind_of(name)
        opened, self.open = self.open, None
        if kind in ("place", "looks", "style"):
            return
        if opened is not None:
            subject, words = opened
            dressed = kind == "clothes" and words in ("in", "near", "on")
            words = "wearing" if dressed and kind_of(subject) == "person" else words
            self._add(subject, words, name)
            saying = read_predicate(words)
            if saying is None or saying.predicate.place in ("hand", "worn"):
                self.listing = (subject, words)  # what comes next is said of who holds it
            else:
                self.last = name
            return
        self.last = name
        if not self.main or (kind == "person" and kind_of(self.main) != "person"):
            self.main = name
        self._know(name)

    def _add(self, subject: str, words: str, name: str) -> None:
        self._know(subject)
        self._know(name)
        if subject != name:
            self.said.triples.append((subject, words, name))

    def _know(self, name: str) -> None:
        if name not in self.said.names:
            self.said.names.append(name)
