"""`metadata.jsonl` and the gallery page of a results folder."""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from sow.batch.gallery.gallery import ASSETS, CHUNK_NAME, PAGE, Entry, thumbnail, write_gallery
from sow.batch.ledger.ledger import Ledger
from sow.batch.ledger.schema import METADATA, OWN_FOLDER, THUMBNAILS
from sow.batch.ledger.stores import write_errors
from sow.batch.runners.saving import GeneratedPicture
from sow.errors import OutputError

WRITTEN_LISTS, MAX_LISTS = "lists", 8
"""The note with the SHA-256 of the last versions of `metadata.jsonl`, and how many are kept."""
MAX_TIME_SHARE, MIN_INTERVAL = 0.02, 10.0
"""The share of the time that may go into updates, and the minimum seconds between two."""


def thumbnail_names(file_name: str) -> tuple[str, str]:
    """Return the paths of the thumbnails of a result and its condition, relative to the results.

    No two pictures share one: `x.condition.webp` is of the condition of `x`, and not of a job with
    the id `x.condition`.
    """
    stem = f"{THUMBNAILS}/{file_name.removesuffix('.png')}"
    # No id contains an @, and case is not told apart everywhere.
    result = f"{stem}@result" if stem.lower().endswith(".condition") else stem
    return f"{result}.webp", f"{stem}.condition.webp"


def thumbnails(generated: GeneratedPicture, name: str) -> dict[str, bytes]:
    """Return the contents of a picture's thumbnails, by path."""
    result, condition = thumbnail_names(name)
    files = {result: thumbnail(generated.picture.image)}
    if not generated.spec.plan.text_only:
        files[condition] = thumbnail(generated.picture.condition.to_rgba())
    return files


def write_metadata(ledger: Ledger) -> Path:
    """Write `metadata.jsonl`, with a line for every picture, in the format of ImageFolder.

    A file of that name that somebody has edited is archived.

    Raises:
        OutputError: if it cannot be written.
    """
    digest = hashlib.sha256()
    with write_errors(str(ledger.folder)), ledger.outputs.temporary(OWN_FOLDER) as made:
        for metadata in ledger.picture_metadata():
            line = _line_of(metadata)
            made.file.write(line)
            digest.update(line)
        # Other runners write lists too. Each notes its own before it places it, so that one read
        # before the notes is among them, also if its writer has been killed since.
        before = ledger.store.digest_of(METADATA)
        written = _note_list(ledger, digest.hexdigest())
        if written and before not in (None, *written):
            moved = ledger.store.archive(METADATA)
            if moved is not None:
                ledger.report("file", f"there was another {METADATA}: it is {moved} now")
        made.place(METADATA, replace=True)
    return ledger.folder / METADATA


def _note_list(ledger: Ledger, digest: str) -> list[str]:
    """Note the SHA-256 of a list that is going to be placed; return those noted before."""
    with ledger.transaction() as database:
        written = (ledger.get_meta(WRITTEN_LISTS) or "").split()
        kept = " ".join([*written, digest][-MAX_LISTS:])
        database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (WRITTEN_LISTS, kept))
    return written


def _line_of(metadata: dict[str, Any]) -> bytes:
    line = f"{json.dumps(metadata, ensure_ascii=False)}\n"
    try:
        return line.encode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON can hold and UTF-8 cannot
        return f"{json.dumps(metadata)}\n".encode()


def write_page(ledger: Ledger, title: str) -> Path:
    """Write `index.html`, with every picture beside its condition, and the failed jobs.

    Raises:
        OutputError: if it cannot be written.
    """
    entries = (entry_of(metadata) for metadata in ledger.picture_metadata())
    return write_gallery(ledger.folder, entries, ledger.failures(), title)


def entry_of(metadata: dict[str, Any]) -> Entry:
    """Return the entry of a picture on the page."""
    thumb, condition = thumbnail_names(metadata["file_name"])
    return Entry(
        metadata["file_name"],
        metadata["id"],
        metadata["prompt"],
        metadata["seed"],
        metadata["seconds"],
        thumb,
        condition if metadata.get("box") else "",
        tuple(metadata["notes"]),
    )


def pages_of(folder: Path) -> list[str]:
    """Return the files of the page, the page itself last."""
    names = (path.name for path in (folder / ASSETS).iterdir())
    chunks = sorted(name for name in names if CHUNK_NAME.fullmatch(name))
    return [*(f"{ASSETS}/{name}" for name in chunks), PAGE]


class Publisher:
    """Updates `metadata.jsonl` and the page while a batch runs, rarely enough to cost little."""

    def __init__(self, ledger: Ledger) -> None:
        """Schedule the first update; nothing is written yet."""
        self._ledger, self._next_due = ledger, time.monotonic() + MIN_INTERVAL

    def publish(self) -> None:
        """Write both, unless they are up to date.

        Raises:
            OutputError: if they cannot be written.
        """
        up_to_date = all(self._ledger.store.exists(name) for name in (METADATA, PAGE))
        if up_to_date and self._ledger.get_meta("stale") == "0":
            return
        started = time.monotonic()
        self._ledger.set_meta("stale", "0")  # set before reading: later results set it again
        try:
            write_metadata(self._ledger)
            write_page(self._ledger, self._ledger.store.name)
            self._ledger.store.publish([*pages_of(self._ledger.folder), METADATA])
        except BaseException:
            self._ledger.set_meta("stale", "1")
            raise
        seconds = time.monotonic() - started
        self._next_due = time.monotonic() + max(MIN_INTERVAL, seconds / MAX_TIME_SHARE)

    def publish_if_due(self) -> None:
        """Write both if an update is due; a failure is retried at the next."""
        if time.monotonic() >= self._next_due:
            self._next_due = time.monotonic() + MIN_INTERVAL
            with suppress(OutputError):  # on Windows another program may have it open
                self.publish()
