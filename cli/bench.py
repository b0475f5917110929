"""`sow bench`: benchmarks with their reports, comparisons of two, and pages that ask people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sow.cli import bench_people, bench_speed, bench_studies
from sow.cli.batch_options import Address, BatchSize, Runner, Workers, cluster_of
from sow.cli.groups import group
from sow.cli.options import MODEL, Device, Dtype, Force, ModelName, Quiet, Revision
from sow.cli.output import insist, report, say
from sow.cli.targets import made

if TYPE_CHECKING:
    from sow.benchmarks.tv2i.metrics.base import Metric
    from sow.benchmarks.tv2i.running.program import Program
    from sow.jobs.options import Options
    from sow.service.asking import PlannerChoice

app = group("Benchmarks: every method on the same pairs, measured, with a report.")
METHODS, METRICS = "What is compared", "What is measured"
ALL_TABLES = "methods,modules,attention,cycles"
FIGURES, CELEBA = "figures-tv2i", "celeba-tv2i"
DEFAULT = "sow,cow,cow-release,sdedit,blended,langevin"

Out = Annotated[
    Path, typer.Option("--out", "-o", help="The folder of the results; run again, it goes on.")
]
Split = Annotated[str, typer.Option(help="val (for choosing settings), test or all.")]
Limit = Annotated[
    int | None, typer.Option(min=1, help="At most so many pairs, as many of every setting.")
]
Seeds = Annotated[
    int,
    typer.Option(
        min=1,
        help="Pictures of every pair and method, by seeds that count up. From 2 on there is "
        "variety, and with the method text beside the model's own.",
    ),
]
Methods = Annotated[
    str,
    typer.Option(
        help="Comma-separated; the others are compared with the first. Also text, the model's own "
        "pictures with nothing planted; with --weights sd2-inpainting, controlnet-canny, "
        "ip-adapter-faceid.",
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
Tables = Annotated[
    str,
    typer.Option(
        "--tables",
        "--ablation",
        help="Of methods, and of the paper's ablations: modules, attention, cycles (its Tables II, "
        "III and A-IV).",
        rich_help_panel=METHODS,
    ),
]
Few = Annotated[
    int,
    typer.Option(
        min=1,
        help="At most so many pairs for the ablations, of those above.",
        rich_help_panel=METHODS,
    ),
]
OutlineJudge = Annotated[
    str | None,
    typer.Option(
        help="gemini or openai: its model is shown every result and asked whether the outline is "
        "truncated. Keys and addresses are those of planning.",
        rich_help_panel=METRICS,
    ),
]
Given = Annotated[Path, typer.Argument(help="A folder of results.")]


@app.command(FIGURES)
def figures_tv2i(
    out: Out = Path(FIGURES),
    split: Annotated[
        str,
        typer.Option(
            help="val (for choosing settings), test, all; or open, of sentences that leave the "
            "colour of the clothes open."
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
    """The bundled drawn world, which needs no download: every table, from people unseen before."""
    from sow.benchmarks.tv2i.figures import TUNED, figures_pairs, intensified
    from sow.benchmarks.tv2i.metrics.ceilings import of_drawings
    from sow.benchmarks.tv2i.metrics.choice import figures_metrics, figures_spread
    from sow.benchmarks.tv2i.metrics.judged import Verdicts
    from sow.benchmarks.tv2i.running.beginning import may_overwrite
    from sow.benchmarks.tv2i.running.bench import Bench, entrants, with_seeds
    from sow.benchmarks.tv2i.running.program import program, tables_of
    from sow.jobs.options import Options

    options = Options("figures", device=device, dtype=dtype, planner=_rules(),
                      batch_size=batch_size,
                      cluster=cluster_of(runner, address, workers))  # fmt: skip
    chosen, names = tables_of(tables), entrants(methods.split(","), weights or ())
    over = may_overwrite(out, FIGURES, split, force)
    listed = with_seeds(figures_pairs(made(out), split, limit, over), seeds)
    verdicts = Verdicts()
    metrics = (*figures_metrics(verdicts), *asked_about_outlines(outline_judge))
    bench = Bench(FIGURES, split, listed, metrics, (TUNED,), lambda: of_drawings(listed.pairs),
                  figures_spread(verdicts))  # fmt: skip
    asked = program(bench, names, chosen, ablation_limit, canvas_of(options), intensified)
    carry_out(asked, options, out, quiet, force)


@app.command(CELEBA)
def celeba_tv2i(
    root: Annotated[Path, typer.Option(help="The folder CelebAMask-HQ.")],
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
        typer.Option(
            help="A folder of insightface's models: how near faces are, by a cosine.",
            rich_help_panel=METRICS,
        ),
    ] = None,
    identities: Annotated[
        Path | None,
        typer.Option(
            help="CelebA's identity_CelebA.txt: how far two portraits of one person are.",
            rich_help_panel=METRICS,
        ),
    ] = None,
    metrics_device: Annotated[
        str, typer.Option(help="cpu, cuda, ...", rich_help_panel=MODEL)
    ] = "cpu",
    runner: Runner = "local",
    address: Address = None,
    workers: Workers = None,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """The paper's benchmark, over your copy of CelebAMask-HQ."""
    from sow.benchmarks.tv2i.celeba.dataset import celeba_pairs
    from sow.benchmarks.tv2i.metrics.ceilings import NOBODY_KNOWS, of_photographs, portraits
    from sow.benchmarks.tv2i.metrics.choice import Weights as Files
    from sow.benchmarks.tv2i.metrics.choice import photograph_metrics, photograph_spread
    from sow.benchmarks.tv2i.running.beginning import may_overwrite
    from sow.benchmarks.tv2i.running.bench import Bench, entrants, with_seeds
    from sow.benchmarks.tv2i.running.program import program, tables_of
    from sow.jobs.options import Options

    options = Options(model, revision, device=device, dtype=dtype, planner=_rules(),
                      batch_size=batch_size,
                      cluster=cluster_of(runner, address, workers))  # fmt: skip
    chosen, names = tables_of(tables), entrants(methods.split(","), weights or ())
    files = Files(facenet, lpips, clip, arcface)
    lacking = (*files.missing(), *([] if identities else [NOBODY_KNOWS]))
    for line in lacking:
        insist(line)
    over = may_overwrite(out, CELEBA, split, force)
    listed = with_seeds(celeba_pairs(root, made(out), split, limit, force=over), seeds)
    people = portraits(root, identities) if identities else []
    metrics = (*photograph_metrics(files, metrics_device), *asked_about_outlines(outline_judge))
    bench = Bench(CELEBA, split, listed, metrics, lacking,
                  lambda: of_photographs(metrics, people), photograph_spread())  # fmt: skip
    asked = program(bench, names, chosen, ablation_limit, canvas_of(options))
    carry_out(asked, options, out, quiet, force)


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


def asked_about_outlines(vendor: str | None) -> list[Metric]:
    """The judge of outlines, if one was named; says where pictures are sent."""
    from sow.benchmarks.tv2i.metrics.outline_judge import outline_judge

    if vendor is None:
        return []
    judge = outline_judge(vendor)
    say(f"outlines: results are sent to {judge.asker.model} at {judge.asker.host}")
    return [judge]


def canvas_of(options: Options) -> int:
    """The model's own side, in pixels."""
    return min(options.service(report).model.facts.canvas)


def carry_out(
    asked: Program, options: Options, out: Path, quiet: bool, force: bool = False
) -> None:
    """Everybody's batch, then the report; what was done before is not done again."""
    from sow.benchmarks.tv2i.running.bench import batch_of
    from sow.benchmarks.tv2i.running.finishing import finish
    from sow.cli.batch import carried_out, only_the_model
    from sow.cli.batch_progress import Progress

    for note in asked.bench.listed.notes:
        insist(note)
    for number, (entrant, bench) in enumerate(asked.tasks, 1):
        seeds = f", {bench.seeds} seeds each" if bench.seeds > 1 else ""
        pairs = f"{len(bench.listed.pairs)} pairs{seeds}"
        say(f"{number} of {len(asked.tasks)}, {entrant.name}: {pairs}")
        batch = batch_of(bench, entrant, options, out, only_the_model, force)
        carried_out(batch, Progress(batch, False, quiet))
    for path in finish(asked, out, lambda name: say(f"measuring {name}"), force):
        typer.echo(str(path))


def _rules() -> PlannerChoice:
    """Plans by rules: the same for everybody who repeats it."""
    from sow.service.asking import PlannerChoice

    return PlannerChoice("offline")


app.command()(bench_people.survey)
app.command()(bench_people.votes)
app.command()(bench_speed.speed)
app.add_typer(bench_studies.app, name="study")
app.command()(bench_studies.interference)
app.command()(bench_studies.spatial)
