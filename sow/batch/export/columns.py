"""What metadata is as columns of Parquet, found out line by line, and how `datasets` reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sow.errors import UsageError

IMAGE = "image"
"""The column of the pictures themselves, as everywhere where pictures are learnt from."""
RENAMED = "picture"
"""What a column of the metadata is called that has this name: the picture that was planted."""
MOST_COLUMNS = 1000
MOST_INTEGER = 2**63
KINDS = {bool: "bool", int: "int64", float: "double", str: "string"}
DTYPES = {"bool": "bool", "int64": "int64", "double": "float64", "string": "string"}
"""The same kinds in pyarrow's words and in those of `datasets`."""


class Columns:
    """The columns that some lines need, in the order in which they are first named.

    What is not of one plain kind in all lines, such as lists, is kept as JSON in a text.
    """

    def __init__(self) -> None:
        self._kinds: dict[str, str | None] = {}

    def add(self, data: Mapping[str, Any]) -> None:
        """Makes room for a line.

        Raises:
            UsageError: if there are far too many columns, or two would have one name.
        """
        for name, value in data.items():
            self._kinds[name] = _joined(self._kinds.get(name), _kind(value))
        if len(self._kinds) > MOST_COLUMNS:
            raise UsageError(f"more than {MOST_COLUMNS} columns", "remove some of the metadata")
        if IMAGE in self._kinds and RENAMED in self._kinds:
            raise UsageError(
                f"the metadata has {IMAGE!r} and {RENAMED!r}", "remove one from all lines"
            )

    def schema(self) -> Any:
        """The schema of a file, with what says that the pictures are pictures."""
        import pyarrow as pa

        image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        fields = [(IMAGE, image), *((_column(n), pa.type_for_alias(k)) for n, k in self._plain)]
        return pa.schema(fields, metadata={"huggingface": json.dumps(self._features())})

    def row(self, data: Mapping[str, Any], picture: bytes, path: str) -> dict[str, Any]:
        """A line as a row with its picture."""
        made: dict[str, Any] = {IMAGE: {"bytes": picture, "path": path}}
        for name, kind in self._kinds.items():
            value = data.get(name)
            if kind == "double" and value is not None:
                value = float(value)
            elif kind == "json" and value is not None:
                value = json.dumps(value, sort_keys=True, ensure_ascii=False)
            made[_column(name)] = value
        return made

    @property
    def _plain(self) -> list[tuple[str, str]]:
        """Names and kinds; a column that never says anything, or says too much, is a text."""
        return [(n, k if k and k != "json" else "string") for n, k in self._kinds.items()]

    def _features(self) -> dict[str, Any]:
        values = {
            _column(name): {"dtype": DTYPES[kind], "_type": "Value"} for name, kind in self._plain
        }
        return {"info": {"features": {IMAGE: {"_type": "Image"}, **values}}}


def _column(name: str) -> str:
    return RENAMED if name == IMAGE else name


def _kind(value: Any) -> str | None:
    if value is None:
        return None
    if type(value) is int and not -MOST_INTEGER <= value < MOST_INTEGER:
        return "json"
    return KINDS.get(type(value), "json")


def _joined(one: str | None, other: str | None) -> str | None:
    """A kind for what is of one kind here and of another there."""
    if one is None or other is None or one == other:
        return one or other
    return "double" if {one, other} == {"int64", "double"} else "json"
