"""The engine of a runner: makes pictures in batches; errors stay with the pictures they concern."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sow.batch.runners.buckets import balanced_batch_size
from sow.errors import SowError
from sow.models.devices import is_out_of_memory
from sow.service.batching import BatchLimit, picture_too_large, run_in_batches
from sow.service.methods import SOW, Method
from sow.service.pipeline_calls import EngineTask, make_batch, text_tokens_of
from sow.service.results import Picture

if TYPE_CHECKING:
    from sow.service.service import Service


class Engine:
    """Makes the pictures of many jobs in few calls of the pipeline.

    Attributes:
        busy: seconds that all calls took.
        calls: the number of calls.
    """

    def __init__(
        self, service: Service, batch_size: int | None, num_pictures: int, method: Method = SOW
    ) -> None:
        """Prepare an engine.

        Args:
            batch_size: pictures in a call; None for as many as fit.
            num_pictures: how many pictures the whole batch has.
            method: what makes the pictures.
        """
        self._service, self._batch_size, self._num_pictures = service, batch_size, num_pictures
        self._method = method
        self._limits: dict[object, BatchLimit] = {}
        self.busy, self.calls = 0.0, 0

    def measured(self, tasks: Sequence[EngineTask]) -> list[EngineTask]:
        """Return the tasks of one job with the lengths of their texts."""
        if not self._method.engine:
            return list(tasks)
        lengths = text_tokens_of(self._service.pipe, tasks[0].spec)
        return [replace(task, text_tokens=lengths) for task in tasks]

    def batch_size_for(self, task: EngineTask) -> int:
        """Return how many tasks like this one go into a call.

        Raises:
            DeviceError: if a single one does not fit into memory.
        """
        if task.batch_key not in self._limits:
            self._limits[task.batch_key] = BatchLimit(self._estimate_batch_size(task))
        return self._limits[task.batch_key].size

    def _estimate_batch_size(self, task: EngineTask) -> int:
        from sow.models.memory import max_batch_size

        if self._batch_size is not None:
            return self._batch_size
        canvas, branches = task.spec.plan.canvas, self._method.branches(task.spec)
        limit = max_batch_size(self._service.pipe, canvas, branches, self._num_pictures)
        return balanced_batch_size(limit, self._num_pictures)

    def generate(self, tasks: Sequence[EngineTask]) -> Iterator[Picture | SowError]:
        """Yield the picture of each task, or its error; all tasks have the same `batch_key`.

        If a call fails, its tasks are tried one by one, so that none fails because of another. If
        memory runs out, their batches are half as large from then on.
        """
        self.batch_size_for(tasks[0])
        limit = self._limits[tasks[0].batch_key]
        device = self._service.pipe.device
        yield from run_in_batches(tasks, limit, self._call, device, padded=True)

    def _call(self, tasks: Sequence[EngineTask]) -> Sequence[Picture | SowError]:
        size = self.batch_size_for(tasks[0])
        try:
            return self._timed_call(tasks, size)
        except Exception as error:
            if is_out_of_memory(error):
                if size > 1:
                    raise
                return [picture_too_large(self._service.pipe.device)]
            if len(tasks) > 1:
                return [result for task in tasks for result in self._call([task])]
            return [as_error(error)]

    def _timed_call(self, tasks: Sequence[EngineTask], size: int) -> list[Picture]:
        started = time.monotonic()
        self.calls += 1
        try:
            pipe, model = self._service.pipe, self._service.model
            prefix_cache = self._service.prefix_cache
            return make_batch(pipe, model, tasks, size, self._method, prefix_cache)
        finally:
            self.busy += time.monotonic() - started


def as_error(error: Exception) -> SowError:
    """Return any error as a one-line `SowError`, which fails one job and not the run."""
    if isinstance(error, SowError):
        return error
    return SowError(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
