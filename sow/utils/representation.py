"""Short texts: what was decided, the sizes of pictures and arrays, durations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any

MAX_TEXT = 80
"""Characters of a value."""


def represent(thing: object, **shown: Any) -> str:
    """Return `Name(field=value, …)` with these fields; None is left out."""
    parts = [f"{name}={short(value)}" for name, value in shown.items() if value is not None]
    return f"{type(thing).__name__}({', '.join(parts)})"


def represent_changed(record: Any) -> str:
    """Return a dataclass with the fields that differ from their defaults."""
    return represent(record, **{
        field.name: getattr(record, field.name)
        for field in fields(record)
        if field.repr and (field.default is MISSING
                           or not _is_same(getattr(record, field.name), field.default))
    })  # fmt: skip


def printable(text: object) -> str:
    """Replace control characters, so that quoted text cannot send commands to a terminal."""
    return "".join(c if c.isprintable() else " " for c in str(text))


def short(value: Any) -> str:
    """Return a value in a few words: the size of a picture or an array, the start of a text."""
    size, shape = getattr(value, "size", None), getattr(value, "shape", None)
    if isinstance(size, tuple) and hasattr(value, "mode"):
        return f"<{size[0]}x{size[1]} {value.mode}>"
    if shape is not None:
        return f"<{'x'.join(map(str, shape))} {value.dtype}>"
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) and len(value) > 4:
        return f"<{len(value)} of {type(value[0]).__name__}>"
    if isinstance(value, (list, tuple)):
        parts = ", ".join(map(short, value))
        return f"[{parts}]" if isinstance(value, list) else f"({parts}{',' * (len(value) == 1)})"
    if isinstance(value, Mapping):
        return _cut("{" + ", ".join(f"{key!r}: {short(one)}" for key, one in value.items()) + "}")
    return _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"


def _is_same(value: Any, default: Any) -> bool:
    """Return whether a value is a default; arrays are not compared."""
    return value is default or (type(value) is type(default) and bool(value == default))


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
