"""Prompts as tokens: chunks of the text encoder's length, with weights and the words' places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sow.plan.prompt_syntax import Fragment, parse_prompt
from sow.settings.settings import PromptSyntax
from sow.utils.libraries import quiet_libraries

MAX_CHUNKS = 6
"""The longest prompt, in chunks: 450 tokens of CLIP. The number of tokens that all texts of a call
share is a common multiple of theirs, which grows fast."""
REACH = 20
"""A chunk that is full ends after its last comma, if that is among so many of its last tokens; as
in AUTOMATIC1111's UI."""


@dataclass(frozen=True)
class _Word:
    """A word's tokens, and its weight."""

    ids: tuple[int, ...]
    weight: float


@dataclass(frozen=True)
class PromptTokens:
    """A prompt as the text encoder reads it.

    Attributes:
        chunks: for each chunk its words, without the tokens that begin and end it.
        limit: the number of tokens of a chunk, the first and the last included.
        lost: the number of tokens beyond the last chunk.
    """

    chunks: tuple[tuple[_Word, ...], ...]
    limit: int
    lost: int = 0

    @property
    def num_tokens(self) -> int:
        """The number of tokens of all chunks, padding included."""
        return len(self.chunks) * self.limit

    @property
    def is_empty(self) -> bool:
        """Whether there is no word in it."""
        return not any(self.chunks)

    def split(self) -> list[PromptTokens]:
        """Return its chunks, each alone."""
        return [PromptTokens((chunk,), self.limit) for chunk in self.chunks]

    def ids(self, tokenizer: Any) -> list[list[int]]:
        """Return the ids of each chunk, begun, ended and padded."""
        filled = []
        for chunk in self.chunks:
            ids = [tokenizer.bos_token_id, *(n for word in chunk for n in word.ids)]
            ids.append(tokenizer.eos_token_id)
            filled.append(ids + [tokenizer.pad_token_id] * (self.limit - len(ids)))
        return filled

    def weights(self) -> list[list[float]]:
        """Return the weight of each token of each chunk; 1 for what is no word."""
        filled = []
        for chunk in self.chunks:
            weights = [1.0, *(word.weight for word in chunk for _ in word.ids)]
            filled.append(weights + [1.0] * (self.limit - len(weights)))
        return filled

    def words(self, tokenizer: Any) -> list[tuple[str, list[int]]]:
        """Return the words with the indices of their tokens among those of all chunks."""
        special, added, found = set(tokenizer.all_special_ids), _added(tokenizer), []
        for number, chunk in enumerate(self.chunks):
            place = number * self.limit + 1
            for word in chunk:
                indices = list(range(place, place + len(word.ids)))
                place += len(word.ids)
                if special.issuperset(word.ids):
                    continue
                text = str(tokenizer.convert_ids_to_tokens(word.ids[0]))
                if text not in added:  # a copied tokenizer leaves the mark
                    text = str(tokenizer.decode(list(word.ids))).replace("</w>", " ").strip()
                found.append((text, indices))
        return found


def tokenize_prompt(
    pipe: Any, prompt: str, syntax: PromptSyntax, max_chunks: int = MAX_CHUNKS
) -> PromptTokens:
    """Return the tokens of a prompt.

    Args:
        pipe: a diffusers pipeline with CLIP's tokenizer, perhaps with tokens of textual inversion.
        prompt: the prompt.
        syntax: `plain` takes the text as it stands, and of that what fits into one chunk.
        max_chunks: how many chunks are read.
    """
    limit: int = pipe.tokenizer.model_max_length
    room = limit - 2
    if syntax == "plain":
        words = _words(pipe, Fragment(prompt))
        lost = max(0, _num_tokens(words) - room)
        return PromptTokens((tuple(_cut(words, room)),), limit, lost)
    comma = tuple(pipe.tokenizer(",", add_special_tokens=False).input_ids)
    chunks = [
        chunk
        for part in parse_prompt(prompt)
        for chunk in _filled([w for f in part for w in _words(pipe, f)], room, comma)
    ]
    lost = sum(map(_num_tokens, chunks[max_chunks:]))
    return PromptTokens(tuple(map(tuple, chunks[:max_chunks])), limit, lost)


def _words(pipe: Any, fragment: Fragment) -> list[_Word]:
    """Split a text as CLIP's tokenizer does; a token of textual inversion is a word."""
    tokenizer = pipe.tokenizer
    with quiet_libraries():  # which warn about every text that is too long
        text = pipe.maybe_convert_prompt(fragment.text, tokenizer)  # as diffusers' `encode_prompt`
        ids = tokenizer(text, add_special_tokens=False).input_ids
    added = _added(tokenizer)
    groups: list[list[int]] = []
    open_word, names = False, dict(zip(ids, tokenizer.convert_ids_to_tokens(ids), strict=True))
    for number in ids:
        token = names[number]
        if (open_word and token not in added) or (
            token in added and groups and _continues(names[groups[-1][0]], token)
        ):
            groups[-1].append(number)
        else:
            groups.append([number])
        # An added token is a whole word; the last token of any other word ends with a mark.
        open_word = token not in added and not token.endswith("</w>")
    return [_Word(tuple(group), fragment.weight) for group in groups]


def _added(tokenizer: Any) -> set[str]:
    """Return the added tokens, also as they are found if they are normalised."""
    added = {*map(str, tokenizer.added_tokens_encoder)}
    return added | {token.lower() for token in added}


def _continues(word: str, token: str) -> bool:
    """Return whether a token is another vector of an embedding: `cat_1` of `cat`."""
    start, _, number = token.rpartition("_")
    return start == word and number.isdigit()


def _num_tokens(words: Sequence[_Word]) -> int:
    return sum(len(word.ids) for word in words)


def _cut(words: Sequence[_Word], room: int) -> Iterator[_Word]:
    """Yield the words that fit into so many tokens, the last one perhaps in part."""
    for word in words:
        if room > 0:
            yield _Word(word.ids[:room], word.weight)
        room -= len(word.ids)


def _filled(words: Sequence[_Word], room: int, comma: tuple[int, ...]) -> list[list[_Word]]:
    """Return chunks of so many tokens, which end between words and rather after a comma."""
    chunks: list[list[_Word]] = [[]]
    for word in words:
        for start in range(0, len(word.ids), room):  # a word may be longer than a chunk
            piece = _Word(word.ids[start : start + room], word.weight)
            while _num_tokens(chunks[-1]) + len(piece.ids) > room:
                end = _end_of(chunks[-1], comma)
                chunks[-1:] = [chunks[-1][:end], chunks[-1][end:]]
            chunks[-1].append(piece)
    return chunks


def _end_of(chunk: Sequence[_Word], comma: tuple[int, ...]) -> int:
    """Return the number of words of a full chunk that stay in it."""
    for end in range(len(chunk), 0, -1):
        if _num_tokens(chunk[end:]) > REACH:
            break
        if chunk[end - 1].ids == comma:
            return end
    return len(chunk)
