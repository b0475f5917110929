"""What can go wrong, as one line that says what is wrong and how to mend it.

Every error that a user can cause is a `SowError`. The command line prints it as one line and
leaves with its exit code; the codes are stable and listed in docs/command-line.md.
"""

from __future__ import annotations

INTERRUPTED = 130
"""The exit code of an interrupt, as shells have it."""


class SowError(Exception):
    """Something the user can mend.

    Args:
        what: what is wrong, without a full stop.
        mend: what to do about it.
    """

    exit_code = 1

    def __init__(self, what: str, mend: str = "") -> None:
        self.what = " ".join(what.split())
        self.mend = " ".join(mend.split())
        super().__init__(f"{self.what}; {self.mend}" if self.mend else self.what)


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
