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
from sow.plan.plan import LONGEST
from sow.planners.graph_spec import MAX_GRAPH_BYTES
from sow.storage.addresses import checked, file_name, is_address, joined

MOST = {"image": MAX_BYTES, "mask": MAX_BYTES, "plan": LONGEST, "graph": MAX_GRAPH_BYTES}
"""Bytes of a file, by the name of the field that names it: as much as is read of one here."""
KEPT, LARGEST_KEPT = 64, 2**30
"""Fetched files that nobody needs just now, and their bytes: many jobs share a picture."""


def addresses(job: TV2IJob, folder: str) -> dict[str, str]:
    """Of the files of a job, by the names of its fields.

    Raises:
        UsageError: if one is an address that cannot be used.
    """
    return {name: _seen_from(folder, getattr(job, name)) for name in job.paths}


def _seen_from(folder: str, name: str) -> str:
    if is_address(folder):
        return joined(folder, name)
    return checked(name) if is_address(name) else str(Path(folder) / name)


@dataclass
class _Fetched:
    """A file that was elsewhere.

    Attributes:
        lock: held while it is fetched, so that it is fetched once.
        users: how many need it.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    path: Path | None = None
    size: int = 0


class Larder:
    """Files from elsewhere, each fetched once for all who need it about the same time."""

    def __init__(self) -> None:
        """Nothing is there yet, not even a folder."""
        self._home: tempfile.TemporaryDirectory[str] | None = None
        self._fetched: OrderedDict[str, _Fetched] = OrderedDict()
        self._lock, self._number, self._closed = threading.Lock(), 0, False

    @contextmanager
    def files(self, job: TV2IJob, folder: str) -> Iterator[Mapping[str, Path]]:
        """The files of a job, by the names of its fields, here for as long as they are used.

        Raises:
            SowError: if one is elsewhere and cannot be had, or is too large.
        """
        with ExitStack() as stack:
            found = {}
            for name, address in addresses(job, folder).items():
                away = is_address(address)
                found[name] = (
                    stack.enter_context(self._here(address, MOST[name]))
                    if away else Path(address)
                )  # fmt: skip
            yield found

    def close(self) -> None:
        """Removes all of them."""
        with self._lock:
            home, self._home, self._closed = self._home, None, True
            self._fetched.clear()
        if home is not None:
            home.cleanup()

    @contextmanager
    def _here(self, address: str, most: int) -> Iterator[Path]:
        with self._lock:
            one = self._fetched.setdefault(address, _Fetched())
            one.users += 1
            self._fetched.move_to_end(address)
        try:
            with one.lock:
                if one.path is None:
                    one.path = self._fetch(address, most)
                    one.size = one.path.stat().st_size
            if one.size > most:  # fetched as a picture, and now it is a plan
                raise PictureError(f"{address!r} is too large here", "give a smaller one")
            yield one.path
        finally:
            with self._lock:
                one.users -= 1
                self._make_room()

    def _fetch(self, address: str, most: int) -> Path:
        from sow.storage.storage import storage_of

        with self._lock:
            if self._closed:  # a planner that nobody waits for any more
                raise PictureError("the batch has ended", "the same command goes on")
            self._home = self._home or tempfile.TemporaryDirectory(
                prefix="sow-", ignore_cleanup_errors=True
            )
            self._number += 1
            home = Path(self._home.name) / str(self._number)
        path = home / file_name(address)  # its own name: what is made of it is called after it
        storage, name = storage_of(address, PictureError)
        home.mkdir()
        try:
            storage.fetch(name, most, path)
        except SowError:
            path.unlink(missing_ok=True)
            raise
        return path

    def _make_room(self) -> None:
        """Lets go of what nobody has needed for longest; called with the lock held."""
        idle = [address for address, one in self._fetched.items() if not one.users]
        held = sum(self._fetched[address].size for address in idle)
        while idle and (len(idle) > KEPT or held > LARGEST_KEPT
                        or self._fetched[idle[0]].path is None):  # fmt: skip
            one = self._fetched.pop(idle.pop(0))
            held -= one.size
            if one.path is not None:
                shutil.rmtree(one.path.parent, ignore_errors=True)
