"""The engine of a runner: one call after another, whatever goes wrong in one of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sow.batch.runners.buckets import balanced_batch_size
from sow.errors import DeviceError, SowError
from sow.models.devices import out_of_memory
from sow.service.pipeline_calls import EngineTask, make_batch
from sow.service.methods import SOW, Method
from sow.service.results import Picture

if TYPE_CHECKING:
    from sow.service.service import Service


class Engine:
    """Makes pictures of many works in few calls.

    Attributes:
        busy: seconds of all calls.
        calls: how many there were.
    """

    def __init__(
        self, service: Service, size: int | None, pictures: int, method: Method = SOW
    ) -> None:
        """size: of batches, None as many as fit; pictures: how many are to be made in all."""
        self._service, self._size, self._pictures = service, size, pictures
        self._method = method
        self._sizes: dict[object, int] = {}
        self.busy, self.calls = 0.0, 0

    def size_for(self, task: EngineTask) -> int:
        """How many tasks like this one go into a call.

        Raises:
            DeviceError: if not even one does.
        """
        if task.kind not in self._sizes:
            self._sizes[task.kind] = self._fitting(task)
        return self._sizes[task.kind]

    def _fitting(self, task: EngineTask) -> int:
        from sow.models.memory import pictures_at_once

        if self._size is not None:
            return self._size
        canvas, branches = task.spec.plan.canvas, self._method.branches(task.spec)
        room = pictures_at_once(self._service.pipe, canvas, branches, self._pictures)
        return balanced_batch_size(room, self._pictures)

    def make(self, tasks: Sequence[EngineTask]) -> Iterator[tuple[int, Picture | SowError]]:
        """A picture for each task, or why there is none, with its number.

        What fails together is tried one by one, so that nobody fails for a neighbour; where memory
        does not suffice, batches are half as large from then on.
        """
        left = list(enumerate(tasks))
        while left:
            some = left[: self.size_for(left[0][1])]
            try:
                made: Sequence[Picture | SowError] = self._call([task for _, task in some])
            except MemoryError:
                continue  # smaller by now
            left = left[len(some) :]
            yield from zip([number for number, _ in some], made, strict=True)

    def _call(self, tasks: Sequence[EngineTask]) -> Sequence[Picture | SowError]:
        size = self.size_for(tasks[0])
        try:
            return self._timed(tasks, size)
        except Exception as error:
            if out_of_memory(error):
                return self._smaller(tasks, size)
            if len(tasks) > 1:
                return [one for task in tasks for one in self._call([task])]
            return [as_error(error)]

    def _timed(self, tasks: Sequence[EngineTask], size: int) -> list[Picture]:
        started = time.monotonic()
        self.calls += 1
        try:
            pipe, model = self._service.pipe, self._service.model
            begun = self._service.prefix_cache
            return make_batch(pipe, model, tasks, size, self._method, begun)
        finally:
            self.busy += time.monotonic() - started

    def _smaller(self, tasks: Sequence[EngineTask], size: int) -> Sequence[SowError]:
        if size == 1:
            device = self._service.pipe.device
            return [DeviceError(f"{device} has too little memory for this picture",
                                "try dtype=float16, a smaller canvas= or device=cpu")]  # fmt: skip
        self._sizes[tasks[0].kind] = size // 2
        raise MemoryError


def as_error(error: Exception) -> SowError:
    """Whatever went wrong, in a line: one job's trouble does not end the others."""
    if isinstance(error, SowError):
        return error
    return SowError(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
