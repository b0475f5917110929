"""Read manifests, and folders of pictures with prompts, as streams of jobs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sow.batch.manifest.job import TV2IJob
from sow.batch.manifest.rows import Row, Rows, is_utf8, json_rows, open_for_reading, text_rows
from sow.batch.manifest.tables import csv_rows, parquet_rows
from sow.errors import SowError, UsageError
from sow.planners.argument_names import read_arguments
from sow.utils.type_checks import as_path

READERS: dict[str, Callable[[Path], Rows]] = {
    ".jsonl": json_rows,
    ".ndjson": json_rows,
    ".csv": csv_rows,
    ".tsv": csv_rows,
    ".parquet": parquet_rows,
}
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".gif")
NumberedJob = tuple[int, TV2IJob | SowError]
"""The number of a line with its job, or with what is wrong with it."""
FORMATS_HINT = (
    "give a .jsonl, .csv, .tsv or .parquet file, or a folder of pictures and prompts_file="
)


@dataclass(frozen=True)
class Manifest:
    """A list of jobs on disk; its rows are not kept in memory.

    Attributes:
        path: the manifest, or the folder of pictures.
        folder: what the file names of jobs are relative to.
        contents: the file that lists the jobs, or the prompts for a folder of pictures.
        pictures: the file names in a folder of pictures; None for a manifest.
    """

    path: Path
    folder: Path
    contents: Path
    pictures: tuple[str, ...] | None = None

    def rows(self) -> Rows:
        """Yield the rows in order; an invalid row has a problem instead of data.

        Raises:
            UsageError: if the file cannot be read.
        """
        if self.pictures is None:
            return READERS[self.contents.suffix.lower()](self.contents)
        return _pair_rows(self.pictures, self.contents)

    def fingerprint(self) -> str:
        """Return a hash of the file, and of the names of the pictures.

        Raises:
            UsageError: if the file cannot be read.
        """
        with open_for_reading(self.contents) as file:
            digest = hashlib.file_digest(file, "sha256")
        if self.pictures is not None:
            names = "\0".join(self.pictures).encode(errors="surrogateescape")
            digest = hashlib.sha256(digest.digest() + names)
        return digest.hexdigest()


@dataclass(frozen=True)
class LocatedManifest:
    """A manifest on disk, and where it came from.

    Attributes:
        folder: what the file names of jobs are relative to: a path or an address.
        name: the name of the manifest in messages.
        jobs: `read_jobs` of this manifest, for given defaults.
        inputs: the path or address of the file that lists the jobs or the prompts.
    """

    manifest: Manifest
    folder: str
    name: str
    jobs: Callable[[Mapping[str, Any]], Iterator[NumberedJob]]
    inputs: tuple[str, ...] = ()


def read_manifest(path: Path | str, prompts: Path | str | None = None) -> Manifest:
    """Return a manifest, or the pairs of a folder's pictures with every prompt of a file.

    Args:
        path: a JSON Lines, CSV, TSV or Parquet file, by its suffix; or a folder of pictures.
        prompts: for a folder, a text file with a prompt per line; blank lines and lines that
            start with # are skipped.

    Raises:
        UsageError: if it is neither, cannot be read, or has unknown columns.
    """
    path = as_path("manifest", path)
    if not os.path.lexists(path):
        raise UsageError(f"there is no {str(path)!r}", FORMATS_HINT)
    if path.is_dir():
        return _read_folder(path, prompts)
    if path.suffix.lower() not in READERS:
        raise UsageError(f"{str(path)!r} is not a manifest", FORMATS_HINT)
    if prompts is not None:
        raise UsageError("prompts_file= requires a folder of pictures", "leave it out")
    manifest = Manifest(path, path.parent, path)
    with closing(manifest.rows()) as rows:
        next(rows, None)  # raises now if the file or its header is invalid
    return manifest


def _read_folder(path: Path, prompts: Path | str | None) -> Manifest:
    if prompts is None:
        raise UsageError(
            f"{str(path)!r} is a folder",
            "give prompts_file=, a text file with a prompt per line",
        )
    return pair_with_prompts(path, as_path("prompts_file", prompts), _list_files(path), str(path))


def pair_with_prompts(path: Path, prompts: Path, names: Iterable[str], label: str) -> Manifest:
    """Return the pairs of the pictures of a folder with every prompt of a file.

    Args:
        path: the folder.
        prompts: a text file with a prompt per line.
        names: the names of the files in the folder; those that are not pictures are ignored.
        label: the name of the folder in messages.

    Raises:
        UsageError: if there are no prompts, or no pictures.
    """
    if next(text_rows(prompts), "") == "":
        raise UsageError(f"{str(prompts)!r} has no prompts", "write one per line")
    pictures = tuple(sorted(filter(_is_picture, names)))
    if not pictures:
        raise UsageError(
            f"there are no pictures in {label!r}", f"the formats are {', '.join(IMAGE_SUFFIXES)}"
        )
    return Manifest(path, path, prompts, pictures)


def _list_files(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if entry.is_file()]
    except OSError as error:
        raise UsageError(
            f"{str(folder)!r} cannot be read ({error.strerror})", "check its permissions"
        ) from None


def _is_picture(name: str) -> bool:
    return name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith(".")


def _pair_rows(pictures: tuple[str, ...], prompts: Path) -> Rows:
    """Yield every pair; the prompts, which may be many, are read again for each picture."""
    number = 0
    for picture in pictures:
        for prompt in text_rows(prompts):
            number += 1
            if not is_utf8(picture):
                yield Row(number, None, "the name of the picture is not UTF-8")
            elif prompt is None:
                yield Row(number, None, "the prompt is too long or not UTF-8")
            else:
                yield Row(number, {"image": picture, "prompt": prompt})


def read_jobs(
    manifest: Manifest, defaults: Mapping[str, Any] | None = None
) -> Iterator[NumberedJob]:
    """Yield line numbers with the job, or with the error of an invalid line.

    Args:
        manifest: the list of jobs.
        defaults: fields for jobs that leave them out; settings are merged one by one.

    Raises:
        SowError: if the file cannot be read, or a default is given under two names.
    """
    defaults_by_field = _by_field_name(defaults or {})
    for row in manifest.rows():
        if row.data is None:
            yield row.number, UsageError(row.problem or "the line is empty")
            continue
        yield row.number, _parse_job(row.data, defaults_by_field)


def parse_jobs(
    jobs: Iterable[TV2IJob | Mapping[str, Any]], defaults: Mapping[str, Any] | None = None
) -> Iterator[NumberedJob]:
    """Yield the jobs of an iterable, numbered from 1, with the defaults of `read_jobs`."""
    defaults_by_field = _by_field_name(defaults or {})
    for number, job in enumerate(jobs, 1):
        if isinstance(job, (TV2IJob, Mapping)):
            fields = job if isinstance(job, Mapping) else job.explicit
            yield number, _parse_job(fields, defaults_by_field)
        else:
            yield (
                number,
                UsageError(
                    f"a {type(job).__name__} is not a job",
                    "give a TV2IJob or a mapping of its fields",
                ),
            )


def _parse_job(data: Mapping[str, Any], defaults_by_field: Mapping[str, Any]) -> TV2IJob | SowError:
    try:
        return TV2IJob.parse(_merge_defaults(_by_field_name(data), defaults_by_field))
    except SowError as error:
        # The traceback would keep the line in memory for as long as the error is kept.
        error.__context__ = None
        return error.with_traceback(None)


def _by_field_name(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values by field name instead of alias; None counts as left out.

    Raises:
        UsageError: if a field is unknown, or given under two names.
    """
    fields = read_arguments(TV2IJob, data, "field")
    return {name: value for name, value in fields.items() if value is not None}


def _merge_defaults(fields: dict[str, Any], defaults_by_field: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**defaults_by_field, **fields}
    own, shared = fields.get("settings", {}), defaults_by_field.get("settings")
    if isinstance(own, dict) and isinstance(shared, Mapping):
        shared_kept = dict(shared)
        if "likeness" in fields:  # a shared setting would override the job's own field
            shared_kept.pop("likeness", None)
        merged["settings"] = {**shared_kept, **own}
    return merged
