"""Durations in words, as rough as they are known."""

from __future__ import annotations


def duration_text(seconds: float | None) -> str:
    """Return a duration in words; None: unknown."""
    if seconds is None:
        return "duration unknown"
    if seconds < 10:
        return "a few seconds"
    if seconds < 100:
        return f"about {round(seconds, -1):.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"about {minutes} min"
    hours, left = divmod(round(minutes, -1), 60)
    return f"about {hours} h {left} min" if left else f"about {hours} h"
