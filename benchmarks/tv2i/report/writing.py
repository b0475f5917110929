"""Reports on disk: Markdown with its sheets beside it, and a page that stands alone."""

from __future__ import annotations

from pathlib import Path

from sow.benchmarks.tv2i.report.markdown import SHEETS, markdown, sheet_name
from sow.benchmarks.tv2i.report.page import page
from sow.benchmarks.tv2i.report.pictures import drawn
from sow.benchmarks.tv2i.report.report import Report
from sow.errors import OutputError
from sow.files import publish, write_text


def write_report(
    made: Report, folder: Path, stem: str = "report", *, force: bool = False
) -> tuple[Path, Path]:
    """Writes both into a folder that exists and says where they are: `stem`.md and `stem`.html.

    Raises:
        OutputError: if one of them exists and `force` is not set, or cannot be written.
    """
    sheets = [section.sheet for section in made.sections if section.sheet]
    if sheets:
        _make_folder(folder / SHEETS)
    for sheet in sheets:
        picture = drawn(sheet, [made.labels.get(name, name) for name in sheet.methods])
        publish(
            lambda file, picture=picture: picture.save(file, "WEBP", quality=82),  # type: ignore[misc]
            folder / sheet_name(sheet.title),
            force,
        )
    text, shown = folder / f"{stem}.md", folder / f"{stem}.html"
    write_text(markdown(made), text, force=force)
    write_text(page(made), shown, force=force)
    return text, shown


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the folder {str(folder)!r} cannot be made ({error.strerror or error})",
            "choose another folder",
        ) from None
