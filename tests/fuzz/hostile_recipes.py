"""Recipes as strangers could send them: legal ones with one thing or another made otherwise."""

from __future__ import annotations

import json
from random import Random
from typing import Any

TEXTS = ("", " ", "x" * 5000, "\x1b]0;owned\x07", "\x9b31m", "\u202eevil\u202c", "\u2028", "人 é",
         "[red]b[/red]:smile:", "\u200f\u061c", "\0", "a\nb\r\nc", "\U000e0001", "{}", "%s", "NaN",
         "../../etc/passwd", "https://127.0.0.1/x")  # fmt: skip
NUMBERS = (0, -1, 1, 4, 10**9, 2**31, 2**63, 2**64, 10**400, -(10**30), 0.5, -0.0, 1e308, 1e-320)
# What Python's json writes for these is read again by some: not a number, and no end.
RAW = ("NaN", "Infinity", "-Infinity", "1e999", '"\\ud800"', '"a\\udfffb"', "tru", "01", "[" * 300)
KEYS = ("x", "__class__", "x" * 3000, "a\nb", "\x1b[31m", "", "\u202e", "api_key")


def changed(recipe: dict[str, Any], dice: Random) -> str:
    """A recipe as JSON after a few changes."""
    data = json.loads(json.dumps(recipe))
    for _ in range(dice.choice((1, 1, 1, 2, 5))):
        _change(data, dice)
    text = json.dumps(data, ensure_ascii=dice.random() < 0.5)
    if dice.random() < 0.15:  # what Python cannot hold
        key = dice.choice(("seed", "prompt", "eta", "version", "label"))
        text = text.replace(f'"{key}": ', f'"{key}": {dice.choice(RAW)}, "y": ', 1)
    return _cut(text, dice) if dice.random() < 0.05 else text


def words_changed(recipe: dict[str, Any], dice: Random) -> str:
    """A legal recipe in which somebody says what they like wherever they may."""
    data = json.loads(json.dumps(recipe))
    said = [letters(dice) for _ in range(9)]
    plan = data["plan"]
    plan |= {"prompt": said[0] + ".", "subject": said[1] + ".", "suppress": said[2],
             "planner": said[3], "notes": said[:5],
             "related": [{"label": f"{word}.", "box": [0, 0, 8, 8]} for word in said]}  # fmt: skip
    data |= {"model": said[5], "revision": said[6], "device": said[7][:40], "dtype": said[8][:40],
             "versions": {word[:40]: word[:40] for word in said}}  # fmt: skip
    return json.dumps(data)


def letters(dice: Random) -> str:
    """Letters of all planes, more often those that a terminal takes for something else."""
    special = [
        *range(0x20),
        *range(0x7F, 0xA0),
        0x61C,
        *range(0x200B, 0x2010),
        0x2028,
        0x2029,
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
        0xFEFF,
        0xFFF9,
        0x1D173,
        0xE0001,
    ]
    found = []
    for _ in range(dice.randrange(1, 30)):
        code = dice.choice(special) if dice.random() < 0.6 else dice.randrange(0x110000)
        found.append("?" if 0xD800 <= code < 0xE000 else chr(code))
    return "".join(found)


def _change(data: Any, dice: Random) -> None:
    """One value, somewhere in it, becomes another, vanishes, or gets company."""
    at = data
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        if not keys:
            return
        key = dice.choice(keys)
        if not isinstance(at[key], (dict, list)) or dice.random() < 0.2:
            break
        at = at[key]
    kind = dice.random()
    if kind < 0.15:
        del at[key]
    elif kind < 0.3 and isinstance(at, dict):
        at[dice.choice(KEYS)] = _anything(dice)
    else:
        at[key] = _anything(dice)


def _anything(dice: Random) -> Any:
    deep: Any = []
    for _ in range(dice.choice((3, 150, 400))):
        deep = [deep] if dice.random() < 0.5 else {"box": deep}
    many = [{"label": "x", "box": [0, 0, 8, 8]}] * dice.choice((1, 3, 50))
    return dice.choice((
        None, True, False, [], {}, deep, many, dice.choice(NUMBERS), dice.choice(NUMBERS),
        dice.choice(TEXTS), dice.choice(TEXTS), [dice.choice(NUMBERS)] * 4,
        [dice.choice(TEXTS)] * 3, {dice.choice(KEYS): dice.choice(TEXTS)},
    ))  # fmt: skip


def _cut(text: str, dice: Random) -> str:
    return text[: dice.randrange(len(text))]
