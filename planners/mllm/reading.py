"""Find the JSON objects in what a model wrote: behind reasoning, in fences, between words.

The text is untrusted: all work is bounded, and no pattern here can backtrack.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

MAX_TEXT = 2**18
"""The characters at the end of a text in which an answer is looked for."""
MAX_STARTS, MAX_WORK = 2000, 2**22
"""The braces from which an object is tried to be read, and the characters read in vain."""
MAX_NESTED = 500
"""The values inside an object that are looked through."""
MAX_MENDED, MAX_MENDED_LENGTH, MAX_DEPTH = 20, 2**13, 32
"""How many broken objects are mended, the longest of them in characters, and the deepest."""
REASONING_ENDS = (
    "</think>", "</thinking>", "</thought>", "</reasoning>", "[/think]", "◁/think▷",
    "</seed:think>", "<|end_of_thought|>", "<|channel|>final<|message|>", "<channel|>",
)  # fmt: skip
REASONING_STARTS = (
    "<think>", "<thinking>", "<thought>", "<reasoning>", "[think]", "◁think▷", "<seed:think>",
    "<|begin_of_thought|>", "<|channel|>analysis<|message|>", "<|channel>thought",
)  # fmt: skip
CLOSERS = {"{": "}", "[": "]"}
_DECODER = json.JSONDecoder(strict=False)  # line breaks inside a string are what they are


def split_reasoning(text: str) -> tuple[str, str]:
    """Return a model's reasoning and what it answered after it.

    The start of the reasoning is often part of the prompt, so only its end can be relied on.
    """
    lower = text.lower()
    if len(lower) != len(text):  # a letter whose lower case is longer
        lower = text
    end = max((at + len(mark) for mark in REASONING_ENDS if (at := lower.rfind(mark)) >= 0),
              default=None)  # fmt: skip
    if end is not None:
        return text[:end], text[end:]
    starts = [at for mark in REASONING_STARTS if (at := lower.find(mark)) >= 0]
    return (text[min(starts) :], text[: min(starts)]) if starts else ("", text)


def objects_in(text: str, mend: bool = True) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a text in their order.

    Args:
        text: what a model wrote; only its end is read if it is very long.
        mend: also mend objects with small mistakes: single quotes, a comma too many, comments,
            names without quotes, closing braces that are missing. Whatever was cut off before
            its last closing brace stays out, so no number is taken that may have lost digits.
    """
    text = text[-MAX_TEXT:]
    position, starts, mended, work = 0, 0, 0, 0
    while starts < MAX_STARTS and work < MAX_WORK and (position := text.find("{", position)) >= 0:
        starts += 1
        try:
            value, position = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            work += getattr(error, "pos", position) - position
        else:
            yield value
            continue
        if mend and mended < MAX_MENDED:
            broken, closers = _closed(text, position)
            mended += bool(broken)
            value = _mended(broken + closers) if broken else None
            if isinstance(value, dict):
                yield value
                position += len(broken) - 1
        position += 1


def nested_in(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects inside an object, the outer ones first."""
    level, seen = [value], 0
    while level:
        inner: list[Any] = []
        for one in level:
            values = one.values() if isinstance(one, dict) else one
            for item in values:
                seen += 1
                if seen > MAX_NESTED:
                    return
                if isinstance(item, dict):
                    yield item
                if isinstance(item, dict | list):
                    inner.append(item)
        level = inner


def _closed(text: str, start: int) -> tuple[str, str]:
    """Return a broken object up to its last closing brace, and the braces that are missing there.

    Braces in strings count if the quotes do not match. Both are empty if nothing is closed.
    """
    text = text[start : start + MAX_MENDED_LENGTH]
    for quotes in ("\"'", '"', ""):
        stack: list[str] = []
        quote = last = None
        open_at_last = ""
        escaped = False
        for index, letter in enumerate(text):
            if quote is not None:
                quote = None if letter == quote and not escaped else quote
                escaped = letter == "\\" and not escaped
            elif letter in quotes:
                quote = letter
            elif letter in CLOSERS:
                stack.append(CLOSERS[letter])
                if len(stack) > MAX_DEPTH:
                    return "", ""
            elif stack and letter == stack[-1]:
                stack.pop()
                last, open_at_last = index, "".join(reversed(stack))
                if not stack:
                    return text[: index + 1], ""
        if quote is None and last is not None:
            return text[: last + 1], open_at_last
    return "", ""


def _mended(text: str) -> Any:
    """Return the value of almost-JSON, or None."""
    import pyjson5

    with suppress(pyjson5.Json5Exception, ValueError, RecursionError):
        return pyjson5.decode(text, maxdepth=MAX_DEPTH)
    return None
