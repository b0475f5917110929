"""`sow.run_batch`: run many jobs and yield their results; the same call again resumes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from sow.batch.cost import confirm_cost
from sow.batch.gallery.gallery import ASSETS
from sow.batch.ledger.admission import admit, requeue_missing
from sow.batch.ledger.manifest_check import AdmissionReport, JobSource
from sow.batch.ledger.schema import OWN_FOLDER, THUMBNAILS
from sow.batch.manifest.job import TV2IJob
from sow.batch.open_ledger import open_ledger, reopen_ledger
from sow.batch.runners.cluster import Cluster
from sow.batch.runners.options import Options
from sow.batch.runners.publishing import Publisher, thumbnails
from sow.batch.runners.ray_runner import RayRunner
from sow.batch.runners.runner import JobResult, JobRunner
from sow.batch.sources import make_job_source
from sow.service.budget import Agree, never_agree
from sow.service.lazy_model import Report
from sow.service.planning import PlannerChoice
from sow.service.service import Service


class Batch:
    """The jobs of a source and the folder of their pictures; iterate once to run them.

    Attributes:
        admission: the result of the manifest's check.
        missing: finished pictures that are missing from the folder; they are made again.
        retried: failed jobs that are tried again.
        ledger: the state of every job.
        folder: the local folder of the ledger.
        failed: after the run, how many jobs failed, now or in earlier runs.
        saved: after the run, how many pictures are saved, and how many the jobs ask for; None
            before, or if the ledger cannot be read.
    """

    def __init__(
        self,
        source: JobSource,
        out: Path | str,
        options: Options,
        *,
        retry_failed: bool = False,
        skip_bad: bool = False,
        force: bool = False,
        report: Report = lambda kind, line: None,
        on_progress: Callable[[int], object] = lambda lines: None,
    ) -> None:
        """Check every job and admit them to the ledger; no picture is made yet.

        Raises:
            BadManifest: if jobs are invalid.
            SowError: if the options are invalid, or the folder cannot be used.
        """
        options = options.resolved()
        self.options, self.failed = options, 0
        self.saved: tuple[int, int] | None = None
        service = options.service(report)
        self.ledger = open_ledger(out)
        self.folder, self.ledger.report = self.ledger.folder, report
        try:
            self.admission: AdmissionReport = admit(
                self.ledger,
                source,
                options.picture_options(),
                skip_bad=skip_bad,
                force=force,
                on_progress=on_progress,
            )
            self.missing = requeue_missing(self.ledger)
            self.retried = self.ledger.retry_failed() if retry_failed else 0
        except BaseException:
            self.ledger.close()
            raise
        self.runner: JobRunner | RayRunner = self._make_runner(out, service, report)
        self._publisher, self._service = Publisher(self.ledger), service

    def confirm_cost(self, agree: Agree) -> None:
        """Ask the user to confirm the pictures that are left, if they take far more than usual.

        Raises:
            UsageError: if the user does not agree; the batch is closed then.
            ModelError: if the model, on which the cost depends, cannot be found.
        """
        try:
            confirm_cost(self.ledger, self._service, agree)
        except BaseException:
            self.ledger.close()
            raise

    def _make_runner(
        self, out: Path | str, service: Service, report: Report
    ) -> JobRunner | RayRunner:
        options = self.options
        if options.cluster is None:
            return JobRunner(
                service,
                self.ledger,
                options.batch_size,
                options.concurrent_plans,
                thumbnails,
                method=options.method,
            )
        opened = partial(reopen_ledger, out, self.folder.absolute())
        return RayRunner(
            options.cluster,
            options,
            opened,
            self.ledger.options or "",
            self.ledger.address,
            report,
        )

    def __iter__(self) -> Generator[JobResult]:
        """Yield the result of each job as it ends; at the end, write the list and the page.

        They are also written if the iteration is closed early.

        Raises:
            SowError: if there is no model, or results cannot be written.
        """
        for name in ("", OWN_FOLDER, THUMBNAILS, ASSETS):
            self.ledger.outputs.remove_stale(name)
        try:
            with closing(iter(self.runner)) as results:  # pending writes finish first
                for result in results:
                    self._publisher.publish_if_due()
                    yield result
        finally:
            self._finish()

    def _finish(self) -> None:
        """Write the list and the page, and release unfinished jobs."""
        try:
            self._publisher.publish()
            self.failed = self.ledger.counts()["failed"]
            self.saved = self.ledger.num_saved_pictures(), self.ledger.num_pictures()
        finally:
            self.ledger.close()


def run_batch(
    jobs: str | Path | Iterable[TV2IJob | Mapping[str, Any]],
    out: str | Path,
    *,
    prompts_file: str | Path | None = None,
    defaults: Mapping[str, Any] | None = None,
    model: str = "auto",
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    planner: str | PlannerChoice = "offline",
    batch_size: int | None = None,
    cluster: Cluster | None = None,
    retry_failed: bool = False,
    skip_bad: bool = False,
    force: bool = False,
    report: Report = lambda kind, line: None,
    agree: Agree = never_agree,
) -> Iterator[JobResult]:
    """Run jobs, and yield the result of each as it ends.

    This call itself checks all jobs before any of them runs. The same call again resumes: finished
    jobs are not repeated, changed ones are.

    Args:
        jobs: a manifest (`.jsonl`, `.csv`, `.tsv`, `.parquet`) or a folder of pictures, as a path
            or an address such as `s3://bucket/jobs.jsonl`; or an iterable of jobs.
        out: the folder of the pictures, created if needed; or an address.
        prompts_file: a file with a prompt per line, each for every picture of a folder.
        defaults: fields of `TV2IJob` for jobs that leave them out.
        model, revision, device, dtype, planner: as for `sow.Service`.
        batch_size: pictures in one call of the engine, at most 64; None: as many as fit.
        cluster: run the jobs with Ray, on all GPUs of this machine or of a cluster.
        retry_failed: try failed jobs again.
        skip_bad: skip invalid lines instead of raising BadManifest.
        force: set aside files that are in the way, and redo pictures of other options.
        report: called with the kind and the text of each message to the user.
        agree: asked before pictures that take far more than usual in all, as for `sow.Service`.

    Raises:
        BadManifest: if jobs are invalid; it lists the problems.
        SowError: if another argument is invalid, or the folder cannot be used.
    """
    chosen = planner if isinstance(planner, PlannerChoice) else PlannerChoice(planner)
    options = Options(model, revision, None, device, dtype, chosen, batch_size,
                      cluster=cluster)  # fmt: skip
    source = make_job_source(jobs, prompts_file, defaults or {}, out)
    batch = Batch(source, out, options, retry_failed=retry_failed, skip_bad=skip_bad,
                  force=force, report=report)  # fmt: skip
    batch.confirm_cost(agree)
    return iter(batch)
