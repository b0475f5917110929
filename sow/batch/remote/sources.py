"""Manifests in object storage: downloaded first, then read like local ones."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sow.batch.ledger.input_guard import RESERVED_NAMES
from sow.batch.manifest.manifest import (
    FORMATS_HINT,
    READERS,
    LocatedManifest,
    Manifest,
    NumberedJob,
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
"""The largest manifest that is downloaded."""


def fetch_manifest(
    jobs: str | Path, prompts: str | Path | None, out: Path | str
) -> LocatedManifest:
    """Download and read a manifest of which some part is in object storage.

    Downloads go into a private folder, which is removed together with the manifest.

    Raises:
        SowError: if it cannot be read, or would be overwritten by the results.
    """
    remote: dict[str | Path, str] = {
        source: check_address(source) for source in (jobs, prompts) if is_address(source)
    }
    _check_output_differs(remote.values(), out)
    download_folder = Path(tempfile.mkdtemp(prefix="sow-"))
    origins: dict[str, str] = {}
    try:
        with _original_addresses(origins):
            files = {
                source: download_folder / local_file_name(address)
                for source, address in remote.items()
            }
            manifest = _read_manifest(jobs, prompts, remote, files, origins)
    except BaseException:
        shutil.rmtree(download_folder, ignore_errors=True)
        raise
    weakref.finalize(manifest, shutil.rmtree, download_folder, True)
    address = remote.get(jobs)
    folder = str(manifest.folder.absolute()) if address is None else (
        address if manifest.pictures is not None else folder_of(address))  # fmt: skip

    def lines(defaults: Mapping[str, Any]) -> Iterator[NumberedJob]:
        with _original_addresses(origins):
            yield from read_jobs(manifest, defaults)

    listing = jobs if prompts is None else prompts
    return LocatedManifest(
        manifest,
        folder,
        repr(name_of(address) if address else Path(jobs).name),
        lines,
        (remote.get(listing, str(listing)),),
    )


def _read_manifest(
    jobs: str | Path, prompts: str | Path | None, remote: Mapping[str | Path, str],
    files: Mapping[str | Path, Path], origins: dict[str, str],
) -> Manifest:  # fmt: skip
    """Download what is remote and read the manifest.

    Args:
        remote: the addresses among `jobs` and `prompts`.
        files: where each of them is downloaded to.
        origins: filled with the address of each downloaded file, by its local path.
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
        raise UsageError(f"{remote[jobs]!r} is not a manifest", FORMATS_HINT)
    entries = Storage(remote[jobs], UsageError).list_folder().items()
    pictures = (name for name, entry_type in entries if entry_type == "file")
    return pair_with_prompts(Path(), local_path(prompts), pictures, remote[jobs])


def _check_output_differs(remote: Iterable[str], out: Path | str) -> None:
    """Check that results do not overwrite inputs.

    Raises:
        UsageError: if they would.
    """
    if not is_address(out):
        return
    folder = check_folder_address(str(out))
    for address in remote:
        if address == folder:
            raise UsageError("out= is the folder of the pictures", "give another out=")
        if address in [f"{folder}/{name}" for name in RESERVED_NAMES]:
            raise UsageError(f"{address!r} would be overwritten", "give another out=")


@contextmanager
def _original_addresses(origins: Mapping[str, str]) -> Iterator[None]:
    """Make errors about downloaded files name their addresses."""
    try:
        yield
    except SowError as error:
        what = error.what
        for file, address in origins.items():
            what = what.replace(file, address)
        raise (type(error)(what, error.hint) if what != error.what else error) from None
