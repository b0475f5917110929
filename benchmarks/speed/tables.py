"""What a section of `sow bench speed` has to show: tables that print as Markdown or JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Cell = str | int | float | None
"""What stands in a table; None where nothing could be measured."""


@dataclass(frozen=True)
class Table:
    """Rows under names.

    Attributes:
        columns: their names, units and all.
        rows: as many cells each.
        said: what has to be known to read it; printed above it.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    said: str = ""

    def markdown(self) -> Iterator[str]:
        """Its lines."""
        if self.said:
            yield from (self.said, "")
        yield f"| {' | '.join(self.columns)} |"
        yield "|---" * len(self.columns) + "|"
        for row in self.rows:
            yield f"| {' | '.join(map(shown, row))} |"

    def data(self) -> dict[str, Any]:
        """For programs: a row by the names of its columns."""
        rows = [dict(zip(self.columns, row, strict=True)) for row in self.rows]
        return {"said": self.said, "columns": list(self.columns), "rows": rows}

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> Table:
        """The reverse.

        Raises:
            KeyError, TypeError: if it is none.
        """
        columns = tuple(map(str, data["columns"]))
        rows = [tuple(_cell(row[name]) for name in columns) for row in data["rows"]]
        return cls(columns, rows, str(data["said"]))


@dataclass(frozen=True)
class Section:
    """What one part of the benchmark found.

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
        """As it is printed."""
        lines = [f"## {self.title}" if self.complete else f"## {self.title}, so far"]
        for table in self.tables:
            lines += ["", *table.markdown()]
        return "\n".join([*lines, ""])

    def data(self) -> dict[str, Any]:
        """For programs."""
        tables = [table.data() for table in self.tables]
        return {"name": self.name, "title": self.title, "complete": self.complete,
                "tables": tables}  # fmt: skip

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> Section:
        """The reverse.

        Raises:
            KeyError, TypeError: if it is none.
        """
        tables = [Table.of_data(table) for table in data["tables"]]
        return cls(
            str(data["name"]), str(data["title"]), tables, data.get("complete", True) is True
        )


def _cell(value: Any) -> Cell:
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"no cell of a table: {value!r}")


def shown(cell: Cell) -> str:
    """A number to four places that count, anything else as it is."""
    if cell is None:
        return "—"
    if isinstance(cell, float):
        return f"{cell:.0f}" if abs(cell) >= 1000 else f"{cell:.4g}"
    return str(cell)
