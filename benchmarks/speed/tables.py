"""Tables of `sow bench speed`, as Markdown or JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Cell = str | int | float | None
"""What stands in a table; None where nothing could be measured."""


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        columns: their names, units and all.
        rows: as many cells each.
        caption: an explanation, printed above the table.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""

    def markdown(self) -> Iterator[str]:
        """Yield the lines of Markdown."""
        if self.caption:
            yield from (self.caption, "")
        yield f"| {' | '.join(self.columns)} |"
        yield "|---" * len(self.columns) + "|"
        for row in self.rows:
            yield f"| {' | '.join(map(shown, row))} |"

    def data(self) -> dict[str, Any]:
        """Return the table as JSON data; rows are keyed by column."""
        rows = [dict(zip(self.columns, row, strict=True)) for row in self.rows]
        return {"said": self.caption, "columns": list(self.columns), "rows": rows}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Table:
        """Return the table of JSON data.

        Raises:
            KeyError, TypeError: if it is none.
        """
        columns = tuple(map(str, data["columns"]))
        rows = [tuple(_cell(row[name]) for name in columns) for row in data["rows"]]
        return cls(columns, rows, str(data["said"]))


@dataclass(frozen=True)
class Section:
    """The result of one part of the benchmark.

    Attributes:
        name: as `--sections` calls it.
        title: of its heading.
        tables: one after another.
        complete: whether nothing of it is missing.
    """

    name: str
    title: str
    tables: Sequence[Table]
    complete: bool = True

    def markdown(self) -> str:
        """Return the section as Markdown."""
        lines = [f"## {self.title}" if self.complete else f"## {self.title}, so far"]
        for table in self.tables:
            lines += ["", *table.markdown()]
        return "\n".join([*lines, ""])

    def data(self) -> dict[str, Any]:
        """Return the section as JSON data."""
        tables = [table.data() for table in self.tables]
        return {"name": self.name, "title": self.title, "complete": self.complete, "tables": tables}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Section:
        """Return the section of JSON data.

        Raises:
            KeyError, TypeError: if it is none.
        """
        tables = [Table.from_data(table) for table in data["tables"]]
        return cls(
            str(data["name"]), str(data["title"]), tables, data.get("complete", True) is True
        )


def _cell(value: Any) -> Cell:
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"no cell of a table: {value!r}")


def shown(cell: Cell) -> str:
    """Return a cell as text; floats have four significant digits."""
    if cell is None:
        return "—"
    if isinstance(cell, float):
        return f"{cell:.0f}" if abs(cell) >= 1000 else f"{cell:.4g}"
    return str(cell)
