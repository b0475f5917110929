"""Likeness: how much of what is planted stays, in one number from 0 to 1."""

from __future__ import annotations

from typing import Any

from sow.errors import UsageError

# Guidance inside the condition falls with it, and from these on one more state of the finish puts
# the condition back, the first near its start, the last near the clean picture.
PUT_BACK_FROM = (0.05, 0.35, 0.6, 0.85)


def likeness_numbers(likeness: float, guidance_scale: float, t1: int) -> dict[str, Any]:
    """What a likeness stands for: `condition_guidance_scale`, `preserve` and `guided_until`.

    Where all states put the condition back, guidance near the clean picture has nothing to change
    in it; where fewer do, it is what brings the prompt into it.

    Raises:
        UsageError: if it is not a number from 0 to 1.
    """
    try:
        value = float(likeness)
    except (TypeError, ValueError, OverflowError):
        value = -1.0
    if not 0 <= value <= 1:
        raise UsageError(f"bad setting: likeness is {likeness!r}", "give a number from 0 to 1")
    parts = len(PUT_BACK_FROM) + 1
    states = [max(1, round(t1 * (parts - n) / parts)) for n in range(1, parts)]
    return {
        "condition_guidance_scale": round(max(1.0, guidance_scale) ** (1 - value), 3),
        "preserve": tuple(dict.fromkeys(
            state for state, start in zip(states, PUT_BACK_FROM, strict=True) if value >= start
        )),
        "guided_until": t1 // 2 + 1 if value >= PUT_BACK_FROM[-1] else 1,
    }  # fmt: skip
