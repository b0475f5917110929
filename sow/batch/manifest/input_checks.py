"""Whether the files that jobs name are there, many questions at a time where they are elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path

from sow.batch.manifest.input_files import MOST, addresses
from sow.batch.manifest.job import TV2IJob
from sow.errors import SowError
from sow.storage.addresses import is_address

AT_A_TIME = 32
"""Questions to storages."""
CHUNK = 1000

Line = tuple[int, TV2IJob | SowError]


class Lookout:
    """Looks for the files of jobs that are seen from one folder."""

    def __init__(self, folder: str, wanted: Callable[[TV2IJob], bool]) -> None:
        """wanted: whether the files of a job are looked for at all."""
        self._folder, self._wanted = folder, wanted
        self._answers: dict[tuple[str, str], str | None] = {}
        self._pool: ThreadPoolExecutor | None = None

    def close(self) -> None:
        """Asks no more."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def ahead(self, lines: Iterable[Line]) -> Iterator[Line]:
        """The same lines, a chunk at a time, of which is asked what is elsewhere.

        Raises:
            Unreachable: if a storage does not answer.
        """
        rest = iter(lines)
        while chunk := list(islice(rest, CHUNK)):
            self._ask(job for _, job in chunk if isinstance(job, TV2IJob))
            yield from chunk

    def missing(self, job: TV2IJob) -> str | None:
        """What of the files of a job is not there, or cannot be used."""
        try:
            named = addresses(job, self._folder)
        except SowError as error:
            return str(error)
        for name, address in named.items():
            said = f"there is no {name} {getattr(job, name)[:200]!r}"
            if is_address(address):
                answer = self._answers.get((name, address), "")
                if answer is not None:
                    return answer or said
            elif not _exists(address):
                return said
        return None

    def _ask(self, jobs: Iterable[TV2IJob]) -> None:
        wanted = dict.fromkeys(
            (name, address) for job in jobs for name, address in self._away(job).items()
        )
        known = {one: self._answers[one] for one in wanted if one in self._answers}
        new = [one for one in wanted if one not in known]
        self._answers = known  # of the chunk before only what this one asks for again is kept
        if new:
            self._pool = self._pool or ThreadPoolExecutor(AT_A_TIME)
            self._answers.update(zip(new, self._pool.map(_asked, new), strict=True))

    def _away(self, job: TV2IJob) -> dict[str, str]:
        with suppress(SowError):  # is said of its line
            found = addresses(job, self._folder).items()
            away = {name: address for name, address in found if is_address(address)}
            return away if away and self._wanted(job) else {}
        return {}


def _asked(one: tuple[str, str]) -> str | None:
    """What is wrong with a file that is elsewhere; empty if it is not there."""
    from sow.storage.errors import Unreachable
    from sow.storage.storage import check_size, storage_of

    name, address = one
    try:
        storage, file = storage_of(address)
        size = storage.size_of(file)
        if size is not None:
            check_size(address, size, MOST[name], SowError)
    except Unreachable:
        raise
    except SowError as error:
        return str(error)
    return None if size is not None else ""


def _exists(address: str) -> bool:
    with suppress(OSError, ValueError):  # a name that cannot be one
        return Path(address).exists()
    return False
