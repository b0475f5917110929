"""`sow show`: the recipe inside a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sow.cli.options import Json
from sow.cli.output import print_json


def show(
    picture: Annotated[Path, typer.Argument(help="PNG written by `sow generate`.")],
    json: Json = False,
) -> None:
    """Show the recipe inside a picture."""
    from sow.pictures.recipe import read_recipe
    from sow.service.recipe_rows import recipe_rows

    recipe, _ = read_recipe(picture)
    if json:
        print_json(recipe.model_dump(mode="json"))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in recipe_rows(recipe).items():
        table.add_row(name, Text(value))  # a prompt may contain what looks like markup
    console = Console()
    with console.capture() as drawn:
        console.print(table)
    typer.echo(drawn.get(), nl=False)  # rich fails if standard output cannot encode a character
