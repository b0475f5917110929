"""Jobs whose list is elsewhere: it is brought here first, and then read as any other."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sow.batch.ledger.admission import RESERVED_NAMES
from sow.batch.manifest.input_checks import NumberedJob
from sow.batch.manifest.manifest import (
    FORMATS_HINT,
    READERS,
    LocatedManifest,
    Manifest,
    pair_with_prompts,
    read_jobs,
    read_manifest,
)
from sow.errors import SowError, UsageError
from sow.storage.addresses import (
    check_address,
    check_folder_address,
    folder_of,
    is_address,
    local_file_name,
    name_of,
)
from sow.storage.storage import Storage, storage_of

MAX_MANIFEST_BYTES = 16 * 2**30
"""Of a manifest."""


def fetch_manifest(jobs: str | Path, prompts: str | Path | None, out: Path | str) -> LocatedManifest:
    """A manifest that is elsewhere, or whose pictures or prompts are.

    What is brought here for it lies in a private folder, which is removed with it.

    Raises:
        SowError: if it cannot be had or read, or would be written over.
    """
    remote: dict[str | Path, str] = {source: check_address(source) for source in (jobs, prompts) if is_address(source)}
    _check_output_differs(remote.values(), out)
    folder_here = Path(tempfile.mkdtemp(prefix="sow-"))
    origins: dict[str, str] = {}
    try:
        with _original_addresses(origins):
            files = {source: folder_here / local_file_name(address) for source, address in remote.items()}
            manifest = _read_manifest(jobs, prompts, remote, files, origins)
    except BaseException:
        shutil.rmtree(folder_here, ignore_errors=True)
        raise
    weakref.finalize(manifest, shutil.rmtree, folder_here, True)
    address = remote.get(jobs)
    folder = str(manifest.folder.absolute()) if address is None else (
        address if manifest.pictures is not None else folder_of(address))  # fmt: skip

    def lines(defaults: Mapping[str, Any]) -> Iterator[NumberedJob]:
        with _original_addresses(origins):
            yield from read_jobs(manifest, defaults)

    return LocatedManifest(manifest, folder, repr(name_of(address) if address else Path(jobs).name), lines)


def _read_manifest(
    jobs: str | Path, prompts: str | Path | None, remote: Mapping[str | Path, str],
    files: Mapping[str | Path, Path], origins: dict[str, str],
) -> Manifest:  # fmt: skip
    """What is listed, read from files that are here.

    Args:
        remote: the addresses that were given.
        files: where what is there is brought to.
        origins: is told where it came from, by where it is here.
    """

    def local_path(source: str | Path) -> Path:
        if source not in remote:
            return Path(source)
        storage, name = storage_of(remote[source])
        storage.download(name, MAX_MANIFEST_BYTES, files[source])
        origins[str(files[source])] = remote[source]
        return files[source]

    if jobs not in remote or Path(name_of(remote[jobs])).suffix.lower() in READERS:
        return read_manifest(local_path(jobs), None if prompts is None else local_path(prompts))
    if prompts is None:
        raise UsageError(f"{remote[jobs]!r} is no manifest", FORMATS_HINT)
    entries = Storage(remote[jobs], UsageError).list_folder().items()
    pictures = (name for name, kind in entries if kind == "file")
    return pair_with_prompts(Path(), local_path(prompts), pictures, remote[jobs])


def _check_output_differs(remote: Iterable[str], out: Path | str) -> None:
    """Whether what is read is not what is written.

    Raises:
        UsageError: if it is.
    """
    if not is_address(out):
        return
    folder = check_folder_address(str(out))
    for address in remote:
        if address == folder:
            raise UsageError("the results would be taken for pictures", "give another out=")
        if address in [f"{folder}/{name}" for name in RESERVED_NAMES]:
            raise UsageError(f"{address!r} would be written over", "give another out=")


@contextmanager
def _original_addresses(origins: Mapping[str, str]) -> Iterator[None]:
    """What is wrong with a file that was brought here is said of where it came from."""
    try:
        yield
    except SowError as error:
        what = error.what
        for file, address in origins.items():
            what = what.replace(file, address)
        raise (type(error)(what, error.hint) if what != error.what else error) from None
