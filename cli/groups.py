"""Groups of commands: called by itself a group says what it has."""

from __future__ import annotations

import typer
from typer.core import TyperGroup


def group(said: str, cls: type[TyperGroup] = TyperGroup) -> typer.Typer:
    """A group that has no commands yet. said: what it is for."""
    app = typer.Typer(cls=cls, help=said)

    @app.callback(invoke_without_command=True)
    def _alone(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            typer.echo(context.get_help())

    return app
