"""What kind of thing an argument is: who writes Python is told in one line too."""

from __future__ import annotations

import os
from numbers import Integral
from pathlib import Path

from sow.errors import UsageError

INTEGERS = (Integral,)
"""Whole numbers, numpy's too; True is none."""
PATH = (str, os.PathLike)


def check_type(name: str, value: object, kinds: tuple[type, ...], hint: str) -> None:
    """Whether an argument is of one of these kinds; True is no number.

    Raises:
        UsageError: if it is not.
    """
    if not isinstance(value, kinds) or isinstance(value, bool):
        kind = type(value).__name__
        article = "an" if kind[0] in "aeiouAEIOU" else "a"
        said = "None" if value is None else f"{article} {kind}"
        raise UsageError(f"{name}= is {said}", f"give {hint}")


def as_path(name: str, value: object) -> Path:
    """The path that an argument is.

    Raises:
        UsageError: if it is none.
    """
    check_type(name, value, PATH, "a path")
    assert isinstance(value, (str, os.PathLike))
    return Path(value)
