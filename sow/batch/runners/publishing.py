"""What a folder of results shows besides its pictures: their list, and a page to look at them."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from sow.batch.gallery.gallery import ASSETS, CHUNK_NAME, PAGE, Entry, thumbnail, write_gallery
from sow.batch.ledger.ledger import Ledger
from sow.batch.ledger.schema import OWN_FOLDER
from sow.batch.runners.saving import GeneratedPicture
from sow.errors import OutputError
from sow.utils.files import temporary_file

METADATA = "metadata.jsonl"
THUMBS = f"{OWN_FOLDER}/thumbs"
SHARE, SELDOM = 0.02, 10.0
"""The share of the time that may go into keeping both up to date, and the least seconds between."""


def thumbs_of(file_name: str) -> tuple[str, str]:
    """The small pictures of a result and of what was planted, from the folder on."""
    stem = f"{THUMBS}/{file_name.removesuffix('.png')}"
    return f"{stem}.webp", f"{stem}.condition.webp"


def thumbs(made: GeneratedPicture, name: str) -> dict[str, bytes]:
    """Small pictures of both, for the page."""
    result, condition = thumbs_of(name)
    small = {result: thumbnail(made.picture.image)}
    if not made.spec.plan.text_only:
        small[condition] = thumbnail(made.picture.condition.cut_out())
    return small


def write_metadata(ledger: Ledger) -> Path:
    """`metadata.jsonl`: a line for every picture, as ImageFolder reads it.

    Raises:
        OutputError: if it cannot be written.
    """
    target = ledger.folder / METADATA
    with temporary_file(ledger.folder / OWN_FOLDER) as file:
        with file.open("w", encoding="utf-8") as lines:
            for told in ledger.picture_metadata():
                lines.write(json.dumps(told, ensure_ascii=False) + "\n")
        file.replace(target)
    return target


def write_page(ledger: Ledger, title: str) -> Path:
    """`index.html`: every picture beside what was planted in it, and what failed.

    Raises:
        OutputError: if it cannot be written.
    """
    entries = (entry_of(told) for told in ledger.picture_metadata())
    return write_gallery(ledger.folder, entries, ledger.failures(), title)


def entry_of(told: dict[str, Any]) -> Entry:
    """A picture on the page."""
    thumb, condition = thumbs_of(told["file_name"])
    return Entry(
        told["file_name"], told["id"], told["prompt"], told["seed"], told["seconds"], thumb,
        condition if told.get("box") else "", tuple(told["notes"]),
    )  # fmt: skip


def pages_of(folder: Path) -> list[str]:
    """The files of the page, itself last."""
    chunks = sorted(path.name for path in (folder / ASSETS).iterdir() if CHUNK_NAME.fullmatch(path.name))
    return [*(f"{ASSETS}/{name}" for name in chunks), PAGE]


class Publisher:
    """Keeps both up to date while a batch runs, seldom enough to cost next to nothing."""

    def __init__(self, ledger: Ledger) -> None:
        """Nothing is written yet."""
        self._ledger, self._next = ledger, time.monotonic() + SELDOM

    def now(self) -> None:
        """Writes both, if they do not show what the ledger has.

        Raises:
            OutputError: if they cannot be written.
        """
        there = all(self._ledger.store.exists(name) for name in (METADATA, PAGE))
        if there and self._ledger.get_meta("stale") == "0":
            return
        started = time.monotonic()
        self._ledger.set_meta("stale", "0")  # before it is read: what comes meanwhile is told later
        try:
            write_metadata(self._ledger)
            write_page(self._ledger, self._ledger.store.name)
            self._ledger.store.publish([*pages_of(self._ledger.folder), METADATA])
        except BaseException:
            self._ledger.set_meta("stale", "1")
            raise
        took = time.monotonic() - started
        self._next = time.monotonic() + max(SELDOM, took / SHARE)

    def if_due(self) -> None:
        """Writes both, if it is time; what cannot be written now is tried again later."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + SELDOM
            with suppress(OutputError):  # somebody on Windows may have it open
                self.now()
