"""`sow settings`: every engine setting, its default and where it comes from."""

from __future__ import annotations

from sow.cli.common import Json, print_json


def settings(json: Json = False) -> None:
    """List what --set can change, with the values of each preset."""
    from sow.settings import PRESETS, Settings

    if json:
        print_json({name: preset.model_dump(mode="json") for name, preset in PRESETS.items()})
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*("setting", *PRESETS, "what it is"), box=None, pad_edge=False)
    for name, field in Settings.model_fields.items():
        values = [_short(getattr(preset, name)) for preset in PRESETS.values()]
        table.add_row(name, *values, field.description)
    Console().print(table)


def _short(value: object) -> str:
    text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text if len(text) < 14 else text[:11] + "..."
