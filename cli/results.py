"""The options of results: how many, from which seed, with which settings, and where they go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sow.cli.options import RESULT


def preset_named(name: str | None) -> str | None:
    """A preset as it is typed; names of before are only read in files.

    Raises:
        UsageError: for a name of before.
    """
    from sow.errors import UsageError
    from sow.settings.presets import RENAMED_PRESETS

    if name in RENAMED_PRESETS:
        raise UsageError(f"no preset {name!r}", f"it is called {RENAMED_PRESETS[name][0]} now")
    return name


Num = Annotated[
    int,
    typer.Option("--num", "-n", min=1, max=1000, help="How many.", rich_help_panel=RESULT),
]
FirstSeed = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=2**62,
        help="Seed of the first; the next count up.",
        rich_help_panel=RESULT,
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(
        callback=preset_named,
        help="normal, attribute, style (the model's own), published-normal … (the paper's), "
        "swift-normal … (the fewest samples), cow or text; `sow settings` lists them. Default: "
        "that of the plan's setting.",
        rich_help_panel=RESULT,
    ),
]
Likeness = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        help="How much stays: 0 is free to change, 1 as planted. Default: the preset's.",
        rich_help_panel=RESULT,
    ),
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="An engine setting: cycles=5. May be repeated; `sow settings`.",
        rich_help_panel=RESULT,
    ),
]
RecipeFile = Annotated[
    Path | None,
    typer.Option(help="Make a picture again that `sow generate` wrote.", rich_help_panel=RESULT),
]
LikeFile = Annotated[
    Path | None,
    typer.Option(
        help="More of a picture that `sow generate` wrote: its plan, what is planted and its "
        "settings, with another --seed, --prompt, --likeness, --preset or --set.",
        rich_help_panel=RESULT,
    ),
]
Out = Annotated[
    str | None,
    typer.Option(
        "--out",
        "-o",
        help="A .png file, or a folder (made if it ends in /). Default: a name in this folder.",
        rich_help_panel=RESULT,
    ),
]
NoSheet = Annotated[
    bool,
    typer.Option(
        "--no-sheet",
        help="With --num: no NAME-sheet.png of all of them.",
        rich_help_panel=RESULT,
    ),
]
CyclesOut = Annotated[
    Path | None,
    typer.Option(
        "--save-cycles",
        help="A PNG of what the first picture looked like after each cycle.",
        rich_help_panel=RESULT,
    ),
]
Explain = Annotated[
    bool,
    typer.Option(
        "--explain",
        help="Beside each picture, a sheet of what its words and the condition did: "
        "NAME.explain.png.",
        rich_help_panel=RESULT,
    ),
]
Verify = Annotated[
    bool,
    typer.Option(
        "--verify",
        help="Look in each result whether the plan's relations hold.",
        rich_help_panel=RESULT,
    ),
]
Retries = Annotated[
    int,
    typer.Option(
        min=0,
        max=100,
        help="How many other seeds to try for a picture in which they do not; implies --verify.",
        rich_help_panel=RESULT,
    ),
]
