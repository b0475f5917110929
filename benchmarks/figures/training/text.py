"""The tokenizer, with one token per word of the captions, and the text encoder."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from sow.benchmarks.figures.training.data import load_captions

LENGTH = 32
"""Tokens of a prompt, the first and the last included."""
WIDTH = 128
RARE = 20
"""A word seen less often than this is not learnt and counts as unknown."""

START, END = "<|startoftext|>", "<|endoftext|>"


def vocabulary(captions: list[str]) -> list[str]:
    """Return the words that are seen often enough to be learnt, sorted."""
    counts = Counter(word for caption in captions for word in re.findall(r"[a-z]+", caption))
    return sorted(word for word, count in counts.items() if count >= RARE)


def merges_for(words: list[str]) -> list[tuple[str, str]]:
    """Return byte-pair merges that turn each word into a single token, the commonest pair first."""
    pieces = {word: (*word[:-1], word[-1] + "</w>") for word in words}
    merges: list[tuple[str, str]] = []
    while any(len(parts) > 1 for parts in pieces.values()):
        pairs: Counter[tuple[str, str]] = Counter()
        for parts in pieces.values():
            pairs.update(pairwise(parts))
        best = max(sorted(pairs), key=lambda pair: pairs[pair])
        merges.append(best)
        pieces = {word: _merged(parts, best) for word, parts in pieces.items()}
    return merges


def _merged(parts: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    result: list[str] = []
    for part in parts:
        if result and (result[-1], part) == pair:
            result[-1] += part
        else:
            result.append(part)
    return tuple(result)


def make_tokenizer(folder: Path) -> None:
    """Write `tokenizer/`, and `words.json`, the words that the model will know."""
    write_tokenizer(folder, vocabulary(load_captions(folder)), LENGTH)


def write_tokenizer(folder: Path, words: list[str], length: int) -> None:
    """Write `tokenizer/` and `words.json` for these words; length: of a prompt in tokens."""
    merges = merges_for(words)
    characters = [chr(code) for code in range(33, 127)]
    tokens = [*characters, *(c + "</w>" for c in characters), *(a + b for a, b in merges)]
    tokens = [*dict.fromkeys(tokens), START, END]
    source = folder / "tokenizer-source"
    source.mkdir(exist_ok=True)
    (source / "vocab.json").write_text(json.dumps({token: n for n, token in enumerate(tokens)}))
    lines = ["#version: 0.2", *(f"{a} {b}" for a, b in merges)]
    (source / "merges.txt").write_text("\n".join(lines) + "\n")
    settings = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": length,
        "bos_token": START,
        "eos_token": END,
        "unk_token": END,
        "pad_token": END,
        "do_lower_case": True,
    }
    (source / "tokenizer_config.json").write_text(json.dumps(settings))
    tokenizer = CLIPTokenizer.from_pretrained(source)
    split = [word for word in words if len(tokenizer(word).input_ids) != 3]
    if split:
        raise ValueError(f"more than one token each: {split}")
    (folder / "words.json").write_text(json.dumps(words))
    tokenizer.save_pretrained(folder / "tokenizer")
    print(f"{len(words)} words, {len(tokens)} tokens", flush=True)


def load_tokenizer(folder: Path) -> CLIPTokenizer:
    """Load the tokenizer."""
    return CLIPTokenizer.from_pretrained(folder / "tokenizer")


def tokenize(tokenizer: CLIPTokenizer, captions: list[str]) -> list[list[int]]:
    """Return token numbers, for every caption as many as the tokenizer's longest prompt has."""
    numbers: list[list[int]] = tokenizer(captions, padding="max_length", truncation=True).input_ids
    return numbers


def new_text_encoder(
    tokenizer: CLIPTokenizer, width: int = WIDTH, layers: int = 2
) -> CLIPTextModel:
    """Return a small version of CLIP's text model."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=3 * width,
            num_hidden_layers=layers,
            num_attention_heads=4,
            max_position_embeddings=tokenizer.model_max_length,
            projection_dim=width,
            hidden_act="gelu",
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
