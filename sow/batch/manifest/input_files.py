"""Locate the input files of jobs, and fetch remote ones into a temporary cache."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sow.batch.manifest.job import TV2IJob
from sow.checkpoints.adapters import MAX_BYTES as ADAPTER_BYTES
from sow.errors import PictureError, SowError
from sow.pictures.loading import MAX_BYTES
from sow.plan.plan import MAX_PLAN_BYTES
from sow.planners.graph_spec import MAX_GRAPH_BYTES
from sow.storage.addresses import check_address, is_address, join_address, local_file_name

MAX_FILE_BYTES = {
    "image": MAX_BYTES,
    "mask": MAX_BYTES,
    "plan": MAX_PLAN_BYTES,
    "graph": MAX_GRAPH_BYTES,
    "lora": ADAPTER_BYTES["lora"],
    "embedding": ADAPTER_BYTES["embedding"],
}
"""The largest file in bytes, by the field that names it; local files have the same limits."""
MAX_IDLE_FILES, MAX_IDLE_BYTES = 64, 2**30
"""How many unused files the cache keeps, and their bytes: many jobs share a picture."""


def locate_files(job: TV2IJob, folder: str) -> dict[str, str]:
    """Return the paths or addresses of a job's files, by field name.

    Args:
        job: names its files relative to the folder, or by address.
        folder: the folder of the manifest: a path or an address.

    Raises:
        UsageError: if an address is invalid.
    """
    return {name: _locate(folder, file) for name, file in job.paths.items()}


def max_file_bytes(name: str) -> int:
    """Return the largest file in bytes for a name of `TV2IJob.paths`."""
    return MAX_FILE_BYTES[name.partition("-")[0]]


def _locate(folder: str, name: str) -> str:
    if is_address(folder):
        return join_address(folder, name)
    return check_address(name) if is_address(name) else str(Path(folder) / name)


@dataclass
class _CachedFile:
    """A remote file in the cache.

    Attributes:
        lock: held during the download, so that it happens once.
        users: how many jobs use it now.
        path: the local copy; None before the download.
        size: in bytes.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    path: Path | None = None
    size: int = 0


class InputFileCache:
    """Local copies of remote files, each fetched once and shared between jobs."""

    def __init__(self) -> None:
        """Create an empty cache; its folder is made when it is needed."""
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._fetched: OrderedDict[str, _CachedFile] = OrderedDict()
        self._lock, self._number, self._closed = threading.Lock(), 0, False

    @contextmanager
    def files(self, job: TV2IJob, folder: str) -> Iterator[Mapping[str, Path]]:
        """Yield the local paths of a job's files, by field name, valid inside the context.

        Raises:
            SowError: if a remote file cannot be fetched, or is too large.
        """
        with ExitStack() as stack:
            found = {}
            for name, address in locate_files(job, folder).items():
                remote = is_address(address)
                found[name] = (
                    stack.enter_context(self._fetched_file(address, max_file_bytes(name)))
                    if remote else Path(address)
                )  # fmt: skip
            yield found

    def close(self) -> None:
        """Remove all files; later downloads raise an error."""
        with self._lock:
            folder, self._folder, self._closed = self._folder, None, True
            self._fetched.clear()
        if folder is not None:
            folder.cleanup()

    @contextmanager
    def _fetched_file(self, address: str, max_bytes: int) -> Iterator[Path]:
        with self._lock:
            entry = self._fetched.setdefault(address, _CachedFile())
            entry.users += 1
            self._fetched.move_to_end(address)
        try:
            with entry.lock:
                if entry.path is None:
                    entry.path = self._fetch(address, max_bytes)
                    entry.size = entry.path.stat().st_size
            if entry.size > max_bytes:  # fetched for a field with a higher limit
                raise PictureError(f"{address!r} is too large", "give a smaller one")
            yield entry.path
        finally:
            with self._lock:
                entry.users -= 1
                self._evict()

    def _fetch(self, address: str, max_bytes: int) -> Path:
        from sow.storage.storage import storage_of

        with self._lock:
            if self._closed:  # by a planner thread that outlived the batch
                raise PictureError("the batch has ended", "run the same command to continue")
            self._folder = self._folder or tempfile.TemporaryDirectory(
                prefix="sow-", ignore_cleanup_errors=True
            )
            self._number += 1
            folder = Path(self._folder.name) / str(self._number)
        path = folder / local_file_name(address)  # outputs are named after it
        storage, name = storage_of(address, PictureError)
        folder.mkdir()
        try:
            storage.download(name, max_bytes, path)
        except SowError:
            path.unlink(missing_ok=True)
            raise
        return path

    def _evict(self) -> None:
        """Remove the least recently used idle files; called with the lock held."""
        idle = [address for address, entry in self._fetched.items() if not entry.users]
        idle_bytes = sum(self._fetched[address].size for address in idle)
        while idle and (len(idle) > MAX_IDLE_FILES or idle_bytes > MAX_IDLE_BYTES
                        or self._fetched[idle[0]].path is None):  # fmt: skip
            entry = self._fetched.pop(idle.pop(0))
            idle_bytes -= entry.size
            if entry.path is not None:
                shutil.rmtree(entry.path.parent, ignore_errors=True)
