"""`sow generate`: the main job."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sow.cli.consent import confirm_once
from sow.cli.options import (
    BaseUrl,
    CyclesOut,
    Device,
    Dtype,
    Fallback,
    Force,
    Json,
    LikeFile,
    ModelName,
    NoCache,
    NoSheet,
    Out,
    PlannerCalls,
    PlannerModel,
    PlannerName,
    PlannerTimeout,
    PromptFolder,
    Quiet,
    RecipeFile,
    Revision,
    Yes,
    choice_of,
)
from sow.cli.output import OPTION_NAMES, print_json, print_note, report
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
from sow.cli.request_options import files_of, with_request
from sow.errors import UsageError
from sow.planners.request import MODEL
from sow.service.request import Generation

if TYPE_CHECKING:
    from sow.service.results import GenerationSpec, Picture
    from sow.service.service import Service

VARIED = {"num", "seed", "preset", "settings", "likeness", "prompt", "negative", "retries",
          "lora", "embedding"}  # fmt: skip
"""The options that may be given beside --like."""
HOLDS = {True: "holds", False: "cannot be seen", None: "cannot be judged"}


@with_request(Generation, words=True)
def generate(
    generation: Generation,
    model: ModelName = "auto",
    revision: Revision = None,
    config: Annotated[
        str | None,
        typer.Option(
            help="Configuration of a single .safetensors file: sd1, sd1-v, sd2-base, sd2-v, a "
            "folder or a hub id. Default: recognised by its tensors.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    recipe: RecipeFile = None,
    like: LikeFile = None,
    out: Out = None,
    no_sheet: NoSheet = False,
    cycles_out: CyclesOut = None,
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
    sow generate img.png "an old person"
    sow generate --face cat.png --subject cat --prompt "a cat in the snow"
    sow generate --face img.png --prompt "an old man" --likeness 0.3 --num 4
    """
    from sow.service.arguments import consecutive_seeds
    from sow.service.planning import PlannerChoice
    from sow.service.service import Service

    request, count = generation, generation.num
    target = resolve_out(out, cycles_out, force, count)
    inputs = [*files_of(request), recipe, like, prompts, Path(model), Path(config or model)]
    check_no_overwrite(inputs, [*known_paths(target, count), cycles_out])
    choice = choice_of(
        planner, planner_model, base_url, planner_calls, fallback, no_cache, prompts,
        planner_timeout,
    )  # fmt: skip
    options: dict[str, Any] = {
        "revision": revision, "config": config, "device": device, "dtype": dtype,
        "report": report, "agree": confirm_once(yes),
    }  # fmt: skip
    named = [*decided(request), *["planner"] * (choice != PlannerChoice())]
    seeds = list(consecutive_seeds(generation.seed, count))
    if recipe is not None:
        others = [name for name in named if name not in ("lora", "embedding")]
        refuse_beside_recipe(*others, *["like"] * (like is not None))
        service, spec, again = Service.of_recipe(
            recipe, model=model, lora=request.lora, embedding=request.embedding, **options
        )
        seeds = [again]
    elif like is not None:
        refuse_beside_like(*named)
        service, spec = Service.like(
            like, prompt=request.prompt, negative=request.negative, preset=request.preset,
            settings=request.settings, likeness=request.likeness, model=model,
            lora=request.lora, embedding=request.embedding, **options,
        )  # fmt: skip
    else:
        service = Service(model, planner=choice, **options)
        spec = service.resolve(request)
    targets = picture_paths(spec, seeds, target, force)
    files = Outputs(
        target,
        targets,
        explanation_paths(targets, force) if generation.explain else [],
        contact_sheet_path(targets, target, force) if count > 1 and not no_sheet else None,
        cycles_out,
        force,
    )
    check_no_overwrite([*inputs, service.model.source], files.paths)
    if quiet:
        service.pipe.set_progress_bar_config(disable=True)
    entries = draw(service, spec, generation, seeds, files)
    if json:
        print_json(entries)
    if sys.stderr.isatty():
        print_note(what_next(Path(entries[0]["file"]), generation))


@dataclass(frozen=True)
class Outputs:
    """Where the results go.

    Attributes:
        out: the file or folder of --out, or None.
        pictures: a file for each seed.
        explanations: the sheets of --explain, or none.
        contact_sheet: the sheet of all pictures, or None.
        cycles: the first picture after each cycle, or None.
        force: whether existing files may be overwritten.
    """

    out: Path | None
    pictures: list[Path]
    explanations: list[Path]
    contact_sheet: Path | None
    cycles: Path | None
    force: bool

    @property
    def paths(self) -> list[Path | None]:
        """All of these paths; some may be None."""
        return [*self.pictures, *self.explanations, self.contact_sheet, self.cycles]


def decided(generation: Generation) -> list[str]:
    """Return the names of the options that were given."""
    changed = {
        "num": generation.num > 1,
        "seed": generation.seed is not None,
        "retries": generation.retries > 0,
    }
    return [*generation.decided, *(name for name, given in changed.items() if given)]


def draw(
    service: Service,
    spec: GenerationSpec,
    generation: Generation,
    seeds: list[int],
    files: Outputs,
) -> list[dict[str, Any]]:
    """Draw and write the pictures; return what `--json` prints of each."""
    from sow.pictures.drawing import contact_sheet
    from sow.utils.files import write_png

    notes = [*spec.notes, *service.prompt_notes(spec)]
    if files.cycles is not None and spec.settings.total_cycles == 0:
        notes.append("there are no cycles to save")
        report("note", notes[-1])
    sheet = None
    if files.contact_sheet is not None:
        sheet = contact_sheet(spec.plan.prompt, spec.plan, spec.condition)
    pictures = service.make(
        spec,
        seeds,
        cycles_of=[0] if files.cycles is not None else [],
        explain=generation.explain,
        verify=generation.verify,
        retries=generation.retries,
    )
    if (generation.verify or generation.retries) and not spec.plan.relations:
        notes.append("the plan has no relations: only the face is checked")
        report("note", notes[-1])
    entries = []
    for number, picture in enumerate(pictures):
        entries.append(write_picture(picture, number, seeds[number], files, notes))
        if sheet is not None:
            sheet.add(f"seed {picture.recipe.seed}", picture.image)
    if sheet is None or files.contact_sheet is None:
        return entries
    write_png(sheet.to_image(), files.contact_sheet, force=files.force)
    print_note(f"{files.contact_sheet}  all of them")
    return [{**entry, "sheet": str(files.contact_sheet)} for entry in entries]


def write_picture(
    picture: Picture, number: int, seed: int, files: Outputs, notes: list[str]
) -> dict[str, Any]:
    """Write a picture and what belongs to it; return what `--json` prints of it.

    seed: the planned seed; with --retries, the picture may have another one.
    """
    from sow.utils.files import write_png

    path = path_of_seed(files.pictures[number], files.out, seed, picture.recipe.seed)
    picture.save(path, force=files.force)
    print_note(f"{path}  seed {picture.recipe.seed}, {picture.seconds:.2f} s")
    for check in picture.checks:
        reason = f" ({check.reason})" if check.reason else ""
        print_note(f"  {HOLDS[check.holds]}: {check.said}{reason}")
    if files.cycles is not None and number == 0:
        save_cycles(picture, files.cycles, files.force)
    explanation = None
    if picture.explained is not None:
        explanation = explanation_path(path, files.pictures[number], files.explanations[number])
        write_png(picture.explained, explanation, force=files.force)
        print_note(f"explained in {explanation}")
    for note in picture.notes:
        report("note", note)
    return _entry(picture, path, notes, explanation)


def what_next(path: Path, generation: Generation) -> str:
    """Return a line that suggests what to do next."""
    more = [f"sow show {shlex.quote(str(path))}"]
    if generation.image is not None:
        more += ["--num 4"] * (generation.num == 1)
        more += ["--likeness 0.3"] * (generation.likeness is None)
    return f"next: {', '.join(more)}"


def save_cycles(picture: Picture, path: Path, force: bool) -> None:
    """Write the cycles of a picture, if it has any."""
    if picture.cycles:
        picture.save_cycles(path, force=force)
        print_note(f"{path}  the first after each cycle")


def _checked(picture: Picture) -> dict[str, Any]:
    """Return what `--json` prints of the relations that were checked."""
    rows = [
        {**check.relation.model_dump(), "holds": check.holds, "reason": check.reason}
        for check in picture.checks
    ]
    return {"relations": rows} if rows else {}


def _entry(picture: Picture, path: Path, notes: list[str], sheet: Path | None) -> dict[str, Any]:
    """Return what `--json` prints of one picture."""
    explained = {"explained": str(sheet)} if sheet else {}
    return {
        "file": str(path),
        "seconds": round(picture.seconds, 2),
        "notes": [*notes, *picture.notes],
        **_checked(picture),
        **explained,
        **picture.recipe.model_dump(mode="json"),
    }


def refuse_beside_recipe(*names: str) -> None:
    """Check that no other option is given beside --recipe.

    Raises:
        UsageError: if one is.
    """
    if names:
        vary = "" if {*names} - VARIED else "; to vary it, use --like instead of --recipe"
        raise UsageError(
            "--recipe already decides everything", f"leave out {_options(names)}{vary}"
        )


def refuse_beside_like(*names: str) -> None:
    """Check that only the options in `VARIED` are given beside --like.

    Raises:
        UsageError: if another one is.
    """
    fixed = [name for name in names if name not in VARIED]
    if fixed:
        raise UsageError(
            "--like already has a plan and a condition", f"leave out {_options(fixed)}"
        )


def _options(names: Iterable[str]) -> str:
    return ", ".join(f"--{OPTION_NAMES.get(name, name)}" for name in names)
