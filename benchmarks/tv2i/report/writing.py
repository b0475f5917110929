"""Write reports: Markdown with its sheets, and a standalone HTML page."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from sow.benchmarks.tv2i.report.markdown import SHEETS, markdown, sheet_name
from sow.benchmarks.tv2i.report.page import page
from sow.benchmarks.tv2i.report.pictures import drawn
from sow.benchmarks.tv2i.report.report import Report
from sow.utils.files import make_folder, write_atomically, write_text

REPORT = "report"
"""What the report of a run is called."""


def write_report(
    made: Report, folder: Path, stem: str = REPORT, *, force: bool = False
) -> tuple[Path, Path]:
    """Write `stem`.md and `stem`.html into an existing folder and return their paths.

    Raises:
        OutputError: if one of them exists and `force` is not set, or cannot be written.
    """
    sheets = [section.sheet for section in made.sections if section.sheet]
    if sheets:
        make_folder(folder / SHEETS, below=folder)
    for sheet in sheets:
        picture = drawn(sheet, [made.labels.get(name, name) for name in sheet.methods])
        name = sheet_name(sheet.title)
        write_atomically(partial(_save, picture), folder / name, force, below=folder)
    text, shown = folder / f"{stem}.md", folder / f"{stem}.html"
    write_text(markdown(made), text, force=force)
    write_text(page(made), shown, force=force)
    return text, shown


def _save(picture: Image.Image, file: BinaryIO) -> None:
    picture.save(file, "WEBP", quality=82)
