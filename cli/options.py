"""Options of several commands, other than those of a request (`request_options`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sow.cli.output import set_quiet
from sow.planners.request import MODEL, RESULT

if TYPE_CHECKING:
    from sow.service.planning import PlannerChoice

PLANNER = "The planner"

ModelName = Annotated[
    str,
    typer.Option(
        help="auto, sd2.1, sdxl, figures, a folder, a .safetensors file or a hub id. auto is "
        "Stable Diffusion 2.1 if it is available, else the small bundled model `figures`.",
        rich_help_panel=MODEL,
    ),
]
Revision = Annotated[
    str | None, typer.Option(help="A branch, tag or commit on the hub.", rich_help_panel=MODEL)
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.", rich_help_panel=MODEL)]
Dtype = Annotated[
    str, typer.Option(help="auto, float32, float16 or bfloat16.", rich_help_panel=MODEL)
]

Force = Annotated[
    bool, typer.Option("--force", help="Overwrite existing files.", rich_help_panel=RESULT)
]
Yes = Annotated[
    bool,
    typer.Option(
        "--yes",
        "-y",
        help="Do not ask before a run that costs far more than usual.",
        rich_help_panel=RESULT,
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON.", rich_help_panel=RESULT)
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        callback=set_quiet,
        help="Print only errors and questions.",
        rich_help_panel=RESULT,
    ),
]

RecipeFile = Annotated[
    Path | None,
    typer.Option(help="Reproduce a picture that `sow generate` wrote.", rich_help_panel=RESULT),
]
LikeFile = Annotated[
    Path | None,
    typer.Option(
        help="Vary a picture that `sow generate` wrote: keep its plan, condition and settings; "
        "change --seed, --prompt, --likeness, --preset or --set.",
        rich_help_panel=RESULT,
    ),
]
Out = Annotated[
    str | None,
    typer.Option(
        "--out",
        "-o",
        help=".png file, or folder (created if it ends in /). Default: a new file here.",
        rich_help_panel=RESULT,
    ),
]
NoSheet = Annotated[
    bool,
    typer.Option(
        "--no-sheet",
        help="With --num: do not write NAME-sheet.png with all pictures.",
        rich_help_panel=RESULT,
    ),
]
CyclesOut = Annotated[
    Path | None,
    typer.Option(
        "--save-cycles",
        help="PNG to draw the first picture in, as it was after each cycle.",
        rich_help_panel=RESULT,
    ),
]

Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="An engine setting: cycles=5. May be repeated; `sow settings` lists them.",
        rich_help_panel=RESULT,
    ),
]

PlannerName = Annotated[
    str,
    typer.Option(
        "--planner",
        help="auto, offline, gemini or openai. auto asks once whether it may send the picture "
        "to the vendor whose key is set (GEMINI_API_KEY, OPENAI_API_KEY), else it plans by rules; "
        "a script must name the vendor.",
        rich_help_panel=PLANNER,
    ),
]
PlannerModel = Annotated[
    str | None,
    typer.Option(
        help="The planner's model. Default: the vendor's newest.", rich_help_panel=PLANNER
    ),
]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        help="Another server for the planner: http://localhost:11434/v1 for Ollama.",
        rich_help_panel=PLANNER,
    ),
]
PlannerCalls = Annotated[
    int,
    typer.Option(
        help="3: one call per stage, two of them at once. 1: everything in one call.",
        rich_help_panel=PLANNER,
    ),
]
Fallback = Annotated[
    bool,
    typer.Option(
        "--fallback",
        help="Plan by rules if the named planner cannot be asked.",
        rich_help_panel=PLANNER,
    ),
]
NoCache = Annotated[
    bool,
    typer.Option(
        "--no-cache", help="Ask again even if the answers are cached.", rich_help_panel=PLANNER
    ),
]
PromptFolder = Annotated[
    Path | None,
    typer.Option(
        "--prompts", help="Folder with your own planner prompts (*.md).", rich_help_panel=PLANNER
    ),
]
PlannerTimeout = Annotated[
    float,
    typer.Option(
        min=1, max=3600, help="Seconds for a whole plan, retries included.", rich_help_panel=PLANNER
    ),
]


def choice_of(
    name: str, model: str | None, base_url: str | None, calls: int, fallback: bool,
    no_cache: bool, prompts: Path | None, seconds: float,
) -> PlannerChoice:  # fmt: skip
    """Return the planner that the options choose."""
    from sow.cli.consent import ask_consent
    from sow.service.planning import PlannerChoice

    return PlannerChoice(
        name,
        planner_model=model,
        base_url=base_url,
        planner_calls=calls,
        fallback=fallback,
        cache=not no_cache,
        prompts=prompts,
        planner_timeout=seconds,
        consent=ask_consent,
    )
