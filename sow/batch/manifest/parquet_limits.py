"""Limits on what a Parquet file unfolds to, found before any page of it is decompressed.

A few bytes can stand for gigabytes: by compression, by references to a dictionary, by runs. The
sizes in the footer need not be true, so the header of every page is read, as pyarrow will read it.
pyarrow has no limits of its own. (Apache Parquet's `parquet.thrift`, in Thrift's compact protocol.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from sow.errors import UsageError

MAX_ROWS = 10_000_000
"""Rows of a file."""
MAX_BYTES, BATCH_ROWS = 2**28, 256
"""Bytes and rows of all columns that are unfolded at once."""
MAX_LIST_BYTES, MAX_LIST_VALUES = 2**30, 2**24
"""Bytes and values of a column of lists in a row group: one row may have all of them."""
HEADER_BYTES, MAX_HEADER_BYTES = 2**12, 2**24
"""Bytes of a page's header: most have fewer than the first; pyarrow reads up to the second."""
MAX_DEPTH = 8
"""Levels of a header; it has four."""
NUMBER_BYTES = 16
"""Bytes of a number and its levels."""
TEXT_TYPES = ("BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY")
DICTIONARY_PAGE, DATA_HEADERS = 2, {0: (5, 2), 3: (8, 4)}
"""The types of pages; for data, the header's field with the details, and the encoding's in it."""
DICTIONARY_ENCODINGS, DELTA_BYTE_ARRAY = (2, 8), 7
"""Encodings of values by reference: to a dictionary, or to the value before."""
HINT = "write it again with fewer rows in a row group, or as JSON Lines"


@dataclass
class _Column:
    """The sizes of a column in a row group, in bytes, as far as its pages tell.

    Attributes:
        pages: what is in memory at once: the dictionary, and the largest page.
        reference: the longest value that rows can refer to.
        largest: the longest value that is written out.
        written: all values that are written out.
        unfolded: all values.
        values: how many there are.
    """

    pages: int = 0
    reference: int = 0
    largest: int = 0
    written: int = 0
    unfolded: int = 0
    values: int = 0

    def bytes_of(self, rows: int) -> int:
        """Return the most bytes that so many rows without lists can have."""
        return self.pages + rows * self.reference + min(rows * self.largest, self.written)


def safe_batch_rows(file: BinaryIO, footer: Any, shown: str) -> int:
    """Return how many rows of a Parquet file may be read at once.

    Args:
        file: the file; its position changes.
        footer: pyarrow's `FileMetaData`.
        shown: the file in messages.

    Raises:
        UsageError: if it unfolds to too much.
        ValueError: if a page's header is invalid.
    """
    if footer.num_rows > MAX_ROWS:
        raise UsageError(f"{shown} has more than {MAX_ROWS} rows", "split it")
    rows = BATCH_ROWS
    for index in range(footer.num_row_groups):
        group, columns = footer.row_group(index), []
        for number in range(footer.num_columns):
            column = _measure(file, group.column(number))
            has_lists = footer.schema.column(number).max_repetition_level > 0
            if has_lists and (column.values > MAX_LIST_VALUES or column.unfolded > MAX_LIST_BYTES):
                raise UsageError(
                    f"{shown} may unfold to {column.unfolded >> 20} MB in the lists of "
                    f"{group.column(number).path_in_schema[:80]!r}",
                    HINT,
                )
            columns.append(_Column(column.pages) if has_lists else column)
        while sum(column.bytes_of(rows) for column in columns) > MAX_BYTES:
            if rows == 1:
                raise UsageError(
                    f"a row of {shown} may unfold to more than {MAX_BYTES >> 20} MB", HINT
                )
            rows //= 2
    return rows


def _measure(file: BinaryIO, chunk: Any) -> _Column:
    """Return the sizes of a column chunk, from the headers of its pages."""
    column, largest_page, dictionary = _Column(), 0, 0
    is_text = chunk.physical_type in TEXT_TYPES
    for kind, size, values, encoding in _pages(file, chunk):
        if kind == DICTIONARY_PAGE:
            dictionary = max(dictionary, size)
            continue
        largest_page = max(largest_page, size)
        column.values += values
        column.unfolded += values * NUMBER_BYTES
        if not is_text:
            continue
        if encoding in DICTIONARY_ENCODINGS or encoding == DELTA_BYTE_ARRAY:
            longest = size if encoding == DELTA_BYTE_ARRAY else dictionary
            column.reference = max(column.reference, longest)
            column.unfolded += values * longest
        else:
            column.largest = max(column.largest, size)
            column.written += size
            column.unfolded += size
    column.pages = dictionary + largest_page
    return column


def _pages(file: BinaryIO, chunk: Any) -> Iterator[tuple[int, int, int, int]]:
    """Yield type, uncompressed bytes, number of values and encoding of each page, as pyarrow does.

    Raises:
        ValueError: if a header is invalid.
    """
    offset = chunk.data_page_offset
    if chunk.has_dictionary_page and 0 < chunk.dictionary_page_offset < offset:
        offset = chunk.dictionary_page_offset
    end, seen = offset + chunk.total_compressed_size, 0
    while seen < chunk.num_values and offset < end:
        header, length = _read_header(file, offset)
        kind, size, compressed = (_number(header, field) for field in (1, 2, 3))
        details, encoding = DATA_HEADERS.get(kind, (0, 0))
        data = header.get(details, {})
        values = _number(data, 1) if details else 0
        yield kind, size, values, _number(data, encoding) if details else 0
        seen, offset = seen + values, offset + length + compressed


def _number(fields: Any, field: int) -> int:
    number = fields.get(field) if isinstance(fields, dict) else None
    if not isinstance(number, int) or number < 0:
        raise ValueError("the header of a page is invalid")
    return number


def _read_header(file: BinaryIO, offset: int) -> tuple[dict[int, Any], int]:
    """Return the fields of the header at an offset, by number, and its length."""
    size = HEADER_BYTES
    while True:
        file.seek(offset)
        content = file.read(size)
        reader = _CompactReader(content)
        try:
            return reader.read_struct(MAX_DEPTH), reader.position
        except IndexError:
            if len(content) < size or size >= MAX_HEADER_BYTES:
                raise ValueError("the header of a page is cut off") from None
            size *= 16


class _CompactReader:
    """Reads a struct in Thrift's compact protocol; lists and texts are skipped.

    Raises:
        IndexError: from any method, if the bytes end.
        ValueError: from any method, if they are no such struct.
    """

    def __init__(self, content: bytes) -> None:
        self._content, self.position = content, 0

    def read_struct(self, depth: int) -> dict[int, Any]:
        """Return the values of the fields, by number; None for those that are skipped."""
        fields: dict[int, Any] = {}
        number = 0
        while kind := self._byte():
            delta, kind = kind >> 4, kind & 15
            number = number + delta if delta else _signed(self._varint())
            fields[number] = kind == 1 if kind in (1, 2) else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if not depth:
            raise ValueError("the header of a page is nested too deeply")
        if kind in (1, 2, 3):  # in lists and maps, truth takes a byte too
            return self._byte()
        if kind in (4, 5, 6):
            return _signed(self._varint())
        if kind == 7:
            return self._skip(8)
        if kind == 8:
            return self._skip(self._varint())
        if kind in (9, 10):
            head = self._byte()
            for _ in range(self._varint() if head >> 4 == 15 else head >> 4):
                self._value(head & 15, depth - 1)
            return None
        if kind == 12:
            return self.read_struct(depth - 1)
        raise ValueError("the header of a page is invalid")  # it has no maps

    def _byte(self) -> int:
        self.position += 1
        return self._content[self.position - 1]

    def _varint(self) -> int:
        number = shift = 0
        while (byte := self._byte()) & 128:
            number |= (byte & 127) << shift
            shift += 7
            if shift > 63:
                raise ValueError("a number in the header of a page is too long")
        return number | byte << shift

    def _skip(self, length: int) -> None:
        self.position += length
        if self.position > len(self._content):
            raise IndexError


def _signed(number: int) -> int:
    """Return the number that Thrift writes as a natural one (zigzag)."""
    return number >> 1 ^ -(number & 1)
