"""Memory of a run compared with the UNet alone in the same batch.

Two measures. Tensors: the most bytes that tensors of this thread held at a time, seen by their
storages; it is the same on every machine, and does not see what an operation needs inside. The
device: on a GPU what torch's allocator gave out, on Linux' CPUs the most of the process's memory.
"""

from __future__ import annotations

import ctypes
import gc
import weakref
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sow.benchmarks.speed.subject import Subject
from sow.benchmarks.speed.tables import Cell, Section, Table
from sow.benchmarks.speed.timing import Operation

MIB = 2**20
STATUS, MARK = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Live(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no types for it
    """While open, counts the bytes of live tensors.

    Attributes:
        most: at a time.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.most = 0
        self._now = 0
        self._seen: dict[int, int] = {}

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        given = operation(*args, **(kwargs or {}))
        for tensor in tree_leaves(given):
            if isinstance(tensor, torch.Tensor):
                self._see(tensor.untyped_storage())
        return given

    def _see(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, int(storage.nbytes())
        if key in self._seen:
            return
        self._seen[key] = size
        self._now += size
        self.most = max(self.most, self._now)
        weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self._now -= self._seen.pop(key, 0)


def live_bytes(work: Operation) -> int:
    """Return the peak bytes of the tensors made by some work."""
    live = Live()
    with live:
        work()
    return live.most


@dataclass(frozen=True)
class Peak:
    """The peak memory of a device during some work, in bytes.

    Attributes:
        before: what was taken already: weights, and on a CPU the program itself.
        more: what came to that.
    """

    before: int
    more: int

    @property
    def total(self) -> int:
        """Both together."""
        return self.before + self.more


def peak_of(work: Operation, device: torch.device) -> Peak | None:
    """Return the peak memory of some work; None on devices other than CUDA and Linux CPUs."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        torch.cuda.synchronize(device)
        return Peak(before, torch.cuda.max_memory_allocated(device) - before)
    if device.type != "cpu" or not MARK.exists():
        return None
    with suppress(OSError, AttributeError):  # what was freed goes back to the system
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    MARK.write_text("5")  # reset the high-water mark
    before = _status("VmRSS")
    work()
    return Peak(before, _status("VmHWM") - before)


def _status(name: str) -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def memory(subject: Subject, repeats: int) -> Section:
    """Measure a run against the UNet alone, by batch size."""
    weights = sum(
        part.numel() * part.element_size()
        for module in subject.pipe.components.values()
        if isinstance(module, torch.nn.Module)
        for part in module.parameters()
    )
    subject.picture()()  # whatever the first use keeps
    rows = [_row(subject, size, repeats) for size in subject.sizes]
    caption = (
        f"MiB beside the loaded model, whose weights take {weights / MIB:.0f}. The bare UNet is "
        "given its largest call of the run. In all: with what was taken before. Beside a single "
        "picture of a small model the autoencoder needs more than the UNet."
    )
    columns = (
        "pictures in a call",
        "tensors of the bare UNet",
        "tensors of the run",
        "run / bare, tensors",
        "memory of the bare UNet",
        "memory of the run",
        "run / bare, memory",
        "run / bare, in all",
    )
    return Section("memory", "Memory", [Table(columns, rows, caption)])


def _row(subject: Subject, size: int, repeats: int) -> list[Cell]:
    shapes = subject.shapes(count=size)
    works = [
        subject.unet(max(shapes, key=lambda shape: shape[0] * shape[2] * shape[3])),
        subject.picture(count=size),
    ]
    live = [live_bytes(work) / MIB for work in works]
    peaks = [_least(work, subject.device, repeats) for work in works]
    if peaks[0] is None or peaks[1] is None:
        return [size, *live, live[1] / live[0], None, None, None, None]
    bare, run = peaks[0], peaks[1]
    return [
        size,
        *live,
        live[1] / live[0],
        bare.more / MIB,
        run.more / MIB,
        run.more / bare.more,
        run.total / bare.total,
    ]


def _least(work: Operation, device: torch.device, repeats: int) -> Peak | None:
    """Return the smallest of several peaks: what the work really needs."""
    goes = [peak_of(work, device) for _ in range(repeats)]
    return min(
        (peak for peak in goes if peak is not None), key=lambda peak: peak.more, default=None
    )
