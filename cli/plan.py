"""`sow plan`: the plan as JSON, and drawn over the canvas."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sow.cli.consent import confirm_once
from sow.cli.options import (
    PLANNER,
    BaseUrl,
    Fallback,
    Force,
    ModelName,
    NoCache,
    PlannerCalls,
    PlannerModel,
    PlannerName,
    PlannerTimeout,
    PromptFolder,
    Quiet,
    Revision,
    Yes,
    choice_of,
)
from sow.cli.output import print_json, print_note, report
from sow.cli.paths import check_no_overwrite
from sow.cli.request_options import files_of, with_request
from sow.planners.request import RESULT
from sow.service.request import Request
from sow.utils.files import unused_path


@with_request(Request, without=("preset", "settings", "likeness", "lora"), words=True)
def plan(
    request: Request,
    model: ModelName = "auto",
    revision: Revision = None,
    draw: Annotated[
        Path | None,
        typer.Option(
            help="PNG to draw the plan in. Default: <picture>-plan.png beside --out, "
            "numbered if it exists.",
            rich_help_panel=RESULT,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Write the JSON to this file instead of printing it.",
            rich_help_panel=RESULT,
        ),
    ] = None,
    no_draw: Annotated[
        bool, typer.Option("--no-draw", help="Do not draw the plan.", rich_help_panel=RESULT)
    ] = False,
    planner: PlannerName = "auto",
    planner_model: PlannerModel = None,
    base_url: BaseUrl = None,
    planner_calls: PlannerCalls = 3,
    fallback: Fallback = False,
    no_cache: NoCache = False,
    prompts: PromptFolder = None,
    planner_timeout: PlannerTimeout = 90.0,
    dry: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Print what would be sent, and to whom; send nothing.",
            rich_help_panel=PLANNER,
        ),
    ] = False,
    json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print the plan together with how it came about.", rich_help_panel=RESULT
        ),
    ] = False,
    force: Force = False,
    yes: Yes = False,
    quiet: Quiet = False,
) -> None:
    """Print the plan as JSON and draw it over the canvas as a PNG.

    \b
    sow plan img.png "a man in the forest" --out plan.json
    sow generate --face img.png --plan plan.json
    """
    from sow.pictures.drawing import draw_plan
    from sow.service.service import Service
    from sow.utils.files import check_output_path, write_png, write_text

    choice = choice_of(
        planner, planner_model, base_url, planner_calls, fallback, no_cache, prompts,
        planner_timeout,
    )  # fmt: skip
    request.check()
    service = Service(
        model, revision=revision, planner=choice, report=report, download=False,
        agree=confirm_once(yes),
    )  # fmt: skip
    if dry:
        print_json(service.preview_request(request))
        return
    picture = request.image
    beside = Path() if out is None else out.parent
    usual = beside / f"{Path(str(picture)).stem if picture else 'sow'}-plan.png"
    target = None if no_draw else draw or unused_path(usual, force)
    check_no_overwrite([*files_of(request), prompts, Path(model)], [target, out])
    for path in (target, out):
        if path is not None:
            check_output_path(path, force)
    spec = service.resolve(request)
    made = spec.plan
    if target is not None:
        write_png(draw_plan(made, spec.condition), target, force=force)
        print_note(f"drawn: {target}, for {service.model.name}, {made.canvas[0]}x{made.canvas[1]}")
    if out is None:
        plain = made.to_dict()
        print_json({"plan": plain, "cache": spec.cache} if json else plain)
    else:
        write_text(made.to_json() + "\n", out, force=force)
        print_note(f"written: {out}")
