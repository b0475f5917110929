"""Check that the input files of jobs exist; remote ones are checked concurrently."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path

from sow.batch.manifest.input_files import locate_files, max_file_bytes
from sow.batch.manifest.job import TV2IJob
from sow.batch.manifest.manifest import NumberedJob
from sow.errors import SowError
from sow.storage.addresses import is_address

MAX_CONCURRENT = 32
"""Concurrent requests to storages."""
CHUNK = 1000


class InputFileChecker:
    """Checks the input files of the jobs of one folder."""

    def __init__(self, folder: str, needs_check: Callable[[TV2IJob], bool]) -> None:
        """Create a checker.

        Args:
            folder: what the file names of jobs are relative to: a path or an address.
            needs_check: whether the remote files of a job are checked at all.
        """
        self._folder, self._needs_check = folder, needs_check
        self._answers: dict[tuple[str, str], str | None] = {}
        self._pool: ThreadPoolExecutor | None = None

    def close(self) -> None:
        """Cancel pending requests."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def prefetched(self, lines: Iterable[NumberedJob]) -> Iterator[NumberedJob]:
        """Yield the same lines, after checking the remote files of a chunk of them.

        Raises:
            StorageUnavailable: if a storage does not answer.
        """
        rest = iter(lines)
        while chunk := list(islice(rest, CHUNK)):
            self._check_remote_files(job for _, job in chunk if isinstance(job, TV2IJob))
            yield from chunk

    def find_problem(self, job: TV2IJob) -> str | None:
        """Return which file of a job is missing or cannot be used; None if all are fine."""
        try:
            named = locate_files(job, self._folder)
        except SowError as error:
            return str(error)
        for name, address in named.items():
            problem = f"there is no {name.partition('-')[0]} {job.paths[name][:200]!r}"
            if is_address(address):
                answer = self._answers.get((name, address), "")
                if answer is not None:
                    return answer or problem
            elif not _exists(address):
                return problem
        return None

    def _check_remote_files(self, jobs: Iterable[TV2IJob]) -> None:
        keys = dict.fromkeys(
            (name, address) for job in jobs for name, address in self._remote_files(job).items()
        )
        known = {key: self._answers[key] for key in keys if key in self._answers}
        new = [key for key in keys if key not in known]
        self._answers = known  # answers that this chunk does not need are dropped
        if new:
            self._pool = self._pool or ThreadPoolExecutor(MAX_CONCURRENT)
            self._answers.update(zip(new, self._pool.map(_check_remote_file, new), strict=True))

    def _remote_files(self, job: TV2IJob) -> dict[str, str]:
        with suppress(SowError):  # `find_problem` reports it
            found = locate_files(job, self._folder).items()
            remote = {name: address for name, address in found if is_address(address)}
            return remote if remote and self._needs_check(job) else {}
        return {}


def _check_remote_file(key: tuple[str, str]) -> str | None:
    """Return what is wrong with a remote file; an empty string if it does not exist."""
    from sow.storage.errors import StorageUnavailable
    from sow.storage.storage import check_size, storage_of

    name, address = key
    try:
        storage, file = storage_of(address)
        size = storage.size_of(file)
        if size is not None:
            check_size(address, size, max_file_bytes(name), SowError)
    except StorageUnavailable:
        raise
    except SowError as error:
        return str(error)
    return None if size is not None else ""


def _exists(address: str) -> bool:
    with suppress(OSError, ValueError):  # the name may be invalid
        return Path(address).exists()
    return False
