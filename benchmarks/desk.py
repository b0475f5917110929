"""Where a study writes, what it says while it works, and the bars that show how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image
from tqdm import tqdm

from sow.files import check_free, make_folder, publish, write_text
from sow.pictures.drawing import stacked

PICTURES = "pictures"
"""The folder of the pictures that studies keep, beside their tables."""
Item = TypeVar("Item")
_bars = True


def quieten() -> None:
    """No bars from now on in this process."""
    global _bars
    _bars = False


def bar(items: Iterable[Item], said: str, total: int | None = None) -> Iterable[Item]:
    """The same, with a bar at a terminal. said: of what they are."""
    shown: Iterable[Item] = tqdm(items, desc=said, total=total, disable=_hidden())
    return shown


def parts_bar(said: str, total: float) -> Any:
    """A bar of tqdm's for what comes in unequal parts, gone when it is closed; hidden as `bar`."""
    form = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}, {remaining} left"
    return tqdm(desc=said, total=total, disable=_hidden(), leave=False, bar_format=form)


def _hidden() -> bool | None:
    return None if _bars else True  # by None tqdm looks whether there is a terminal


@dataclass(frozen=True)
class Desk:
    """What every study is given.

    Attributes:
        out: the folder of its tables and sheets.
        command: what repeats it; stands in its tables.
        force: whether tables and sheets that are there are overwritten.
        say: is told what was found, line by line.
    """

    out: Path
    command: str
    force: bool = False
    say: Callable[[str], None] = print

    @property
    def pictures(self) -> Path:
        """The folder of pictures that are kept, so that none is made twice."""
        return self.out / PICTURES

    def free(self, *names: str) -> None:
        """Looks, before the work starts, whether these files may be written.

        Raises:
            OutputError: if one exists and `force` is not set, or the folder cannot be made.
        """
        make_folder(self.out, "give another out=")
        for name in names:
            check_free(self.out / name, self.force)

    def page(self, name: str, lines: Iterable[str]) -> None:
        """Writes a page of Markdown.

        Raises:
            OutputError: if it exists and `force` is not set, or cannot be written.
        """
        write_text("\n".join(lines).rstrip("\n") + "\n", self.out / name, force=self.force)
        self.say(str(self.out / name))

    def sheet(self, name: str, rows: Sequence[Image.Image], gap: int = 4, colours: int = 0) -> None:
        """Writes rows of pictures, one above the other, as a PNG; of so many colours at most.

        Raises:
            OutputError: if it exists and `force` is not set, or cannot be written.
        """
        page = stacked(rows, gap)
        if colours:
            page = page.quantize(colours, dither=Image.Dither.NONE)
        publish(lambda file: page.save(file, "PNG", optimize=True), self.out / name, self.force)
        self.say(str(self.out / name))
