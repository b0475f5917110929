"""`sow settings`: every engine setting, its default and where it comes from."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sow.cli.options import Json, ModelName, Quiet, Revision
from sow.cli.output import print_json, report


def settings(
    model: ModelName = "auto",
    revision: Revision = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """List what --set can change, as the model has it, and what each preset changes."""
    from sow.models.find import find_model
    from sow.settings import PRESETS, Settings

    found = find_model(model, revision=revision, download=False)
    for note in found.notes:
        report("note", note)
    presets = {name: found.facts.preset(name) for name in PRESETS}
    if json:
        print_json({name: preset.model_dump(mode="json") for name, preset in presets.items()})
        return
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False)
    table = Table(box=None, pad_edge=False)
    table.add_column("setting", style="bold", no_wrap=True)
    table.add_column("normal", max_width=22, overflow="fold")
    table.add_column("what it is", overflow="fold")
    differing: list[str] = []
    for name, field in Settings.model_fields.items():
        value = short(getattr(presets["normal"], name))
        own = short(getattr(PRESETS["normal"], name))
        table.add_row(
            name, value if value == own else f"{value or '(empty)'} *", plainly(field.description)
        )
        if value != own:
            differing.append(f"{name} ({own})")
    console.print(table)
    console.print("\nC is what is planted, R the regions that belong to it.")
    if differing:
        others = ", ".join(differing)
        console.print(f"\n* {found.name} needs it so; elsewhere it is otherwise: {others}")
    console.print("\nlikeness: one number, 0 (free to change) to 1 (as planted), for three of them")
    dial = Table(box=None, pad_edge=False)
    for column in (
        "--likeness",
        "condition_guidance_scale",
        "preserve",
        "guided_until",
        "default of",
    ):
        dial.add_column(column)
    for row in likeness_rows():
        dial.add_row(*row)
    console.print(dial)
    console.print()
    for preset, values in presets.items():
        changes = [
            f"{name}={short(getattr(values, name))}"
            for name in Settings.model_fields
            if getattr(values, name) != getattr(presets["normal"], name)
        ]
        if changes:
            console.print(f"preset {preset}: {' '.join(changes)}")


def plainly(description: str | None) -> str:
    """What a setting is, without where it comes from: that is for docs/settings.md."""
    return re.sub(r" \((?:Sec|Eq|COW|open|first)\b[^)]*\)", "", description or "")


def likeness_rows() -> Iterator[tuple[str, ...]]:
    """Of some places of the dial: the likeness, what it stands for, whose default it is."""
    from sow.likeness import likeness_numbers
    from sow.presets import LIKENESS
    from sow.settings import PRESETS

    normal = PRESETS["normal"]
    for value in sorted({0, 0.25, 0.5, 0.75, 1, *LIKENESS.values()}):
        numbers = likeness_numbers(value, normal.guidance_scale, normal.t1).values()
        own = ", ".join(name for name, default in LIKENESS.items() if default == value)
        yield f"{value:g}", *map(short, numbers), own


def short(value: object) -> str:
    """A setting as it is written after `--set name=`."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
