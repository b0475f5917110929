"""`sow`: the commands, and one clear line for whatever goes wrong."""

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
    tune,
    words,
)
from sow.cli.output import print_always, print_error, set_quiet
from sow.errors import INTERRUPTED, SowError, UsageError

app = typer.Typer(
    name="sow",
    help="Grow a whole picture around something that must stay recognisable.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("generate")(generate.generate)
app.command("plan")(plan.plan)
app.command("graph")(graph.graph)
app.command("show")(show.show)
app.command("settings")(settings.settings)
app.command("words")(words.words)
app.command("download")(download.download)
app.command("doctor")(doctor.doctor)
app.command("tune")(tune.tune)
app.add_typer(batch.app, name="batch")
app.add_typer(bench.app, name="bench")

# Typer brings its own click in some versions and uses the installed one in others: the base of
# its errors about usage, whichever it is.
UsageProblem: type[Exception] = typer.BadParameter.__mro__[2]


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
    """Runs a command and leaves with its exit code; `entry.run` comes before."""
    set_quiet(False)
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except SowError as error:
        print_error(error)
        sys.exit(error.exit_code)
    except UsageProblem as error:
        line = error.format_message() if hasattr(error, "format_message") else str(error)
        print_always(f"sow: {' '.join(line.split())}")
        sys.exit(UsageError.exit_code)
    except typer.Abort:  # the end of the input, where something was asked
        print_always("sow: interrupted")
        sys.exit(INTERRUPTED)
