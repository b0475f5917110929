"""`sow settings`: every engine setting, its default and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator

from sow.cli.options import Json
from sow.cli.output import print_json


def settings(json: Json = False) -> None:
    """List what --set can change, and what each preset changes."""
    from sow.settings import PRESETS, Settings

    if json:
        print_json({name: preset.model_dump(mode="json") for name, preset in PRESETS.items()})
        return
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False)
    table = Table(box=None, pad_edge=False)
    table.add_column("setting", style="bold", no_wrap=True)
    table.add_column("normal")
    table.add_column("what it is")
    for name, field in Settings.model_fields.items():
        table.add_row(name, short(getattr(PRESETS["normal"], name)), field.description)
    console.print(table)
    console.print("\nlikeness: one number, 0 (free to change) to 1 (as planted), for two of these")
    dial = Table(box=None, pad_edge=False)
    for column in ("--likeness", "condition_guidance_scale", "preserve", "default of"):
        dial.add_column(column)
    for row in likeness_rows():
        dial.add_row(*row)
    console.print(dial)
    console.print()
    for preset, values in PRESETS.items():
        changes = [
            f"{name}={short(getattr(values, name))}"
            for name in Settings.model_fields
            if getattr(values, name) != getattr(PRESETS["normal"], name)
        ]
        if changes:
            console.print(f"preset {preset}: {' '.join(changes)}")


def likeness_rows() -> Iterator[tuple[str, ...]]:
    """Of some places of the dial: the likeness, what it stands for, whose default it is."""
    from sow.settings import LIKENESS, PRESETS, likeness_numbers

    normal = PRESETS["normal"]
    for value in sorted({0, 0.25, 0.5, 0.75, 1, *LIKENESS.values()}):
        numbers = likeness_numbers(value, normal.guidance_scale, normal.t1).values()
        own = ", ".join(name for name, default in LIKENESS.items() if default == value)
        yield f"{value:g}", *map(short, numbers), own


def short(value: object) -> str:
    """A setting as it is written after `--set name=`."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
