"""Manifests: files that list jobs, and folders of pictures, as streams of jobs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sow.batch.manifest.cell_values import NAMES
from sow.batch.manifest.job import TV2IJob
from sow.batch.manifest.rows import Row, Rows, is_text, json_rows, opened, text_rows
from sow.batch.manifest.tables import csv_rows, parquet_rows
from sow.errors import SowError, UsageError
from sow.utils.type_checks import as_path

READERS: dict[str, Callable[[Path], Rows]] = {
    ".jsonl": json_rows,
    ".ndjson": json_rows,
    ".csv": partial(csv_rows, delimiter=","),
    ".tsv": partial(csv_rows, delimiter="\t"),
    ".parquet": parquet_rows,
}
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".gif")
KINDS = "give a .jsonl, .csv, .tsv or .parquet file, or a folder of pictures and prompts_file="


@dataclass(frozen=True)
class Manifest:
    """Jobs that somebody has listed; nothing of them is held.

    Attributes:
        path: the file or the folder.
        folder: what the names of files in it are relative to.
        contents: the file whose content says what the jobs are.
        pictures: the names of the pictures, if it is a folder of them.
    """

    path: Path
    folder: Path
    contents: Path
    pictures: tuple[str, ...] | None = None

    def rows(self) -> Rows:
        """What it lists, in its order, each with what is wrong with it.

        Raises:
            UsageError: only if the file itself cannot be read any more.
        """
        if self.pictures is None:
            return READERS[self.contents.suffix.lower()](self.contents)
        return _crossed(self.pictures, self.contents)

    def fingerprint(self) -> str:
        """What changes whenever any of its jobs could have.

        Raises:
            UsageError: if it cannot be read.
        """
        with opened(self.contents) as file:
            digest = hashlib.file_digest(file, "sha256")
        if self.pictures is not None:
            names = "\0".join(self.pictures).encode(errors="surrogateescape")
            digest = hashlib.sha256(digest.digest() + names)
        return digest.hexdigest()


@dataclass(frozen=True)
class Found:
    """A manifest, wherever it was.

    Attributes:
        folder: what the names of files in it are relative to; an address, if that is elsewhere.
        name: of the manifest, in errors.
        jobs: as `jobs_of`, for these defaults.
    """

    manifest: Manifest
    folder: str
    name: str
    jobs: Callable[[Mapping[str, Any]], Iterator[tuple[int, TV2IJob | SowError]]]


def read_manifest(path: Path | str, prompts: Path | str | None = None) -> Manifest:
    """A file that lists jobs, one a line, or a folder of pictures, each with every prompt.

    Args:
        path: JSON Lines, CSV, TSV or Parquet, by the name's ending; or the folder.
        prompts: for the folder, a text file with a prompt on every line; those that are blank or
            begin with # are skipped.

    Raises:
        UsageError: if it is none of this, cannot be read, or has columns that no job has.
    """
    path = as_path("manifest", path)
    if not os.path.lexists(path):
        raise UsageError(f"there is no {str(path)!r}", KINDS)
    if path.is_dir():
        return _of_folder(path, prompts)
    if path.suffix.lower() not in READERS:
        raise UsageError(f"{str(path)!r} is no manifest", KINDS)
    if prompts is not None:
        raise UsageError(
            "prompts_file= is for a folder of pictures", "leave it out with a manifest"
        )
    manifest = Manifest(path, path.parent, path)
    with closing(manifest.rows()) as rows:
        next(rows, None)  # whether it can be read, and what its columns are, is told now
    return manifest


def _of_folder(path: Path, prompts: Path | str | None) -> Manifest:
    if prompts is None:
        raise UsageError(
            f"{str(path)!r} is a folder",
            "give prompts_file=, a text file with a prompt on every line",
        )
    return crossed(path, as_path("prompts_file", prompts), _files(path), str(path))


def crossed(path: Path, prompts: Path, names: Iterable[str], said: str) -> Manifest:
    """The pictures among the files of a folder, each with every prompt of a file.

    Args:
        said: what the folder is called.

    Raises:
        UsageError: if there are no prompts, or no pictures.
    """
    if next(text_rows(prompts), "") == "":
        raise UsageError(f"{str(prompts)!r} has no prompts", "write one on every line")
    pictures = tuple(sorted(filter(_is_picture, names)))
    if not pictures:
        raise UsageError(f"there are no pictures in {said!r}", f"it takes {', '.join(PICTURES)}")
    return Manifest(path, path, prompts, pictures)


def _files(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if entry.is_file()]
    except OSError as error:
        raise UsageError(
            f"{str(folder)!r} cannot be read ({error.strerror})", "check its rights"
        ) from None


def _is_picture(name: str) -> bool:
    return name.lower().endswith(PICTURES) and not name.startswith(".")


def _crossed(pictures: tuple[str, ...], prompts: Path) -> Rows:
    """Every picture with every prompt, which are read again for each: there may be many."""
    number = 0
    for picture in pictures:
        for prompt in text_rows(prompts):
            number += 1
            if not is_text(picture):
                yield Row(number, None, "the name of its picture is not UTF-8")
            elif prompt is None:
                yield Row(number, None, "its prompt is too long or not UTF-8")
            else:
                yield Row(number, {"image": picture, "prompt": prompt})


def jobs_of(
    manifest: Manifest, defaults: Mapping[str, Any] | None = None
) -> Iterator[tuple[int, TV2IJob | SowError]]:
    """The jobs of a manifest, or what is wrong, with the numbers of their lines.

    Args:
        manifest: where they are listed.
        defaults: fields of all jobs, where a line says nothing itself; of the settings, each.

    Raises:
        SowError: as `Manifest.rows`; and if a default is given by two names.
    """
    common = _by_field(defaults or {})
    for row in manifest.rows():
        if row.data is None:
            yield row.number, UsageError(row.problem or "it says nothing")
            continue
        yield row.number, _job(row.data, common)


def listed(
    jobs: Iterable[TV2IJob | Mapping[str, Any]], defaults: Mapping[str, Any] | None = None
) -> Iterator[tuple[int, TV2IJob | SowError]]:
    """Jobs of a program, numbered from 1; for the rest as `jobs_of`."""
    common = _by_field(defaults or {})
    for number, job in enumerate(jobs, 1):
        if isinstance(job, (TV2IJob, Mapping)):
            said = job if isinstance(job, Mapping) else job.model_dump(exclude_unset=True)
            yield number, _job(said, common)
        else:
            kind = type(job).__name__
            yield number, UsageError(f"it is no job but {kind}", "give TV2IJob(...) or its fields")


def _job(data: Mapping[str, Any], common: Mapping[str, Any]) -> TV2IJob | SowError:
    try:
        return TV2IJob.parse(_with_defaults(_by_field(data), common))
    except SowError as error:
        # Who keeps it shall not keep the line as well, through the frames it was raised in.
        error.__context__ = None
        return error.with_traceback(None)


def _by_field(data: Mapping[str, Any]) -> dict[str, Any]:
    """What is said, by the names of fields; None says nothing.

    Raises:
        UsageError: if one is said by two names.
    """
    said: dict[str, Any] = {}
    for name, value in data.items():
        field = NAMES.get(name, name)
        if field in said:
            raise UsageError(f"{field} is given by two names", "leave one of them out")
        if value is not None:
            said[field] = value
    return said


def _with_defaults(said: dict[str, Any], common: Mapping[str, Any]) -> dict[str, Any]:
    made = {**common, **said}
    own, shared = said.get("settings", {}), common.get("settings")
    if isinstance(own, dict) and isinstance(shared, Mapping):
        kept = dict(shared)
        if "likeness" in said:  # which would win over the line's own, as settings do
            kept.pop("likeness", None)
        made["settings"] = {**kept, **own}
    return made
