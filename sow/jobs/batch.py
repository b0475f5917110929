"""`sow.run_batch`: many jobs, their results as they come; the same call again goes on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sow.errors import OutputError, UsageError
from sow.files import sweep
from sow.jobs.admission import Admitted, Source, admit, digest_of, listed, recover
from sow.jobs.job import TV2IJob
from sow.jobs.ledger import Ledger
from sow.jobs.publishing import Publisher, write_thumbs
from sow.jobs.run import JobResult, Run
from sow.jobs.schema import OWN_FOLDER, ledger_path
from sow.service.asking import PlannerChoice
from sow.service.model import Report
from sow.service.service import Service

VENDOR_PLANNERS, RULE_PLANNERS = 8, 2
"""Plans at a time: a language model is waited for, rules compute."""


@dataclass(frozen=True)
class Options:
    """What holds for all jobs of a run.

    Attributes:
        model, revision, config, device, dtype, planner: as for `sow.Service`.
        batch_size: pictures in a call of the engine; None as many as fit, at most 8.
        planners: plans at a time; None: 8 where a language model is asked, 2 by rules.
        agree_to_all: nothing is too large for a job.
    """

    model: str = "auto"
    revision: str | None = None
    config: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    planner: PlannerChoice = field(default_factory=PlannerChoice)
    batch_size: int | None = None
    planners: int | None = None
    agree_to_all: bool = False

    def service(self, report: Report) -> Service:
        """The service that makes the pictures."""
        return Service(
            self.model, revision=self.revision, config=self.config, device=self.device,
            dtype=self.dtype, planner=self.planner, report=report,
            agree=lambda line: self.agree_to_all,
        )  # fmt: skip

    def said(self) -> dict[str, Any]:
        """What of them changes pictures: a folder is made with one of each."""
        return {
            "model": self.model, "revision": self.revision, "dtype": self.dtype,
            "planner": self.planner.name, "planner_model": self.planner.planner_model,
        }  # fmt: skip

    @property
    def plans_at_a_time(self) -> int:
        """How many."""
        if self.planners is not None:
            return self.planners
        return RULE_PLANNERS if self.planner.vendor() is None else VENDOR_PLANNERS


class Batch:
    """Jobs on their way to a folder of pictures; iterate for what becomes of them.

    Attributes:
        admitted: what the manifest came to.
        ledger: what became of every job until now.
    """

    def __init__(
        self,
        source: Source,
        out: Path,
        options: Options,
        *,
        retry_failed: bool = False,
        skip_bad: bool = False,
        force: bool = False,
        report: Report = lambda kind, line: None,
        tick: Any = lambda lines: None,
    ) -> None:
        """Checks every job and takes them into the ledger; nothing is made yet."""
        self.options, self.folder = options, out
        make_folder(out)
        self.ledger = Ledger(out)
        try:
            self.admitted: Admitted = admit(
                self.ledger, source, options.said(), skip_bad=skip_bad, force=force, tick=tick
            )
            self.gone = recover(self.ledger)
            self.retried = self.ledger.retry_failed() if retry_failed else 0
        except BaseException:
            self.ledger.close()
            raise
        self.run = Run(options.service(report), self.ledger, options.batch_size,
                       options.plans_at_a_time, write_thumbs)  # fmt: skip
        self._publisher = Publisher(self.ledger)

    def __iter__(self) -> Iterator[JobResult]:
        """What became of each job, as it ends; then, or when it is left off, all is written.

        Raises:
            SowError: if there is no model, or results cannot be written.
        """
        sweep(self.folder / OWN_FOLDER)
        try:
            for result in self.run:
                self._publisher.if_due()
                yield result
        finally:
            self._finish()

    def _finish(self) -> None:
        """Writes what is said of all pictures, and gives back what was not done."""
        admitted = self.admitted
        try:
            if self.run.ended or self.gone or admitted.changed or not self._publisher.there:
                self._publisher.now()
        finally:
            self.ledger.close()


def run_batch(
    jobs: str | Path | Iterable[TV2IJob | Mapping[str, Any]],
    out: str | Path,
    *,
    prompts: str | Path | None = None,
    defaults: Mapping[str, Any] | None = None,
    model: str = "auto",
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    planner: str | PlannerChoice = "offline",
    batch_size: int | None = None,
    retry_failed: bool = False,
    skip_bad: bool = False,
    force: bool = False,
    report: Report = lambda kind, line: None,
) -> Iterator[JobResult]:
    """Carries out jobs, and yields what becomes of each as it ends.

    All of them are checked before anything runs, by this call itself. The same call again goes on
    where the last one ended: finished jobs are not repeated, changed ones are.

    Args:
        jobs: a manifest (`.jsonl`, `.csv`, `.parquet`), a folder of pictures, or jobs.
        out: the folder of the pictures; made if it is not there.
        prompts: a file with a prompt per line, each for every picture of a folder.
        defaults: fields of `TV2IJob` for all jobs that do not say otherwise.
        model, revision, device, dtype, planner: as for `sow.Service`.
        batch_size: pictures in a call of the engine; None as many as fit.
        retry_failed: jobs that failed are tried again.
        skip_bad: lines that are wrong are left out, not refused.
        force: files in the way are replaced, and pictures of other options made again.
        report: is told what a person should know.

    Raises:
        BadManifest: if jobs are wrong, with all of their problems.
        SowError: for whatever else makes no sense.
    """
    chosen = planner if isinstance(planner, PlannerChoice) else PlannerChoice(planner)
    options = Options(model, revision, None, device, dtype, chosen, batch_size)
    source = source_of(jobs, prompts, defaults or {})
    return iter(Batch(source, Path(out), options, retry_failed=retry_failed, skip_bad=skip_bad,
                      force=force, report=report))  # fmt: skip


def source_of(
    jobs: str | Path | Iterable[TV2IJob | Mapping[str, Any]],
    prompts: str | Path | None,
    defaults: Mapping[str, Any],
) -> Source:
    """Where jobs come from.

    Raises:
        SowError: for a manifest that cannot be read.
    """
    if isinstance(jobs, (str, Path)):
        from sow.jobs.manifest import jobs_of, read_manifest

        manifest = read_manifest(Path(jobs), None if prompts is None else Path(prompts))
        said = json.dumps(defaults, sort_keys=True, default=str)
        return Source(
            lambda: jobs_of(manifest, defaults), manifest.folder.absolute(),
            repr(Path(jobs).name), digest_of(manifest.fingerprint(), said),
        )  # fmt: skip
    if prompts is not None:
        raise UsageError("prompts= goes with a folder of pictures", "leave it out")
    rows = (one if isinstance(one, TV2IJob) else {**defaults, **one} for one in jobs)
    return Source(lambda: listed(rows), Path.cwd(), "the jobs")


def make_folder(out: Path) -> None:
    """The folder of results.

    Raises:
        OutputError: if it cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the folder {str(out)!r} cannot be made ({error.strerror})", "give another out="
        ) from None


@contextmanager
def opened(folder: Path) -> Iterator[Ledger]:
    """The ledger of a batch that has run.

    Raises:
        OutputError: if none has, or it cannot be read.
    """
    if not ledger_path(folder).is_file():
        raise OutputError(f"no batch has run in {str(folder)!r}", "sow batch jobs.jsonl --out")
    with closing(Ledger(folder)) as ledger:
        yield ledger
