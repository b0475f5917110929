"""Errors: one line that says what is wrong and what to do about it.

Every error that a user can cause is a `SowError`. The command line prints it as one line and
exits with its code; the codes are stable and listed in docs/command-line.md.
"""

from __future__ import annotations

JOBS_FAILED = 9
"""Exit code of a batch with failed jobs."""
INTERRUPTED = 130
"""Exit code of an interrupt, as in shells (128 + SIGINT)."""
MAX_LINE, MAX_WORD = 590, 200
"""Characters of a message and of a word in it: errors quote input, which may be long."""


class SowError(Exception):
    """An error that the user can correct.

    Args:
        what: what is wrong, without a full stop.
        hint: what to do about it.
    """

    exit_code = 1

    def __init__(self, what: str, hint: str = "") -> None:
        self.what, self.hint = _line(what), _line(hint)
        super().__init__(in_one_line(self.what, self.hint))


def in_one_line(what: str, hint: str) -> str:
    """Return what is wrong and what to do about it; a question mark between them is enough."""
    between = " " if what.endswith("?") else "; "
    return f"{what}{between}{hint}" if hint else what


def _line(text: str) -> str:
    """Return text as one printable line of bounded length."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return _shorten(" ".join(_shorten(word, MAX_WORD) for word in printable.split()), MAX_LINE)


def _shorten(text: str, limit: int) -> str:
    """Cut the middle out of a long text: quotes tend to be there."""
    half = limit // 2
    return text if len(text) <= limit else f"{text[: half - 1]}…{text[-half:]}"


class UsageError(SowError):
    """An invalid option, argument or setting (exit code 2, as for unknown options)."""

    exit_code = 2


class PictureError(SowError):
    """A picture that cannot be read or used (exit code 3)."""

    exit_code = 3


class PlanError(SowError):
    """An invalid plan, box or region (exit code 4)."""

    exit_code = 4


class ModelError(SowError):
    """A model that cannot be found, loaded or trusted (exit code 5)."""

    exit_code = 5


class OutputError(SowError):
    """A result that cannot be written (exit code 6)."""

    exit_code = 6


class DeviceError(SowError):
    """A device that is missing or has too little memory (exit code 7)."""

    exit_code = 7


class PlannerError(SowError):
    """A language model that cannot be queried for a plan (exit code 8)."""

    exit_code = 8
