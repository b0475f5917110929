"""The words of the drawn world, each of them one token."""

from __future__ import annotations

from pathlib import Path

from sow.benchmarks.figures.training.text import vocabulary, write_tokenizer
from sow.benchmarks.world.captions import caption
from sow.benchmarks.world.scenes import make_scene
from sow.benchmarks.world.training.crops import TRAINING
from sow.benchmarks.world.training.store import CAPTIONS

LENGTH = 48
"""Tokens of a prompt, the first and the last included: of 80,000 captions 99.9 % have no more."""


def make_words(folder: Path, scenes: int) -> None:
    """Write `tokenizer/` and `words.json` from the captions of the first scenes."""
    folder.mkdir(parents=True, exist_ok=True)
    captions = [
        caption(make_scene(seed), n)
        for seed in range(TRAINING, TRAINING + scenes)
        for n in range(CAPTIONS)
    ]
    write_tokenizer(folder, vocabulary(captions), LENGTH)
