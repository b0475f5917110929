"""`sow bench`: benchmarks, comparisons of two results, and surveys of people's preferences."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sow.cli import bench_people, bench_speed, bench_studies
from sow.cli.batch_options import Address, BatchSize, Runner, Workers, cluster_of
from sow.cli.options import Device, Dtype, Force, ModelName, Quiet, Revision
from sow.cli.output import command_group, print_always, print_note, report
from sow.cli.paths import make_out_folder
from sow.planners.request import MODEL

if TYPE_CHECKING:
    from sow.batch.runners.options import Options
    from sow.benchmarks.tv2i.metrics.base import Metric
    from sow.benchmarks.tv2i.running.program import Program
    from sow.service.planning import PlannerChoice

app = command_group("Benchmarks: every method on the same pairs, with metrics and a report.")
METHODS, METRICS = "Methods", "Metrics"
ALL_TABLES = "methods,modules,attention,cycles"
FIGURES, CELEBA = "figures-tv2i", "celeba-tv2i"
DEFAULT = "sow,cow,cow-release,sdedit,blended,langevin"

Out = Annotated[
    Path, typer.Option("--out", "-o", help="Output folder. Run the same command again to resume.")
]
Split = Annotated[str, typer.Option(help="val (for choosing settings), test or all.")]
Limit = Annotated[
    int | None, typer.Option(min=1, help="Maximum number of pairs, balanced over the settings.")
]
Seeds = Annotated[
    int,
    typer.Option(
        min=1,
        help="Pictures per pair and method, each with its own seed. Variety needs 2 or more; add "
        "the method text for a baseline of the model's own variety.",
    ),
]
Methods = Annotated[
    str,
    typer.Option(
        help="Comma-separated; all are compared with the first. Also available: text (nothing is "
        "planted) and, with --weights, sd2-inpainting, controlnet-canny and ip-adapter-faceid.",
        rich_help_panel=METHODS,
    ),
]
Weights = Annotated[
    list[str] | None,
    typer.Option(
        help="method=folder or method=owner/name (a hub id). May be repeated.",
        rich_help_panel=METHODS,
    ),
]
Tables = Annotated[
    str,
    typer.Option(
        "--tables",
        "--ablation",
        help="Comma-separated: methods, and the paper's ablations modules, attention and cycles "
        "(Tables II, III and A-IV).",
        rich_help_panel=METHODS,
    ),
]
Few = Annotated[
    int,
    typer.Option(
        min=1,
        help="Maximum number of pairs for the ablations, taken from the pairs above.",
        rich_help_panel=METHODS,
    ),
]
OutlineJudge = Annotated[
    str | None,
    typer.Option(
        help="gemini or openai: send every result to its model and ask whether the outline is "
        "truncated. Uses the same keys and addresses as planning.",
        rich_help_panel=METRICS,
    ),
]
ResultsFolder = Annotated[Path, typer.Argument(help="Folder of results.")]


@app.command(FIGURES)
def figures_tv2i(
    out: Out = Path(FIGURES),
    split: Annotated[
        str,
        typer.Option(
            help="val (for choosing settings), test, all; or open: prompts that do not name the "
            "colour of the clothes."
        ),
    ] = "test",
    limit: Limit = 60,
    seeds: Seeds = 1,
    methods: Methods = DEFAULT,
    weights: Weights = None,
    tables: Tables = ALL_TABLES,
    ablation_limit: Few = 30,
    outline_judge: OutlineJudge = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    batch_size: BatchSize = None,
    runner: Runner = "local",
    address: Address = None,
    workers: Workers = None,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Benchmark on the bundled drawn world, with people unseen in training. Needs no download."""
    from sow.batch.runners.options import Options
    from sow.benchmarks.tv2i.figures import TUNED, figures_pairs, intensified
    from sow.benchmarks.tv2i.metrics.ceilings import of_drawings
    from sow.benchmarks.tv2i.metrics.judge_base import Verdicts
    from sow.benchmarks.tv2i.metrics.suites import figures_metrics, figures_spread
    from sow.benchmarks.tv2i.running.bench import Bench, entrants, with_seeds
    from sow.benchmarks.tv2i.running.finishing import may_overwrite
    from sow.benchmarks.tv2i.running.program import make_program, tables_of

    options = Options(
        "figures",
        device=device,
        dtype=dtype,
        planner=_rules(),
        batch_size=batch_size,
        cluster=cluster_of(runner, address, workers),
    )
    chosen, names = tables_of(tables), entrants(methods.split(","), weights or ())
    overwrite = may_overwrite(out, FIGURES, split, force)
    listed = with_seeds(figures_pairs(make_out_folder(out), split, limit, overwrite), seeds)
    verdicts = Verdicts()
    metrics = (*figures_metrics(verdicts), *outline_metrics(outline_judge))
    bench = Bench(
        FIGURES,
        split,
        listed,
        metrics,
        (TUNED,),
        lambda: of_drawings(listed.pairs),
        figures_spread(verdicts),
    )
    program = make_program(bench, names, chosen, ablation_limit, canvas_of(options), intensified)
    run_program(program, options, out, quiet, force)


@app.command(CELEBA)
def celeba_tv2i(
    root: Annotated[Path, typer.Option(help="Folder of CelebAMask-HQ.")],
    out: Out = Path(CELEBA),
    split: Split = "test",
    limit: Limit = None,
    seeds: Seeds = 1,
    methods: Methods = DEFAULT,
    weights: Weights = None,
    tables: Tables = "methods",
    ablation_limit: Few = 60,
    outline_judge: OutlineJudge = None,
    model: ModelName = "auto",
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
    lpips: Annotated[
        Path | None, typer.Option(help="LPIPS weights (.safetensors).", rich_help_panel=METRICS)
    ] = None,
    clip: Annotated[
        Path | None, typer.Option(help="Folder of a CLIP model.", rich_help_panel=METRICS)
    ] = None,
    arcface: Annotated[
        Path | None,
        typer.Option(
            help="Folder of insightface models, for ArcFace similarity.",
            rich_help_panel=METRICS,
        ),
    ] = None,
    identities: Annotated[
        Path | None,
        typer.Option(
            help="CelebA's identity_CelebA.txt: how far apart two portraits of one person are.",
            rich_help_panel=METRICS,
        ),
    ] = None,
    metrics_device: Annotated[
        str, typer.Option(help="Device of the metrics: cpu, cuda, ...", rich_help_panel=MODEL)
    ] = "cpu",
    runner: Runner = "local",
    address: Address = None,
    workers: Workers = None,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Run the paper's benchmark on your copy of CelebAMask-HQ."""
    from sow.batch.runners.options import Options
    from sow.benchmarks.tv2i.celeba.dataset import celeba_pairs
    from sow.benchmarks.tv2i.metrics.ceilings import NO_IDENTITIES, of_photographs, portraits
    from sow.benchmarks.tv2i.metrics.suites import Weights as Files
    from sow.benchmarks.tv2i.metrics.suites import photograph_metrics, photograph_spread
    from sow.benchmarks.tv2i.running.bench import Bench, entrants, with_seeds
    from sow.benchmarks.tv2i.running.finishing import may_overwrite
    from sow.benchmarks.tv2i.running.program import make_program, tables_of

    options = Options(
        model,
        revision,
        device=device,
        dtype=dtype,
        planner=_rules(),
        batch_size=batch_size,
        cluster=cluster_of(runner, address, workers),
    )
    chosen, names = tables_of(tables), entrants(methods.split(","), weights or ())
    files = Files(facenet, lpips, clip, arcface)
    missing = (*files.missing(), *([] if identities else [NO_IDENTITIES]))
    for line in missing:
        print_always(line)
    overwrite = may_overwrite(out, CELEBA, split, force)
    listed = with_seeds(
        celeba_pairs(root, make_out_folder(out), split, limit, force=overwrite), seeds
    )
    people = portraits(root, identities) if identities else []
    metrics = (*photograph_metrics(files, metrics_device), *outline_metrics(outline_judge))
    bench = Bench(
        CELEBA,
        split,
        listed,
        metrics,
        missing,
        lambda: of_photographs(metrics, people),
        photograph_spread(),
    )
    program = make_program(bench, names, chosen, ablation_limit, canvas_of(options))
    run_program(program, options, out, quiet, force)


@app.command()
def compare(
    one: ResultsFolder,
    other: ResultsFolder,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the report.")] = Path(),
    force: Force = False,
) -> None:
    """Compare two folders of results, pair by pair."""
    from sow.benchmarks.tv2i.report.comparing import compare as compared
    from sow.benchmarks.tv2i.report.writing import write_report
    from sow.benchmarks.tv2i.runs import read_results

    comparison = compared(read_results(one), read_results(other))
    for path in write_report(comparison, make_out_folder(out), "comparison", force=force):
        print_note(f"{path}")


def outline_metrics(vendor: str | None) -> list[Metric]:
    """Return the outline judge if a vendor is named, and say where pictures are sent."""
    from sow.benchmarks.tv2i.metrics.outline_judge import outline_judge

    if vendor is None:
        return []
    judge = outline_judge(vendor)
    print_note(f"outlines: sending results to {judge.asker.model} at {judge.asker.host}")
    return [judge]


def canvas_of(options: Options) -> int:
    """Return the shorter side of the model's canvas, in pixels."""
    return min(options.service(report).model.checkpoint_spec.canvas)


def run_program(
    program: Program, options: Options, out: Path, quiet: bool, force: bool = False
) -> None:
    """Run the batch of every method, then write the report; finished work is reused.

    An interrupt leaves a report of the pictures that are there.
    """
    from sow.benchmarks.tv2i.running.bench import batch_of
    from sow.benchmarks.tv2i.running.finishing import finish, part_begun, saved_pictures
    from sow.cli.batch import report_model_only, run_with_progress
    from sow.cli.batch_progress import Progress
    from sow.cli.long_runs import Forecast

    def measure(part: Program) -> None:
        for path in finish(part, out, lambda name: print_note(f"measuring {name}"), force):
            typer.echo(str(path))

    def report_part() -> None:
        if (part := part_begun(program, out)).tasks:
            print_note("reporting on what is there; Ctrl-C again ends at once")
            measure(part)

    there = sum(saved_pictures(program, out).values())
    forecast = Forecast(program.num_pictures - there, print_note)
    before = f", of which {there} are there" if there else ""
    print_note(f"{program.num_pictures} pictures by {len(program.tasks)} methods{before}")
    for note in program.bench.listed.notes:
        print_always(note)
    for number, (entrant, bench) in enumerate(program.tasks, 1):
        seeds = f", {bench.seeds} seeds each" if bench.seeds > 1 else ""
        pairs = f"{len(bench.listed.pairs)} pairs{seeds}"
        print_note(f"{number} of {len(program.tasks)}, {entrant.name}: {pairs}")
        batch = batch_of(bench, entrant, options, out, report_model_only, force)
        forecast.begin()
        run_with_progress(
            batch,
            Progress(batch, False, quiet),
            lambda result: forecast.add(len(result.files), result.seconds),
            report_part,
        )
    measure(program)


def _rules() -> PlannerChoice:
    """Plan by rules, so that anyone can repeat the run."""
    from sow.service.planning import PlannerChoice

    return PlannerChoice("offline")


app.command()(bench_people.survey)
app.command()(bench_people.votes)
app.command()(bench_speed.speed)
app.add_typer(bench_studies.app, name="study")
app.command()(bench_studies.interference)
app.command()(bench_studies.spatial)
