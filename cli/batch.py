"""`sow batch`: many jobs into a folder, what became of them, and their export."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from sow.cli.batch_options import (
    Address,
    BatchSize,
    Planners,
    RetryFailed,
    Runner,
    SingleConfig,
    SkipBad,
    Workers,
    assigned,
    cluster_of,
)
from sow.cli.options import (
    PLAN,
    RESULT,
    BaseUrl,
    Canvas,
    Device,
    Dtype,
    Fallback,
    Force,
    MatteName,
    ModelName,
    NoCache,
    PlannerCalls,
    PlannerModel,
    PlannerName,
    PlannerTimeout,
    PromptFolder,
    Quiet,
    Revision,
    Setting,
    Yes,
    choice_of,
    parse_canvas,
)
from sow.cli.output import command_group, print_always, print_json, print_note, printable, report
from sow.cli.results import Changes, Likeness, Preset
from sow.errors import INTERRUPTED, JOBS_FAILED

if TYPE_CHECKING:
    from sow.batch.ledger.admission import BadManifest
    from sow.batch.run_batch import Batch
    from sow.cli.batch_progress import Progress

RUN = "run"


class RunByDefault(TyperGroup):
    """`sow batch jobs.jsonl` is `sow batch run jobs.jsonl`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Puts in what was left out; a manifest may not be called as a command is."""
        if args and args[0] not in {*self.commands, *ctx.help_option_names}:
            args = [RUN, *args]
        return super().parse_args(ctx, args)


app = command_group(
    "Many jobs, each a line of a file, into a folder; the same command again goes on.",
    RunByDefault,
)

Folder = Annotated[str, typer.Argument(help="The folder of results.")]


@app.command(RUN)
def run(
    jobs: Annotated[
        str,
        typer.Argument(
            help="A manifest, .jsonl, .csv or .parquet, a job a line; or a folder of pictures, "
            "with --prompts-file. Or an address, such as s3://bucket/jobs.jsonl."
        ),
    ],
    out: Annotated[
        str,
        typer.Option(
            "--out",
            "-o",
            help="The folder of the results, or an address.",
            rich_help_panel=RESULT,
        ),
    ],
    prompts_file: Annotated[
        str | None,
        typer.Option(help="A prompt a line, each for every picture.", rich_help_panel=PLAN),
    ] = None,
    setting: Setting = None,
    canvas: Canvas = None,
    matte: MatteName = None,
    preset: Preset = None,
    likeness: Likeness = None,
    set_: Changes = None,
    model: ModelName = "auto",
    revision: Revision = None,
    config: SingleConfig = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    batch_size: BatchSize = None,
    planner: PlannerName = "auto",
    planner_model: PlannerModel = None,
    base_url: BaseUrl = None,
    planner_calls: PlannerCalls = 3,
    fallback: Fallback = False,
    no_cache: NoCache = False,
    prompts: PromptFolder = None,
    planner_timeout: PlannerTimeout = 90.0,
    planners: Planners = None,
    runner: Runner = "local",
    address: Address = None,
    workers: Workers = None,
    retry_failed: RetryFailed = False,
    skip_bad: SkipBad = False,
    force: Force = False,
    yes: Yes = False,
    json: Annotated[
        bool,
        typer.Option("--json", help="Print a JSON line for every job.", rich_help_panel=RESULT),
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Carry out a file of jobs; the same command again goes on where it ended.

    What is given here beside the jobs holds for all that do not say otherwise.

    \b
    sow batch jobs.jsonl --out results/
    sow batch faces/ --prompts-file prompts.txt --out results/
    sow batch jobs.jsonl --out results/ --retry-failed
    """
    from sow.batch.ledger.admission import BadManifest
    from sow.batch.run_batch import Batch
    from sow.batch.runners.options import Options
    from sow.batch.sources import make_job_source
    from sow.cli.batch_progress import Progress, checking

    choice = choice_of(
        planner, planner_model, base_url, planner_calls, fallback, no_cache, prompts,
        planner_timeout,
    )  # fmt: skip
    given = {"setting": setting, "matte": matte, "preset": preset, "likeness": likeness,
             "canvas": list(parse_canvas(canvas)) if canvas else None,
             "settings": assigned(set_, preset, likeness)}  # fmt: skip
    defaults = {name: value for name, value in given.items() if value is not None}
    options = Options(model, revision, config, device, dtype, choice, batch_size, planners, yes,
                      cluster_of(runner, address, workers))  # fmt: skip
    try:
        with checking(quiet) as on_progress:
            batch = Batch(make_job_source(jobs, prompts_file, defaults, out), out, options,
                          retry_failed=retry_failed, skip_bad=skip_bad, force=force,
                          report=only_the_model, on_progress=on_progress)  # fmt: skip
    except BadManifest as error:
        tell_all(error)
        raise
    tell_admitted(batch)
    if carried_out(batch, Progress(batch, json, quiet)):
        sys.exit(JOBS_FAILED)


def carried_out(batch: Batch, progress: Progress) -> int:
    """Carries the jobs out and says how many have failed, now and before.

    An interrupt ends it in good order, a second one at once.
    """
    before = signal.getsignal(signal.SIGINT)

    def interrupted(number: int, frame: Any) -> None:
        signal.signal(signal.SIGINT, before)
        raise KeyboardInterrupt

    results = iter(batch)
    try:
        if before is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, interrupted)
        with progress, redirect_stdout(sys.stderr):  # where what Ray prints is in nobody's way
            for result in results:
                progress.add(result)
    except KeyboardInterrupt:
        try:
            results.close()
        finally:
            print_always(f"sow: interrupted, {progress.summary()}; the same command goes on")
            sys.stdout.flush()
            os._exit(INTERRUPTED)  # a planner that waits for an answer is not waited for
    finally:
        signal.signal(signal.SIGINT, before)
    print_note(progress.summary())
    return batch.failed


@app.command()
def status(folder: Folder, json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """How many jobs are done, failed or still wait, and why they failed."""
    from sow.batch.open_ledger import opened

    with opened(folder) as ledger:
        counts, failures = ledger.counts(), list(ledger.failures())
    if json:
        print_json({**counts, "failures": [vars(failure) for failure in failures]})
        return
    typer.echo(", ".join(f"{count} {state}" for state, count in counts.items()))
    for failure in failures:
        typer.echo(printable(f"{failure.id} (line {failure.line}): {failure.reason}"))


@app.command()
def export(
    folder: Folder,
    to: Annotated[str, typer.Option(help="webdataset or parquet.")],
    out: Annotated[str, typer.Option("--out", "-o", help="The folder of the shards.")],
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Pack the pictures of a batch, with what is said of them, for training or sharing."""
    from sow.batch.export.export import export as run_export
    from sow.batch.export.export import local_folder
    from sow.batch.open_ledger import opened
    from sow.batch.runners.publishing import write_metadata

    results, shards = local_folder(folder), local_folder(out)
    with opened(results) as ledger:
        write_metadata(ledger)
    for path in run_export(results, to, shards, force=force):
        print_note(f"{path}")


def only_the_model(kind: str, line: str) -> None:
    """Of thousands of jobs nobody wants every note: they stand in metadata.jsonl."""
    if kind == "model":
        report(kind, line)


def tell_all(error: BadManifest) -> None:
    """Every problem of a manifest, but for the last line, which says how many there are."""
    for line, problem in error.problems[1:]:
        print_always(f"line {line}: {problem}")


def tell_admitted(batch: Batch) -> None:
    """What the manifest came to, where it is not plain."""
    found = batch.admitted
    for line, problem in found.problems:
        print_note(f"left out: line {line}: {problem}")
    if found.num_problems > len(found.problems):
        print_note(f"left out: {found.num_problems - len(found.problems)} more")
    if found.changed:
        print_note(
            f"{found.changed} jobs have changed: their pictures are put aside and made again"
        )
    if batch.missing:
        print_note(f"{batch.missing} pictures are gone from the folder: they are made again")
