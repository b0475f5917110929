"""`sow batch`: run many jobs, show their status, export the results."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sow.cli.arguments import RequestCommand
from sow.cli.batch_options import (
    Address,
    BatchSize,
    Planners,
    RetryFailed,
    Runner,
    SingleConfig,
    SkipBad,
    Workers,
    assigned_settings,
    cluster_of,
)
from sow.cli.consent import confirm_once
from sow.cli.options import (
    BaseUrl,
    Device,
    Dtype,
    Fallback,
    Force,
    ModelName,
    NoCache,
    PlannerCalls,
    PlannerModel,
    PlannerName,
    PlannerTimeout,
    PromptFolder,
    Quiet,
    Revision,
    Yes,
    choice_of,
)
from sow.cli.output import (
    command_group,
    print_always,
    print_error,
    print_json,
    print_note,
    report,
)
from sow.cli.request_options import with_request
from sow.cli.usage_errors import CommandGroup
from sow.errors import INTERRUPTED, JOBS_FAILED, SowError
from sow.planners.request import PLAN, RESULT, options_of
from sow.service.request import Request
from sow.utils.representation import printable

if TYPE_CHECKING:
    from sow.batch.ledger.admission import BadManifest
    from sow.batch.run_batch import Batch
    from sow.batch.runners.runner import JobResult
    from sow.cli.batch_progress import Progress

RUN = "run"


class RunByDefault(CommandGroup):
    """`sow batch jobs.jsonl` is `sow batch run jobs.jsonl`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Insert `run` unless a command is given; a manifest cannot have the name of a command."""
        if args and args[0] not in {*self.commands, *ctx.help_option_names}:
            args = [RUN, *args]
        return super().parse_args(ctx, args)


JOB_FIELDS = textwrap.fill(", ".join(["id", "seed", "num", *options_of(Request)]), 72)
A_JOB = f"""\b
A job is a line of the manifest:
{{"image": "ada.png", "prompt": "a person in the snow", "num": 4}}

\b
Its fields, of which an image and a prompt are enough:
{JOB_FIELDS}
"""
"""The end of the help: what a manifest contains."""
app = command_group(
    f"""Run many jobs from a manifest; the same command again continues.

    \b
    sow batch jobs.jsonl --out results/

    {A_JOB}""",
    RunByDefault,
)

Folder = Annotated[str, typer.Argument(help="Folder with the results of a batch.")]


@app.command(RUN, cls=RequestCommand, epilog=A_JOB)
@with_request(
    Request,
    only=("setting", "canvas", "matte", "negative", "lora", "embedding", "preset", "likeness",
          "settings"),
)  # fmt: skip
def run(
    request: Request,
    jobs: Annotated[
        str,
        typer.Argument(
            help="Manifest with one job per line (.jsonl, .csv, .parquet), or a folder of pictures "
            "with --prompts-file; or an address such as s3://bucket/jobs.jsonl."
        ),
    ],
    out: Annotated[
        str,
        typer.Option(
            "--out",
            "-o",
            help="Folder for the results, or an address such as s3://bucket/results.",
            rich_help_panel=RESULT,
        ),
    ],
    prompts_file: Annotated[
        str | None,
        typer.Option(
            help="File with one prompt per line, each used for every picture.", rich_help_panel=PLAN
        ),
    ] = None,
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
        typer.Option("--json", help="Print one JSON line per job.", rich_help_panel=RESULT),
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Run the jobs of a manifest; the same command again continues.

    Options given here are defaults for jobs that do not set them.

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
    from sow.settings.inputs import as_canvas
    from sow.storage.addresses import is_address

    choice = choice_of(
        planner, planner_model, base_url, planner_calls, fallback, no_cache, prompts,
        planner_timeout,
    )  # fmt: skip
    defaults = {name: getattr(request, name) for name in request.decided}
    if request.canvas is not None:
        canvas = as_canvas(request.canvas)
        defaults["canvas"] = list(canvas) if isinstance(canvas, tuple) else str(canvas)
    for name in ("lora", "embedding"):
        if name in defaults:  # relative to this folder, unlike those of the manifest
            defaults[name] = [
                file if is_address(file) else str(Path.cwd() / file) for file in defaults[name]
            ]
    if request.settings is not None:
        defaults["settings"] = assigned_settings(request)
    options = Options(model, revision, config, device, dtype, choice, batch_size, planners, yes,
                      cluster_of(runner, address, workers))  # fmt: skip
    try:
        with checking(quiet) as on_progress:
            batch = Batch(make_job_source(jobs, prompts_file, defaults, out), out, options,
                          retry_failed=retry_failed, skip_bad=skip_bad, force=force,
                          report=report_model_only, on_progress=on_progress)  # fmt: skip
    except BadManifest as error:
        print_problems(error)
        raise
    print_admission(batch)
    batch.confirm_cost(confirm_once(yes))
    if run_with_progress(batch, Progress(batch, json, quiet)):
        sys.exit(JOBS_FAILED)


def run_with_progress(
    batch: Batch,
    progress: Progress,
    on_result: Callable[[JobResult], object] = lambda result: None,
    on_interrupt: Callable[[], object] = lambda: None,
) -> int:
    """Run all jobs and return how many have failed, now and before.

    An interrupt stops cleanly, and then calls `on_interrupt`; a second one stops at once.
    """
    before = signal.getsignal(signal.SIGINT)

    def interrupt(number: int, frame: Any) -> None:
        signal.signal(signal.SIGINT, before)
        raise KeyboardInterrupt

    results = iter(batch)
    try:
        if before is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, interrupt)
        with progress, redirect_stdout(sys.stderr):  # stdout is for results, not for Ray's messages
            for result in results:
                progress.add(result)
                on_result(result)
    except KeyboardInterrupt:
        try:
            results.close()
        finally:
            print_always(interruption(batch, progress))
            try:
                on_interrupt()
            except SowError as error:
                print_error(error)
            finally:
                sys.stdout.flush()
                os._exit(INTERRUPTED)  # does not wait for planners
    finally:
        signal.signal(signal.SIGINT, before)
    print_note(progress.summary())
    return batch.failed


def interruption(batch: Batch, progress: Progress) -> str:
    """Return the line for an interrupt: pictures of unfinished jobs are saved too."""
    parts = [f"jobs: {progress.summary()}", "the same command continues"]
    if batch.saved is not None:
        parts.insert(0, "{} of {} pictures are saved".format(*batch.saved))
    return f"sow: interrupted; {'; '.join(parts)}"


@app.command()
def status(folder: Folder, json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Show how many jobs are done, failed or waiting, and why they failed."""
    from sow.batch.open_ledger import read_ledger

    with read_ledger(folder) as ledger:
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
    to: Annotated[str, typer.Option(help="Format: webdataset or parquet.")],
    out: Annotated[str, typer.Option("--out", "-o", help="Folder for the shards.")],
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Pack the pictures of a batch with their metadata, for training or sharing."""
    from sow.batch.export.export import export as run_export
    from sow.batch.export.export import local_folder
    from sow.batch.open_ledger import read_ledger
    from sow.batch.runners.publishing import write_metadata

    results, shards = local_folder(folder), local_folder(out)
    with read_ledger(results) as ledger:
        ledger.report = report_model_only
        write_metadata(ledger)
    for path in run_export(results, to, shards, force=force):
        print_note(f"{path}")


def report_model_only(kind: str, line: str) -> None:
    """Report the model and files set aside; the notes of each picture are in metadata.jsonl."""
    if kind in ("model", "file"):
        report(kind, line)


def print_problems(error: BadManifest) -> None:
    """Print the problems of a manifest after the first, which is part of the error itself."""
    for line, problem in error.problems[1:]:
        print_always(f"line {line}: {problem}")


def print_admission(batch: Batch) -> None:
    """Print what was skipped, has changed or is missing."""
    admission = batch.admission
    for line, problem in admission.problems:
        print_note(f"skipped line {line}: {problem}")
    if admission.num_problems > len(admission.problems):
        print_note(f"skipped {admission.num_problems - len(admission.problems)} more lines")
    if admission.changed:
        print_note(
            f"{admission.changed} jobs have changed; their old pictures are archived and made again"
        )
    if batch.missing:
        print_note(f"{batch.missing} pictures are missing from the folder; making them again")
