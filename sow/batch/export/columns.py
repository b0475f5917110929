"""What metadata is as columns of Parquet, found out line by line, and how `datasets` reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sow.errors import UsageError

IMAGE_COLUMN = "image"
"""The column of the pictures themselves, as everywhere where pictures are learnt from."""
CONDITION_COLUMN = "picture"
"""What a column of the metadata is called that has this name: the picture that was planted."""
MAX_COLUMNS = 1000
INT64_LIMIT = 2**63
COLUMN_TYPES = {bool: "bool", int: "int64", float: "double", str: "string"}
DATASETS_DTYPES = {"bool": "bool", "int64": "int64", "double": "float64", "string": "string"}
"""The same kinds in pyarrow's words and in those of `datasets`."""


class Columns:
    """The columns that some lines need, in the order in which they are first named.

    What is not of one plain kind in all lines, such as lists, is kept as JSON in a text.
    """

    def __init__(self) -> None:
        self._types: dict[str, str | None] = {}

    def add(self, data: Mapping[str, Any]) -> None:
        """Makes room for a line.

        Raises:
            UsageError: if there are far too many columns, or two would have one name.
        """
        for name, value in data.items():
            self._types[name] = _common_type(self._types.get(name), _column_type(value))
        if len(self._types) > MAX_COLUMNS:
            raise UsageError(f"more than {MAX_COLUMNS} columns", "remove some of the metadata")
        if IMAGE_COLUMN in self._types and CONDITION_COLUMN in self._types:
            raise UsageError(
                f"the metadata has {IMAGE_COLUMN!r} and {CONDITION_COLUMN!r}", "remove one from all lines"
            )

    def schema(self) -> Any:
        """The schema of a file, with what says that the pictures are pictures."""
        import pyarrow as pa

        image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        fields = [(IMAGE_COLUMN, image), *((_column(n), pa.type_for_alias(k)) for n, k in self._column_types)]
        return pa.schema(fields, metadata={"huggingface": json.dumps(self._features())})

    def row(self, data: Mapping[str, Any], picture: bytes, path: str) -> dict[str, Any]:
        """A line as a row with its picture."""
        row: dict[str, Any] = {IMAGE_COLUMN: {"bytes": picture, "path": path}}
        for name, column_type in self._types.items():
            value = data.get(name)
            if column_type == "double" and value is not None:
                value = float(value)
            elif column_type == "json" and value is not None:
                value = json.dumps(value, sort_keys=True, ensure_ascii=False)
            row[_column(name)] = value
        return row

    @property
    def _column_types(self) -> list[tuple[str, str]]:
        """Names and kinds; a column that never says anything, or says too much, is a text."""
        return [(n, k if k and k != "json" else "string") for n, k in self._types.items()]

    def _features(self) -> dict[str, Any]:
        values = {
            _column(name): {"dtype": DATASETS_DTYPES[column_type], "_type": "Value"} for name, column_type in self._column_types
        }
        return {"info": {"features": {IMAGE_COLUMN: {"_type": "Image"}, **values}}}


def _column(name: str) -> str:
    return CONDITION_COLUMN if name == IMAGE_COLUMN else name


def _column_type(value: Any) -> str | None:
    if value is None:
        return None
    if type(value) is int and not -INT64_LIMIT <= value < INT64_LIMIT:
        return "json"
    return COLUMN_TYPES.get(type(value), "json")


def _common_type(first: str | None, second: str | None) -> str | None:
    """A kind for what is of one kind here and of another there."""
    if first is None or second is None or first == second:
        return first or second
    return "double" if {first, second} == {"int64", "double"} else "json"
