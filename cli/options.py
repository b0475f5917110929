"""The options that several commands share, and the request that they make up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sow.cli.output import set_quiet
from sow.errors import PlanError, UsageError

if TYPE_CHECKING:
    from sow.plan.box import Box
    from sow.service.planning import PlannerChoice
    from sow.service.request import Request

# The panels of a command's help.
PICTURE, PLAN, MODEL, RESULT, PLANNER = (
    "The picture", "The plan", "The model", "The result", "The planner",
)  # fmt: skip

Face = Annotated[
    Path | None,
    typer.Option(
        "--face",
        "--image",
        help="The picture of what must stay recognisable.",
        rich_help_panel=PICTURE,
    ),
]
Prompt = Annotated[
    str | None,
    typer.Option("--prompt", "-p", help="What to grow around it.", rich_help_panel=PICTURE),
]
Mask = Annotated[
    Path | None,
    typer.Option(
        help="A mask for the picture: white is kept. Default: its outline, see --matte.",
        rich_help_panel=PICTURE,
    ),
]
Subject = Annotated[
    str | None,
    typer.Option(help="What it is, if it is no face: --subject cat.", rich_help_panel=PICTURE),
]
FaceIndex = Annotated[
    int | None,
    typer.Option(
        min=0, help="Which face, if there are several; 0 is the largest.", rich_help_panel=PICTURE
    ),
]
MatteName = Annotated[
    str | None,
    typer.Option(
        "--matte",
        help="How it is cut out: auto (its outline; where none is found an ellipse round the "
        "face, or all), rembg (needs the extra), ellipse, box (with what is round a face), none "
        "(the whole picture).",
        rich_help_panel=PICTURE,
    ),
]

Setting = Annotated[
    str | None,
    typer.Option(
        help="normal, attribute or style. Default: read from the prompt.", rich_help_panel=PLAN
    ),
]
BoxText = Annotated[
    str | None,
    typer.Option(
        "--box", help="Where it goes: x,y,width,height in canvas pixels.", rich_help_panel=PLAN
    ),
]
Related = Annotated[
    list[str] | None,
    typer.Option(
        help="A region that belongs to it: label=x,y,width,height. May be repeated.",
        rich_help_panel=PLAN,
    ),
]
PlanFile = Annotated[
    Path | None, typer.Option("--plan", help="A plan made by `sow plan`.", rich_help_panel=PLAN)
]
GraphFile = Annotated[
    str | None,
    typer.Option(
        "--graph",
        help="A scene graph to lay out: a .json file; prompt: as the prompt has it; planner: as "
        "the planner answers it.",
        rich_help_panel=PLAN,
    ),
]
Triples = Annotated[
    list[str] | None,
    typer.Option(
        "--triple",
        help="Somebody or something, a relation, something: person,holding,red balloon. May be "
        "repeated; then there need be no picture.",
        rich_help_panel=PLAN,
    ),
]
Canvas = Annotated[
    str | None,
    typer.Option(
        help="Size of the picture: 512 or 640x448. Default: the model's own.", rich_help_panel=PLAN
    ),
]

ModelName = Annotated[
    str,
    typer.Option(
        help="auto, sd2.1, figures, a folder, a .safetensors file or a hub id. auto is Stable "
        "Diffusion 2.1, or the small bundled world `figures` where that cannot be had.",
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
        "--yes", "-y", help="Go on although it costs far more than usual.", rich_help_panel=RESULT
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
        help="Say nothing but errors and what is asked.",
        rich_help_panel=RESULT,
    ),
]

PlannerName = Annotated[
    str,
    typer.Option(
        "--planner",
        help="auto, offline, gemini or openai. auto asks you, once, whether it may send the "
        "picture to the vendor whose key is set (GEMINI_API_KEY, OPENAI_API_KEY), else plans by "
        "rules; a script has to name one.",
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
        help="3: a call per stage, two of them at once. 1: all in one call.",
        rich_help_panel=PLANNER,
    ),
]
Fallback = Annotated[
    bool,
    typer.Option(
        "--fallback",
        help="Plan by rules if the planner named cannot be asked.",
        rich_help_panel=PLANNER,
    ),
]
NoCache = Annotated[
    bool, typer.Option("--no-cache", help="Ask even if the plan is known.", rich_help_panel=PLANNER)
]
PromptFolder = Annotated[
    Path | None,
    typer.Option(
        "--prompts", help="A folder with prompts of your own (*.md).", rich_help_panel=PLANNER
    ),
]
PlannerTimeout = Annotated[
    float,
    typer.Option(
        min=1, max=3600, help="Seconds for a whole plan, retries included.", rich_help_panel=PLANNER
    ),
]


def request_of(
    face: Path | None, prompt: str | None, mask: Path | None, subject: str | None,
    face_index: int | None, setting: str | None, box: str | None, related: list[str] | None,
    plan: Path | None, canvas: str | None, matte: str | None, graph: str | None,
    triples: list[str] | None,
) -> Request:  # fmt: skip
    """What is asked of the service.

    Raises:
        SowError: for a box, a region or a canvas that cannot be read.
    """
    from sow.plan.box import parse_box
    from sow.plan.plan import Region
    from sow.service.request import Request

    regions = [parse_region(text) for text in related or ()]
    return Request(
        image=face,
        prompt=prompt,
        mask=mask,
        subject=subject,
        face_index=face_index,
        setting=setting,
        box=parse_box(box) if box is not None else None,
        related=[Region(label=label, box=where) for label, where in regions] or None,
        canvas=parse_canvas(canvas) if canvas is not None else None,
        matte=matte,
        plan=plan,
        graph=graph,
        triples=triples or None,
    )


def choice_of(
    name: str, model: str | None, base_url: str | None, calls: int, fallback: bool,
    no_cache: bool, prompts: Path | None, seconds: float,
) -> PlannerChoice:  # fmt: skip
    """Who plans."""
    from sow.cli.consent import ask_consent
    from sow.service.planning import PlannerChoice

    return PlannerChoice(
        name, model, base_url, calls, fallback, not no_cache, prompts, seconds, ask_consent
    )


def parse_canvas(text: str) -> tuple[int, int]:
    """`512` or `640x448` as `(width, height)`.

    Raises:
        UsageError: if it is neither.
    """
    width, by, height = text.lower().partition("x")
    try:
        canvas = (int(width), int(height if by else width))
    except ValueError:
        canvas = (0, 0)
    if not (8 <= canvas[0] <= 8192 and 8 <= canvas[1] <= 8192):
        raise UsageError(f"{text!r} is no canvas", "write 512 or 640x448, in pixels")
    return canvas


def parse_region(text: str) -> tuple[str, Box]:
    """`label=x,y,width,height` as name and box.

    Raises:
        PlanError: if it is not that.
    """
    from sow.plan.box import parse_box

    label, equals, numbers = text.rpartition("=")
    if equals and not label.strip():
        raise PlanError(f"the region {text!r} has no name", "write label=x,y,width,height")
    if len(label) > 200 or not label.isprintable():
        raise PlanError("the name of a region is too long or no text", "200 letters at most")
    return label.strip() or "related", parse_box(numbers, "related region")
