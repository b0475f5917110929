"""Where the files of jobs are: names are seen from the manifest's folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sow.jobs.job import TV2IJob


def addresses(job: TV2IJob, folder: str) -> dict[str, str]:
    """Of the files of a job, by the names of its fields."""
    return {name: str(Path(folder) / getattr(job, name)) for name in job.paths}


@contextmanager
def files_here(job: TV2IJob, folder: str) -> Iterator[Mapping[str, Path]]:
    """The files of a job, by the names of its fields, here for as long as they are used."""
    yield {name: Path(address) for name, address in addresses(job, folder).items()}
