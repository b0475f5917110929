"""`sow show`: how a picture was made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sow.cli.options import Json
from sow.cli.output import print_json, printable


def show(
    picture: Annotated[Path, typer.Argument(help="A PNG written by `sow generate`.")],
    json: Json = False,
) -> None:
    """Show the recipe inside a picture."""
    from sow.recipe import read_recipe

    recipe, _ = read_recipe(picture)
    data = recipe.model_dump(mode="json")
    if json:
        print_json(data)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    plan, settings = data["plan"], data["settings"]
    rows = {
        "prompt": plan["prompt"],
        "canvas": "x".join(map(str, plan["canvas"])),
        "box": plan["box"],
        "related": ", ".join(f"{r['label']} {r['box']}" for r in plan["related"]) or "-",
        "setting": plan["setting"],
        "subject": f"{plan['subject']} (suppressed elsewhere: {plan['suppress'] or '-'})",
        "planner": plan["planner"],
        "notes": "; ".join(plan["notes"]) or "-",
        "seed": recipe.seed,
        "model": f"{recipe.model} ({recipe.revision})",
        "run on": f"{recipe.device}, {recipe.dtype}",
        "versions": ", ".join(f"{k} {v}" for k, v in recipe.versions.items()),
        "settings": ", ".join(f"{k}={v}" for k, v in settings.items()),
    }
    for name, value in rows.items():
        table.add_row(name, _plain(value))
    Console().print(table)


def _plain(value: object) -> str:
    from rich.markup import escape

    return escape(printable(value))
