"""Read tables of jobs: CSV record by record, Parquet batch by batch."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

from sow.batch.manifest.cell_values import checked_columns, from_value
from sow.batch.manifest.parquet_limits import safe_batch_rows
from sow.batch.manifest.rows import (
    MAX_LINE,
    TOO_LONG,
    Row,
    Rows,
    is_utf8,
    numbered_lines,
    open_for_reading,
)
from sow.errors import UsageError

CSV_HINT = "save it as CSV in UTF-8 with the column names in the first line"


class _CsvError(Exception):
    """A record of a CSV file that cannot be read."""


class _PhysicalLines:
    """Iterates over physical lines for the csv module, which reads on while a quote is open.

    Attributes:
        number: the number of the last line, from 1.
        bytes_read: bytes since it was last reset; the limit on it ends an unclosed quote.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._lines = numbered_lines(file)
        self.number = 0
        self.bytes_read = 0

    def __iter__(self) -> _PhysicalLines:
        return self

    def __next__(self) -> str:
        self.number, line = next(self._lines)
        self.bytes_read += MAX_LINE + 1 if line is None else len(line)
        if line is None or self.bytes_read > MAX_LINE:
            raise _CsvError(f"{TOO_LONG}; is a quote not closed?")
        # Invalid UTF-8 is kept for now: the csv module still has to find the closing quotes.
        return line.decode("utf-8", "surrogateescape")


def csv_rows(path: Path) -> Rows:
    """Yield the rows of a CSV file, each with the number of the line where it starts.

    Cells are separated by commas, semicolons or tabs, as those of the header are.

    Raises:
        UsageError: if the file cannot be read, or has unknown columns.
    """
    with open_for_reading(path) as file:
        lines = _PhysicalLines(file)
        reader, fields = _header(path, lines)
        while True:
            lines.bytes_read, start = 0, lines.number + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except (csv.Error, _CsvError) as error:
                yield Row(start, None, f"invalid CSV: {error}")
                continue
            if any(cell.strip() for cell in cells):
                yield _csv_row(start, fields, cells)


def _header(path: Path, lines: _PhysicalLines) -> tuple[Iterator[list[str]], list[str]]:
    """Return a reader of the rows that follow, and the field of each column."""
    shown = repr(str(path))
    try:
        first = next(lines, "")
        reader = csv.reader(chain([first], lines), delimiter=_delimiter(first), strict=True)
        columns = next(reader, [])
    except (csv.Error, _CsvError) as error:
        raise UsageError(f"the header of {shown} cannot be read: {error}", CSV_HINT) from None
    if not columns or not all(map(is_utf8, columns)):
        raise UsageError(f"{shown} has no header", CSV_HINT)
    return reader, checked_columns(columns, shown)


def _delimiter(header: str) -> str:
    """Return what separates the columns: spreadsheets write semicolons where commas are decimal."""
    return next((mark for mark in ",\t;" if mark in header), ",")


def _csv_row(number: int, fields: list[str], cells: list[str]) -> Row:
    if len(cells) != len(fields):
        return Row(number, None, f"{len(cells)} cells, but the header has {len(fields)}")
    if not all(map(is_utf8, cells)):
        return Row(number, None, "not UTF-8")
    return _row(number, fields, cells)


def _row(number: int, fields: list[str], values: list[Any]) -> Row:
    """Return a row of the values of its cells; empty cells are left out."""
    data = {}
    for field, value in zip(fields, values, strict=True):
        try:
            value_read = from_value(field, value)
        except ValueError as error:
            return Row(number, None, str(error))
        if value_read is not None:
            data[field] = value_read
    return Row(number, data)


def parquet_module() -> ModuleType:
    """Import and return `pyarrow.parquet`.

    Raises:
        UsageError: if it is not installed.
    """
    try:
        import pyarrow.parquet
    except ImportError:
        raise UsageError("pyarrow is not installed", "pip install 'sow[parquet]'") from None
    module: ModuleType = pyarrow.parquet
    return module


def parquet_rows(path: Path) -> Rows:
    """Yield the rows of a Parquet file, numbered from 1.

    Raises:
        UsageError: if the file cannot be read, unfolds to too much, or has unknown columns.
    """
    parquet = parquet_module()
    with open_for_reading(path) as file, open_for_reading(path) as pages, _arrow_errors(path):
        table = parquet.ParquetFile(file)
        fields = _parquet_fields(path, table.schema_arrow)
        size = safe_batch_rows(pages, repr(str(path)))
        numbers = count(1)
        for batch in table.iter_batches(batch_size=size, use_threads=False):
            for values, number in zip(_values(batch), numbers, strict=False):
                if isinstance(values, str):
                    yield Row(number, None, values)
                elif any(value is not None for value in values):
                    yield _row(number, fields, values)


def _parquet_fields(path: Path, schema: Any) -> list[str]:
    import pyarrow as pa

    shown = repr(str(path))
    fields = checked_columns(schema.names, shown)
    for field, column_type in zip(fields, schema.types, strict=True):
        inside = pa.types.is_struct(column_type) or pa.types.is_binary(column_type)
        if inside and field in ("image", "mask"):
            raise UsageError(
                f"{shown} has pictures in the column {field!r}", "give file names instead"
            )
    return fields


def _values(batch: Any) -> Iterator[list[Any] | str]:
    """Yield the cells of each row, or what is wrong with it."""
    import pyarrow as pa

    columns = [
        column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        for column in batch.columns
    ]
    batch = pa.RecordBatch.from_arrays(columns, [str(n) for n in range(len(columns))])
    if batch.nbytes > MAX_LINE:
        for number in range(batch.num_rows):
            row = batch.slice(number, 1)
            yield from [TOO_LONG] if row.nbytes > MAX_LINE else _converted(row)
        return
    yield from _converted(batch)


def _converted(batch: Any) -> Iterator[list[Any] | str]:
    """Yield the cells of each row as Python values, or what is wrong with it."""
    try:
        columns = [column.to_pylist() for column in batch.columns]
    except (ValueError, OverflowError):  # a cell is invalid: find its row
        for number in range(batch.num_rows):
            row = batch.slice(number, 1)
            try:
                yield [column.to_pylist()[0] for column in row.columns]
            except (ValueError, OverflowError):
                yield "not UTF-8, or a type that no field has"
        return
    yield from (list(cells) for cells in zip(*columns, strict=True))


@contextmanager
def _arrow_errors(path: Path) -> Iterator[None]:
    """Turn errors of pyarrow, which have no row number, into a UsageError for the file."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        what = str(error).partition("\n")[0][:200]
        raise UsageError(f"{str(path)!r} is not valid Parquet: {what}", "write it again") from None
