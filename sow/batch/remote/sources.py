"""Jobs whose list is elsewhere: it is brought here first, and then read as any other."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sow.batch.ledger.admission import OURS
from sow.batch.manifest.input_checks import Line
from sow.batch.manifest.manifest import (
    KINDS,
    READERS,
    Found,
    Manifest,
    crossed,
    jobs_of,
    read_manifest,
)
from sow.errors import SowError, UsageError
from sow.storage.addresses import (
    checked,
    checked_folder,
    file_name,
    folder_of,
    is_address,
    name_of,
)
from sow.storage.storage import Storage, storage_of

MOST_BYTES = 16 * 2**30
"""Of a manifest."""


def brought(jobs: str | Path, prompts: str | Path | None, out: Path | str) -> Found:
    """A manifest that is elsewhere, or whose pictures or prompts are.

    What is brought here for it lies in a private folder, which is removed with it.

    Raises:
        SowError: if it cannot be had or read, or would be written over.
    """
    given: dict[str | Path, str] = {one: checked(one) for one in (jobs, prompts) if is_address(one)}
    _check_apart(given.values(), out)
    home = Path(tempfile.mkdtemp(prefix="sow-"))
    names: dict[str, str] = {}
    try:
        with _said_as(names):
            files = {one: home / file_name(where) for one, where in given.items()}
            manifest = _manifest(jobs, prompts, given, files, names)
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise
    weakref.finalize(manifest, shutil.rmtree, home, True)
    where = given.get(jobs)
    folder = str(manifest.folder.absolute()) if where is None else (
        where if manifest.pictures is not None else folder_of(where))  # fmt: skip

    def lines(defaults: Mapping[str, Any]) -> Iterator[Line]:
        with _said_as(names):
            yield from jobs_of(manifest, defaults)

    return Found(manifest, folder, repr(name_of(where) if where else Path(jobs).name), lines)


def _manifest(
    jobs: str | Path, prompts: str | Path | None, given: Mapping[str | Path, str],
    files: Mapping[str | Path, Path], names: dict[str, str],
) -> Manifest:  # fmt: skip
    """What is listed, read from files that are here.

    Args:
        given: the addresses that were given.
        files: where what is there is brought to.
        names: is told where it came from, by where it is here.
    """

    def here(one: str | Path) -> Path:
        if one not in given:
            return Path(one)
        storage, name = storage_of(given[one])
        storage.fetch(name, MOST_BYTES, files[one])
        names[str(files[one])] = given[one]
        return files[one]

    if jobs not in given or Path(name_of(given[jobs])).suffix.lower() in READERS:
        return read_manifest(here(jobs), None if prompts is None else here(prompts))
    if prompts is None:
        raise UsageError(f"{given[jobs]!r} is no manifest", KINDS)
    entries = Storage(given[jobs], UsageError).listing().items()
    pictures = (name for name, kind in entries if kind == "file")
    return crossed(Path(), here(prompts), pictures, given[jobs])


def _check_apart(given: Iterable[str], out: Path | str) -> None:
    """Whether what is read is not what is written.

    Raises:
        UsageError: if it is.
    """
    if not is_address(out):
        return
    folder = checked_folder(str(out))
    for address in given:
        if address == folder:
            raise UsageError("the results would be taken for pictures", "give another out=")
        if address in [f"{folder}/{name}" for name in OURS]:
            raise UsageError(f"{address!r} would be written over", "give another out=")


@contextmanager
def _said_as(names: Mapping[str, str]) -> Iterator[None]:
    """What is wrong with a file that was brought here is said of where it came from."""
    try:
        yield
    except SowError as error:
        what = error.what
        for file, address in names.items():
            what = what.replace(file, address)
        raise (type(error)(what, error.hint) if what != error.what else error) from None
