"""`sow tune`: which settings suit a checkpoint, tried on faces of yours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sow.cli.batch_options import BatchSize
from sow.cli.options import (
    MODEL,
    PICTURE,
    RESULT,
    Device,
    Dtype,
    Force,
    Json,
    ModelName,
    Quiet,
    Revision,
)
from sow.cli.output import insist, print_json, printable, report, say
from sow.cli.targets import made
from sow.errors import UsageError

if TYPE_CHECKING:
    from sow.benchmarks.tuning.measures import Measuring
    from sow.benchmarks.tuning.pairs import Halves
    from sow.benchmarks.tuning.running import Tuning
    from sow.benchmarks.tv2i.metrics.choice import Weights
    from sow.benchmarks.tv2i.pairs import Setting
    from sow.models.find import Model

METRICS = "What is measured"
DRAWN = "figures"


def tune(
    model: ModelName = "auto",
    faces: Annotated[
        Path | None,
        typer.Option(
            help="A folder of photographs, a person each. Default, for figures alone: its own.",
            rich_help_panel=PICTURE,
        ),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            help='Pairs of your own, {"image": …, "prompt": …} a line; pictures are seen from '
            "--faces, else from the file's folder. Default: every face with sentences of SOW's.",
            rich_help_panel=PICTURE,
        ),
    ] = None,
    setting: Annotated[
        str, typer.Option(help="normal, attribute or style.", rich_help_panel=PICTURE)
    ] = "normal",
    minutes: Annotated[
        float,
        typer.Option(
            min=0.01, max=100_000, help="About how long drawing may take: so many pairs are taken."
        ),
    ] = 30.0,
    limit: Annotated[
        int | None,
        typer.Option(min=2, help="At most so many pairs, however long they take."),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The folder of the results; run again, it goes on.")
    ] = Path("tune"),
    save: Annotated[
        bool,
        typer.Option(
            "--save",
            help="Keep what is proposed: from then on it runs for this checkpoint by default.",
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
            help="FaceNet's .safetensors: how far faces are from one another.",
            rich_help_panel=METRICS,
        ),
    ] = None,
    arcface: Annotated[
        Path | None,
        typer.Option(
            help="A folder of insightface's models: how near faces are, by a cosine.",
            rich_help_panel=METRICS,
        ),
    ] = None,
    clip: Annotated[
        Path | None,
        typer.Option(
            help="A folder of CLIP: how near picture and prompt are.", rich_help_panel=METRICS
        ),
    ] = None,
    metrics_device: Annotated[
        str, typer.Option(help="cpu, cuda, ...", rich_help_panel=MODEL)
    ] = "cpu",
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Try settings on the same faces, and propose one for a checkpoint; interrupted, it goes on.

    \b
    sow tune --model sd2.1 --faces photos/ --facenet facenet.safetensors --clip clip/
    sow tune --model figures
    """
    from sow.benchmarks.tuning.measures import check_identity
    from sow.benchmarks.tuning.report import tell
    from sow.benchmarks.tuning.running import begin
    from sow.benchmarks.tuning.saving import save as kept
    from sow.benchmarks.tv2i.metrics.choice import Weights
    from sow.jobs.options import Options
    from sow.service.asking import PlannerChoice

    which, weights = _setting(setting), Weights(facenet=facenet, arcface=arcface, clip=clip)
    photographs = faces is not None or pairs is not None
    if photographs or model != DRAWN:
        check_identity(weights)  # before a model is looked for, or fetched
    options = Options(model, revision, device=device, dtype=dtype,
                      planner=PlannerChoice("offline"), batch_size=batch_size)  # fmt: skip
    found = options.service(lambda kind, line: None).model
    drawn = not photographs
    halves = _pairs(faces, pairs, which, found, out)
    measuring = _measuring(weights, metrics_device, which if drawn else None)
    for line in measuring.lacking:
        insist(line)
    asked = {"faces": _told(faces), "pairs": _told(pairs), "dtype": dtype}
    tuning = begin(made(out), options, halves, measuring, which, minutes=minutes, limit=limit,
                   asked=asked, drawn=drawn, force=force, report=report)  # fmt: skip
    for line in (*tuning.course.notes, tuning.course.said):
        say(f"goes on: {line}" if tuning.known and line == tuning.course.said else line)
    _drawn_all(tuning, quiet)
    told = tell(tuning, tuning.measured(lambda name: say(f"measuring {name}")))
    if json:
        print_json(told.data)
    else:
        typer.echo("\n".join(printable(line) for line in told.text.splitlines()))
    for line in (*told.notes, *map(str, told.files)):
        say(line)
    if save:
        file = kept(tuning, told.proposal, found, force)
        insist(f"saved: {file}" if file else "nothing is saved: there is nothing to change")


def _setting(text: str) -> Setting:
    from sow.benchmarks.tv2i.pairs import SETTINGS

    for name in SETTINGS:
        if name == text:
            return name
    raise UsageError(f"no setting {text!r}", f"give setting={' or '.join(SETTINGS)}")


def _told(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())


def _pairs(
    faces: Path | None, pairs: Path | None, setting: Setting, model: Model, out: Path
) -> Halves:  # fmt: skip
    """Who is planted, with what sentence.

    Raises:
        UsageError: if nobody is, or they cannot be read.
    """
    from sow.benchmarks.tuning.pairs import of_file, of_folder, of_world

    if pairs is not None:
        return of_file(pairs, setting, faces)
    if faces is not None:
        return of_folder(faces, setting, drawn=bool(model.facts.words))
    if model.name != DRAWN or model.kind != "bundled":
        raise UsageError("no faces to tune on", "give --faces, a folder of photographs")
    return of_world(setting, out)


def _measuring(weights: Weights, device: str, drawn: Setting | None) -> Measuring:
    """What pictures are read by. drawn: the setting of the drawn world's own pairs, if it is they.

    Raises:
        SowError: if likeness cannot be measured, or weights cannot be used.
    """
    from sow.benchmarks.tuning.measures import of_drawings, of_photographs
    from sow.benchmarks.tuning.pairs import drawn as known

    if drawn is None:
        return of_photographs(weights, device)
    return of_drawings({pair.id: pair for pair in known(drawn)})


def _drawn_all(tuning: Tuning, quiet: bool) -> None:
    """Every candidate's batch; what was done before is not done again."""
    from sow.cli.batch import carried_out, only_the_model
    from sow.cli.batch_progress import Progress

    count = len(tuning.course.candidates)
    for number, (tried, batch) in enumerate(tuning.batches(only_the_model), 1):
        say(f"{number} of {count}, {tried.name}: {len(tuning.course.pairs)} pairs")
        carried_out(batch, Progress(batch, False, quiet))
