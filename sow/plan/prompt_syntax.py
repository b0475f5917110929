"""The syntax of prompts that people know from other tools: weights, BREAK, and tags.

As in AUTOMATIC1111's web UI: `(red coat:1.3)` weighs words 1.3 times, `(red coat)` 1.1 times,
`[red coat]` a 1.1th; they multiply where they are nested. `\\(` is a bracket and nothing more.
`BREAK` begins a new part, which the text encoder reads by itself. It does not read tags such as
`<lora:name:0.8>`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby

STEP = 1.1
"""The weight of a pair of brackets without a number."""
MAX_WEIGHT = 10.0
"""Weights are kept between 0 and this; far beyond 1.5, pictures fall apart."""
TAG = r"<(?i:lora|lyco|hypernet):[^<>]*>"
BREAK = "BREAK"
_TOKEN = re.compile(
    rf"(?P<tag>{TAG})|(?P<escaped>\\[()\[\]\\])|(?P<open>[(\[])|(?P<square>\])"
    rf"|(?P<round>(?::\s*(?P<weight>[+-]?(?:\d+(?:\.\d*)?|\.\d+))\s*)?\))"
    rf"|(?P<break>\b{BREAK}\b)|(?P<text>[^\\()\[\]:<B]+|.)",
    re.DOTALL,
)
_SYNTAX = re.compile(rf"[()\[\]\\<]|\b{BREAK}\b")
"""What every prompt that is more than its words contains."""


@dataclass(frozen=True)
class Fragment:
    """Words of a prompt, and their weight."""

    text: str
    weight: float = 1.0


Parts = tuple[tuple[Fragment, ...], ...]
"""The parts of a prompt, which BREAK separates; each has at least one fragment."""


def parse_prompt(prompt: str) -> Parts:
    """Return the parts of a prompt. Brackets without a partner are read as in AUTOMATIC1111's UI:
    one that closes nothing is text, one that is not closed reaches to the end."""
    pieces: list[tuple[str | None, float]] = []  # None is a BREAK
    opened: dict[str, list[int]] = {"(": [], "[": []}

    def weigh(start: int, factor: float) -> None:
        pieces[start:] = [(text, weight * factor) for text, weight in pieces[start:]]

    for match in _TOKEN.finditer(prompt):
        kind, text = match.lastgroup, match[0]
        if match["round"] is not None and opened["("]:
            weigh(opened["("].pop(), float(match["weight"] or STEP))
        elif match["square"] is not None and opened["["]:
            weigh(opened["["].pop(), 1 / STEP)
        elif match["open"] is not None:
            opened[text].append(len(pieces))
        elif match["break"] is not None:
            pieces.append((None, 1.0))
        elif kind == "escaped":
            pieces.append((text[1:], 1.0))
        elif kind != "tag":
            pieces.append((text, 1.0))
    for bracket, factor in (("(", STEP), ("[", 1 / STEP)):
        for start in reversed(opened[bracket]):
            weigh(start, factor)
    return tuple(_parts(pieces))


def _parts(pieces: list[tuple[str | None, float]]) -> Iterator[tuple[Fragment, ...]]:
    """Yield the parts between the BREAKs, neighbours of one weight joined."""
    for is_break, part in groupby(pieces, lambda piece: piece[0] is None):
        if not is_break:
            yield tuple(
                Fragment("".join(str(text) for text, _ in run), weight)
                for weight, run in groupby(part, lambda piece: _limited(piece[1]))
            )
    if all(text is None for text, _ in pieces):
        yield (Fragment(""),)


def _limited(weight: float) -> float:
    """Return a weight within its limits; without the rounding errors of 1.1 / 1.1.

    Zero times a number too large for a float is nan, and here 0.
    """
    return round(min(max(0.0, weight), MAX_WEIGHT), 6)  # max keeps the first, next to nan


def plain_text(prompt: str) -> str:
    """Return the words of a prompt without its syntax; unchanged if it has none."""
    if not _SYNTAX.search(prompt):
        return prompt
    parts = parse_prompt(prompt)
    texts = ["".join(fragment.text for fragment in part) for part in parts]
    if texts == [prompt]:
        return prompt
    return ", ".join(text for text in (" ".join(t.split()).rstrip(",;") for t in texts) if text)


def closed(prompt: str) -> str:
    """Return a prompt whose open brackets are closed at its end, so that text may follow it."""
    depth = {"(": 0, "[": 0}
    for match in _TOKEN.finditer(prompt):
        if match["open"] is not None:
            depth[match[0]] += 1
        elif match["round"] is not None:
            depth["("] = max(0, depth["("] - 1)
        elif match["square"] is not None:
            depth["["] = max(0, depth["["] - 1)
    return prompt + ")" * depth["("] + "]" * depth["["]


def escaped(text: str) -> str:
    """Return text as a prompt that means nothing but its words."""
    text = re.sub(rf"\b{BREAK}\b", BREAK.lower(), text).replace("<", "< ")
    return re.sub(r"[()\[\]\\]", r"\\\g<0>", text)


def weighted_fragments(prompt: str) -> list[Fragment]:
    """Return the words of a prompt that have a weight other than 1."""
    fragments = [fragment for part in parse_prompt(prompt) for fragment in part]
    return [f for f in fragments if f.weight != 1 and any(c.isalnum() for c in f.text)]


def with_weights_of(
    prompt: str, text: str, reword: Callable[[str], str] = lambda words: words
) -> tuple[str, list[str]]:
    """Return a text with the weights of a prompt, and the weighted words that it has lost.

    Args:
        prompt: has the weights.
        text: the prompt's words, some of them in other words; plain.
        reword: returns the words by which `text` says some of the prompt's.
    """
    lost, done = [], 0
    for fragment in weighted_fragments(prompt):
        words = re.findall(r"\w+", reword(fragment.text))
        found = words and re.compile(r"\b" + r"\W+".join(words) + r"\b", re.IGNORECASE).search(
            text, done
        )
        if not found:
            lost.append(" ".join(fragment.text.split()))
            continue
        weighed = f"({found[0]}:{fragment.weight:.4g})"
        text = text[: found.start()] + weighed + text[found.end() :]
        done = found.start() + len(weighed)
    return text, lost
