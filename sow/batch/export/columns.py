"""Infer Parquet columns from the lines of the metadata, with a schema for `datasets`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sow.errors import UsageError

IMAGE_COLUMN = "image"
"""The column of the pictures, as is usual in data sets."""
CONDITION_COLUMN = "picture"
"""The column for a field of the metadata named `image`: the condition's picture."""
MAX_COLUMNS = 1000
INT64_LIMIT = 2**63
COLUMN_TYPES = {bool: "bool", int: "int64", float: "double", str: "string"}
DATASETS_DTYPES = {"bool": "bool", "int64": "int64", "double": "float64", "string": "string"}
"""The types of columns, by pyarrow's names, and their names in `datasets`."""


class Columns:
    """The columns of some lines, in the order in which they first appear.

    A value that is not of one simple type in all lines, such as a list, is stored as JSON.
    """

    def __init__(self) -> None:
        self._types: dict[str, str | None] = {}

    def add(self, data: Mapping[str, Any]) -> None:
        """Add the columns that a line needs.

        Raises:
            UsageError: if there are too many columns, or two would have the same name.
        """
        for name, value in data.items():
            self._types[name] = _common_type(self._types.get(name), _column_type(value))
        if len(self._types) > MAX_COLUMNS:
            raise UsageError(f"more than {MAX_COLUMNS} columns", "remove fields from the metadata")
        if IMAGE_COLUMN in self._types and CONDITION_COLUMN in self._types:
            raise UsageError(
                f"the metadata has {IMAGE_COLUMN!r} and {CONDITION_COLUMN!r}",
                "remove one from all lines",
            )

    def schema(self) -> Any:
        """Return the schema, with the metadata that makes `datasets` decode the pictures."""
        import pyarrow as pa

        image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        fields = [
            (IMAGE_COLUMN, image),
            *((_column(n), pa.type_for_alias(k)) for n, k in self._column_types),
        ]
        return pa.schema(fields, metadata={"huggingface": json.dumps(self._features())})

    def row(self, data: Mapping[str, Any], picture: bytes, path: str) -> dict[str, Any]:
        """Return the row of a line and its picture."""
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
        """Names and types; a column without values, or of mixed types, is a string."""
        return [(n, k if k and k != "json" else "string") for n, k in self._types.items()]

    def _features(self) -> dict[str, Any]:
        values = {
            _column(name): {"dtype": DATASETS_DTYPES[column_type], "_type": "Value"}
            for name, column_type in self._column_types
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
    """Return a type that can hold values of both types."""
    if first is None or second is None or first == second:
        return first or second
    return "double" if {first, second} == {"int64", "double"} else "json"
