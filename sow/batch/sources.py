"""The job sources of a batch: a manifest, a folder of pictures, or an iterable of jobs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from sow.batch.ledger.admission import digest_of
from sow.batch.ledger.input_guard import RESERVED_NAMES
from sow.batch.ledger.manifest_check import JobSource
from sow.batch.manifest.job import TV2IJob
from sow.batch.manifest.manifest import LocatedManifest, parse_jobs, read_jobs, read_manifest
from sow.errors import UsageError
from sow.storage.addresses import is_address
from sow.utils.type_checks import check_type


def make_job_source(
    jobs: str | Path | Iterable[TV2IJob | Mapping[str, Any]],
    prompts: str | Path | None,
    defaults: Mapping[str, Any],
    out: Path | str,
) -> JobSource:
    """Return the source of jobs for the `jobs` and `prompts_file` of `run_batch`.

    Raises:
        SowError: if a manifest cannot be read, or the results would overwrite it.
    """
    if not isinstance(jobs, (str, Path)):
        check_type("jobs", jobs, (Iterable,), "a file of jobs, or a list of them")
        if prompts is not None:
            raise UsageError("prompts_file= requires a folder of pictures", "leave it out")
        return JobSource(lambda: parse_jobs(jobs, defaults), str(Path.cwd()), "the jobs")
    if is_address(jobs) or is_address(prompts):
        from sow.batch.remote.sources import fetch_manifest

        located = fetch_manifest(jobs, prompts, out)
    else:
        located = _local_manifest(jobs, prompts, out)
    folder = located.folder
    if not folder.isprintable():
        raise UsageError(f"{folder!r} is not printable", "move the jobs to another folder")
    defaults_json = json.dumps(defaults, sort_keys=True, default=str)
    fingerprint = digest_of(located.manifest.fingerprint(), defaults_json, folder)
    return JobSource(
        lambda: located.jobs(defaults), folder, located.name, fingerprint, located.inputs
    )


def _local_manifest(
    jobs: str | Path, prompts: str | Path | None, out: Path | str
) -> LocatedManifest:
    manifest = read_manifest(Path(jobs), None if prompts is None else Path(prompts))
    if not is_address(out):
        if manifest.pictures is not None and same_file(manifest.path, Path(out)):
            raise UsageError("out= is the folder of the pictures", "give another out=")
        inputs = (Path(jobs), manifest.contents)
        if any(same_file(file, Path(out) / name) for file in inputs for name in RESERVED_NAMES):
            raise UsageError(f"{str(jobs)!r} would be overwritten", "give another out=")
    folder = str(manifest.folder.absolute())
    return LocatedManifest(
        manifest, folder, repr(Path(jobs).name), partial(read_jobs, manifest),
        (str(manifest.contents),),
    )  # fmt: skip


def same_file(first: Path, second: Path) -> bool:
    """Return whether two paths exist and are the same file."""
    with suppress(OSError, ValueError):
        return first.samefile(second)
    return False
