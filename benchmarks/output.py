"""Where a study writes its tables and sheets, its messages, and progress bars."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image
from tqdm import tqdm

from sow.pictures.drawing import stacked
from sow.utils.files import check_output_path, make_folder, write_atomically, write_text

PICTURES = "pictures"
"""The folder of the pictures that studies keep, beside their tables."""
Item = TypeVar("Item")
_bars = True


def hide_bars() -> None:
    """Hide progress bars for the rest of this process."""
    global _bars
    _bars = False


def bar(items: Iterable[Item], label: str, total: int | None = None) -> Iterable[Item]:
    """Wrap an iterable in a progress bar, shown only at a terminal. label: what the items are."""
    shown: Iterable[Item] = tqdm(items, desc=label, total=total, disable=_hidden())
    return shown


def progress_bar(label: str, total: float) -> Any:
    """Return a tqdm bar for steps of unequal size; it disappears when closed."""
    form = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}, {remaining} left"
    return tqdm(desc=label, total=total, disable=_hidden(), leave=False, bar_format=form)


def _hidden() -> bool | None:
    return None if _bars else True  # by None tqdm looks whether there is a terminal


@dataclass(frozen=True)
class StudyOutput:
    """The output of a study.

    Attributes:
        out: the folder of tables and sheets.
        command: the command that repeats the study, for its tables.
        force: whether to overwrite existing tables and sheets.
        log: called with each line about progress.
    """

    out: Path
    command: str
    force: bool = False
    log: Callable[[str], None] = print

    @property
    def pictures(self) -> Path:
        """The folder of cached pictures."""
        return self.out / PICTURES

    def check_output_path(self, *names: str) -> None:
        """Check, before the work starts, that these files may be written.

        Raises:
            OutputError: if one exists and `force` is not set, or the folder cannot be made.
        """
        make_folder(self.out, "give another out=")
        for name in names:
            check_output_path(self.out / name, self.force)

    def write_page(self, name: str, lines: Iterable[str]) -> None:
        """Write a page of Markdown.

        Raises:
            OutputError: if it exists and `force` is not set, or cannot be written.
        """
        write_text("\n".join(lines).rstrip("\n") + "\n", self.out / name, force=self.force)
        self.log(str(self.out / name))

    def write_sheet(
        self, name: str, rows: Sequence[Image.Image], gap: int = 4, colours: int = 0
    ) -> None:
        """Write rows of pictures, stacked, as a PNG. colours: the most colours of its palette; 0
        keeps all.

        Raises:
            OutputError: if it exists and `force` is not set, or cannot be written.
        """
        page = stacked(rows, gap)
        if colours:
            page = page.quantize(colours, dither=Image.Dither.NONE)
        write_atomically(
            lambda file: page.save(file, "PNG", optimize=True), self.out / name, self.force
        )
        self.log(str(self.out / name))
