"""`sow generate`: the main job."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sow.cli.consent import agreement
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
    MatteName,
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
    Yes,
    choice_of,
    request_of,
)
from sow.cli.output import OPTIONS, print_json, report, say
from sow.cli.targets import check_apart, early_target, named, sheets_of, targets_of
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
    matte: MatteName = None,
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
        typer.Option(help="One of `sow settings`: normal, paper-normal … Default: the plan's."),
    ] = None,
    likeness: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="How much stays: 0 is free to change, 1 as planted. Default: the preset's.",
        ),
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
    yes: Yes = False,
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
    inputs = [face, mask, plan, recipe, prompts, Path(model), Path(config) if config else None]
    check_apart(inputs, [*named(target, num), cycles_out])
    request = request_of(
        face, prompt, mask, subject, face_index, setting, box, related, plan, canvas, matte
    )
    choice = choice_of(
        planner, planner_model, base_url, planner_calls, fallback, no_cache, prompts,
        planner_timeout,
    )  # fmt: skip
    if recipe is not None:
        given = {"num": num > 1, "seed": seed is not None, "preset": preset, "set": set_,
                 "likeness": likeness is not None,
                 "planner": choice != PlannerChoice()}  # fmt: skip
        refuse(*request.decided, *(name for name, value in given.items() if value))
        service, work, again = Service.of_recipe(
            recipe, model=model, revision=revision, config=config, device=device, dtype=dtype,
            report=report, agree=agreement(yes),
        )  # fmt: skip
        seeds = [again]
    else:
        service = Service(
            model, revision=revision, config=config, device=device, dtype=dtype, planner=choice,
            report=report, agree=agreement(yes),
        )  # fmt: skip
        work = service.work(request, preset=preset, settings=set_ or [], likeness=likeness)
        first = secrets.randbelow(2**31) if seed is None else seed
        seeds = list(range(first, first + num))
    targets = targets_of(work, seeds, target, force)
    sheets = sheets_of(targets, force) if explain else []
    check_apart([*inputs, service.model.source], [*targets, *sheets, cycles_out])
    notes = [*work.notes, *service.unread(work)]
    if cycles_out is not None and work.settings.all_cycles == 0:
        notes.append("there are no cycles to save")
        report("note", notes[-1])
    made = []
    first_cycles = [0] if cycles_out is not None else []
    pictures = service.make(work, seeds, cycles_of=first_cycles, explain=explain)
    for number, (picture, path) in enumerate(zip(pictures, targets, strict=True)):
        picture.save(path, force=force)
        say(f"{path}  seed {picture.recipe.seed}, {picture.seconds:.2f} s")
        if cycles_out is not None and number == 0:
            picture.save_cycles(cycles_out, force=force)
        if picture.explained is not None:
            write_png(picture.explained, sheets[number], force=force)
            say(f"explained in {sheets[number]}")
        if picture.flagged:
            report("note", "the checkpoint's safety checker blackened this picture: another seed")
        made.append(_entry(picture, path, notes, sheets[number] if sheets else None))
    if json:
        print_json(made)


def refuse(*names: str) -> None:
    """Nothing else may be said beside a recipe.

    Raises:
        UsageError: if anything was.
    """
    if names:
        options = ", ".join(f"--{OPTIONS.get(name, name)}" for name in names)
        raise UsageError("--recipe already says everything", f"leave out {options}")


def _entry(picture: Picture, path: Path, notes: list[str], sheet: Path | None) -> dict[str, Any]:
    """What `--json` prints of one picture."""
    explained = {"explained": str(sheet)} if sheet else {}
    return {
        "file": str(path),
        "seconds": round(picture.seconds, 2),
        "notes": notes,
        **explained,
        **picture.recipe.model_dump(mode="json"),
    }
