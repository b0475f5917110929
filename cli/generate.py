"""`sow generate`: the main job."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Annotated

import typer

from sow.cli.common import (
    BoxText,
    Canvas,
    Face,
    FaceIndex,
    Force,
    Json,
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
)
from sow.cli.work import explain_targets, from_options, from_recipe
from sow.errors import OutputError, UsageError


def generate(
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
    config: Annotated[
        str | None,
        typer.Option(help="For a single .safetensors file: folder or hub id of its configuration."),
    ] = None,
    num: Annotated[int, typer.Option("--num", "-n", min=1, max=1000, help="How many.")] = 1,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**62, help="Seed of the first; the next count up.")
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="normal, attribute, style or cow. Default: the plan's setting."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="An engine setting: cycles=5. May be repeated; `sow settings`."),
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="Make a picture again that `sow generate` wrote.")
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            help="A .png file, or a folder (made if it ends in /). Default: a name in this folder.",
        ),
    ] = None,
    cycles_out: Annotated[
        Path | None,
        typer.Option(
            "--save-cycles", help="A PNG of what the first picture looked like after each cycle."
        ),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Beside each picture, a sheet of what its words and the condition did: "
            "NAME.explain.png.",
        ),
    ] = False,
    force: Force = False,
    planner: PlannerName = "auto",
    planner_model: PlannerModel = None,
    base_url: BaseUrl = None,
    planner_calls: PlannerCalls = 3,
    fallback: Fallback = False,
    no_cache: NoCache = False,
    prompts: PromptFolder = None,
    planner_timeout: PlannerTimeout = 90.0,
    json: Json = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    dtype: Annotated[str, typer.Option(help="auto, float32, float16 or bfloat16.")] = "auto",
) -> None:
    """Grow a picture around a face (or with --subject, anything) as a sentence says."""
    asking = PlannerOptions(
        planner, planner_model, base_url, planner_calls, fallback, no_cache, prompts,
        planner_timeout,
    )  # fmt: skip
    options = PlanOptions(
        face, prompt, mask, subject, face_index, setting, box, related, plan, canvas, asking
    )
    target = _early_target(out, cycles_out, force, num)
    if face is not None and any(
        p and p.absolute() == face.absolute() for p in (target, cycles_out)
    ):
        raise UsageError("the result would replace the picture of --face", "choose another --out")
    if recipe is not None:
        given = options.given + ["set"] * bool(set_)
        if given or preset or num > 1 or seed is not None:
            raise UsageError(
                "--recipe already says everything", "leave out " + ", ".join(given or ["the rest"])
            )
        work = from_recipe(recipe, model, revision, dtype, device)
    else:
        work = from_options(options, model, revision, dtype, device, preset, set_ or [])
        work.seeds = list(range(first := secrets.randbelow(2**31) if seed is None else seed,
                                first + num))  # fmt: skip
    targets = work.targets(target, force)
    sheets = explain_targets(targets, [face, mask, recipe, cycles_out], force) if explain else []
    if cycles_out is not None and work.settings.cycles == 0:
        work.notes.append("there are no cycles to save")
    for note in work.notes:
        say(f"note: {note}")
    made = work.run(targets, config, device, force, cycles_out, sheets)
    if json:
        print_json(made)


def _early_target(out: str | None, cycles_out: Path | None, force: bool, num: int) -> Path | None:
    """Where the pictures go, as far as it can be said, and refused, before any work."""
    from sow.recipe import check_free

    target = None if out is None else Path(out)
    if out is not None and target is not None and target.suffix.lower() != ".png":
        if out.endswith(("/", os.sep)):
            try:
                target.mkdir(exist_ok=True)
            except OSError as error:
                raise OutputError(
                    f"the folder {out!r} cannot be made ({error.strerror})", "choose another --out"
                ) from None
        if not target.is_dir():
            raise UsageError(
                f"{out!r} is no .png file and no folder", "recipes are kept in PNGs; end it in /"
            )
    elif target is not None and num == 1:
        check_free(target, force)
    if cycles_out is not None:
        if target is not None and target.absolute() == cycles_out.absolute():
            raise UsageError("--out and --save-cycles name the same file", "choose two names")
        check_free(cycles_out, force)
    return target
