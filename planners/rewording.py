"""Saying a sentence in the only words that a model understands: a king is a man, velvet left out.

The words are in `prompts/rewording.toml`. A sentence is taken apart where little words such as
"in" or "holding" begin a new part; of a part whose noun cannot be said nothing stays, so that "on
her velvet throne" does not end as "on red".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache

from sow.prompts import load_toml

MOST_TOLD = 12
"""Words that a note names; who has more of them has read enough."""
Word = str


@dataclass(frozen=True)
class Rewording:
    """A sentence said otherwise.

    Attributes:
        text: in words that the model knows; empty if it knows none of it.
        replaced: what it does not know, and what stands in.
        left_out: which words are not known, and what is gone with them, as they are told.
    """

    text: str
    replaced: tuple[tuple[str, str], ...] = ()
    left_out: tuple[str, ...] = ()

    def told(self) -> str:
        """What was done, as a list."""
        told = [f"{word} ({near} is used instead)" for word, near in dict(self.replaced).items()]
        told += dict.fromkeys(self.left_out)
        more = len(told) - MOST_TOLD
        return ", ".join([*told[:MOST_TOLD], *([f"and {more} more"] if more > 0 else [])])


def reword(prompt: str, known: Collection[str]) -> Rewording:
    """The prompt in words of `known`; as it is, where these are all of its words."""
    if set(_words(prompt)) <= set(known):
        return Rewording(prompt.strip())
    speech = _Speech(frozenset(known))
    said = [speech.say(part) for part in re.split(r"[,;:.!?()\[\]\"\n]+", prompt)]
    text = ", ".join(part for part in said if part)
    return Rewording(text, tuple(speech.replaced), tuple(speech.left_out))


def grouped(known: Collection[str]) -> dict[str, list[str]]:
    """Words by what they are for; those that belong nowhere come last."""
    groups = {name: _split(words) for name, words in load_toml("words")["groups"].items()}
    left = set(known).difference(*groups.values())
    found = {name: sorted(words & set(known)) for name, words in groups.items()}
    return {name: words for name, words in {**found, "others": sorted(left)}.items() if words}


def with_person(text: str, known: Collection[str]) -> str:
    """The words with somebody in them whom a planted face can belong to, if `known` has a name.

    "in the snow" becomes "a person in the snow"; a thing is near them.
    """
    words = _words(text)
    named = next((name for name in ("person", "man", "woman") if name in known), None)
    if named is None or set(words) & {*load_toml("offline")["people"], "nobody"}:
        return text
    somebody = f"a {named}"
    if not text:
        return somebody
    way, _, rest = text.partition(" of ")
    if _ends_in_style(way):
        return f"{way} of {with_person(rest, known)}"
    if words[0] in _listed("articles"):
        near = "near" if "near" in known else "with"
        return f"{somebody} {near} {text}"
    return f"{somebody} {text}"


def _ends_in_style(text: str) -> bool:
    styles = load_toml("words")["groups"]["styles"]
    return any(word in _split(styles) for word in _words(text)[-1:])


def _words(text: str) -> list[Word]:
    """What is looked up: "jack-o'-lantern" is one word, "8k" too."""
    return re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text.lower())


def _split(text: str) -> frozenset[str]:
    return frozenset(" ".join(name.split()) for name in text.split(",") if name.strip())


@cache
def _listed(name: str) -> frozenset[str]:
    """A list of the table on grammar."""
    return _split(load_toml("rewording")["grammar"][name])


@cache
def _nearest() -> dict[str, str]:
    """What stands in for what."""
    table: dict[str, str] = load_toml("rewording")["nearest"]
    return {source: near for near, sources in table.items() for source in _split(sources)}


@cache
def _adjectives() -> frozenset[str]:
    groups = load_toml("words")["groups"]
    return _split(groups["colours"]) | _split(groups["hair and face"]) | {"striped", "empty"}


@cache
def _phrases() -> dict[int, frozenset[str]]:
    """What is looked up as one, by its number of words."""
    found = [name for name in {*_listed("links"), *_nearest()} if " " in name]
    return {size: frozenset(name for name in found if name.count(" ") + 1 == size)
            for size in range(2, 6)}  # fmt: skip


def _joined(words: Sequence[Word]) -> Iterator[str]:
    """The words, those of a phrase as one."""
    place = 0
    while place < len(words):
        size = next(
            (n for n in sorted(_phrases(), reverse=True)
             if " ".join(words[place : place + n]) in _phrases()[n]), 1
        )  # fmt: skip
        yield " ".join(words[place : place + size])
        place += size


def _singulars(word: Word) -> Iterator[Word]:
    for plural, single in (("ies", "y"), ("es", ""), ("s", ""), ("men", "man")):
        if word.endswith(plural) and len(word) > len(plural) + 1:
            yield word.removesuffix(plural) + single
    yield from {"children": ("child",), "wolves": ("wolf",)}.get(word, ())


@dataclass
class _Part:
    """A piece of a sentence: "holding" "a" "red balloon"."""

    links: list[str] = field(default_factory=list)
    article: str = ""
    content: list[str] = field(default_factory=list)


class _Speech:
    """Says sentences in known words, and keeps what it could not say."""

    def __init__(self, known: frozenset[str]) -> None:
        self.known = known
        self.replaced: list[tuple[str, str]] = []
        self.left_out: list[str] = []

    def say(self, sentence: str) -> str:
        """A sentence, or a piece between commas; empty if nothing of it can be said."""
        said: list[str] = []
        dropped: _Part | None = None
        for part in self._parts(sentence):
            if dropped and part.links and part.links[0] in _listed("passing"):
                part.links = [*dropped.links, *part.links[1:]]
            words = self._say(part)
            dropped = None if words and part.content else part
            said += words
        return " ".join(said)

    def _parts(self, sentence: str) -> list[_Part]:
        parts = [_Part()]
        for word in self._pieces(sentence):
            part = parts[-1]
            if self._is_link(word, part):
                if part.content or part.article:
                    parts.append(_Part())
                parts[-1].links.append(word)
            elif word in _listed("articles") and not part.content:
                part.article = part.article or word
            else:
                part.content.append(word)
        return parts

    def _pieces(self, sentence: str) -> Iterator[str]:
        """Words and phrases; those with hyphens are taken apart where nothing is known of them."""
        for word in _joined(_words(sentence)):
            whole = " " in word or "-" not in word or self.near(word)
            yield from [word] if whole else word.split("-")

    def _is_link(self, word: str, part: _Part) -> bool:
        """Little words, and what somebody does: "juggling", but not in "a rocking chair"."""
        links = _listed("links") | _listed("refused") | _listed("alone")
        if word in links or _nearest().get(word) in links - {"indoors"}:
            return True
        doing = word.endswith("ing") and not self.near(word)
        return doing and (bool(part.content) or not part.article)

    def near(self, word: str) -> str:
        """The word itself, its singular, or what stands in, if the model knows it; or nothing."""
        for form in (word, *_singulars(word)):
            while form:
                if set(form.split()) <= self.known:
                    return form
                form = _nearest().get(form, "")
        return ""

    def _say(self, part: _Part) -> list[str]:
        """The words of a part; without a noun only what can stand alone."""
        if set(part.links) & _listed("refused"):
            self._leave_out(part.content)
            return []
        links = self._links(part)
        alone = [word for word in links if word in _listed("alone")]
        head = self._head(part.content)
        if head is None:
            self._leave_out(part.content)
            return alone
        before, last, after = part.content[:head], part.content[head], part.content[head + 1 :]
        modifiers, behind = list[str](), list[str]()
        for word in before:
            (behind if " " in self.near(word) else modifiers).extend(self._modifier(word))
        noun = self._swapped(last)
        self._leave_out(after)
        if self._is_whole(noun):
            return [*alone, *noun.split()]
        words = [*modifiers, *noun.split()]
        if alone and links[-1:] == alone[-1:] and "with" in self.known:
            links.append("with")
        return [*links, *self._article(part.article, last, words), *words, *behind]

    def _links(self, part: _Part) -> list[str]:
        """The links that can be said; "with" for an action that cannot, before what can."""
        said = [near for near in map(self._link, part.links) if near]
        doing = [word for word in part.links if word not in _listed("little")]
        return ["with"] if doing and not said and "with" in self.known else said

    def _link(self, word: str) -> str:
        return self._swapped(word) if self.near(word) else self._leave_out([word])

    def _head(self, content: Sequence[str]) -> int | None:
        """Which word is the noun: the last one, or else one that is somebody."""
        nouns = [n for n, word in enumerate(content) if not re.search(r"(?:ly|ing|ed)$", word)
                 or self.near(word)]  # fmt: skip
        if not nouns:
            return None
        if self.near(content[nouns[-1]]):
            return nouns[-1]
        people = load_toml("offline")["people"]
        named = [n for n in nouns if self.near(content[n]).split(" ")[0] in people]
        return named[-1] if named else None

    def _modifier(self, word: str) -> list[str]:
        """What stands before a noun; of what stands in for it only adjectives can."""
        near = self.near(word)
        if near and (word in self.known or near in _adjectives() or " " in near):
            return self._swapped(word).split()
        self._leave_out([word])
        return []

    def _swapped(self, word: str) -> str:
        near = self.near(word)
        if near != word and near not in _singulars(word):
            self.replaced.append((word, near))
        return near

    def _leave_out(self, words: Sequence[str]) -> str:
        silent = _listed("little") | _listed("articles")
        unknown = [word for word in words if word not in self.known | silent]
        if unknown:
            gone, missing = " ".join(w for w in words if w not in silent), " ".join(unknown)
            meant = [near for w in unknown for near in self._meant(w)]
            told = "left out" if gone == missing else f"{gone} left out"
            told += f"; did you mean {', '.join(meant)}?" if meant else ""
            self.left_out.append(f"{missing} ({told})")
        return ""

    def _meant(self, word: str) -> list[str]:
        """What was probably meant, if a word is misspelt."""
        known = sorted(name for name in self.known if len(name) > 3)
        return get_close_matches(word, known, 1, cutoff=0.8)

    def _is_whole(self, noun: str) -> bool:
        """Whether it has its own little word: "at night", "indoors"."""
        return noun.split()[0] in _listed("links") | _listed("alone")

    def _article(self, article: str, noun: str, words: Sequence[str]) -> list[str]:
        """ "a" or "an" as it must be: of "two kings" one is left, and "a pair of goggles" none."""
        near = self.near(noun)
        single = noun not in self.known and not near.endswith("s") and near not in _adjectives()
        if article and article in self.known and article not in ("a", "an"):
            return [article]
        if (not single and (not article or near.endswith("s"))) or "a" not in self.known:
            return []
        an = words[0][0] in "aeiou" and "an" in self.known
        return ["an" if an else "a"]
