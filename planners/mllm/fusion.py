"""Prompt intensification (Sec. IV-A, stage 1): append features of the condition to the prompt."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from functools import cache
from pathlib import Path

from sow.errors import ModelError
from sow.plan.prompt_syntax import escaped, plain_text

TokenCounter = Callable[[str], int]
"""Counts the tokens of a prompt, including the start and end tokens."""

LIMIT = 77
"""Tokens that CLIP's text encoder reads."""


def fuse(
    prompt: str,
    features: Sequence[str],
    count: TokenCounter,
    limit: int = LIMIT,
    words: Collection[str] = (),
) -> str:
    """Return the prompt followed by as many features as the text encoder reads at once.

    The user's prompt comes first, and keeps its weights; if it is longer by itself, nothing is
    added. Features without a new word are left out; brackets in them are only brackets.

    Args:
        prompt: the user's prompt.
        features: the features, the most important first.
        count: counts tokens.
        limit: the number of tokens that the text encoder reads.
        words: all words that the checkpoint knows; features with other words are left out. Empty
            allows any word.
    """
    text = prompt.strip()
    for feature in features:
        present = set(_words(text))
        new = _words(feature)
        if not new or present.issuperset(new):
            continue
        if words and not set(new) <= set(words):
            continue
        longer = f"{text}, {escaped(feature.strip(' ,.;'))}"
        if count(plain_text(longer)) <= limit:
            text = longer
    return text


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def estimate_tokens(prompt: str) -> int:
    """Estimate the number of tokens without a tokenizer, rather too high: three bytes a token."""
    pieces = re.findall(r"[^\W_]+|[^\w\s]|_", prompt)
    return 2 + sum(max(1, -(-len(piece.encode()) // 3)) for piece in pieces)


@cache
def token_counter(folder: Path | None) -> TokenCounter:
    """Return a counter with the tokenizer in a checkpoint's folder, or else an estimate.

    Raises:
        ModelError: if the tokenizer is damaged.
    """
    if folder is None or not (folder / "tokenizer").is_dir():
        return estimate_tokens
    from transformers import CLIPTokenizer

    from sow.utils.libraries import quiet_libraries

    try:
        with quiet_libraries():
            tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
            tokenizer("a person")
    except Exception as error:  # libraries raise anything on damaged files
        raise ModelError(
            f"the tokenizer of {folder.name!r} cannot be loaded: {str(error)[:300]}",
            "download the checkpoint again",
        ) from None

    def count(prompt: str) -> int:
        with quiet_libraries():
            return len(tokenizer(prompt, truncation=False).input_ids)

    return count
