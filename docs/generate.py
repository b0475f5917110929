"""Writes the reference pages out of the code, so that they cannot drift: `make docs`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from sow.cli.main import app
from sow.cli.settings import likeness_rows, short
from sow.models import find_model
from sow.presets import OWN_PRESETS
from sow.settings import OWN, PRESETS, Settings

HERE = Path(__file__).parent
LIKENESS_TEXT = (
    "How much of what is planted stays, in one number from 0 (free to change) to 1 (as planted): "
    "`--likeness 0.7`, `likeness=0.7`, or `--set likeness=0.7`. It stands for three settings; what "
    "is set of them beside it holds. Not given, the preset's own numbers stand. Where the "
    "condition is planted once, every state stays guided."
)
PRESETS_TEXT = (
    "`normal`, `attribute` and `style` belong to the checkpoint: the published method, or its own "
    "numbers if somebody measured better ones on it. `published-normal` and so on are the "
    "published method on every checkpoint, `swift-normal` and so on the fewest UNet samples. What "
    "each changes of the published normal:"
)
FIGURES_TEXT = (
    "The drawn world has numbers of its own ([measured](results.md#presets)). What they change of "
    "the published ones:"
)


def settings_page() -> str:
    """Every setting with its published number and source, the presets, and what `figures` has."""
    published = PRESETS["normal"]
    lines = [
        "# Settings", "",
        "`--set name=value` on the command line, `settings={\"name\": value}` in Python. "
        "`sow settings --model …` lists what a checkpoint really runs, and what a picture costs.",
        "",
        "*normal* is the published method for normal prompts, as every checkpoint runs it that has "
        "no numbers of its own. *Of a batch*: jobs that run in one call must agree on it.", "",
        "| name | normal | from | of | what it is |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for name, field in Settings.model_fields.items():
        whose = "a job" if OWN in field.metadata else "a batch"
        number, source = short(getattr(published, name)), Settings.source(name)
        lines.append(f"| `{name}` | {number} | {source} | {whose} | {field.description} |")
    lines += ["", "## Likeness", "", LIKENESS_TEXT, "",
              "| `--likeness` | `condition_guidance_scale` | `preserve` | `guided_until` |",
              "|---|---|---|---|"]  # fmt: skip
    lines += [f"| {' | '.join(row)} |" for row in likeness_rows()]
    lines += ["", "## Presets", "", PRESETS_TEXT, ""]
    lines += [
        f"- **{name}**: {differences(values, published) or 'the numbers above'}"
        for name, values in PRESETS.items() if not name.startswith("published-")
    ]  # fmt: skip
    facts = find_model("figures").facts
    lines += ["", "### On `figures`", "", FIGURES_TEXT, ""]
    lines += [
        f"- **{name}**: {differences(facts.preset(name), facts.preset(f'published-{name}'))}"
        for name in OWN_PRESETS
    ]
    return "\n".join([*lines, ""])


def differences(settings: Settings, base: Settings) -> str:
    """What one has otherwise than another, as it is written after `--set`."""
    return ", ".join(
        f"`{name}={short(getattr(settings, name))}`"
        for name in Settings.model_fields
        if getattr(settings, name) != getattr(base, name)
    )


def commands_page() -> str:
    """Every command with its options, as its help gives them."""
    lines = ["# Commands and options", "", "As `sow COMMAND --help` says.", ""]
    for path, command in commands(typer.main.get_command(app), "sow"):
        says, _, examples = (command.help or "").partition("\b")
        lines += [f"## `{path}`", "", plain(says), ""]
        if examples:
            lines += ["```sh", *(line.strip() for line in examples.strip().splitlines()), "```", ""]
        rows = [row for row in map(option, command.params) if row]
        if rows:
            lines += ["| option | default | what it does |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


def commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """All commands that can be called, by their full names."""
    for name, inner in sorted(getattr(command, "commands", {}).items()):
        yield from commands(inner, f"{path} {name}")
    if not hasattr(command, "commands"):
        yield path, command


def option(parameter: Any) -> str:
    """A line of the table; empty for what is hidden."""
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
    """One line that Markdown tables can hold."""
    return " ".join((text or "").split()).replace("|", "\\|")


PAGES = {"settings.md": settings_page, "commands.md": commands_page}


def main() -> None:
    """Writes the pages; with `--check` only says which are not up to date."""
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
