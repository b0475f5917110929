"""`--recipe` and `--like`: what may still be said beside a picture that was made before."""

from __future__ import annotations

from collections.abc import Iterable

from sow.cli.output import OPTIONS
from sow.errors import UsageError

VARIED = {"num", "seed", "preset", "set", "likeness", "prompt", "retries"}
"""What may differ from a picture that others are to be like."""


def refuse_beside_recipe(*names: str) -> None:
    """Nothing else may be said beside a recipe.

    Raises:
        UsageError: if anything was.
    """
    if names:
        vary = "" if {*names} - VARIED else "; to vary it, say --like instead of --recipe"
        raise UsageError("--recipe already says everything", f"leave out {_options(names)}{vary}")


def refuse_beside_like(*names: str) -> None:
    """The composition of a picture that others are to be like is decided.

    Raises:
        UsageError: if anything was said of it.
    """
    fixed = [name for name in names if name not in VARIED]
    if fixed:
        raise UsageError(
            "--like already has a plan and what is planted", f"leave out {_options(fixed)}"
        )


def _options(names: Iterable[str]) -> str:
    return ", ".join(f"--{OPTIONS.get(name, name)}" for name in names)
