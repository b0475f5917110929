"""A report as Markdown for GitHub, with contact sheets beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sow.benchmarks.tv2i.report.grid import Grid, GridCell
from sow.benchmarks.tv2i.report.report import Report, Section

SHEETS = "sheets"


def markdown(made: Report) -> str:
    """Return a report as Markdown."""
    parts = [
        f"# {plain(made.title)}",
        "\n".join(f"- **{plain(name)}**: {plain(value)}" for name, value in made.facts),
    ]
    parts += [part for section in made.sections for part in section_parts(section)]
    return "\n\n".join(part for part in parts if part) + "\n"


def section_parts(section: Section) -> list[str]:
    """Return a section as paragraphs: title, text, tables and link to its sheet."""
    parts = [f"## {plain(section.title)}", *(plain(words) for words in section.words)]
    for grid in section.grids:
        parts += grid_parts(grid, section.title)
    if section.sheet:
        parts.append(f"![{plain(section.title)}]({sheet_name(section.sheet.title)})")
    return parts


def grid_parts(grid: Grid, under: str = "") -> list[str]:
    """Return a table and its notes; its title, unless it is that of its section."""
    parts = [] if grid.title == under else [f"### {plain(grid.title)}"]
    head = [plain(name) for name in grid.head]
    lines = [head, ["---"] * len(head), *([_cell(cell) for cell in row] for row in grid.rows)]
    parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    if grid.notes:
        parts.append("\n".join(f"- {plain(note)}" for note in grid.notes))
    return parts


def document(title: str, grids: Sequence[Grid], words: Sequence[str] = ()) -> str:
    """Return tables under a title."""
    parts = [f"# {plain(title)}", *(plain(one) for one in words)]
    return "\n\n".join([*parts, *(part for grid in grids for part in grid_parts(grid, title))]) + (
        "\n"
    )


def sheet_name(title: str) -> str:
    """Return the path of a sheet, relative to the report."""
    return f"{SHEETS}/{re.sub(r'[^a-z0-9]+', '-', title.lower()).strip('-') or 'sheet'}.webp"


def plain(text: str) -> str:
    """Return a text as one line in which nothing is markup."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    escaped = re.sub(r"([\\`*_{}\[\]#|~])", r"\\\1", line)
    escaped = escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # A bare address becomes a link, a name with @ a person's: neither is meant.
    return escaped.replace("://", ":&#47;/").replace("@", "&#64;").replace("www.", "www&#46;")


def _cell(cell: GridCell) -> str:
    main = plain(cell.main)
    if cell.tone and main:
        main = f"**{main}**" if cell.tone == "head" else main
    return "<br>".join([main, *(plain(line) for line in cell.lines)])
