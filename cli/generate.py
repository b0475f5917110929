"""`sow generate`: the main job."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sow.cli.options import (
    BaseUrl,
    BoxText,
    Canvas,
    Device,
    Dtype,
    Face,
    FaceIndex,
    Fallback,
    Force,
    Json,
    Mask,
    ModelName,
    NoCache,
    PlanFile,
    PlannerCalls,
    PlannerModel,
    PlannerName,
    PlannerTimeout,
    Prompt,
    PromptFolder,
    Related,
    Revision,
    Setting,
    Subject,
    choice_of,
    request_of,
)
from sow.cli.output import as_options, print_json, report, say
from sow.cli.targets import early_target, sheets_of, targets_of
from sow.errors import UsageError

if TYPE_CHECKING:
    from sow.service.results import Picture


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
    device: Device = "auto",
    dtype: Dtype = "auto",
) -> None:
    """Grow a picture around a face (or with --subject, anything) as a sentence says."""
    from sow.files import write_png
    from sow.service.asking import PlannerChoice
    from sow.service.service import Service

    target = early_target(out, cycles_out, force, num)
    if face is not None and any(
        p and p.absolute() == face.absolute() for p in (target, cycles_out)
    ):
        raise UsageError("the result would replace the picture of --face", "choose another out=")
    request = request_of(
        face, prompt, mask, subject, face_index, setting, box, related, plan, canvas
    )
    choice = choice_of(
        planner, planner_model, base_url, planner_calls, fallback, no_cache, prompts,
        planner_timeout,
    )  # fmt: skip
    service = Service(
        model, revision=revision, config=config, device=device, dtype=dtype, planner=choice,
        report=report,
    )  # fmt: skip
    if recipe is not None:
        given = [
            *request.decided,
            *["set"] * bool(set_),
            *["planner"] * (choice != PlannerChoice()),
        ]
        if given or preset or num > 1 or seed is not None:
            raise UsageError(
                "--recipe already says everything", "leave out " + ", ".join(given or ["the rest"])
            )
        work, again = service.repeat(recipe)
        seeds = [again]
    else:
        work = service.work(request, preset=preset, settings=set_ or [])
        first = secrets.randbelow(2**31) if seed is None else seed
        seeds = list(range(first, first + num))
    targets = targets_of(work, seeds, target, force)
    sheets = sheets_of(targets, [face, mask, recipe, cycles_out], force) if explain else []
    notes = [*work.notes]
    if cycles_out is not None and work.settings.cycles == 0:
        notes.append("there are no cycles to save")
    for note in notes:
        report("note", note)
    unread = service.unread(work)
    for note in unread:
        report("note", note)
    made = []
    pictures = service.make(work, seeds, cycles=cycles_out is not None, explain=explain)
    for number, (picture, path) in enumerate(zip(pictures, targets, strict=True)):
        picture.save(path, force=force)
        say(f"{path}  seed {picture.recipe.seed}, {picture.seconds:.2f} s")
        if cycles_out is not None and number == 0:
            picture.save_cycles(cycles_out, force=force)
        if picture.explained is not None:
            write_png(picture.explained, sheets[number], force=force)
            say(f"explained in {sheets[number]}")
        if picture.flagged:
            report(
                "note", "the checkpoint's safety checker blackened this picture: try another seed="
            )
        made.append(_entry(picture, path, [*notes, *unread], sheets[number] if sheets else None))
    if json:
        print_json(made)


def _entry(picture: Picture, path: Path, notes: list[str], sheet: Path | None) -> dict[str, Any]:
    """What `--json` prints of one picture."""
    explained = {"explained": str(sheet)} if sheet else {}
    return {
        "file": str(path),
        "seconds": round(picture.seconds, 2),
        "notes": [as_options(note) for note in notes],
        **explained,
        **picture.recipe.model_dump(mode="json"),
    }
