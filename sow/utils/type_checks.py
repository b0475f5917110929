"""Type checks of arguments, with one-line errors."""

from __future__ import annotations

import os
from numbers import Integral
from pathlib import Path

from sow.errors import UsageError

INTEGERS = (Integral,)
"""Integer types, numpy's included. `check_type` refuses bool."""
PATH = (str, os.PathLike)


def check_type(name: str, value: object, types: tuple[type, ...], hint: str) -> None:
    """Check that an argument has one of these types; a bool never has.

    Raises:
        UsageError: if it does not.
    """
    if not isinstance(value, types) or isinstance(value, bool):
        type_name = type(value).__name__
        article = "an" if type_name[0] in "aeiouAEIOU" else "a"
        actual = "None" if value is None else f"{article} {type_name}"
        raise UsageError(f"{name}= is {actual}", f"give {hint}")


def as_path(name: str, value: object) -> Path:
    """Return an argument as a path.

    Raises:
        UsageError: if it is neither a string nor a path.
    """
    check_type(name, value, PATH, "a path")
    assert isinstance(value, (str, os.PathLike))
    return Path(value)
