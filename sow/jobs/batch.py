"""`sow.run_batch`: many jobs, their results as they come; the same call again goes on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sow.errors import OutputError, PlannerError, UsageError
from sow.files import sweep
from sow.jobs.admission import OURS, admit, digest_of, recover
from sow.jobs.checking import Admitted, Source
from sow.jobs.gallery import HOME
from sow.jobs.job import TV2IJob
from sow.jobs.ledger import Ledger
from sow.jobs.manifest import jobs_of, listed, read_manifest
from sow.jobs.publishing import THUMBS, Publisher, thumbs
from sow.jobs.run import JobResult, Run
from sow.jobs.schema import OWN_FOLDER, ledger_path
from sow.kinds import check_kind
from sow.planners.mllm.vendors.table import make_asker
from sow.service.asking import PlannerChoice
from sow.service.methods import SOW, Method
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
        method: who draws the pictures; benchmarks compare SOW with others.
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
    method: Method = SOW

    def service(self, report: Report) -> Service:
        """The service that makes the pictures."""
        return Service(
            self.model, revision=self.revision, config=self.config, device=self.device,
            dtype=self.dtype, planner=self.planner, report=report,
            agree=lambda line: self.agree_to_all,
        )  # fmt: skip

    def said(self) -> dict[str, Any]:
        """What of them changes pictures: a folder is made with one of each."""
        asked = self.planner
        return {
            "model": self.model, "revision": self.revision, "config": self.config,
            "dtype": self.dtype, "planner": asked.name, "planner_model": asked.planner_model,
            "base_url": asked.base_url, "planner_calls": asked.planner_calls,
            "prompts": None if asked.prompts is None else str(asked.prompts),
            "method": self.method.said,
        }  # fmt: skip

    def settled(self) -> Options:
        """The same with a planner that is named: who is asked does not change on the way.

        Raises:
            PlannerError: if the one that was named cannot be asked.
        """
        choice, vendor = self.planner, self.planner.vendor()
        choice.check()
        if vendor is None:
            return replace(self, planner=replace(choice, name="offline"))
        try:
            host = make_asker(vendor, choice.planner_model, choice.base_url).host
        except PlannerError:
            if choice.name != "auto" and not choice.fallback:
                raise
            return replace(self, planner=replace(choice, name="offline"))
        if choice.name == "auto" and not choice.base_url and not choice.consent(vendor, host):
            return replace(self, planner=replace(choice, name="offline"))
        return replace(self, planner=replace(choice, name=vendor))

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
        failed: at the end, how many jobs have failed, now or before.
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
        options = options.settled()
        self.options, self.folder, self.failed = options, out, 0
        service = options.service(report)
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
        self.run = Run(service, self.ledger, options.batch_size, options.plans_at_a_time,
                       thumbs, method=options.method)  # fmt: skip
        self._publisher = Publisher(self.ledger)

    def __iter__(self) -> Iterator[JobResult]:
        """What became of each job, as it ends; then, or when it is left off, all is written.

        Raises:
            SowError: if there is no model, or results cannot be written.
        """
        for name in ("", OWN_FOLDER, THUMBS, HOME):
            sweep(self.folder / name)
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
        prompts_file: a file with a prompt per line, each for every picture of a folder.
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
    source = source_of(jobs, prompts_file, defaults or {}, Path(out))
    return iter(Batch(source, Path(out), options, retry_failed=retry_failed, skip_bad=skip_bad,
                      force=force, report=report))  # fmt: skip


def source_of(
    jobs: str | Path | Iterable[TV2IJob | Mapping[str, Any]],
    prompts: str | Path | None,
    defaults: Mapping[str, Any],
    out: Path,
) -> Source:
    """Where jobs come from.

    Raises:
        SowError: for a manifest that cannot be read, or would be written over.
    """
    if not isinstance(jobs, (str, Path)):
        check_kind("jobs", jobs, (Iterable,), "a file of jobs, or a list of them")
        if prompts is not None:
            raise UsageError("prompts_file= goes with a folder of pictures", "leave it out")
        return Source(lambda: listed(jobs, defaults), str(Path.cwd()), "the jobs")
    manifest = read_manifest(Path(jobs), None if prompts is None else Path(prompts))
    if manifest.pictures is not None and same_file(manifest.path, out):
        raise UsageError("the results would be taken for pictures", "give another out=")
    if any(same_file(file, out / name) for file in (Path(jobs), manifest.contents)
           for name in OURS):  # fmt: skip
        raise UsageError(f"{str(jobs)!r} would be written over", "give another out=")
    folder = str(manifest.folder.absolute())
    if not folder.isprintable() or not _is_text(folder):
        raise UsageError(f"{folder!r} is no text", "move the jobs to another folder")
    said = json.dumps(defaults, sort_keys=True, default=str)
    fingerprint = digest_of(manifest.fingerprint(), said, folder)
    return Source(lambda: jobs_of(manifest, defaults), folder, repr(Path(jobs).name), fingerprint)


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to the same file, if they lead anywhere."""
    with suppress(OSError, ValueError):
        return one.samefile(other)
    return False


def _is_text(name: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def make_folder(out: Path) -> None:
    """The folder of results.

    Raises:
        OutputError: if it cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise OutputError(
            f"the folder {str(out)!r} cannot be made ({why})", "give another out="
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
