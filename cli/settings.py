"""`sow settings`: what a checkpoint really runs, where each number comes from, what it costs."""

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

TUNED = "tuned here"


def settings(
    model: ModelName = "auto",
    revision: Revision = None,
    preset: Annotated[
        str, typer.Option(help="The preset to list; the others are listed by their differences.")
    ] = "normal",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """List what --set can change, as the model runs it, with sources and costs."""
    from sow.models.find import find_model
    from sow.settings.settings import PRESETS, Settings

    Settings.preset(preset)  # a wrong name is refused before the model is looked for
    found = find_model(model, revision=revision, download=False)
    for note in found.notes:
        report("note", note)
    names = dict.fromkeys([preset, *PRESETS])
    shown = {name: described(found, name) for name in names}
    if json:
        print_json({"model": found.name, "presets": shown})
        return
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    _listed(console, preset, shown[preset])
    console.print("\nC is what is planted, R the regions that belong to it.")
    _likeness(console)
    _differences(console, preset, shown)


def described(model: Model, name: str) -> dict[str, Any]:
    """A preset as `sow generate` runs it: its numbers, where each comes from, and its cost.

    UNet calls and samples are of one picture: of a face, and of a thing whose plan has no noun to
    suppress, which needs no pair outside the condition.
    """
    from sow.models.tuned import default_preset
    from sow.settings.presets import CHECKPOINT_PRESETS

    settings, sources = model.checkpoint_spec.preset(name), model.checkpoint_spec.sources(name)
    found: dict[str, Any] = {}
    if name in CHECKPOINT_PRESETS:
        ran, tuned = default_preset(model, name)
        if tuned is not None:
            published = model.checkpoint_spec.sources(f"published-{name}")
            sources = {n: TUNED if n in tuned.settings else s for n, s in published.items()}
            settings, found = ran, {"tuned": tuned.model_dump()}
    return {
        "settings": settings.model_dump(mode="json"),
        "sources": sources,
        "cost": cost(settings, planted=name != "text"),
        **found,
    }


def cost(settings: Settings, planted: bool = True) -> dict[str, int]:
    """UNet calls and samples of one picture.

    planted: whether its plan plants anything; one that does not has no noun to suppress either.
    """
    from sow.diffusion.recording import num_conditions, unet_calls_of

    calls = unet_calls_of(settings, int(planted))
    without = sum(num_conditions(call, settings, "none") for call in calls)
    return {
        "calls": len(calls),
        "samples": sum(num_conditions(c, settings) for c in calls) if planted else without,
        "samples_without_a_noun": without,
    }


def _listed(console: Console, preset: str, shown: Mapping[str, Any]) -> None:
    from rich.table import Table

    from sow.settings.settings import Settings

    table = Table(box=None, pad_edge=False)
    table.add_column("setting", style="bold", no_wrap=True)
    table.add_column(preset, max_width=22, overflow="fold")
    table.add_column("from", max_width=24, overflow="fold")
    table.add_column("what it is", overflow="fold")
    for name, field in Settings.model_fields.items():
        number = short(shown["settings"][name])
        table.add_row(name, number or "(empty)", shown["sources"][name], field.description)
    console.print(table)


def _likeness(console: Console) -> None:
    from rich.table import Table

    console.print("\nlikeness: one number, 0 (free to change) to 1 (as planted), for three of them")
    dial = Table(box=None, pad_edge=False)
    for column in ("--likeness", "condition_guidance_scale", "preserve", "guided_until"):
        dial.add_column(column)
    for row in likeness_rows():
        dial.add_row(*row)
    console.print(dial)
    console.print("Not given, the preset's own numbers stand. Planted once, every state is guided.")


def _differences(console: Console, preset: str, shown: Mapping[str, Any]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("preset", "UNet calls", "samples", "without a noun"):
        table.add_column(column, justify="left" if column == "preset" else "right")
    for name, each in shown.items():
        told = f"{name} ({TUNED}: {each['tuned']['candidate']})" if "tuned" in each else name
        table.add_row(told, *map(str, each["cost"].values()))
    console.print("\nA picture costs")
    console.print(table)
    base = shown[preset]["settings"]
    for name, each in shown.items():
        changes = [
            f"{field}={short(value)}"
            for field, value in each["settings"].items()
            if value != base[field]
        ]
        if changes:
            console.print(f"\npreset {name} differs from {preset}: {' '.join(changes)}")


def likeness_rows() -> Iterator[tuple[str, ...]]:
    """Of some places of the dial: the likeness, and what it stands for."""
    from sow.settings.presets import likeness_settings
    from sow.settings.settings import Settings

    published = Settings()
    for value in (0, 0.25, 0.45, 0.5, 0.75, 1):
        numbers = likeness_settings(value, published.guidance_scale, published.t1).values()
        yield f"{value:g}", *map(short, numbers)


def short(value: object) -> str:
    """A setting as it is written after `--set name=`."""
    return ",".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
