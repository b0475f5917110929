"""Write the reference pages from the code, so that they cannot drift: `make docs`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel

from sow.cli.main import app
from sow.cli.settings import format_value, likeness_table
from sow.models import find_model
from sow.plan.plan import Matte, Placement, Plan, Region, Relation, SceneObject
from sow.settings.presets import CHECKPOINT_PRESETS
from sow.settings.settings import OWN, PRESETS, Settings

HERE = Path(__file__).parent
LIKENESS_TEXT = (
    "How much of the condition stays, in one number from 0 (free to change) to 1 (as planted): "
    "`--likeness 0.7`, `likeness=0.7`, or `--set likeness=0.7`. It sets three settings; if you "
    "also set one of them yourself, your value is used. Without it, the preset's own numbers "
    "are used. If the condition is planted once, every state stays guided."
)
PRESETS_TEXT = (
    "`normal`, `attribute` and `style` belong to the checkpoint: they are the published method, or "
    "the checkpoint's own numbers if better ones were measured on it. `published-normal` and so on "
    "are the published method on every checkpoint. `swift-normal` and so on need the fewest UNet "
    "samples. The list shows how each differs from the published normal:"
)
FIGURES_TEXT = (
    "The drawn world has its own numbers ([measured](results.md#presets)). The list shows how they "
    "differ from the published ones:"
)


def settings_page() -> str:
    """Return the page of every setting with its published number and source, and the presets."""
    published = PRESETS["normal"]
    lines = [
        "# Settings", "",
        "`--set name=value` on the command line, `settings={\"name\": value}` in Python. "
        "`sow settings --model …` lists the values that a checkpoint runs, and what a picture "
        "costs.", "",
        "*normal* is the published method for normal prompts; a checkpoint without its own numbers "
        "runs it. Jobs that run in one call must agree on the settings of *a batch*; those of "
        "*a job* may differ.", "",
        "| name | normal | from | of | what it is |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for name, field in Settings.model_fields.items():
        whose = "a job" if OWN in field.metadata else "a batch"
        number, source = format_value(getattr(published, name)), Settings.source(name)
        lines.append(f"| `{name}` | {number} | {source} | {whose} | {field.description} |")
    lines += ["", "## Likeness", "", LIKENESS_TEXT, "",
              "| `--likeness` | `condition_guidance_scale` | `preserve` | `guided_until` |",
              "|---|---|---|---|"]  # fmt: skip
    lines += [f"| {' | '.join(row)} |" for row in likeness_table()]
    lines += ["", "## Presets", "", PRESETS_TEXT, ""]
    lines += [
        f"- **{name}**: {differences(values, published) or 'the numbers above'}"
        for name, values in PRESETS.items() if not name.startswith("published-")
    ]  # fmt: skip
    figures = find_model("figures").checkpoint_spec
    lines += ["", "### On `figures`", "", FIGURES_TEXT, ""]
    lines += [
        f"- **{name}**: {differences(figures.preset(name), figures.preset(f'published-{name}'))}"
        for name in CHECKPOINT_PRESETS
    ]
    return "\n".join([*lines, ""])


def differences(settings: Settings, base: Settings) -> str:
    """List what `settings` changes from `base`, as you write it after `--set`."""
    return ", ".join(
        f"`{name}={format_value(getattr(settings, name))}`"
        for name in Settings.model_fields
        if getattr(settings, name) != getattr(base, name)
    )


def commands_page() -> str:
    """Return the page of every command with its options, from its help."""
    lines = ["# Commands and options", "", "This is what `sow COMMAND --help` prints.", ""]
    for path, command in commands(typer.main.get_command(app), "sow"):
        text, _, examples = (command.help or "").partition("\b")
        lines += [f"## `{path}`", "", plain(text), ""]
        if examples:
            lines += ["```sh", *(line.strip() for line in examples.strip().splitlines()), "```", ""]
        rows = [row for row in map(option, command.params) if row]
        if rows:
            lines += ["| option | default | what it does |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


def commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield all commands that can be called, with their full names."""
    for name, inner in sorted(getattr(command, "commands", {}).items()):
        yield from commands(inner, f"{path} {name}")
    if not hasattr(command, "commands"):
        yield path, command


def option(parameter: Any) -> str:
    """Return a row of the table; empty if the option is hidden."""
    if getattr(parameter, "hidden", False) or parameter.name == "help":
        return ""
    names = [*parameter.opts, *parameter.secondary_opts]
    if parameter.param_type_name == "argument":
        names = [parameter.name.upper()]
    shown = ", ".join(f"`{name}`" for name in names)
    default = parameter.default
    empty = default is None or callable(default) or default is False or default in ((), [])
    return f"| {shown} | {'' if empty else f'`{default}`'} | {plain(parameter.help)} |"


def plain(text: str | None) -> str:
    """Return the text as one line for a Markdown table."""
    return " ".join((text or "").split()).replace("|", "\\|")


PLAN_TEXT = (
    "What `sow plan` writes, field by field. Only `prompt` and `box` are required. A box is "
    "`[x, y, width, height]` in pixels of the canvas, except `crop` and the boxes of `matte`: "
    "they are in pixels of your picture. An unknown field is refused."
)
EDIT_TEXT = (
    "If you edit `box`, the ellipse and the related regions move and grow along, unless you edited "
    "them too; a note says so. The outline (`matte`, `crop`) is in your picture and needs no "
    "change. For this the file says in `made_for` what it was written with; a plan without it "
    "means what it says."
)


def plan_page() -> str:
    """Return the page of all fields of a plan."""
    lines = ["# The fields of a plan", "", PLAN_TEXT, "", EDIT_TEXT, ""]
    lines += field_table(Plan)
    parts = {"related": Region, "matte": Matte, "objects": SceneObject, "relations": Relation,
             "made_for": Placement}  # fmt: skip
    for name, model in parts.items():
        each = "Each of " if name in ("related", "objects", "relations") else ""
        lines += [f"## {each}`{name}`", "", *field_table(model)]
    return "\n".join(lines)


def field_table(model: type[BaseModel]) -> list[str]:
    """Return the lines of a table of a model's fields."""
    lines = ["| field | default | what it is |", "|---|---|---|"]
    for name, field in model.model_fields.items():
        default = "required" if field.is_required() else f"`{json.dumps(field.default)}`"
        lines.append(f"| `{name}` | {default} | {field.description} |")
    return [*lines, ""]


PAGES = {"settings.md": settings_page, "commands.md": commands_page, "plan.md": plan_page}


def main() -> None:
    """Write the pages; with `--check`, only report those that are not up to date."""
    stale = []
    for name, page in PAGES.items():
        path, text = HERE / name, page()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(text, encoding="utf-8")
    if "--check" in sys.argv and stale:
        sys.exit(f"not up to date: {', '.join(stale)}; run `make docs`")


if __name__ == "__main__":
    main()
