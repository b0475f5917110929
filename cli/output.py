"""What the commands say: lines for people on standard error, data for programs on the other."""

from __future__ import annotations

import json
import os
import re
from contextvars import ContextVar
from typing import Any

import typer
from typer.core import TyperGroup

from sow.errors import SowError

# How the command line calls the arguments of the library, where it is not by the same name.
OPTIONS = {
    "image": "face", "box": "box", "planner_model": "planner-model", "base_url": "base-url",
    "planner_timeout": "planner-timeout", "planner_calls": "planner-calls",
    "face_index": "face-index", "agree": "yes", "triples": "triple",
    "skip_bad": "skip-bad", "prompts_file": "prompts-file", "retry_failed": "retry-failed",
    **{name: name for name in ("canvas", "device", "dtype", "force", "graph", "likeness", "mask",
                               "matte", "model", "out",
                               "plan", "planner", "preset", "prompt", "prompts", "related",
                               "revision", "seed", "setting", "subject", "num")},
}  # fmt: skip


def use_option_names(text: str) -> str:
    """What the library says is to be done, in the command line's words: `mask=` is `--mask`."""

    def option(found: re.Match[str]) -> str:
        name, value = OPTIONS.get(found[1]), found[2]
        if name is None:
            return found[0]
        return f"--{name}" if value in ("", "True") else f"--{name} {value}"

    return re.sub(r"(?<![\w-])([a-z_]+)=(True|[\w.\"-]*)", option, text)


def printable(text: object) -> str:
    """Without control characters: what a file says must not reach the terminal as commands."""
    return "".join(c if c.isprintable() else " " for c in str(text))


_quiet: ContextVar[bool] = ContextVar("_quiet", default=False)
"""Whether --quiet was said: a word of the whole run, not of the one function that heard it."""


def set_quiet(quiet: bool) -> bool:
    """What --quiet does: from here on only errors and questions are said, and no bars drawn."""
    _quiet.set(quiet)
    if quiet:
        os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"  # read when the hub's client is imported
    return quiet


def print_note(text: str) -> None:
    """One line for the person at the terminal, if they want any; programs read standard output."""
    if not _quiet.get():
        print_always(text)


def print_always(text: str) -> None:
    """The same where it must be heard, --quiet or not: an error, or what is asked about."""
    typer.echo(printable(text), err=True)


def report(kind: str, line: str) -> None:
    """What the service has to tell: notes, the model, the planner."""
    print_note(f"{kind}: {use_option_names(line)}")


def print_error(error: SowError) -> None:
    """An error in one line; what is to be done speaks of options."""
    hint = use_option_names(error.hint)
    print_always(f"sow: {error.what}; {hint}" if hint else f"sow: {error.what}")


def print_json(data: Any) -> None:
    """The result of a command, for programs."""
    typer.echo(as_json(data))


def as_json(data: Any) -> str:
    """JSON that people can read too: letters of all languages as they are.

    What a terminal would take for a command, or for a change of the direction of writing, is
    escaped, so nothing is lost.
    """
    text = json.dumps(data, indent=2, ensure_ascii=False)
    return re.sub(r"[^\n -~]", lambda found: _visible(found[0]), text)


def _visible(letter: str) -> str:
    return letter if letter.isprintable() else json.dumps(letter)[1:-1]


def command_group(text: str, cls: type[TyperGroup] = TyperGroup) -> typer.Typer:
    """Return an empty group of commands, which prints its help if called without a command."""
    app = typer.Typer(cls=cls, help=text)

    @app.callback(invoke_without_command=True)
    def _print_help(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            typer.echo(context.get_help())

    return app
