"""Prompt intensification (Sec. IV-A, stage 1): the user's words, then what the condition shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from functools import cache
from pathlib import Path

from sow.errors import ModelError

TokenCounter = Callable[[str], int]
"""How many tokens a prompt has, the one at its beginning and the one at its end included."""

LIMIT = 77
"""Tokens that CLIP's text encoder reads."""


def fuse(
    prompt: str,
    features: Sequence[str],
    count: TokenCounter,
    limit: int = LIMIT,
    words: Collection[str] = (),
) -> str:
    """The prompt with as many features behind it as the text encoder will read.

    The user's text stays as it is and comes first; if it alone is too long, nothing is added.
    A feature that repeats only words that are there already is left out, and so is one with a
    word outside `words`, where the checkpoint lists all it knows.
    """
    text = prompt.strip()
    for feature in features:
        said = set(_words(text))
        new = _words(feature)
        if not new or said.issuperset(new):
            continue
        if words and not set(new) <= set(words):
            continue
        longer = f"{text}, {feature.strip(' ,.;')}"
        if count(longer) <= limit:
            text = longer
    return text


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def estimate_tokens(prompt: str) -> int:
    """A count that errs upwards, for when no tokenizer is at hand: three letters a token."""
    pieces = re.findall(r"[^\W_]+|[^\w\s]|_", prompt)
    return 2 + sum(max(1, -(-len(piece.encode()) // 3)) for piece in pieces)


@cache
def token_counter(folder: Path | None) -> TokenCounter:
    """Counts with the tokenizer of a checkpoint's folder, or estimates where there is none.

    Raises:
        ModelError: if the tokenizer is damaged.
    """
    if folder is None or not (folder / "tokenizer").is_dir():
        return estimate_tokens
    from transformers import CLIPTokenizer

    from sow.quiet import quiet

    try:
        with quiet():
            tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
            tokenizer("a person")
    except Exception as error:  # whatever the libraries make of a damaged one
        raise ModelError(
            f"the tokenizer of {folder.name!r} cannot be loaded: {str(error)[:300]}",
            "download the checkpoint again",
        ) from None

    def count(prompt: str) -> int:
        with quiet():
            return len(tokenizer(prompt, truncation=False).input_ids)

    return count
