"""`sow tune`: find the settings that suit a checkpoint, on your own faces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sow.cli.batch_options import BatchSize
from sow.cli.options import (
    Device,
    Dtype,
    Force,
    Json,
    ModelName,
    Quiet,
    Revision,
)
from sow.cli.output import print_always, print_json, print_note, report
from sow.cli.paths import make_out_folder
from sow.errors import UsageError
from sow.planners.request import MODEL, PICTURE, RESULT
from sow.utils.representation import printable

if TYPE_CHECKING:
    from sow.benchmarks.tuning.measures import Measuring
    from sow.benchmarks.tuning.pairs import Halves
    from sow.benchmarks.tuning.running import Tuning
    from sow.benchmarks.tv2i.metrics.suites import Weights
    from sow.benchmarks.tv2i.pairs import Setting
    from sow.models.find import Model

METRICS = "Metrics"
DRAWN = "figures"


def tune(
    model: ModelName = "auto",
    faces: Annotated[
        Path | None,
        typer.Option(
            help="Folder of photographs, one person each. Default (figures only): its own.",
            rich_help_panel=PICTURE,
        ),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            help='JSON Lines file of pairs, {"image": …, "prompt": …}; image paths are relative to '
            "--faces, else to the file. Default: every face with built-in prompts.",
            rich_help_panel=PICTURE,
        ),
    ] = None,
    setting: Annotated[
        str, typer.Option(help="normal, attribute or style.", rich_help_panel=PICTURE)
    ] = "normal",
    minutes: Annotated[
        float,
        typer.Option(
            min=0.01, max=100_000, help="Time for drawing, roughly; it decides the number of pairs."
        ),
    ] = 30.0,
    limit: Annotated[
        int | None,
        typer.Option(min=2, help="Maximum number of pairs, instead of --minutes."),
    ] = None,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="Output folder. Run the same command again to resume."),
    ] = Path("tune"),
    save: Annotated[
        bool,
        typer.Option(
            "--save",
            help="Save the proposal as the default settings of this checkpoint.",
            rich_help_panel=RESULT,
        ),
    ] = False,
    revision: Revision = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    batch_size: BatchSize = None,
    facenet: Annotated[
        Path | None,
        typer.Option(
            help="FaceNet weights (.safetensors): how far apart two faces are.",
            rich_help_panel=METRICS,
        ),
    ] = None,
    arcface: Annotated[
        Path | None,
        typer.Option(
            help="Folder of insightface models, for ArcFace similarity.",
            rich_help_panel=METRICS,
        ),
    ] = None,
    clip: Annotated[
        Path | None,
        typer.Option(help="Folder of a CLIP model, for prompt alignment.", rich_help_panel=METRICS),
    ] = None,
    metrics_device: Annotated[
        str, typer.Option(help="Device of the metrics: cpu, cuda, ...", rich_help_panel=MODEL)
    ] = "cpu",
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Try settings on the same faces and propose the best for a checkpoint.

    Run the same command again to resume.

    \b
    sow tune --model sd2.1 --faces photos/ --facenet facenet.safetensors --clip clip/
    sow tune --model figures
    """
    from sow.batch.runners.options import Options
    from sow.benchmarks.tuning.measures import check_identity
    from sow.benchmarks.tuning.report import save_proposal, write_report
    from sow.benchmarks.tuning.running import begin
    from sow.benchmarks.tv2i.metrics.suites import Weights
    from sow.service.planning import PlannerChoice

    which, weights = _setting(setting), Weights(facenet=facenet, arcface=arcface, clip=clip)
    photographs = faces is not None or pairs is not None
    if photographs or model != DRAWN:
        check_identity(weights)  # before a model is loaded or downloaded
    options = Options(
        model,
        revision,
        device=device,
        dtype=dtype,
        planner=PlannerChoice("offline"),
        batch_size=batch_size,
    )
    checkpoint = options.service(lambda kind, line: None).model
    drawn = not photographs
    halves = _pairs(faces, pairs, which, checkpoint, out)
    measuring = _measuring(weights, metrics_device, which if drawn else None)
    for line in measuring.missing:
        print_always(line)
    asked = {"faces": _absolute(faces), "pairs": _absolute(pairs), "dtype": dtype}
    tuning = begin(
        make_out_folder(out),
        options,
        halves,
        measuring,
        which,
        minutes=minutes,
        limit=limit,
        asked=asked,
        drawn=drawn,
        force=force,
        report=report,
    )
    for line in (*tuning.plan.notes, tuning.plan.summary):
        print_note(f"resuming: {line}" if tuning.resumed and line == tuning.plan.summary else line)
    _draw_all(tuning, quiet)
    report_of_run = write_report(
        tuning, tuning.measured(lambda name: print_note(f"measuring {name}"))
    )
    if json:
        print_json(report_of_run.data)
    else:
        typer.echo("\n".join(printable(line) for line in report_of_run.text.splitlines()))
    for line in (*report_of_run.notes, *map(str, report_of_run.files)):
        print_note(line)
    if save:
        file = save_proposal(tuning, report_of_run.proposal, checkpoint, force)
        print_always(f"saved: {file}" if file else "nothing saved: the published settings stay")


def _setting(text: str) -> Setting:
    from sow.benchmarks.tv2i.pairs import SETTINGS

    for name in SETTINGS:
        if name == text:
            return name
    raise UsageError(f"unknown setting {text!r}", f"choose one of {', '.join(SETTINGS)}")


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())


def _pairs(
    faces: Path | None, pairs: Path | None, setting: Setting, model: Model, out: Path
) -> Halves:
    """Return the pairs to tune on, in two halves.

    Raises:
        UsageError: if there are none, or they cannot be read.
    """
    from sow.benchmarks.tuning.pairs import of_file, of_folder, of_world

    if pairs is not None:
        return of_file(pairs, setting, faces)
    if faces is not None:
        return of_folder(faces, setting, drawn=bool(model.checkpoint_spec.words))
    if model.name != DRAWN or model.origin != "bundled":
        raise UsageError("no faces to tune on", "set --faces to a folder of photographs")
    return of_world(setting, out)


def _measuring(weights: Weights, device: str, drawn: Setting | None) -> Measuring:
    """Return the metrics. drawn: the setting, for pairs of the drawn world; None for photographs.

    Raises:
        SowError: if likeness cannot be measured, or weights cannot be used.
    """
    from sow.benchmarks.tuning.measures import of_drawings, of_photographs
    from sow.benchmarks.tuning.pairs import drawn as drawn_pairs

    if drawn is None:
        return of_photographs(weights, device)
    return of_drawings({pair.id: pair for pair in drawn_pairs(drawn)})


def _draw_all(tuning: Tuning, quiet: bool) -> None:
    """Run the batch of every candidate; finished pictures are reused."""
    from sow.cli.batch import report_model_only, run_with_progress
    from sow.cli.batch_progress import Progress

    count = len(tuning.plan.candidates)
    for number, (tried, batch) in enumerate(tuning.batches(report_model_only), 1):
        print_note(f"{number} of {count}, {tried.name}: {len(tuning.plan.pairs)} pairs")
        run_with_progress(batch, Progress(batch, False, quiet))
