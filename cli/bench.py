"""`sow bench`: benchmarks with their reports, comparisons of two, and pages that ask people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sow.cli import bench_speed
from sow.cli.batch_options import Address, BatchSize, Runner, Workers, cluster_of
from sow.cli.groups import group
from sow.cli.options import MODEL, Device, Dtype, Force, ModelName, Quiet, Revision
from sow.cli.output import insist, report, say
from sow.files import make_folder

if TYPE_CHECKING:
    from sow.benchmarks.tv2i.running.ablations import Variants
    from sow.benchmarks.tv2i.running.bench import Bench, Entrant
    from sow.jobs.options import Options
    from sow.service.asking import PlannerChoice

app = group("Benchmarks: every method on the same pairs, measured, with a report.")
app.command("speed")(bench_speed.speed)
METHODS, METRICS = "What is compared", "Weights of metrics"
DEFAULT = "sow,cow,cow-release,sdedit,blended,langevin"

Out = Annotated[
    Path, typer.Option("--out", "-o", help="The folder of the results; run again, it goes on.")
]
Split = Annotated[str, typer.Option(help="val (for choosing settings), test or all.")]
Limit = Annotated[
    int | None, typer.Option(min=1, help="At most so many pairs, as many of every setting.")
]
Methods = Annotated[
    str,
    typer.Option(
        help="Comma-separated; the others are compared with the first. With --weights also "
        "sd2-inpainting, controlnet-canny, ip-adapter-faceid.",
        rich_help_panel=METHODS,
    ),
]
Weights = Annotated[
    list[str] | None,
    typer.Option(
        help="method=folder, or method=owner/name of the hub; may be repeated.",
        rich_help_panel=METHODS,
    ),
]
AblationName = Annotated[
    str | None,
    typer.Option(
        help="modules, attention or cycles: the paper's Tables II to IV, instead of --methods.",
        rich_help_panel=METHODS,
    ),
]
Given = Annotated[Path, typer.Argument(help="A folder of results.")]
Key = Annotated[Path, typer.Option(help="The file that says which picture is whose.")]


@app.command("figures-tv2i")
def figures_tv2i(
    out: Out = Path("figures-tv2i"),
    split: Split = "test",
    limit: Limit = 60,
    methods: Methods = DEFAULT,
    weights: Weights = None,
    ablation: AblationName = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    batch_size: BatchSize = None,
    runner: Runner = "local",
    address: Address = None,
    workers: Workers = None,
    quiet: Quiet = False,
) -> None:
    """The bundled drawn world, which needs no download: every table, from people unseen before."""
    from sow.benchmarks.tv2i.figures import figures_pairs
    from sow.benchmarks.tv2i.metrics.choice import figures_metrics
    from sow.benchmarks.tv2i.running.bench import Bench
    from sow.jobs.options import Options

    options = Options("figures", device=device, dtype=dtype, planner=_rules(),
                      batch_size=batch_size,
                      cluster=cluster_of(runner, address, workers))  # fmt: skip
    listed = figures_pairs(made(out), split, limit)
    bench = Bench("figures-tv2i", split, listed, tuple(figures_metrics()))
    carry_out(bench, compared_of(methods, weights, ablation, options), options, out, quiet)


@app.command("celeba-tv2i")
def celeba_tv2i(
    root: Annotated[Path, typer.Option(help="The folder CelebAMask-HQ.")],
    out: Out = Path("celeba-tv2i"),
    split: Split = "test",
    limit: Limit = None,
    methods: Methods = DEFAULT,
    weights: Weights = None,
    ablation: AblationName = None,
    model: ModelName = "auto",
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
    lpips: Annotated[
        Path | None, typer.Option(help="LPIPS's .safetensors.", rich_help_panel=METRICS)
    ] = None,
    clip: Annotated[
        Path | None, typer.Option(help="A folder of CLIP.", rich_help_panel=METRICS)
    ] = None,
    arcface: Annotated[
        Path | None,
        typer.Option(help="A folder of insightface's models.", rich_help_panel=METRICS),
    ] = None,
    metrics_device: Annotated[
        str, typer.Option(help="cpu, cuda, ...", rich_help_panel=MODEL)
    ] = "cpu",
    runner: Runner = "local",
    address: Address = None,
    workers: Workers = None,
    quiet: Quiet = False,
) -> None:
    """The paper's benchmark, over your copy of CelebAMask-HQ."""
    from sow.benchmarks.tv2i.celeba.dataset import celeba_pairs
    from sow.benchmarks.tv2i.metrics.choice import Weights as Files
    from sow.benchmarks.tv2i.metrics.choice import photograph_metrics
    from sow.benchmarks.tv2i.running.bench import Bench
    from sow.jobs.options import Options

    options = Options(model, revision, device=device, dtype=dtype, planner=_rules(),
                      batch_size=batch_size,
                      cluster=cluster_of(runner, address, workers))  # fmt: skip
    files = Files(facenet, lpips, clip, arcface)
    for line in files.missing():
        insist(line)
    listed = celeba_pairs(root, made(out), split, limit)
    bench = Bench("celeba-tv2i", split, listed, tuple(photograph_metrics(files, metrics_device)),
                  tuple(files.missing()))  # fmt: skip
    carry_out(bench, compared_of(methods, weights, ablation, options), options, out, quiet)


@app.command()
def compare(
    one: Given,
    other: Given,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder of the report.")] = Path(),
    force: Force = False,
) -> None:
    """What the second results have otherwise than the first, pair by pair."""
    from sow.benchmarks.tv2i.report.comparing import compare as compared
    from sow.benchmarks.tv2i.report.writing import write_report
    from sow.benchmarks.tv2i.runs import read_results

    found = compared(read_results(one), read_results(other))
    for path in write_report(found, made(out), "comparison", force=force):
        say(f"{path}")


@app.command()
def survey(
    results: Given,
    out: Annotated[Path, typer.Option("--out", "-o", help="The new folder of the page.")],
    key: Key,
    ask: Annotated[str, typer.Option(help="best, pair or outline; several with commas.")] = "best",
    methods: Annotated[str | None, typer.Option(help="Comma-separated; all.")] = None,
    groups: Annotated[int | None, typer.Option(min=1, help="Pairs that are asked about.")] = None,
) -> None:
    """A page that asks people which pictures they prefer, without a word of whose they are."""
    from sow.benchmarks.tv2i.preference.key import kinds_of
    from sow.benchmarks.tv2i.preference.survey import write_survey
    from sow.benchmarks.tv2i.runs import read_results

    made_page = write_survey(
        read_results(results), out, key, kinds_of(ask.split(",")),
        methods.split(",") if methods else None, groups,
    )  # fmt: skip
    say(f"{made_page.page}: {made_page.questions} questions; {made_page.key} stays with you")


@app.command()
def votes(
    files: Annotated[list[Path], typer.Argument(help="Files of answers.")],
    key: Key,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder of the report.")] = Path(),
    force: Force = False,
) -> None:
    """The table of what people preferred, with their agreement."""
    from sow.benchmarks.tv2i.preference.votes import votes as counted
    from sow.benchmarks.tv2i.report.writing import write_report

    for path in write_report(counted(files, key), made(out), "votes", force=force):
        say(f"{path}")


def compared_of(
    methods: str, weights: list[str] | None, ablation: str | None, options: Options
) -> Variants | tuple[Entrant, ...]:
    """Who is compared: methods by name, or the variants of an ablation.

    Raises:
        UsageError: for a name that nobody has.
    """
    from sow.benchmarks.tv2i.running.ablations import variants
    from sow.benchmarks.tv2i.running.bench import entrants

    if ablation is not None:
        return variants(ablation, min(options.service(report).model.facts.canvas))
    return entrants([name.strip() for name in methods.split(",")], weights or ())


def carry_out(
    bench: Bench, compared: Variants | tuple[Entrant, ...], options: Options, out: Path, quiet: bool
) -> None:
    """Every method's batch, then the report; what was done before is not done again."""
    from sow.benchmarks.tv2i.running.bench import batch_of
    from sow.benchmarks.tv2i.running.finishing import finish
    from sow.cli.batch import carried_out, only_the_model
    from sow.cli.batch_progress import Progress

    table = None if isinstance(compared, tuple) else compared.table
    if not isinstance(compared, tuple):
        bench = replace(bench, notes=(*bench.notes, *compared.notes))
    some = compared if isinstance(compared, tuple) else compared.entrants
    for note in bench.listed.notes:
        insist(note)
    for entrant in some:
        say(f"{entrant.name}: {len(bench.listed.pairs)} pairs")
        batch = batch_of(bench, entrant, options, out, only_the_model)
        carried_out(batch, Progress(batch, False, quiet))
    for path in finish(bench, some, out, table, lambda name: say(f"measuring {name}")):
        typer.echo(str(path))


def made(folder: Path) -> Path:
    """A folder, made if it is not there.

    Raises:
        OutputError: if it cannot be made.
    """
    make_folder(folder, "give another out=")
    return folder


def _rules() -> PlannerChoice:
    """Plans by rules: the same for everybody who repeats it."""
    from sow.service.asking import PlannerChoice

    return PlannerChoice("offline")
