"""`sow.run_batch`: many jobs, their results as they come; the same call again goes on."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from sow.batch.gallery.gallery import ASSETS
from sow.batch.ledger.admission import admit, requeue_missing
from sow.batch.ledger.manifest_check import AdmissionReport, JobSource
from sow.batch.ledger.schema import OWN_FOLDER
from sow.batch.manifest.job import TV2IJob
from sow.batch.open_ledger import open_ledger, reopen_ledger
from sow.batch.runners.cluster import Cluster
from sow.batch.runners.options import Options
from sow.batch.runners.publishing import THUMBS, Publisher, thumbs
from sow.batch.runners.ray_runner import RayRunner
from sow.batch.runners.runner import JobResult, JobRunner
from sow.batch.sources import make_job_source
from sow.service.lazy_model import Report
from sow.service.planning import PlannerChoice
from sow.service.service import Service
from sow.utils.files import remove_stale


class Batch:
    """Jobs on their way to a folder of pictures; iterate for what becomes of them.

    Attributes:
        admitted: what the manifest came to.
        ledger: what became of every job until now.
        folder: that of the ledger.
        failed: at the end, how many jobs have failed, now or before.
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
        on_progress: Any = lambda lines: None,
    ) -> None:
        """Checks every job and takes them into the ledger; nothing is made yet."""
        options = options.settled()
        self.options, self.failed = options, 0
        service = options.service(report)
        self.ledger = open_ledger(out)
        self.folder = self.ledger.folder
        try:
            self.admitted: AdmissionReport = admit(
                self.ledger, source, options.said(), skip_bad=skip_bad, force=force, on_progress=on_progress
            )
            self.missing = requeue_missing(self.ledger)
            self.retried = self.ledger.retry_failed() if retry_failed else 0
        except BaseException:
            self.ledger.close()
            raise
        self.run: JobRunner | RayRunner = self._run(out, service, report)
        self._publisher = Publisher(self.ledger)

    def _run(self, out: Path | str, service: Service, report: Report) -> JobRunner | RayRunner:
        options = self.options
        if options.cluster is None:
            return JobRunner(service, self.ledger, options.batch_size, options.concurrent_plans, thumbs,
                       method=options.method)  # fmt: skip
        opened = partial(reopen_ledger, out, self.folder.absolute())
        return RayRunner(options.cluster, options, opened, self.ledger.options or "",
                          self.ledger.address, report)  # fmt: skip

    def __iter__(self) -> Generator[JobResult]:
        """What became of each job, as it ends; then, or when it is left off, all is written.

        Raises:
            SowError: if there is no model, or results cannot be written.
        """
        for name in ("", OWN_FOLDER, THUMBS, ASSETS):
            remove_stale(self.folder / name)
        try:
            with closing(iter(self.run)) as results:  # what is being written is written first
                for result in results:
                    self._publisher.if_due()
                    yield result
        finally:
            self._finish()

    def _finish(self) -> None:
        """Writes what is said of all pictures, and gives back what was not done."""
        try:
            self._publisher.now()
            self.failed = self.ledger.counts()["failed"]
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
) -> Iterator[JobResult]:
    """Carries out jobs, and yields what becomes of each as it ends.

    All of them are checked before anything runs, by this call itself. The same call again goes on
    where the last one ended: finished jobs are not repeated, changed ones are.

    Args:
        jobs: a manifest (`.jsonl`, `.csv`, `.parquet`), a folder of pictures, or jobs; what is
            elsewhere is named by its address, such as `s3://bucket/jobs.jsonl`.
        out: the folder of the pictures, made if it is not there; or an address.
        prompts_file: a file with a prompt per line, each for every picture of a folder.
        defaults: fields of `TV2IJob` for all jobs that do not say otherwise.
        model, revision, device, dtype, planner: as for `sow.Service`.
        batch_size: pictures in a call of the engine, at most 64; None as many as fit.
        cluster: `sow.Cluster()` has Ray carry the jobs out, on all GPUs of this machine or on
            those of a cluster.
        retry_failed: jobs that failed are tried again.
        skip_bad: lines that are wrong are left out, not refused.
        force: files in the way are replaced, and pictures of other options made again.
        report: is told what a person should know.

    Raises:
        BadManifest: if jobs are wrong, with all of their problems.
        SowError: for whatever else makes no sense.
    """
    chosen = planner if isinstance(planner, PlannerChoice) else PlannerChoice(planner)
    options = Options(model, revision, None, device, dtype, chosen, batch_size,
                      cluster=cluster)  # fmt: skip
    source = make_job_source(jobs, prompts_file, defaults or {}, out)
    return iter(Batch(source, out, options, retry_failed=retry_failed, skip_bad=skip_bad,
                      force=force, report=report))  # fmt: skip
