"""A small pipeline of random weights for each family, and the same saved."""

from __future__ import annotations

import pytest
import torch
from transformers import T5Config, T5EncoderModel, T5TokenizerFast

import sow
from sow.benchmarks.checkpoints import TINY_SD3, TINY_XL, random_pipeline

PIECES = ["a", "man", "in", "the", "red", "co", "cat", "snow"]
LETTERS = "bcdefghijklmnopqruvwxyz"


def tiny_t5() -> tuple[T5EncoderModel, T5TokenizerFast]:
    """A T5 of random weights, and a tokenizer that splits `coat` in two."""
    words = [*(f"\u2581{word}" for word in PIECES), "at", "s", "t", ",", "\u2581", *LETTERS]
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    vocabulary = [*special, *((word, -float(n + 1)) for n, word in enumerate(words))]
    tokenizer = T5TokenizerFast(vocab=vocabulary, extra_ids=0)
    torch.manual_seed(0)
    config = T5Config(vocab_size=48, d_model=96, d_kv=8, d_ff=64, num_layers=2, num_heads=4,
                      pad_token_id=0, eos_token_id=1)  # fmt: skip
    return T5EncoderModel(config).eval(), tokenizer


def saved(pipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints") / "m"
    pipe.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def xl():
    pipe = random_pipeline(TINY_XL, seed=3)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="module")
def without_t5():
    pipe = random_pipeline(TINY_SD3, seed=1)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="module")
def sd3(without_t5):
    encoder, tokenizer = tiny_t5()
    parts = {**without_t5.components, "text_encoder_3": encoder, "tokenizer_3": tokenizer}
    pipe = sow.SowPipeline(**parts)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="module")
def xl_folder(xl, tmp_path_factory):
    return saved(xl, tmp_path_factory)


@pytest.fixture(scope="module")
def sd3_folder(sd3, tmp_path_factory):
    return saved(sd3, tmp_path_factory)
