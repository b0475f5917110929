"""Limits on what a Parquet file unfolds to, found before any page of it is decompressed.

A few bytes can stand for gigabytes: by compression, by references to a dictionary, by runs. The
sizes in the footer need not be true, so the header of every page is read, as pyarrow will read it.
pyarrow has no limits of its own. (Apache Parquet's `parquet.thrift`, in Thrift's compact protocol.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from os import SEEK_END
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
MAX_DEPTH = 16
"""Levels of a header or a footer, counting lists; they have fewer than ten."""
NUMBER_BYTES = 16
"""Bytes of a number and its levels."""
TEXT_TYPES = (6, 7)
"""BYTE_ARRAY and FIXED_LEN_BYTE_ARRAY."""
REPEATED, MAX_LEVELS = 2, 50
"""How often an element of the schema may appear; levels of the schema."""
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


def safe_batch_rows(file: BinaryIO, shown: str) -> int:
    """Return how many rows of a Parquet file may be read at once.

    The footer is read here: pyarrow's own view of it ends the process if a column lacks its
    metadata.

    Args:
        file: the file; its position changes.
        shown: the file in messages.

    Raises:
        UsageError: if it unfolds to too much.
        ValueError: if its footer or a page's header is invalid.
    """
    footer = _read_footer(file)
    if _number(footer, 3) > MAX_ROWS:
        raise UsageError(f"{shown} has more than {MAX_ROWS} rows", "split it")
    in_lists, rows = _leaves_in_lists(_items(footer, 2)), BATCH_ROWS
    for group in _items(footer, 4):
        chunks, columns = _items(group, 1), []
        if len(chunks) != len(in_lists):
            raise ValueError("a row group lacks a column")
        for chunk, in_list in zip(chunks, in_lists, strict=True):
            column = _measure(file, chunk)
            if in_list and (column.values > MAX_LIST_VALUES or column.unfolded > MAX_LIST_BYTES):
                raise UsageError(
                    f"{shown} may unfold to {column.unfolded >> 20} MB in the lists of a column",
                    HINT,
                )
            columns.append(_Column(column.pages) if in_list else column)
        while sum(column.bytes_of(rows) for column in columns) > MAX_BYTES:
            if rows == 1:
                raise UsageError(
                    f"a row of {shown} may unfold to more than {MAX_BYTES >> 20} MB", HINT
                )
            rows //= 2
    return rows


def _read_footer(file: BinaryIO) -> dict[int, Any]:
    """Return the fields of the file's metadata, by number."""
    file.seek(0, SEEK_END)
    end = file.tell() - 8
    file.seek(max(0, end))
    tail = file.read(8)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != b"PAR1" or length > end:
        raise ValueError("it has no footer")
    if length > MAX_HEADER_BYTES:
        raise ValueError("its footer is too long")
    file.seek(end - length)
    try:
        return _CompactReader(file.read(length)).read_struct(MAX_DEPTH)
    except IndexError:
        raise ValueError("its footer is cut off") from None


def _leaves_in_lists(schema: list[Any]) -> list[bool]:
    """Return for each column whether a row may have several of its values.

    schema: the elements of the tree, each before its children.
    """
    leaves: list[bool] = []
    remaining = iter(schema)

    def visit(repeated: bool, depth: int) -> None:
        element = next(remaining, None)
        if element is None or depth > MAX_LEVELS:
            raise ValueError("its schema is invalid")
        repeated = repeated or (depth > 0 and element.get(3) == REPEATED)
        children = _number(element, 5) if 5 in element else 0
        if not children and depth > 0:
            leaves.append(repeated)
        for _ in range(children):
            visit(repeated, depth + 1)

    visit(False, 0)
    return leaves


def _measure(file: BinaryIO, chunk: Any) -> _Column:
    """Return the sizes of a column chunk, from the headers of its pages."""
    column, largest_page, dictionary = _Column(), 0, 0
    metadata = chunk.get(3) if isinstance(chunk, dict) else None
    is_text = _number(metadata, 1) in TEXT_TYPES
    for kind, size, values, encoding in _pages(file, metadata):
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


def _pages(file: BinaryIO, metadata: Any) -> Iterator[tuple[int, int, int, int]]:
    """Yield type, uncompressed bytes, number of values and encoding of each page, as pyarrow does.

    Raises:
        ValueError: if a header is invalid.
    """
    offset, num_values = _number(metadata, 9), _number(metadata, 5)
    if 11 in metadata and 0 < _number(metadata, 11) < offset:  # the dictionary's
        offset = _number(metadata, 11)
    end, seen = offset + _number(metadata, 7), 0
    while seen < num_values and offset < end:
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
        raise ValueError("a header is invalid")
    return number


def _items(fields: Any, field: int) -> list[Any]:
    items = fields.get(field) if isinstance(fields, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ValueError("a header is invalid")
    return items


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
    """Reads a struct in Thrift's compact protocol; texts and fractions are skipped.

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
            length = self._varint() if head >> 4 == 15 else head >> 4
            return [self._value(head & 15, depth - 1) for _ in range(length)]
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
