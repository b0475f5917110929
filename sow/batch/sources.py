"""Where the jobs of a batch come from: a manifest, a folder of pictures, or a program."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from sow.batch.ledger.admission import RESERVED_NAMES, digest_of
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
    """Where jobs come from.

    Raises:
        SowError: for a manifest that cannot be had or read, or would be written over.
    """
    if not isinstance(jobs, (str, Path)):
        check_type("jobs", jobs, (Iterable,), "a file of jobs, or a list of them")
        if prompts is not None:
            raise UsageError("prompts_file= goes with a folder of pictures", "leave it out")
        return JobSource(lambda: parse_jobs(jobs, defaults), str(Path.cwd()), "the jobs")
    if is_address(jobs) or is_address(prompts):
        from sow.batch.remote.sources import fetch_manifest

        found = fetch_manifest(jobs, prompts, out)
    else:
        found = _here(jobs, prompts, out)
    folder = found.folder
    if not folder.isprintable():
        raise UsageError(f"{folder!r} is no text", "move the jobs to another folder")
    said = json.dumps(defaults, sort_keys=True, default=str)
    fingerprint = digest_of(found.manifest.fingerprint(), said, folder)
    return JobSource(lambda: found.jobs(defaults), folder, found.name, fingerprint)


def _here(jobs: str | Path, prompts: str | Path | None, out: Path | str) -> LocatedManifest:
    manifest = read_manifest(Path(jobs), None if prompts is None else Path(prompts))
    if not is_address(out):
        if manifest.pictures is not None and same_file(manifest.path, Path(out)):
            raise UsageError("the results would be taken for pictures", "give another out=")
        if any(same_file(file, Path(out) / name) for file in (Path(jobs), manifest.contents)
               for name in RESERVED_NAMES):  # fmt: skip
            raise UsageError(f"{str(jobs)!r} would be written over", "give another out=")
    folder = str(manifest.folder.absolute())
    return LocatedManifest(manifest, folder, repr(Path(jobs).name), partial(read_jobs, manifest))


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to the same file, if they lead anywhere."""
    with suppress(OSError, ValueError):
        return one.samefile(other)
    return False
