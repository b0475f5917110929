"""Export a results folder as shards: tar files for WebDataset or Parquet for `datasets`."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from sow.batch.export.columns import Columns
from sow.batch.export.results import Result, read_results
from sow.batch.ledger.schema import METADATA
from sow.batch.manifest.tables import parquet_module
from sow.errors import OutputError, UsageError
from sow.storage.addresses import is_address
from sow.utils.files import check_output_path, write_atomically
from sow.utils.type_checks import INTEGERS, as_path, check_type

GROUP_BYTES, GROUP_ROWS = 32 * 2**20, 100
"""The size of a row group of Parquet, in bytes of pictures and in rows. To read one picture, a
reader reads its whole group."""
MAX_SHARD = 10**6


@dataclass(frozen=True)
class ExportFormat:
    """A format of shards.

    Attributes:
        name: returns the file name of a shard, from its index and the number of shards.
        shards: matches the names of shards of any export in this format.
        write: writes results with these columns to a file.
    """

    name: Callable[[int, int], str]
    shards: re.Pattern[str]
    write: Callable[[Iterator[Result], Columns, BinaryIO], None]


def export(
    folder: Path, to: str, out: Path, *, force: bool = False, shard: int = 1000
) -> list[Path]:
    """Export the results of a folder as shards, in the order of its metadata.

    All metadata is read before anything is written, and every shard is written completely or not
    at all. The same results give the same bytes with the same version of pyarrow.

    Args:
        folder: the folder with `metadata.jsonl` and the pictures.
        to: `webdataset` (tar files; for each picture the image, its metadata and its prompt) or
            `parquet` (which `datasets` reads as images with columns).
        out: the folder for the shards; it is created if its parent exists.
        force: replace shards of the same names.
        shard: the largest number of pictures in a shard.

    Returns:
        The paths of the shards.

    Raises:
        UsageError: if the format is unknown, `shard` is out of range, or the metadata is invalid.
        OutputError: if a picture is missing or outside the folder, or a shard cannot be written.
    """
    folder, out = as_path("folder", local_folder(folder)), as_path("out", local_folder(out))
    check_type("shard", shard, INTEGERS, "the number of pictures in a shard")
    if to not in FORMATS:
        raise UsageError(f"unknown format {to!r}", f"choose from {', '.join(FORMATS)}")
    if not 1 <= shard <= MAX_SHARD:
        raise UsageError(f"{shard} pictures in a shard", f"give shard= from 1 to {MAX_SHARD}")
    if to == "parquet":
        parquet_module()
    shard_format = FORMATS[to]
    total, columns = _survey(folder)
    number = -(-total // shard)
    files = [out / shard_format.name(index, number) for index in range(number)]
    _check_out(out, files, shard_format, force)
    remaining = _take_exactly(total, read_results(folder))
    for file in files:
        results = islice(remaining, shard)
        write_atomically(partial(shard_format.write, results, columns), file, force)
    return files


def local_folder(folder: Path | str) -> Path:
    """Return a local folder as a path; exports do not read or write object storage.

    Raises:
        UsageError: if it is an address.
    """
    if is_address(folder):
        raise UsageError(f"{str(folder)!r} is not a local folder", "copy it here first")
    return Path(folder)


def _take_exactly(total: int, found: Iterator[Result]) -> Iterator[Result]:
    """Yield as many results as were surveyed; a batch that still runs only adds more."""
    for number in range(total):
        result = next(found, None)
        if result is None:
            raise metadata_changed(f"has only {number} of {total} pictures")
        yield result


def metadata_changed(how: str) -> OutputError:
    """Return the error for metadata that changed during the export."""
    return OutputError(f"{METADATA} changed during the export: it {how}", "export again")


def _survey(folder: Path) -> tuple[int, Columns]:
    """Return the number of results and the columns they need."""
    total, columns = 0, Columns()
    for result in read_results(folder):
        total += 1
        columns.add(result.data)
    if not total:
        raise UsageError(f"{METADATA} in {str(folder)!r} lists no pictures", "run a batch first")
    return total, columns


def _check_out(out: Path, files: list[Path], shard_format: ExportFormat, force: bool) -> None:
    """Check that all shards can be written; create the folder if needed.

    Raises:
        OutputError: if not, or if there are shards of another export, which would be read too.
    """
    try:
        out.mkdir(exist_ok=True)
        names = (file.name for file in out.iterdir())
        existing = {name for name in names if shard_format.shards.fullmatch(name)}
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise OutputError(
            f"{str(out)!r} is not a writable folder ({why})", "choose another"
        ) from None
    for file in files:
        check_output_path(file, force)
    others = sorted(existing - {file.name for file in files})
    if others:
        raise OutputError(
            f"{str(out)!r} has shards of another export, such as {others[0]}",
            "choose another folder",
        )


def _write_tar(results: Iterator[Result], columns: Columns, file: BinaryIO) -> None:
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for result in results:
            members = {
                "json": result.as_json().encode(),
                "png": result.picture(),
                "txt": result.prompt.encode(),
            }
            for suffix, data in members.items():
                # No time or owner, so that the same results give the same bytes.
                info = tarfile.TarInfo(f"{result.key}.{suffix}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


def _write_parquet(results: Iterator[Result], columns: Columns, file: BinaryIO) -> None:
    import pyarrow as pa

    schema = columns.schema()
    with parquet_module().ParquetWriter(file, schema) as writer:
        for group in _groups(results, columns):
            try:
                table = pa.Table.from_pylist(group, schema=schema)
            except pa.ArrowException:  # the surveyed values fitted
                raise metadata_changed("has other values") from None
            writer.write_table(table)


def _groups(results: Iterator[Result], columns: Columns) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of each row group."""
    group: list[dict[str, Any]] = []
    held = 0
    for result in results:
        picture = result.picture()
        if group and (held + len(picture) > GROUP_BYTES or len(group) == GROUP_ROWS):
            yield group
            group, held = [], 0
        group.append(columns.row(result.data, picture, result.data["file_name"]))
        held += len(picture)
    if group:
        yield group


FORMATS = {
    "webdataset": ExportFormat(
        lambda index, number: f"{index:06}.tar", re.compile(r"\d{6,}\.tar"), _write_tar
    ),
    "parquet": ExportFormat(
        lambda index, number: f"train-{index:05}-of-{number:05}.parquet",
        re.compile(r"train-\d{5,}-of-\d{5,}\.parquet"),
        _write_parquet,
    ),
}
