"""Prompts as T5 reads them, beside CLIP: tokens, their weights, and the words' places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sow.plan.prompt_syntax import Fragment, parse_prompt
from sow.settings.settings import PromptSyntax
from sow.utils.libraries import quiet_libraries

LENGTH = 256
"""Tokens of every text, padding included, as diffusers has it for Stable Diffusion 3."""
WORD_START = "\u2581"
"""What the first token of a word begins with."""


@dataclass(frozen=True)
class T5Tokens:
    """A text as T5 reads it.

    Attributes:
        ids: `LENGTH` numbers, ended and padded.
        weights: of each of them; 1 for what is no word.
        lost: the number of tokens that do not fit.
    """

    ids: tuple[int, ...]
    weights: tuple[float, ...]
    lost: int

    def words(self, tokenizer: Any) -> list[tuple[str, list[int]]]:
        """Return the words with the indices of their tokens."""
        found: list[tuple[str, list[int]]] = []
        special = set(tokenizer.all_special_ids)
        for index, (number, token) in enumerate(
            zip(self.ids, tokenizer.convert_ids_to_tokens(list(self.ids)), strict=True)
        ):
            if number in special:
                continue
            piece = token.removeprefix(WORD_START)
            is_first = token.startswith(WORD_START) or not found
            if is_first or (found[-1][0] and piece and _is_sign(found[-1][0]) != _is_sign(piece)):
                found.append(("", []))
            text, indices = found[-1]
            found[-1] = (text + piece, [*indices, index])
        return [(text, indices) for text, indices in found if text]


def _is_sign(text: str) -> bool:
    """Return whether a piece of text is punctuation, which CLIP takes for a word of its own."""
    return not text[-1].isalnum()


def tokenize_t5(tokenizer: Any, prompt: str, syntax: PromptSyntax) -> T5Tokens:
    """Return the tokens of a prompt; it is not split into chunks.

    tokenizer: T5's. syntax: `plain` takes the text as it stands.
    """
    is_plain = syntax == "plain"
    parts = [[Fragment(prompt)]] if is_plain else parse_prompt(prompt)
    ids: list[int] = []
    weights: list[float] = []
    with quiet_libraries():  # which warn about every text that is too long
        for fragment in (fragment for part in parts for fragment in part):
            own = tokenizer(fragment.text, add_special_tokens=False).input_ids
            ids += own
            weights += [fragment.weight] * len(own)
    room = LENGTH - 1
    kept, padding = ids[:room], max(0, room - len(ids))
    return T5Tokens(
        (*kept, tokenizer.eos_token_id, *[tokenizer.pad_token_id] * padding),
        (*weights[:room], 1.0, *[1.0] * padding),
        len(ids) - len(kept),
    )
