"""`sow settings`: the settings a checkpoint runs, their sources, and what a picture costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sow.cli.options import Json, ModelName, Quiet, Revision
from sow.cli.output import print_json, report

if TYPE_CHECKING:
    from rich.console import Console

    from sow.models.find import Model
    from sow.settings.settings import Settings

TUNED_SOURCE = "tuned here"


def settings(
    model: ModelName = "auto",
    revision: Revision = None,
    preset: Annotated[
        str, typer.Option(help="Preset to list; of the others, only the differences are listed.")
    ] = "normal",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """List the settings that --set can change: the model's values, their sources, and the costs."""
    from sow.models.find import find_model
    from sow.settings.settings import PRESETS, Settings

    Settings.preset(preset)  # check the name before searching for the model
    checkpoint = find_model(model, revision=revision, download=False)
    for note in checkpoint.notes:
        report("note", note)
    names = dict.fromkeys([preset, *PRESETS])
    shown = {name: describe_preset(checkpoint, name) for name in names}
    if json:
        print_json({"model": checkpoint.name, "presets": shown})
        return
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    _print_settings(console, preset, shown[preset])
    console.print("\nC is the planted condition, R the regions related to it.")
    _print_likeness(console)
    _print_differences(console, preset, shown)


def describe_preset(model: Model, name: str) -> dict[str, Any]:
    """Return a preset as `sow generate` runs it: its settings, their sources, and its cost."""
    from sow.models.tuned import default_preset
    from sow.settings.presets import CHECKPOINT_PRESETS

    settings, sources = model.checkpoint_spec.preset(name), model.checkpoint_spec.sources(name)
    tuned = None
    if name in CHECKPOINT_PRESETS:
        default, tuned = default_preset(model, name)
        if tuned is not None:
            published = model.checkpoint_spec.sources(f"published-{name}")
            sources = {n: TUNED_SOURCE if n in tuned.settings else s for n, s in published.items()}
            settings = default
    return {
        "settings": settings.model_dump(mode="json"),
        "sources": sources,
        "cost": preset_cost(settings, planted=name != "text"),
        **({"tuned": tuned.model_dump()} if tuned is not None else {}),
    }


def preset_cost(settings: Settings, planted: bool = True) -> dict[str, int]:
    """Return the UNet calls and samples of one picture.

    `samples` is for a plan with a noun to suppress; `samples_without_a_noun` for a plan without
    one, which needs no pair of prompts outside the condition.

    planted: whether the plan plants anything; if not, there is no noun to suppress either.
    """
    from sow.diffusion.recording import num_conditions, unet_calls_of

    calls = unet_calls_of(settings, int(planted))
    without = sum(num_conditions(call, settings, "none") for call in calls)
    return {
        "calls": len(calls),
        "samples": sum(num_conditions(c, settings) for c in calls) if planted else without,
        "samples_without_a_noun": without,
    }


def _print_settings(console: Console, preset: str, shown: Mapping[str, Any]) -> None:
    from rich.table import Table

    from sow.settings.settings import Settings

    table = Table(box=None, pad_edge=False)
    table.add_column("setting", style="bold", no_wrap=True)
    table.add_column(preset, max_width=22, overflow="fold")
    table.add_column("from", max_width=24, overflow="fold")
    table.add_column("what it is", overflow="fold")
    for name, field in Settings.model_fields.items():
        number = format_value(shown["settings"][name])
        table.add_row(name, number or "(empty)", shown["sources"][name], field.description)
    console.print(table)


def _print_likeness(console: Console) -> None:
    from rich.table import Table

    console.print("\nlikeness: 0 (free to change) to 1 (as planted); it sets three of them")
    table = Table(box=None, pad_edge=False)
    for column in ("--likeness", "condition_guidance_scale", "preserve", "guided_until"):
        table.add_column(column)
    for row in likeness_table():
        table.add_row(*row)
    console.print(table)
    console.print(
        "Without --likeness, the preset's numbers are used. A condition planted once is guided in "
        "every state."
    )


def _print_differences(console: Console, preset: str, shown: Mapping[str, Any]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("preset", "UNet calls", "samples", "without a noun"):
        table.add_column(column, justify="left" if column == "preset" else "right")
    for name, each in shown.items():
        tuned = f" ({TUNED_SOURCE}: {each['tuned']['candidate']})" if "tuned" in each else ""
        table.add_row(name + tuned, *map(str, each["cost"].values()))
    console.print("\nCost of a picture:")
    console.print(table)
    base = shown[preset]["settings"]
    for name, each in shown.items():
        changes = [
            f"{field}={format_value(value)}"
            for field, value in each["settings"].items()
            if value != base[field]
        ]
        if changes:
            console.print(f"\npreset {name} differs from {preset}: {' '.join(changes)}")


def likeness_table() -> Iterator[tuple[str, ...]]:
    """Yield rows of a table: a likeness, and the three settings it stands for."""
    from sow.settings.presets import likeness_settings
    from sow.settings.settings import Settings

    published = Settings()
    for value in (0, 0.25, 0.45, 0.5, 0.75, 1):
        numbers = likeness_settings(value, published.guidance_scale, published.t1).values()
        yield f"{value:g}", *map(format_value, numbers)


def format_value(value: object) -> str:
    """Return a value as it is written after `--set name=`."""
    return ",".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
