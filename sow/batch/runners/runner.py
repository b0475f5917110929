"""A runner: fetches jobs and carries them out, each step while others go on.

Planning runs ahead of the engine, in threads of its own; the engine has the thread of whoever
iterates, and is never left waiting while something is ready; looking at what was made and writing
it happen beside both.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sow.batch.ledger.ledger import ClaimedJob
from sow.batch.runners.buckets import Buckets
from sow.batch.runners.engine import Engine, as_error
from sow.batch.runners.job_queue import JobQueue
from sow.batch.runners.saving import ExtraFiles, GeneratedPicture, save
from sow.errors import OutputError, PlannerError, SowError
from sow.service.pipeline_calls import EngineTask
from sow.service.methods import SOW, Method
from sow.storage.errors import StorageUnavailable

if TYPE_CHECKING:
    from sow.service.service import Service

POLL = 1.0
"""Seconds between looks at jobs that other runners have."""
SAVERS, UNSAVED = 2, 32
"""Threads that write, and how many pictures may wait for them."""
IN_A_ROW = 20
"""So many plans that fail one after another are the planner's trouble, or that of the storage where
the pictures are, and not the jobs'."""


@dataclass(frozen=True)
class JobResult:
    """What became of a job.

    Attributes:
        files: of its pictures, all of them; addresses if they are not on this machine.
        error: why it failed, in a line; None if it is done.
        seconds: of the engine, for what was made of it now.
    """

    id: str
    line: int
    files: tuple[Path | str, ...] = ()
    error: str | None = None
    seconds: float = 0.0

    @property
    def done(self) -> bool:
        """Whether all of its pictures are there."""
        return self.error is None


@dataclass(eq=False)
class _Open:
    """A job at work.

    Attributes:
        left: pictures that are not on the disk yet.
        begun: the engine has had some of it.
        over: it has failed, or is somebody else's by now: nothing more is made of it.
    """

    claimed: ClaimedJob
    left: int
    seconds: float = 0.0
    begun: bool = False
    over: bool = False


@dataclass
class JobRunner:
    """The jobs of a ledger, carried out until none is left; iterate once.

    Attributes:
        desk: where jobs are fetched and pictures handed in, such as a ledger.
        extra: files that belong to a picture.
        planners: how many plans are made at a time.
        waited: seconds in which the engine had nothing to do.
        method: who draws the pictures.
    """

    service: Service
    desk: JobQueue
    batch_size: int | None = None
    planners: int = 2
    extra: ExtraFiles = lambda made, name: {}
    waited: float = 0.0
    method: Method = SOW
    engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is taken yet."""
        pictures = max(1, self.desk.num_pictures())
        self.engine = Engine(self.service, self.batch_size, pictures, self.method)
        self._preparing: dict[Future[list[EngineTask]], _Open] = {}
        self._saving: dict[Future[bool], tuple[_Open, GeneratedPicture]] = {}
        self._ready: Buckets[tuple[_Open, EngineTask]] = Buckets()
        self._no_more, self._unplanned = False, 0

    def __iter__(self) -> Generator[JobResult]:
        """Every job that this runner has ended, as it ends.

        Raises:
            OutputError: if results cannot be written any more; all jobs stay as they are.
            PlannerError: if no plan is made any more.
        """
        preparing, saving = ThreadPoolExecutor(self.planners), ThreadPoolExecutor(SAVERS)
        try:
            while True:
                self._take(preparing)
                yield from self._collected(timeout=0)
                batch = self._batch()
                if batch:
                    yield from self._made(batch, saving)
                elif self._preparing or self._saving:
                    started = time.monotonic()
                    yield from self._collected(timeout=POLL)
                    self.waited += time.monotonic() - started
                elif len(self._ready):
                    continue
                elif self.desk.others_running():
                    time.sleep(POLL)
                elif self._no_more:
                    return
        finally:
            preparing.shutdown(wait=False, cancel_futures=True)
            saving.shutdown(wait=True)

    def _take(self, preparing: ThreadPoolExecutor) -> None:
        """Takes as many jobs as keep planners and engine busy, and begins to plan for them."""
        self.desk.heartbeat()
        size = max([1, *(self.engine.size_for(self._ready.first(kind)[1])
                         for kind in self._ready.kinds())])  # fmt: skip
        wanted = 2 * self.planners + 2 * size - len(self._preparing) - len(self._ready)
        taken = self.desk.claim(wanted) if wanted > 0 else []
        self._no_more = not taken
        if not taken:
            return
        model = self.service.model  # what is wrong with the model is no job's fault
        self.desk.record_model(f"{model.name} ({model.revision})")
        for claimed in taken:
            future = preparing.submit(self._prepared, claimed)
            self._preparing[future] = _Open(claimed, len(claimed.seeds))
        _ = self.method.denoiser(self.service.pipe)  # loaded while the first plans are made

    def _prepared(self, claimed: ClaimedJob) -> list[EngineTask]:
        job = claimed.job
        with self.desk.input_files(claimed) as files:
            spec = self.method.resolve(self.service, job.request(files), preset=job.preset,
                                    settings=job.settings, likeness=job.likeness)  # fmt: skip
        several = len(claimed.job.seeds) > 1
        return [EngineTask(spec, seed, several) for seed in claimed.seeds]

    def _collected(self, timeout: float) -> Iterator[JobResult]:
        """What planners and writers have ended; waits for the first of them, if there is time."""
        going: list[Future[Any]] = [*self._preparing, *self._saving]
        ended = wait(going, timeout, FIRST_COMPLETED).done
        for planned in [one for one in self._preparing if one in ended]:
            yield from self._planned(self._preparing.pop(planned), planned)
        for written in [one for one in self._saving if one in ended]:
            yield from self._saved(*self._saving.pop(written), written)

    def _planned(self, job: _Open, future: Future[list[EngineTask]]) -> Iterator[JobResult]:
        try:
            tasks = future.result()
            for task in tasks:
                self.engine.size_for(task)
        except Exception as error:
            if isinstance(error, (PlannerError, StorageUnavailable)):
                self._unplanned += 1
                if self._unplanned >= IN_A_ROW:
                    what = f"{IN_A_ROW} plans in a row failed: {error.what}"
                    hint = f"{error.hint}; then give retry_failed=True"
                    raise type(error)(what, hint) from None
            yield from self._failed(job, as_error(error))
            return
        self._unplanned = 0
        for task in tasks:
            self._ready.add(task.kind, (job, task))

    def _batch(self) -> list[tuple[_Open, EngineTask]]:
        """Tasks for the next call: a full one, or what there is if no more is to come."""
        if len(self._saving) > UNSAVED:
            return []
        kinds = self._ready.kinds()
        sizes = {kind: self.engine.size_for(self._ready.first(kind)[1]) for kind in kinds}
        full = [kind for kind in kinds if self._ready.count(kind) >= sizes[kind]]
        if not full and not (self._no_more and not self._preparing):
            return []
        for kind in full or kinds:
            batch = self._ready.take(kind, sizes[kind])
            if wanted := [(job, task) for job, task in batch if not job.over]:
                return wanted
        return []

    def _made(
        self, batch: list[tuple[_Open, EngineTask]], saving: ThreadPoolExecutor
    ) -> Iterator[JobResult]:
        """Makes the pictures of a batch and hands them to the writers."""
        fresh = {job.claimed.job.id: job for job, _ in batch if not job.begun}
        self.desk.mark_started(fresh)
        for job in fresh.values():
            job.begun = True
        for number, made in self.engine.make([task for _, task in batch]):
            job, task = batch[number]
            if isinstance(made, SowError):
                yield from self._failed(job, made)
                continue
            finished = GeneratedPicture(job.claimed, task.spec, task.seed, made)
            self._saving[saving.submit(save, finished, self.desk, self.extra)] = (job, finished)

    def _saved(self, job: _Open, made: GeneratedPicture, future: Future[bool]) -> Iterator[JobResult]:
        try:
            kept = future.result()
        except OutputError:  # the folder's trouble, not the job's
            raise
        except Exception as error:
            yield from self._failed(job, as_error(error))
            return
        job.over = job.over or not kept
        job.left, job.seconds = job.left - 1, job.seconds + made.picture.seconds
        if job.left == 0 and not job.over:
            job.over, claimed = True, job.claimed
            files = tuple(self.desk.address(file) for file in claimed.job.files)
            yield JobResult(claimed.job.id, claimed.line, files, seconds=job.seconds)

    def _failed(self, job: _Open, error: SowError) -> Iterator[JobResult]:
        """Notes a failure, once for a job, if it is this runner's still."""
        if not job.over:
            job.over, claimed = True, job.claimed
            if self.desk.fail(claimed, str(error)):
                yield JobResult(claimed.job.id, claimed.line, error=str(error))
