"""What can go wrong, as one line that says what is wrong and how to mend it.

Every error that a user can cause is a `SowError`. The command line prints it as one line and
leaves with its exit code; the codes are stable and listed in docs/command-line.md.
"""

from __future__ import annotations

JOBS_FAILED = 9
"""The exit code of a batch of which jobs have failed."""
INTERRUPTED = 130
"""The exit code of an interrupt, as shells have it."""
MAX_LINE, MAX_WORD = 590, 200
"""Letters of a line and of a word in it: users and strangers are quoted in errors."""


class SowError(Exception):
    """Something the user can mend.

    Args:
        what: what is wrong, without a full stop.
        hint: what to do about it.
    """

    exit_code = 1

    def __init__(self, what: str, hint: str = "") -> None:
        self.what, self.hint = _line(what), _line(hint)
        super().__init__(f"{self.what}; {self.hint}" if self.hint else self.what)


def _line(text: str) -> str:
    """One line that can be printed and read, whatever is quoted in it."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    return _shortened(" ".join(_shortened(word, MAX_WORD) for word in plain.split()), MAX_LINE)


def _shortened(text: str, most: int) -> str:
    """A text without its middle: what is wrong is said around what is quoted."""
    half = most // 2
    return text if len(text) <= most else f"{text[: half - 1]}…{text[-half:]}"


class UsageError(SowError):
    """An option or a setting that makes no sense (exit code 2, as for unknown options)."""

    exit_code = 2


class PictureError(SowError):
    """A picture that cannot be read or used (exit code 3)."""

    exit_code = 3


class PlanError(SowError):
    """A plan, box or region that is not legal (exit code 4)."""

    exit_code = 4


class ModelError(SowError):
    """A model that cannot be found, loaded or trusted (exit code 5)."""

    exit_code = 5


class OutputError(SowError):
    """A result that cannot be written (exit code 6)."""

    exit_code = 6


class DeviceError(SowError):
    """A device that is missing or too small (exit code 7)."""

    exit_code = 7


class PlannerError(SowError):
    """A language model that cannot be asked for a plan (exit code 8)."""

    exit_code = 8
