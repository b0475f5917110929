"""Suggestions: one letter off or a word of like meaning, and none that is wrong."""

from __future__ import annotations

import pytest

from sow.settings.settings import PRESETS, Settings
from sow.utils.suggestions import LIKE_MEANING, did_you_mean, suggest

OPTIONS = ("face", "prompt", "canvas", "seed", "num", "set", "out", "planner", "preset", "prompts",
           "setting", "config", "suppress", "retries", "related", "yes", "json",
           "likeness")  # fmt: skip
FIELDS = ("image", "prompt", "canvas", "count", "box", "related", "settings", "id", "negative")


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("promt", OPTIONS, "prompt"),
        ("--lkieness", OPTIONS, "likeness"),
        ("cavnas", OPTIONS, "canvas"),
        ("retires", OPTIONS, "retries"),
        ("output", OPTIONS, "out"),
        ("picture", OPTIONS, "face"),
        ("count", OPTIONS, "num"),
        ("num", FIELDS, "count"),
        ("negative_prompt", FIELDS, "negative"),
        ("bbox", FIELDS, "box"),
        ("cycels", Settings.model_fields, "cycles"),
        ("CFG-Scale", Settings.model_fields, "guidance_scale"),
        ("num_inference_steps", Settings.model_fields, "steps"),
        ("noise level", Settings.model_fields, "noise_level"),
        ("atribute", PRESETS, "attribute"),
    ],
)
def test_what_is_meant_is_suggested(word, known, meant):
    assert suggest(word, known) == meant


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (OPTIONS, ("strength", "sampler", "scheduler", "negative", "cfg", "faces-dir", "prom", "st",
                   "clip-skip", "lora", "style", "hires", "batch", "x", "", "note")),
        (FIELDS, ("name", "settle", "boxes-of", "i", "url", "author", "prompt_file")),
        (Settings.model_fields, ("colour", "strength", "sampler", "t3", "t", "eat-a", "likely")),
        (PRESETS, ("fast", "best", "photo", "cat", "norm", "published")),
    ],
)  # fmt: skip
def test_nothing_is_suggested_where_nothing_is_plain(known, words):
    """As `--steps` once got "--seed, --set, --yes": wrong suggestions are worse than none."""
    assert {word: suggest(word, known) for word in words} == dict.fromkeys(words)


def test_the_hint_of_an_error():
    assert did_you_mean("promt", OPTIONS, "see --help") == "did you mean 'prompt'?"
    assert did_you_mean("sampler", OPTIONS, "see --help") == "see --help"


def test_a_word_has_one_meaning():
    words = [word for group in LIKE_MEANING for word in group]
    assert len(set(words)) == len(words)
