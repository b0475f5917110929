"""What the commands print: notes for people on standard error, data on standard output."""

from __future__ import annotations

import json
import os
import re
from contextvars import ContextVar
from typing import Any

import typer

from sow.cli.usage_errors import CommandGroup
from sow.errors import SowError, in_one_line
from sow.planners.request import options_of
from sow.service.request import Generation
from sow.utils.representation import printable

# The command line's names of the library's arguments.
OPTION_NAMES = {
    **{name: option.flag(name) for name, (_, option) in options_of(Generation).items()},
    **{name: name for name in ("config", "device", "dtype", "force", "model", "out", "planner",
                               "prompts", "revision")},
    "planner_model": "planner-model", "base_url": "base-url", "agree": "yes",
    "auth": "auth", "auth_file": "auth-file", "host": "host", "port": "port", "share": "share",
    "planner_timeout": "planner-timeout", "planner_calls": "planner-calls",
    "skip_bad": "skip-bad", "prompts_file": "prompts-file", "retry_failed": "retry-failed",
}  # fmt: skip


def use_option_names(text: str) -> str:
    """Replace the library's arguments in a message by options: `mask=` becomes `--mask`."""

    def option(match: re.Match[str]) -> str:
        name, value = OPTION_NAMES.get(match[1]), match[2]
        if name is None:
            return match[0]
        return f"--{name}" if value in ("", "True") else f"--{name} {value}"

    return re.sub(r"(?<![\w-])([a-z_]+)=(True|[\w.\"-]*)", option, text)


_quiet: ContextVar[bool] = ContextVar("_quiet", default=False)
"""Whether `--quiet` was given, for the whole run of a command."""


def set_quiet(quiet: bool) -> bool:
    """Apply `--quiet`: from now on print only errors and questions, and no progress bars."""
    _quiet.set(quiet)
    if quiet:
        os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"  # read when the hub's client is imported
    return quiet


def print_note(text: str) -> None:
    """Print a line for people on standard error, unless `--quiet` was given."""
    if not _quiet.get():
        print_always(text)


def print_always(text: str) -> None:
    """Print a line on standard error even with `--quiet`: an error, or what a question is about."""
    typer.echo(printable(text), err=True)


def report(kind: str, line: str) -> None:
    """Print a line of the service: a note, the model or the planner; `kind` says which."""
    print_note(f"{kind}: {use_option_names(line)}")


def print_error(error: SowError) -> None:
    """Print an error and its hint in one line, with options instead of arguments."""
    hint = use_option_names(error.hint)
    print_always(f"sow: {in_one_line(error.what, hint)}")


def print_json(data: Any) -> None:
    """Print the result of a command for programs."""
    typer.echo(as_json(data))


def as_json(data: Any) -> str:
    """Return readable JSON: letters of all languages stay as they are.

    Characters that could control a terminal or change the direction of text are escaped.
    """
    text = json.dumps(data, indent=2, ensure_ascii=False)
    return re.sub(r"[^\n -~]", lambda match: _escape_unprintable(match[0]), text)


def _escape_unprintable(character: str) -> str:
    return character if character.isprintable() else json.dumps(character)[1:-1]


def command_group(text: str, cls: type[CommandGroup] = CommandGroup) -> typer.Typer:
    """Return an empty group of commands, which prints its help if called without a command."""
    app = typer.Typer(cls=cls, help=text)

    @app.callback(invoke_without_command=True)
    def _print_help(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            typer.echo(context.get_help())

    return app
