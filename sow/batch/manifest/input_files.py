"""Where the files of jobs are: names are seen from the manifest's folder, addresses stay.

What is elsewhere is fetched into a private folder of this machine while somebody needs it.
"""

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
from sow.errors import PictureError, SowError
from sow.pictures.loading import MAX_BYTES
from sow.plan.plan import MAX_PLAN_BYTES
from sow.planners.graph_spec import MAX_GRAPH_BYTES
from sow.storage.addresses import check_address, is_address, join_address, local_file_name

MAX_FILE_BYTES = {"image": MAX_BYTES, "mask": MAX_BYTES, "plan": MAX_PLAN_BYTES, "graph": MAX_GRAPH_BYTES}
"""Bytes of a file, by the name of the field that names it: as much as is read of one here."""
MAX_IDLE_FILES, MAX_IDLE_BYTES = 64, 2**30
"""Fetched files that nobody needs just now, and their bytes: many jobs share a picture."""


def locate_files(job: TV2IJob, folder: str) -> dict[str, str]:
    """Of the files of a job, by the names of its fields.

    Raises:
        UsageError: if one is an address that cannot be used.
    """
    return {name: _locate(folder, getattr(job, name)) for name in job.paths}


def _locate(folder: str, name: str) -> str:
    if is_address(folder):
        return join_address(folder, name)
    return check_address(name) if is_address(name) else str(Path(folder) / name)


@dataclass
class _CachedFile:
    """A file that was elsewhere.

    Attributes:
        lock: held while it is fetched, so that it is fetched once.
        users: how many need it.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    path: Path | None = None
    size: int = 0


class InputFileCache:
    """Files from elsewhere, each fetched once for all who need it about the same time."""

    def __init__(self) -> None:
        """Nothing is there yet, not even a folder."""
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._fetched: OrderedDict[str, _CachedFile] = OrderedDict()
        self._lock, self._number, self._closed = threading.Lock(), 0, False

    @contextmanager
    def files(self, job: TV2IJob, folder: str) -> Iterator[Mapping[str, Path]]:
        """The files of a job, by the names of its fields, here for as long as they are used.

        Raises:
            SowError: if one is elsewhere and cannot be had, or is too large.
        """
        with ExitStack() as stack:
            found = {}
            for name, address in locate_files(job, folder).items():
                remote = is_address(address)
                found[name] = (
                    stack.enter_context(self._fetched_file(address, MAX_FILE_BYTES[name]))
                    if remote else Path(address)
                )  # fmt: skip
            yield found

    def close(self) -> None:
        """Removes all of them."""
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
            if entry.size > max_bytes:  # fetched as a picture, and now it is a plan
                raise PictureError(f"{address!r} is too large here", "give a smaller one")
            yield entry.path
        finally:
            with self._lock:
                entry.users -= 1
                self._evict()

    def _fetch(self, address: str, max_bytes: int) -> Path:
        from sow.storage.storage import storage_of

        with self._lock:
            if self._closed:  # a planner that nobody waits for any more
                raise PictureError("the batch has ended", "the same command goes on")
            self._folder = self._folder or tempfile.TemporaryDirectory(
                prefix="sow-", ignore_cleanup_errors=True
            )
            self._number += 1
            folder = Path(self._folder.name) / str(self._number)
        path = folder / local_file_name(address)  # its own name: what is made of it is called after it
        storage, name = storage_of(address, PictureError)
        folder.mkdir()
        try:
            storage.download(name, max_bytes, path)
        except SowError:
            path.unlink(missing_ok=True)
            raise
        return path

    def _evict(self) -> None:
        """Lets go of what nobody has needed for longest; called with the lock held."""
        idle = [address for address, entry in self._fetched.items() if not entry.users]
        idle_bytes = sum(self._fetched[address].size for address in idle)
        while idle and (len(idle) > MAX_IDLE_FILES or idle_bytes > MAX_IDLE_BYTES
                        or self._fetched[idle[0]].path is None):  # fmt: skip
            entry = self._fetched.pop(idle.pop(0))
            idle_bytes -= entry.size
            if entry.path is not None:
                shutil.rmtree(entry.path.parent, ignore_errors=True)
