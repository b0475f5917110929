"""`sow plan`: the plan as JSON, and drawn over the canvas."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sow.cli.common import (
    BoxText,
    Canvas,
    Face,
    FaceIndex,
    Force,
    Mask,
    ModelName,
    PlanFile,
    PlanOptions,
    Prompt,
    Related,
    Revision,
    Setting,
    Subject,
    print_json,
    say,
)
from sow.cli.planning import (
    BaseUrl,
    Fallback,
    NoCache,
    PlannerCalls,
    PlannerModel,
    PlannerName,
    PlannerOptions,
    PlannerTimeout,
    PromptFolder,
    dry_run,
)


def plan(
    face: Face = None,
    prompt: Prompt = None,
    mask: Mask = None,
    subject: Subject = None,
    face_index: FaceIndex = None,
    setting: Setting = None,
    box: BoxText = None,
    related: Related = None,
    plan: PlanFile = None,
    canvas: Canvas = None,
    model: ModelName = "auto",
    revision: Revision = None,
    draw: Annotated[
        Path | None, typer.Option(help="Where to draw the plan. Default: <picture>-plan.png.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the JSON here instead of printing it.")
    ] = None,
    no_draw: Annotated[bool, typer.Option("--no-draw", help="Only print it.")] = False,
    planner: PlannerName = "auto",
    planner_model: PlannerModel = None,
    base_url: BaseUrl = None,
    planner_calls: PlannerCalls = 3,
    fallback: Fallback = False,
    no_cache: NoCache = False,
    prompts: PromptFolder = None,
    planner_timeout: PlannerTimeout = 90.0,
    dry: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be sent, and to whom; send nothing.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the plan together with how it came about.")
    ] = False,
    force: Force = False,
) -> None:
    """Print the plan as JSON and draw it over the canvas as a PNG."""
    from sow.condition import Condition
    from sow.drawing import draw_plan
    from sow.models import find_model
    from sow.recipe import check_free, write_png, write_text

    asking = PlannerOptions(
        planner, planner_model, base_url, planner_calls, fallback, no_cache, prompts,
        planner_timeout,
    )  # fmt: skip
    options = PlanOptions(
        face, prompt, mask, subject, face_index, setting, box, related, plan, canvas, asking
    )
    image, kept = options.read()
    target = None if no_draw else draw or Path(f"{face.stem if face else 'sow'}-plan.png")
    if target is not None:
        check_free(target, force)
    if out is not None:
        check_free(out, force)
    found = find_model(model, revision=revision, download=False)
    for note in found.notes:
        say(f"note: {note}")
    if dry:
        request = options.request(image, kept, found.native_canvas or (512, 512))
        print_json(dry_run(request, asking, found))
        return
    planned = options.make(image, kept, found)
    made = planned.plan
    condition = Condition.prepare(image, made, kept)
    for note in made.notes:
        say(f"note: {note}")
    if target is not None:
        write_png(draw_plan(made, condition), target, force=force)
        say(f"drawn: {target}, for {found.name}, {made.canvas[0]}x{made.canvas[1]}")
    if out is None:
        plain = made.model_dump(mode="json")
        print_json({"plan": plain, "cache": planned.cache} if json else plain)
    else:
        write_text(made.to_json() + "\n", out, force=force)
        say(f"written: {out}")
