"""The options that several commands share, and the request that they make up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sow.errors import PlanError, UsageError

if TYPE_CHECKING:
    from sow.box import Box
    from sow.service.asking import PlannerChoice
    from sow.service.request import Request

Face = Annotated[
    Path | None,
    typer.Option("--face", "--image", help="The picture of what must stay recognisable."),
]
Prompt = Annotated[str | None, typer.Option("--prompt", "-p", help="What to grow around it.")]
Mask = Annotated[
    Path | None,
    typer.Option(help="A mask for the picture: white is kept. Default: its outline, see --matte."),
]
Subject = Annotated[str | None, typer.Option(help="What it is, if it is no face: --subject cat.")]
FaceIndex = Annotated[
    int | None, typer.Option(min=0, help="Which face, if there are several; 0 is the largest.")
]
Setting = Annotated[
    str | None, typer.Option(help="normal, attribute or style. Default: read from the prompt.")
]
BoxText = Annotated[
    str | None, typer.Option("--box", help="Where it goes: x,y,width,height in canvas pixels.")
]
Related = Annotated[
    list[str] | None,
    typer.Option(help="A region that belongs to it: label=x,y,width,height. May be repeated."),
]
PlanFile = Annotated[Path | None, typer.Option("--plan", help="A plan made by `sow plan`.")]
Canvas = Annotated[
    str | None, typer.Option(help="Size of the picture: 512 or 640x448. Default: the model's own.")
]
MatteName = Annotated[
    str | None,
    typer.Option(
        "--matte",
        help="How it is cut out: auto (its outline; where none is found an ellipse round the "
        "face, or all), rembg (needs the extra), ellipse, box (with what is round a face), none "
        "(the whole picture).",
    ),
]
ModelName = Annotated[
    str,
    typer.Option(
        help="auto, sd2.1, figures, a folder, a .safetensors file or a hub id. auto is Stable "
        "Diffusion 2.1, or the small bundled world `figures` where that cannot be had.",
    ),
]
Revision = Annotated[str | None, typer.Option(help="A branch, tag or commit on the hub.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")]
Dtype = Annotated[str, typer.Option(help="auto, float32, float16 or bfloat16.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite existing files.")]
Yes = Annotated[
    bool, typer.Option("--yes", "-y", help="Go on although it costs far more than usual.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

PlannerName = Annotated[
    str,
    typer.Option(
        "--planner",
        help="auto, offline, gemini or openai. auto asks you, once, whether it may send the "
        "picture to the vendor whose key is set (GEMINI_API_KEY, OPENAI_API_KEY), else plans by "
        "rules; a script has to name one.",
    ),
]
PlannerModel = Annotated[
    str | None, typer.Option(help="The planner's model. Default: the vendor's newest.")
]
BaseUrl = Annotated[
    str | None,
    typer.Option(help="Another server for the planner: http://localhost:11434/v1 for Ollama."),
]
PlannerCalls = Annotated[
    int, typer.Option(help="3: a call per stage, two of them at once. 1: all in one call.")
]
Fallback = Annotated[
    bool, typer.Option("--fallback", help="Plan by rules if the planner named cannot be asked.")
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Ask even if the plan is known.")]
PromptFolder = Annotated[
    Path | None, typer.Option("--prompts", help="A folder with prompts of your own (*.md).")
]
PlannerTimeout = Annotated[
    float, typer.Option(min=1, max=3600, help="Seconds for a whole plan, retries included.")
]


def request_of(
    face: Path | None, prompt: str | None, mask: Path | None, subject: str | None,
    face_index: int | None, setting: str | None, box: str | None, related: list[str] | None,
    plan: Path | None, canvas: str | None, matte: str | None,
) -> Request:  # fmt: skip
    """What is asked of the service.

    Raises:
        SowError: for a box, a region or a canvas that cannot be read.
    """
    from sow.box import parse_box
    from sow.plan import Region
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
    )


def choice_of(
    name: str, model: str | None, base_url: str | None, calls: int, fallback: bool,
    no_cache: bool, prompts: Path | None, seconds: float,
) -> PlannerChoice:  # fmt: skip
    """Who plans."""
    from sow.cli.consent import ask_consent
    from sow.service.asking import PlannerChoice

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
    from sow.box import parse_box

    label, equals, numbers = text.rpartition("=")
    if equals and not label.strip():
        raise PlanError(f"the region {text!r} has no name", "write label=x,y,width,height")
    if len(label) > 200 or not label.isprintable():
        raise PlanError("the name of a region is too long or no text", "200 letters at most")
    return label.strip() or "related", parse_box(numbers, "related region")
