"""`sow generate`: the main job."""

from __future__ import annotations

import secrets
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sow.cli.consent import confirm_once
from sow.cli.options import (
    MODEL,
    BaseUrl,
    BoxText,
    Canvas,
    Device,
    Dtype,
    Face,
    FaceIndex,
    Fallback,
    Force,
    GraphFile,
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
    Quiet,
    Related,
    Revision,
    Setting,
    Subject,
    Triples,
    Yes,
    choice_of,
    request_of,
)
from sow.cli.output import print_json, print_note, report
from sow.cli.paths import (
    check_no_overwrite,
    contact_sheet_path,
    explanation_path,
    explanation_paths,
    known_paths,
    path_of_seed,
    picture_paths,
    resolve_out,
)
from sow.cli.results import (
    Changes,
    CyclesOut,
    Explain,
    FirstSeed,
    LikeFile,
    Likeness,
    NoSheet,
    Num,
    Out,
    Preset,
    RecipeFile,
    Retries,
    Verify,
)
from sow.cli.varying import refuse_beside_like, refuse_beside_recipe

if TYPE_CHECKING:
    from sow.service.request import Request
    from sow.service.results import Picture

HOLDS = {True: "holds", False: "cannot be seen", None: "cannot be judged"}


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
    graph: GraphFile = None,
    triples: Triples = None,
    canvas: Canvas = None,
    matte: MatteName = None,
    model: ModelName = "auto",
    revision: Revision = None,
    config: Annotated[
        str | None,
        typer.Option(
            help="For a single .safetensors file: folder or hub id of its configuration.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    num: Num = 1,
    seed: FirstSeed = None,
    preset: Preset = None,
    likeness: Likeness = None,
    set_: Changes = None,
    recipe: RecipeFile = None,
    like: LikeFile = None,
    out: Out = None,
    no_sheet: NoSheet = False,
    cycles_out: CyclesOut = None,
    explain: Explain = False,
    verify: Verify = False,
    retries: Retries = 0,
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
    quiet: Quiet = False,
) -> None:
    """Grow a picture around a face (or with --subject, anything) as a sentence says.

    \b
    sow generate --face img.png --prompt "an old person"
    sow generate --face cat.png --subject cat --prompt "a cat in the snow"
    sow generate --face img.png --prompt "an old man" --likeness 0.3 --num 4
    """
    from sow.pictures.drawing import contact_sheet
    from sow.service.planning import PlannerChoice
    from sow.service.service import Service
    from sow.utils.files import write_png

    target = resolve_out(out, cycles_out, force, num)
    inputs = [face, mask, plan, recipe, like, prompts, Path(graph) if graph else None, Path(model),
              Path(config or model)]  # fmt: skip
    check_no_overwrite(inputs, [*known_paths(target, num), cycles_out])
    request = request_of(
        face, prompt, mask, subject, face_index, setting, box, related, plan, canvas, matte,
        graph, triples,
    )  # fmt: skip
    choice = choice_of(
        planner, planner_model, base_url, planner_calls, fallback, no_cache, prompts,
        planner_timeout,
    )  # fmt: skip
    options: dict[str, Any] = {
        "revision": revision, "config": config, "device": device, "dtype": dtype,
        "report": report, "agree": confirm_once(yes),
    }  # fmt: skip
    given = {"num": num > 1, "seed": seed is not None, "preset": preset, "set": set_,
             "likeness": likeness is not None, "retries": retries > 0,
             "planner": choice != PlannerChoice()}  # fmt: skip
    said = [*request.decided, *(name for name, value in given.items() if value)]
    first = secrets.randbelow(2**31) if seed is None else seed
    seeds = list(range(first, first + num))
    changes: dict[str, Any] = {"preset": preset, "settings": set_, "likeness": likeness}
    if recipe is not None:
        refuse_beside_recipe(*said, *["like"] * (like is not None))
        service, spec, again = Service.of_recipe(recipe, model=model, **options)
        seeds = [again]
    elif like is not None:
        refuse_beside_like(*said)
        service, spec = Service.like(like, prompt=prompt, model=model, **changes, **options)
    else:
        service = Service(model, planner=choice, **options)
        spec = service.resolve(request, **changes)
    targets = picture_paths(spec, seeds, target, force)
    sheets = explanation_paths(targets, force) if explain else []
    contact = contact_sheet_path(targets, target, force) if num > 1 and not no_sheet else None
    check_no_overwrite([*inputs, service.model.source], [*targets, *sheets, cycles_out, contact])
    notes = [*spec.notes, *service.unread(spec)]
    if cycles_out is not None and spec.settings.total_cycles == 0:
        notes.append("there are no cycles to save")
        report("note", notes[-1])
    if quiet:
        service.pipe.set_progress_bar_config(disable=True)
    made = []
    page = contact_sheet(spec.plan.prompt, spec.plan, spec.condition) if contact else None
    first_cycles = [0] if cycles_out is not None else []
    pictures = service.make(
        spec, seeds, cycles_of=first_cycles, explain=explain, verify=verify, retries=retries
    )
    if (verify or retries) and not spec.plan.relations:
        notes.append("the plan says nothing of relations: only the face is looked for")
        report("note", notes[-1])
    for number, (picture, path) in enumerate(zip(pictures, targets, strict=True)):
        path = path_of_seed(path, target, seeds[number], picture.recipe.seed)
        picture.save(path, force=force)
        print_note(f"{path}  seed {picture.recipe.seed}, {picture.seconds:.2f} s")
        for check in picture.checks:
            print_note(f"  {HOLDS[check.holds]}: {check.said}")
        if cycles_out is not None and number == 0:
            save_cycles(picture, cycles_out, force)
        sheet = None
        if picture.explained is not None:
            sheet = explanation_path(path, targets[number], sheets[number])
            write_png(picture.explained, sheet, force=force)
            print_note(f"explained in {sheet}")
        for remark in picture.notes:
            report("note", remark)
        if page is not None:
            page.add(f"seed {picture.recipe.seed}", picture.image)
        made.append(_entry(picture, path, notes, sheet))
    if page is not None and contact is not None:
        write_png(page.drawn(), contact, force=force)
        print_note(f"{contact}  all of them")
    if json:
        print_json([{**entry, "sheet": str(contact)} if contact else entry for entry in made])
    if sys.stderr.isatty():
        print_note(what_next(Path(made[0]["file"]), request, num, likeness))


def what_next(path: Path, asked: Request, num: int, likeness: float | None) -> str:
    """What somebody who has just seen the first picture may want to do with it."""
    name = shlex.quote(str(path))
    more = [f"sow show {name}"]
    if asked.image is not None:
        more += ["--num 4"] * (num == 1) + ["--likeness 0.3"] * (likeness is None)
    return f"next: {', '.join(more)}"


def save_cycles(picture: Picture, path: Path, force: bool) -> None:
    """The cycles of a picture, if it went through any."""
    if picture.cycles:
        picture.save_cycles(path, force=force)
        print_note(f"{path}  the first after each cycle")


def _checked(picture: Picture) -> dict[str, Any]:
    """What `--json` prints of relations that were looked for."""
    rows = [{**check.relation.model_dump(), "holds": check.holds} for check in picture.checks]
    return {"relations": rows} if rows else {}


def _entry(picture: Picture, path: Path, notes: list[str], sheet: Path | None) -> dict[str, Any]:
    """What `--json` prints of one picture."""
    explained = {"explained": str(sheet)} if sheet else {}
    return {
        "file": str(path),
        "seconds": round(picture.seconds, 2),
        "notes": [*notes, *picture.notes],
        **_checked(picture),
        **explained,
        **picture.recipe.model_dump(mode="json"),
    }
