"""A runner: claims jobs and runs them, with all stages working at the same time.

Planning runs ahead of the engine, in its own threads. The engine runs in the caller's thread and
never waits while a task is ready. Pictures are checked and written in threads of their own.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sow.batch.ledger.ledger import ClaimedJob
from sow.batch.runners.buckets import Buckets
from sow.batch.runners.engine import Engine, as_error
from sow.batch.runners.job_queue import JobQueue
from sow.batch.runners.saving import ExtraFiles, GeneratedPicture, save
from sow.errors import OutputError, PlannerError, SowError
from sow.service.methods import SOW, Method
from sow.service.pipeline_calls import EngineTask
from sow.storage.errors import StorageUnavailable

if TYPE_CHECKING:
    from sow.service.service import Service

POLL = 1.0
"""Seconds to wait for futures, or for jobs that other runners hold."""
SAVE_THREADS, MAX_UNSAVED = 2, 32
"""Threads that write pictures, and how many pictures may wait for them."""
MAX_FAILED_PLANS = 20
"""Failed plans in a row after which the planner or the storage is at fault, and not the jobs."""


@dataclass(frozen=True)
class JobResult:
    """The result of a job.

    Attributes:
        line: its line in the manifest.
        files: all its pictures; addresses if they are not on this machine.
        error: why it failed, in one line; None if it is done.
        seconds: engine time of the pictures made in this run.
    """

    id: str
    line: int
    files: tuple[Path | str, ...] = ()
    error: str | None = None
    seconds: float = 0.0

    @property
    def done(self) -> bool:
        """Whether all its pictures exist."""
        return self.error is None


@dataclass(eq=False)
class _ActiveJob:
    """A claimed job.

    Attributes:
        remaining: the number of pictures that are not written yet.
        started: whether the engine has worked on it.
        ended: whether it is done, has failed or was lost to another runner; nothing more is made.
    """

    claimed: ClaimedJob
    remaining: int
    seconds: float = 0.0
    started: bool = False
    ended: bool = False


@dataclass
class JobRunner:
    """Runs the jobs of a queue until none is left; iterate once.

    Attributes:
        queue: where jobs are claimed and pictures recorded, such as a ledger.
        batch_size: pictures in a call of the engine; None for as many as fit.
        planners: how many plans are made at a time.
        extra_files: makes further files for a picture, such as thumbnails.
        waited: seconds in which the engine had nothing to do.
        method: what makes the pictures.
    """

    service: Service
    queue: JobQueue
    batch_size: int | None = None
    planners: int = 2
    extra_files: ExtraFiles = lambda picture, name: {}
    waited: float = 0.0
    method: Method = SOW
    engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        """Set up the stages; no job is claimed yet."""
        pictures = max(1, self.queue.num_pictures())
        self.engine = Engine(self.service, self.batch_size, pictures, self.method)
        self._planning: dict[Future[list[EngineTask]], _ActiveJob] = {}
        self._saving: dict[Future[bool], tuple[_ActiveJob, GeneratedPicture]] = {}
        self._ready: Buckets[tuple[_ActiveJob, EngineTask]] = Buckets()
        self._queue_empty, self._failed_plans = False, 0

    def __iter__(self) -> Generator[JobResult]:
        """Yield the result of each job as it ends.

        Raises:
            OutputError: if results cannot be written; unfinished jobs can be resumed.
            PlannerError: if many plans in a row fail.
        """
        planning, saving = ThreadPoolExecutor(self.planners), ThreadPoolExecutor(SAVE_THREADS)
        try:
            while True:
                self._claim_jobs(planning)
                yield from self._collect(timeout=0)
                batch = self._next_batch()
                if batch:
                    yield from self._generate(batch, saving)
                elif self._planning or self._saving:
                    started = time.monotonic()
                    yield from self._collect(timeout=POLL)
                    self.waited += time.monotonic() - started
                elif len(self._ready):
                    continue
                elif self.queue.others_running():
                    time.sleep(POLL)
                elif self._queue_empty:
                    return
        finally:
            planning.shutdown(wait=False, cancel_futures=True)
            saving.shutdown(wait=True)

    def _claim_jobs(self, planning: ThreadPoolExecutor) -> None:
        """Claim as many jobs as keep planners and engine busy, and start planning them."""
        self.queue.heartbeat()
        size = max([1, *(self.engine.batch_size_for(self._ready.first(key)[1])
                         for key in self._ready.waiting_keys())])  # fmt: skip
        limit = 2 * self.planners + 2 * size - len(self._planning) - len(self._ready)
        claimed_jobs = self.queue.claim(limit) if limit > 0 else []
        self._queue_empty = not claimed_jobs
        if not claimed_jobs:
            return
        model = self.service.model  # loaded here, so that its errors end the run and fail no job
        self.queue.record_model(f"{model.name} ({model.revision})")
        # Planners need transformers too, which several threads cannot import at the same time.
        import_module("sow.pipeline.pipeline")
        for claimed in claimed_jobs:
            future = planning.submit(self._plan_tasks, claimed)
            self._planning[future] = _ActiveJob(claimed, len(claimed.seeds))
        _ = self.method.denoiser(self.service.pipe)  # loaded while the first plans are made

    def _plan_tasks(self, claimed: ClaimedJob) -> list[EngineTask]:
        job = claimed.job
        with self.queue.input_files(claimed) as files:
            spec = self.method.resolve(self.service, job.request(files))
        shares_prefix = len(claimed.job.seeds) > 1
        return [EngineTask(spec, seed, shares_prefix) for seed in claimed.seeds]

    def _collect(self, timeout: float) -> Iterator[JobResult]:
        """Handle finished plans and saves; wait up to `timeout` seconds for the first."""
        pending: list[Future[Any]] = [*self._planning, *self._saving]
        done = wait(pending, timeout, FIRST_COMPLETED).done
        for planning in [future for future in self._planning if future in done]:
            yield from self._handle_plan(self._planning.pop(planning), planning)
        for saving in [future for future in self._saving if future in done]:
            yield from self._handle_saved(*self._saving.pop(saving), saving)

    def _handle_plan(
        self, job: _ActiveJob, future: Future[list[EngineTask]]
    ) -> Iterator[JobResult]:
        try:
            tasks = self.engine.measured(future.result())
            for task in tasks:
                self.engine.batch_size_for(task)
        except Exception as error:
            if isinstance(error, (PlannerError, StorageUnavailable)):
                self._failed_plans += 1
                if self._failed_plans >= MAX_FAILED_PLANS:
                    what = f"{MAX_FAILED_PLANS} plans in a row failed: {error.what}"
                    hint = f"{error.hint}; then give retry_failed=True"
                    raise type(error)(what, hint) from None
            yield from self._fail(job, as_error(error))
            return
        self._failed_plans = 0
        for task in tasks:
            self._ready.add(task.batch_key, (job, task))

    def _next_batch(self) -> list[tuple[_ActiveJob, EngineTask]]:
        """Return tasks for the next call: a full batch, or a smaller one if no more are coming."""
        if len(self._saving) > MAX_UNSAVED:
            return []
        keys = self._ready.waiting_keys()
        sizes = {key: self.engine.batch_size_for(self._ready.first(key)[1]) for key in keys}
        full = [key for key in keys if self._ready.count(key) >= sizes[key]]
        if not full and not (self._queue_empty and not self._planning):
            return []
        for key in full or keys:
            batch = self._ready.take(key, sizes[key])
            if active := [(job, task) for job, task in batch if not job.ended]:
                return active
        return []

    def _generate(
        self, batch: list[tuple[_ActiveJob, EngineTask]], saving: ThreadPoolExecutor
    ) -> Iterator[JobResult]:
        """Make the pictures of a batch and submit them to the save threads."""
        new_jobs = {job.claimed.job.id: job for job, _ in batch if not job.started}
        self.queue.mark_started(new_jobs)
        for job in new_jobs.values():
            job.started = True
        results = self.engine.generate([task for _, task in batch])
        for (job, task), result in zip(batch, results, strict=True):
            if isinstance(result, SowError):
                yield from self._fail(job, result)
                continue
            picture = GeneratedPicture(job.claimed, task.spec, task.seed, result)
            future = saving.submit(save, picture, self.queue, self.extra_files)
            self._saving[future] = (job, picture)

    def _handle_saved(
        self, job: _ActiveJob, picture: GeneratedPicture, future: Future[bool]
    ) -> Iterator[JobResult]:
        try:
            recorded = future.result()
        except OutputError:  # concerns all jobs
            raise
        except Exception as error:
            yield from self._fail(job, as_error(error))
            return
        job.ended = job.ended or not recorded
        job.remaining, job.seconds = job.remaining - 1, job.seconds + picture.picture.seconds
        if job.remaining == 0 and not job.ended:
            job.ended, claimed = True, job.claimed
            files = tuple(self.queue.address(file) for file in claimed.job.files)
            yield JobResult(claimed.job.id, claimed.line, files, seconds=job.seconds)

    def _fail(self, job: _ActiveJob, error: SowError) -> Iterator[JobResult]:
        """Record that a job failed, once, if this runner still holds it."""
        if not job.ended:
            job.ended, claimed = True, job.claimed
            if self.queue.fail(claimed, str(error)):
                yield JobResult(claimed.job.id, claimed.line, error=str(error))
