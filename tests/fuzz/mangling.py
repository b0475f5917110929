"""Spoiling things by dice: bytes, and JSON."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 10**400, 0.5, -0.0, 1e308, -1e308,
    float("nan"), float("inf"), "", " ", "x", "x" * 10_000, "\x00", "\x1b[31mred", "\u202egnp.exe",
    "\ud800", "../../etc/passwd", "/dev/zero", "{}", "[]", "NaN", "1e999", "%s%n", "${jndi:x}",
    "é" * 300, [], {}, [[]], [None], [0, 0, 0, 0], [1, 2, 3], [1, 2, 3, 4, 5], [0] * 10_000,
    ["x"] * 5_000, {"": ""}, {"x": {"x": {"x": {}}}}, [-5, -5, 10, 10], [0, 0, 10**9, 10**9],
    {"__class__": "x", "__reduce__": []},
)  # fmt: skip


def mangled_json(dice: Random, value: Any) -> Any:
    """A copy with one to three things in it replaced, removed, repeated or added."""
    made = copy.deepcopy(value)
    for _ in range(dice.choice([1, 1, 1, 2, 3])):
        made = _once(dice, made)
    return made


def _once(dice: Random, value: Any) -> Any:
    """One change, as likely at the top as anywhere below."""
    if isinstance(value, dict) and value and dice.random() < 0.85:
        name = dice.choice(list(value))
        kind = dice.random()
        if kind < 0.15:
            del value[name]
        elif kind < 0.25:
            value[f"{name}x"] = copy.deepcopy(dice.choice(STRANGE))
        else:
            value[name] = _once(dice, value[name])
        return value
    if isinstance(value, list) and value and dice.random() < 0.7:
        place = dice.randrange(len(value))
        kind = dice.random()
        if kind < 0.15:
            del value[place]
        elif kind < 0.3:
            return value * dice.choice([2, 3, 400])
        else:
            value[place] = _once(dice, value[place])
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or dice.random() < 0.5:
        return copy.deepcopy(dice.choice(STRANGE))
    return value + dice.choice([-1000, -8, -1, 1, 7, 100, 10**6])


def mangled_bytes(dice: Random, data: bytes) -> bytes:
    """A copy with bytes flipped, cut, doubled, removed or put in."""
    made = bytearray(data)
    for _ in range(dice.choice([1, 1, 2, 5, 20])):
        if not made:
            break
        place, kind = dice.randrange(len(made)), dice.randrange(6)
        length = min(len(made) - place, dice.choice([1, 2, 8, 64, 1000]))
        if kind == 0:
            made[place] ^= 1 << dice.randrange(8)
        elif kind == 1:
            made[place] = dice.choice([0, 0xFF, 0x7F, 0x80, 0x22, 0x5B])
        elif kind == 2:
            del made[place:]
        elif kind == 3:
            made[place:place] = made[place : place + length]
        elif kind == 4:
            del made[place : place + length]
        else:
            made[place:place] = dice.randbytes(length)
    return bytes(made)


def deep(dice: Random) -> bytes:
    """JSON that is nested beyond any reason."""
    levels = dice.choice([200, 1_000, 5_000, 100_000])
    opening, closing = dice.choice([(b"[", b"]"), (b'{"a":', b"}")])
    return opening * levels + b"1" + closing * dice.choice([0, levels])
