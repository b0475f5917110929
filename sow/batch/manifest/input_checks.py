"""Whether the files that jobs name are there, many questions at a time where they are elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path

from sow.batch.manifest.input_files import MAX_FILE_BYTES, locate_files
from sow.batch.manifest.job import TV2IJob
from sow.errors import SowError
from sow.storage.addresses import is_address

MAX_CONCURRENT = 32
"""Questions to storages."""
CHUNK = 1000

NumberedJob = tuple[int, TV2IJob | SowError]


class InputFileChecker:
    """Looks for the files of jobs that are seen from one folder."""

    def __init__(self, folder: str, needs_check: Callable[[TV2IJob], bool]) -> None:
        """wanted: whether the files of a job are looked for at all."""
        self._folder, self._needs_check = folder, needs_check
        self._answers: dict[tuple[str, str], str | None] = {}
        self._pool: ThreadPoolExecutor | None = None

    def close(self) -> None:
        """Asks no more."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def prefetched(self, lines: Iterable[NumberedJob]) -> Iterator[NumberedJob]:
        """The same lines, a chunk at a time, of which is asked what is elsewhere.

        Raises:
            StorageUnavailable: if a storage does not answer.
        """
        rest = iter(lines)
        while chunk := list(islice(rest, CHUNK)):
            self._check_remote_files(job for _, job in chunk if isinstance(job, TV2IJob))
            yield from chunk

    def find_problem(self, job: TV2IJob) -> str | None:
        """What of the files of a job is not there, or cannot be used."""
        try:
            named = locate_files(job, self._folder)
        except SowError as error:
            return str(error)
        for name, address in named.items():
            problem = f"there is no {name} {getattr(job, name)[:200]!r}"
            if is_address(address):
                answer = self._answers.get((name, address), "")
                if answer is not None:
                    return answer or problem
            elif not _exists(address):
                return problem
        return None

    def _check_remote_files(self, jobs: Iterable[TV2IJob]) -> None:
        needs_check = dict.fromkeys(
            (name, address) for job in jobs for name, address in self._remote_files(job).items()
        )
        known = {entry: self._answers[entry] for entry in needs_check if entry in self._answers}
        new = [entry for entry in needs_check if entry not in known]
        self._answers = known  # of the chunk before only what this one asks for again is kept
        if new:
            self._pool = self._pool or ThreadPoolExecutor(MAX_CONCURRENT)
            self._answers.update(zip(new, self._pool.map(_check_remote_file, new), strict=True))

    def _remote_files(self, job: TV2IJob) -> dict[str, str]:
        with suppress(SowError):  # is said of its line
            found = locate_files(job, self._folder).items()
            remote = {name: address for name, address in found if is_address(address)}
            return remote if remote and self._needs_check(job) else {}
        return {}


def _check_remote_file(entry: tuple[str, str]) -> str | None:
    """What is wrong with a file that is elsewhere; empty if it is not there."""
    from sow.storage.errors import StorageUnavailable
    from sow.storage.storage import check_size, storage_of

    name, address = entry
    try:
        storage, file = storage_of(address)
        size = storage.size_of(file)
        if size is not None:
            check_size(address, size, MAX_FILE_BYTES[name], SowError)
    except StorageUnavailable:
        raise
    except SowError as error:
        return str(error)
    return None if size is not None else ""


def _exists(address: str) -> bool:
    with suppress(OSError, ValueError):  # a name that cannot be one
        return Path(address).exists()
    return False
