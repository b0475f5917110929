"""Results as other programs want them: shards for WebDataset, Parquet for `datasets`."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from sow.batch.export.columns import Columns
from sow.batch.export.results import METADATA, Result, read_results
from sow.batch.manifest.tables import parquet_module
from sow.errors import OutputError, UsageError
from sow.storage.addresses import is_address
from sow.utils.files import check_output_path, write_atomically
from sow.utils.type_checks import INTEGERS, as_path, check_type

GROUP_BYTES, GROUP_ROWS = 32 * 2**20, 100
"""Bytes of pictures and rows that are held at once: a row group of Parquet. Readers that want one
picture read its whole group."""
MAX_SHARD = 10**6


@dataclass(frozen=True)
class ExportFormat:
    """A kind of export.

    Attributes:
        name: of the shard with this number, of so many.
        shards: what any export of this kind calls its shards.
        write: fills a file with results, in columns made for all of them.
    """

    name: Callable[[int, int], str]
    shards: re.Pattern[str]
    write: Callable[[Iterator[Result], Columns, Path], None]


def export(
    folder: Path, to: str, out: Path, *, force: bool = False, shard: int = 1000
) -> list[Path]:
    """Writes the results of a folder again as shards, in the order of its metadata.

    The whole of the metadata is read before anything is written, and every shard is whole or not
    there. The same results make the same bytes, as long as the same pyarrow writes them.

    Args:
        folder: where `metadata.jsonl` and the pictures are.
        to: `webdataset` (tar files with a picture, its metadata and its prompt each) or `parquet`
            (which `datasets` reads as pictures with columns).
        out: the folder for the shards; it is made if the one that it is in is there.
        force: whether shards of these names may be replaced.
        shard: how many pictures a shard has at most.

    Raises:
        UsageError: for another kind, a number out of range, or metadata that is none.
        OutputError: if a picture is missing or lies outside, or a shard cannot be written.
    """
    folder, out = as_path("folder", local_folder(folder)), as_path("out", local_folder(out))
    check_type("shard", shard, INTEGERS, "how many pictures it has")
    if to not in FORMATS:
        raise UsageError(f"no export {to!r}", f"there are {', '.join(FORMATS)}")
    if not 1 <= shard <= MAX_SHARD:
        raise UsageError(f"{shard} pictures in a shard", f"give shard= from 1 to {MAX_SHARD}")
    if to == "parquet":
        parquet_module()
    kind = FORMATS[to]
    total, columns = _survey(folder)
    number = -(-total // shard)
    files = [out / kind.name(index, number) for index in range(number)]
    _check_out(out, files, kind, force)
    remaining = _take_exactly(total, read_results(folder))
    for file in files:
        results = islice(remaining, shard)
        write_atomically(partial(kind.write, results, columns), file, force)
    return files


def local_folder(folder: Path | str) -> Path:
    """A folder of this machine: an export reads every picture twice.

    Raises:
        UsageError: if it is elsewhere.
    """
    if is_address(folder):
        raise UsageError(f"{str(folder)!r} is elsewhere, and exports are made here",
                         "copy the folder first")  # fmt: skip
    return Path(folder)


def _take_exactly(total: int, found: Iterator[Result]) -> Iterator[Result]:
    """As many results as were surveyed: whoever still makes some only adds to them."""
    for number in range(total):
        result = next(found, None)
        if result is None:
            raise metadata_changed(f"has {number} pictures left of {total}")
        yield result


def metadata_changed(how: str) -> OutputError:
    """What is said of metadata that is not what it was a moment ago."""
    return OutputError(f"{METADATA} was changed meanwhile: it {how}", "export again")


def _survey(folder: Path) -> tuple[int, Columns]:
    """How many results there are and which columns they need."""
    total, columns = 0, Columns()
    for result in read_results(folder):
        total += 1
        columns.add(result.data)
    if not total:
        raise UsageError(f"{METADATA} in {str(folder)!r} lists no pictures", "make some first")
    return total, columns


def _check_out(out: Path, files: list[Path], kind: ExportFormat, force: bool) -> None:
    """Whether all shards may be written; the folder is made where it is missing.

    Raises:
        OutputError: if not, or if shards of another export lie there, which would be read too.
    """
    try:
        out.mkdir(exist_ok=True)
        there = {file.name for file in out.iterdir() if kind.shards.fullmatch(file.name)}
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise OutputError(
            f"{str(out)!r} is no folder to write to ({why})", "choose another"
        ) from None
    for file in files:
        check_output_path(file, force)
    others = sorted(there - {file.name for file in files})
    if others:
        raise OutputError(
            f"{str(out)!r} has shards of another export, such as {others[0]}",
            "choose another folder",
        )


def _write_tar(results: Iterator[Result], columns: Columns, path: Path) -> None:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for result in results:
            members = {
                "json": result.as_json().encode(),
                "png": result.picture(),
                "txt": result.prompt.encode(),
            }
            for kind, data in members.items():
                # Time and owner are left at nothing, so that the same results are the same bytes.
                info = tarfile.TarInfo(f"{result.key}.{kind}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


def _write_parquet(results: Iterator[Result], columns: Columns, path: Path) -> None:
    import pyarrow as pa

    schema = columns.schema()
    with parquet_module().ParquetWriter(path, schema) as writer:
        for group in _groups(results, columns):
            try:
                table = pa.Table.from_pylist(group, schema=schema)
            except pa.ArrowException:  # they were surveyed, and it fitted
                raise metadata_changed("says other things") from None
            writer.write_table(table)


def _groups(results: Iterator[Result], columns: Columns) -> Iterator[list[dict[str, Any]]]:
    """Rows, as many at a time as may be held."""
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
