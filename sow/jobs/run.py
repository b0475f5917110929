"""A runner: takes jobs from the ledger and carries them out, each step while others go on.

Planning runs ahead of the engine, in threads of its own; the engine has the thread of whoever
iterates, and is never left waiting while something is ready; looking at what was made and writing
it happen beside both.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sow.errors import OutputError, SowError
from sow.jobs.batches import Buckets
from sow.jobs.engine import Engine, as_error
from sow.jobs.ledger import Claimed, Ledger
from sow.jobs.saving import Made, save
from sow.service.calling import Task

if TYPE_CHECKING:
    from sow.service.service import Service

POLL = 1.0
"""Seconds between looks at jobs that other runners have."""
SAVERS, UNSAVED = 2, 32
"""Threads that write, and how many pictures may wait for them."""


@dataclass(frozen=True)
class JobResult:
    """What became of a job.

    Attributes:
        files: of its pictures, all of them.
        error: why it failed, in a line; None if it is done.
        seconds: of the engine, for what was made of it now.
    """

    id: str
    line: int
    files: tuple[Path, ...] = ()
    error: str | None = None
    seconds: float = 0.0

    @property
    def done(self) -> bool:
        """Whether all of its pictures are there."""
        return self.error is None


@dataclass
class _Open:
    """A job at work: how many of its pictures are not on the disk yet."""

    claimed: Claimed
    left: int
    seconds: float = 0.0
    begun: bool = False


@dataclass
class Run:
    """The jobs of a ledger, carried out until none is left; iterate once.

    Attributes:
        extra: writes what belongs to a picture beside it, and says more of it.
        planners: how many plans are made at a time.
        waited: seconds in which the engine had nothing to do.
        ended: pictures that were written, and jobs that failed.
    """

    service: Service
    ledger: Ledger
    batch_size: int | None = None
    planners: int = 2
    extra: Callable[[Made, Path], dict[str, Any]] = lambda made, path: {}
    waited: float = 0.0
    ended: int = 0
    engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is taken yet."""
        self.engine = Engine(self.service, self.batch_size, self.ledger.pictures())
        self._preparing: dict[Future[list[Task]], Claimed] = {}
        self._saving: dict[Future[bool], Made] = {}
        self._ready: Buckets[tuple[Claimed, Task]] = Buckets()
        self._open: dict[str, _Open] = {}
        self._no_more = False

    def __iter__(self) -> Iterator[JobResult]:
        """Every job that this runner has ended, as it ends.

        Raises:
            OutputError: if results cannot be written any more; all jobs stay as they are.
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
                elif self._others_at_work():
                    time.sleep(POLL)
                else:
                    return
        finally:
            preparing.shutdown(wait=False, cancel_futures=True)
            saving.shutdown(wait=True)

    def _take(self, preparing: ThreadPoolExecutor) -> None:
        """Takes as many jobs as keep planners and engine busy, and begins to plan for them."""
        self.ledger.beat()
        size = max([1, *(self.engine.size_for(self._ready.first(kind)[1])
                         for kind in self._ready.kinds())])  # fmt: skip
        wanted = 2 * self.planners + 2 * size - len(self._preparing) - len(self._ready)
        taken = self.ledger.claim(wanted) if wanted > 0 else []
        self._no_more = not taken
        if not taken:
            return
        assert self.service.model  # what is wrong with the model is no job's fault
        for claimed in taken:
            self._open[claimed.job.id] = _Open(claimed, len(claimed.seeds))
            self._preparing[preparing.submit(self._prepared, claimed)] = claimed
        assert self.service.pipe  # loaded while the first plans are made

    def _prepared(self, claimed: Claimed) -> list[Task]:
        job = claimed.job
        work = self.service.work(job.request(claimed.folder), preset=job.preset,
                                 settings=job.settings, likeness=job.likeness)  # fmt: skip
        return [Task(work, seed) for seed in claimed.seeds]

    def _collected(self, timeout: float) -> Iterator[JobResult]:
        """What planners and writers have ended; waits for the first of them, if there is time."""
        going: list[Future[Any]] = [*self._preparing, *self._saving]
        ended = wait(going, timeout, FIRST_COMPLETED).done
        for planned in [one for one in self._preparing if one in ended]:
            claimed = self._preparing.pop(planned)
            try:
                for task in planned.result():
                    self.engine.size_for(task)
                    self._ready.add(task.kind, (claimed, task))
            except Exception as error:
                yield from self._failed(claimed, as_error(error))
        for written in [one for one in self._saving if one in ended]:
            yield from self._saved(self._saving.pop(written), written)

    def _batch(self) -> list[tuple[Claimed, Task]]:
        """Tasks for the next call: a full one, or what there is if no more is to come."""
        if len(self._saving) > UNSAVED:
            return []
        last = self._no_more and not self._preparing
        for kind in self._ready.kinds():
            size = self.engine.size_for(self._ready.first(kind)[1])
            if last or self._ready.count(kind) >= size:
                return self._ready.take(kind, size)
        return []

    def _made(
        self, batch: list[tuple[Claimed, Task]], saving: ThreadPoolExecutor
    ) -> Iterator[JobResult]:
        """Makes the pictures of a batch and hands them to the writers."""
        begun = {claimed.job.id for claimed, _ in batch}
        self.ledger.begin(name for name in begun if not self._open[name].begun)
        for name in begun:
            self._open[name].begun = True
        for number, made in self.engine.make([task for _, task in batch]):
            claimed, task = batch[number]
            if isinstance(made, SowError):
                yield from self._failed(claimed, made)
                continue
            finished = Made(claimed, task.work, task.seed, made)
            self._saving[saving.submit(save, finished, self.ledger, self.extra)] = finished

    def _saved(self, made: Made, future: Future[bool]) -> Iterator[JobResult]:
        try:
            kept = future.result()
        except OutputError:  # the folder's trouble, not the job's
            raise
        except Exception as error:
            yield from self._failed(made.claimed, as_error(error))
            return
        name, self.ended = made.claimed.job.id, self.ended + kept
        job = self._open.get(name)
        if job is None:  # another of its pictures has failed
            return
        job.left, job.seconds = job.left - 1, job.seconds + made.picture.seconds
        if not kept or job.left == 0:
            del self._open[name]
        if kept and job.left == 0:
            files = tuple(self.ledger.folder / file for file in made.claimed.job.files)
            yield JobResult(name, made.claimed.line, files, seconds=job.seconds)

    def _failed(self, claimed: Claimed, error: SowError) -> Iterator[JobResult]:
        """Notes a failure, once for a job."""
        if self._open.pop(claimed.job.id, None) is not None:
            self.ledger.fail(claimed, str(error))
            self.ended += 1
            yield JobResult(claimed.job.id, claimed.line, error=str(error))

    def _others_at_work(self) -> bool:
        counts = Counter(self.ledger.counts())
        return counts["running"] > 0 or counts["waiting"] > 0
