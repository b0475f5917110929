"""Rewrite a sentence in the words a model knows: "a king" becomes "a man", "velvet" is left out.

The word lists are in `prompts/rewording.toml`. A sentence is split into parts where a linking word
such as "in" or "holding" begins a new one. If the noun of a part is unknown the whole part is left
out, so that "on her velvet throne" does not become "on red".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

from sow.prompts import load_toml
from sow.utils.suggestions import find_misspelt

MAX_LISTED = 12
"""The number of words listed in a note; the rest is counted."""


@dataclass(frozen=True)
class Rewording:
    """A rewritten sentence.

    Attributes:
        text: the sentence in known words; empty if nothing of it is known.
        replaced: unknown words and their replacements.
        left_out: unknown words and what was left out with them, as text for a note.
        unknown: the unknown words of both, in lower case.
    """

    text: str
    replaced: tuple[tuple[str, str], ...] = ()
    left_out: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    def summary(self) -> str:
        """Return the changes as a list in one line; empty if there are none."""
        changes = [
            f"{word} ({known} is used instead)" for word, known in dict(self.replaced).items()
        ]
        changes += dict.fromkeys(self.left_out)
        more = len(changes) - MAX_LISTED
        return ", ".join([*changes[:MAX_LISTED], *([f"and {more} more"] if more > 0 else [])])


def reword(prompt: str, known: Collection[str]) -> Rewording:
    """Return the prompt in words of `known`; unchanged if all of its words are known."""
    if set(_words(prompt)) <= set(known):
        return Rewording(prompt.strip())
    rewriter = _Rewriter(frozenset(known))
    clauses = [rewriter.rewrite(clause) for clause in re.split(r"[,;:.!?()\[\]\"\n]+", prompt)]
    text = ", ".join(clause for clause in clauses if clause)
    unknown = tuple(dict.fromkeys(rewriter.unknown))
    return Rewording(text, tuple(rewriter.replaced), tuple(rewriter.left_out), unknown)


def group_words(known: Collection[str]) -> dict[str, list[str]]:
    """Return words by what they are for; words that belong to no group come last."""
    groups = {name: _split(words) for name, words in load_toml("words")["groups"].items()}
    left = set(known).difference(*groups.values())
    found = {name: sorted(words & set(known)) for name, words in groups.items()}
    return {name: words for name, words in {**found, "others": sorted(left)}.items() if words}


def with_person(text: str, known: Collection[str]) -> str:
    """Return a text that mentions a person, for a face that needs one, if `known` has a word.

    "in the snow" becomes "a person in the snow", "a dog" becomes "a person near a dog".
    """
    words = _words(text)
    noun = next((name for name in ("person", "man", "woman") if name in known), None)
    if noun is None or set(words) & {*load_toml("offline")["people"], "nobody"}:
        return text
    person = f"a {noun}"
    if not words:  # nothing, or a prompt of punctuation alone
        return person
    style, _, rest = text.partition(" of ")
    if _ends_in_style(style):
        return f"{style} of {with_person(rest, known)}"
    if words[0] in _word_list("articles"):
        near = "near" if "near" in known else "with"
        return f"{person} {near} {text}"
    return f"{person} {text}"


def _ends_in_style(text: str) -> bool:
    styles = load_toml("words")["groups"]["styles"]
    return any(word in _split(styles) for word in _words(text)[-1:])


def _words(text: str) -> list[str]:
    """Return the words of a text in lower case; "jack-o'-lantern" is one word, "8k" too."""
    return re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text.lower())


def _split(text: str) -> frozenset[str]:
    return frozenset(" ".join(name.split()) for name in text.split(",") if name.strip())


@cache
def _word_list(name: str) -> frozenset[str]:
    """Return a list of words from the table `grammar`."""
    return _split(load_toml("rewording")["grammar"][name])


@cache
def _replacements() -> dict[str, str]:
    """Return the replacement of every listed word."""
    table: dict[str, str] = load_toml("rewording")["nearest"]
    return {source: near for near, sources in table.items() for source in _split(sources)}


@cache
def _adjectives() -> frozenset[str]:
    groups = load_toml("words")["groups"]
    return _split(groups["colours"]) | _split(groups["hair and face"]) | {"striped", "empty"}


@cache
def _phrases() -> dict[int, frozenset[str]]:
    """Return the listed phrases of several words, by their number of words."""
    found = [name for name in {*_word_list("links"), *_replacements()} if " " in name]
    return {size: frozenset(name for name in found if name.count(" ") + 1 == size)
            for size in range(2, 6)}  # fmt: skip


def _join_phrases(words: Sequence[str]) -> Iterator[str]:
    """Yield words, and the words of a listed phrase as one."""
    position = 0
    while position < len(words):
        size = next(
            (n for n in sorted(_phrases(), reverse=True)
             if " ".join(words[position : position + n]) in _phrases()[n]), 1
        )  # fmt: skip
        yield " ".join(words[position : position + size])
        position += size


def _singulars(word: str) -> Iterator[str]:
    for plural, single in (("ies", "y"), ("es", ""), ("s", ""), ("men", "man")):
        if word.endswith(plural) and len(word) > len(plural) + 1:
            yield word.removesuffix(plural) + single
    yield from {"children": ("child",), "wolves": ("wolf",)}.get(word, ())


@dataclass
class _Part:
    """A part of a sentence: "holding" "a" "red balloon".

    Attributes:
        links: prepositions and verbs at its beginning.
        article: its article, if it has one.
        content: adjectives and the noun.
    """

    links: list[str] = field(default_factory=list)
    article: str = ""
    content: list[str] = field(default_factory=list)


class _Rewriter:
    """Rewrites clauses in known words.

    Attributes:
        known: the known words.
        replaced, left_out, unknown: as in `Rewording`, of all clauses so far.
    """

    def __init__(self, known: frozenset[str]) -> None:
        self.known = known
        self.replaced: list[tuple[str, str]] = []
        self.left_out: list[str] = []
        self.unknown: list[str] = []

    def rewrite(self, clause: str) -> str:
        """Return a clause in known words; empty if nothing of it is known."""
        result: list[str] = []
        dropped: _Part | None = None
        for part in self._parts(clause):
            if dropped and part.links and part.links[0] in _word_list("passing"):
                part.links = [*dropped.links, *part.links[1:]]
            words = self._rewrite_part(part)
            dropped = None if words and part.content else part
            result += words
        return " ".join(result)

    def _parts(self, clause: str) -> list[_Part]:
        parts = [_Part()]
        for word in self._tokens(clause):
            part = parts[-1]
            if self._is_link(word, part):
                if part.content or part.article:
                    parts.append(_Part())
                parts[-1].links.append(word)
            elif word in _word_list("articles") and not part.content:
                part.article = part.article or word
            else:
                part.content.append(word)
        return parts

    def _tokens(self, clause: str) -> Iterator[str]:
        """Yield words and phrases; unknown words with hyphens are split."""
        for word in _join_phrases(_words(clause)):
            keep = " " in word or "-" not in word or self.known_form(word)
            yield from [word] if keep else word.split("-")

    def _is_link(self, word: str, part: _Part) -> bool:
        """Return whether a word links parts: "in", or "juggling" but not in "a rocking chair"."""
        links = _word_list("links") | _word_list("refused") | _word_list("alone")
        if word in links or _replacements().get(word) in links - {"indoors"}:
            return True
        is_verb = word.endswith("ing") and not self.known_form(word)
        return is_verb and (bool(part.content) or not part.article)

    def known_form(self, word: str) -> str:
        """Return the word, its singular or its replacement, whichever is known; or nothing."""
        for form in (word, *_singulars(word)):
            while form:
                if set(form.split()) <= self.known:
                    return form
                form = _replacements().get(form, "")
        return ""

    def _rewrite_part(self, part: _Part) -> list[str]:
        """Return the words of a part; without a noun only links that can stand alone."""
        if set(part.links) & _word_list("refused"):
            self._leave_out(part.content)
            return []
        links = self._links(part)
        alone = [word for word in links if word in _word_list("alone")]
        head = self._head(part.content)
        if head is None:
            self._leave_out(part.content)
            return alone
        before, last, after = part.content[:head], part.content[head], part.content[head + 1 :]
        modifiers, behind = list[str](), list[str]()
        for word in before:
            several = " " in self.known_form(word)
            (behind if several else modifiers).extend(self._modifier(word))
        noun = self._replace(last)
        self._leave_out(after)
        if self._has_own_link(noun):
            return [*alone, *noun.split()]
        words = [*modifiers, *noun.split()]
        if alone and links[-1:] == alone[-1:] and "with" in self.known:
            links.append("with")
        return [*links, *self._article(part.article, last, words), *words, *behind]

    def _links(self, part: _Part) -> list[str]:
        """Return the known links; "with" instead of unknown verbs."""
        found = [known for known in map(self._link, part.links) if known]
        verbs = [word for word in part.links if word not in _word_list("little")]
        return ["with"] if verbs and not found and "with" in self.known else found

    def _link(self, word: str) -> str:
        return self._replace(word) if self.known_form(word) else self._leave_out([word])

    def _head(self, content: Sequence[str]) -> int | None:
        """Return the position of the noun: the last one, or else one that is a person."""
        nouns = [n for n, word in enumerate(content) if not re.search(r"(?:ly|ing|ed)$", word)
                 or self.known_form(word)]  # fmt: skip
        if not nouns:
            return None
        if self.known_form(content[nouns[-1]]):
            return nouns[-1]
        people = load_toml("offline")["people"]
        persons = [n for n in nouns if self.known_form(content[n]).split(" ")[0] in people]
        return persons[-1] if persons else None

    def _modifier(self, word: str) -> list[str]:
        """Return a word before the noun; a replacement has to be an adjective."""
        known = self.known_form(word)
        if known and (word in self.known or known in _adjectives() or " " in known):
            return self._replace(word).split()
        self._leave_out([word])
        return []

    def _replace(self, word: str) -> str:
        known = self.known_form(word)
        if known != word and known not in _singulars(word):
            self.replaced.append((word, known))
            self.unknown.append(word)
        return known

    def _leave_out(self, words: Sequence[str]) -> str:
        """Record words that are left out; articles and other little words are not mentioned."""
        silent = _word_list("little") | _word_list("articles")
        unknown = [word for word in words if word not in self.known | silent]
        if unknown:
            self.unknown += unknown
            gone, missing = " ".join(w for w in words if w not in silent), " ".join(unknown)
            suggestions = [near for word in unknown for near in self._suggestions(word)]
            note = "left out" if gone == missing else f"{gone} left out"
            note += f"; did you mean {', '.join(suggestions)}?" if suggestions else ""
            self.left_out.append(f"{missing} ({note})")
        return ""

    def _suggestions(self, word: str) -> list[str]:
        """Return the known word that a misspelt word most likely means, if there is one."""
        meant = find_misspelt(word, [name for name in self.known if len(name) > 3])
        return [] if meant is None else [meant]

    def _has_own_link(self, noun: str) -> bool:
        """Return whether a replacement includes its link: "at night", "indoors"."""
        return noun.split()[0] in _word_list("links") | _word_list("alone")

    def _article(self, article: str, noun: str, words: Sequence[str]) -> list[str]:
        """Return the article: "two kings" become "a man", "a pair of goggles" loses its "a"."""
        known = self.known_form(noun)
        single = noun not in self.known and not known.endswith("s") and known not in _adjectives()
        if article and article in self.known and article not in ("a", "an"):
            return [article]
        if (not single and (not article or known.endswith("s"))) or "a" not in self.known:
            return []
        an = words[0][0] in "aeiou" and "an" in self.known
        return ["an" if an else "a"]
