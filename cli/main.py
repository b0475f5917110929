"""`sow`: its commands, and one-line messages for all errors."""

from __future__ import annotations

import sys

import typer

import sow
from sow.cli import (
    batch,
    bench,
    doctor,
    download,
    generate,
    graph,
    plan,
    settings,
    show,
    studio,
    tune,
    words,
)
from sow.cli.arguments import RequestCommand
from sow.cli.output import print_always, print_error, set_quiet
from sow.cli.usage_errors import CommandGroup, usage_line
from sow.errors import INTERRUPTED, SowError, UsageError

app = typer.Typer(
    name="sow",
    cls=CommandGroup,
    help="Grow a whole picture around something that must stay recognisable.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("generate", cls=RequestCommand)(generate.generate)
app.command("plan", cls=RequestCommand)(plan.plan)
app.command("graph")(graph.graph)
app.command("show")(show.show)
app.command("studio")(studio.studio)
app.command("settings")(settings.settings)
app.command("words")(words.words)
app.command("download")(download.download)
app.command("doctor")(doctor.doctor)
app.command("tune")(tune.tune)
app.add_typer(batch.app, name="batch")
app.add_typer(bench.app, name="bench")

# The base class of typer's usage errors: some versions of typer bring their own click, others use
# the installed one.
ClickUsageError: type[Exception] = typer.BadParameter.__mro__[2]


@app.callback(invoke_without_command=True)
def _version(
    context: typer.Context,
    version: bool = typer.Option(
        False, "--version", "-V", is_eager=True, help="Print the version."
    ),
) -> None:
    if version:
        typer.echo(sow.__version__)
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Run a command and exit with its code; `entry.run` calls this."""
    set_quiet(False)
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except SowError as error:
        print_error(error)
        sys.exit(error.exit_code)
    except ClickUsageError as error:
        print_always(f"sow: {' '.join(usage_line(error).split())}")
        sys.exit(UsageError.exit_code)
    except typer.Abort:  # the input ended at a question
        print_always("sow: interrupted")
        sys.exit(INTERRUPTED)
