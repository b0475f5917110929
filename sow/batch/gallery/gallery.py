"""A page of a batch's pictures, beside them: opened from the disk, without a server or a network.

A page that is opened from the disk may not fetch files but may load scripts, so what is in it
lies in scripts of 500 rows each, which the page loads when it needs them. The page itself, with
its looks and its program, is `gallery.html`; it inserts whatever comes from users as text only.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from PIL import Image

from sow.errors import OutputError, UsageError
from sow.utils.files import make_folder, write_text

PAGE = "index.html"
HOME = ".sow/gallery"
TEMPLATE = Path(__file__).with_name("gallery.html")
OURS = b'<meta name="generator" content="sow">'
"""What our page begins with, so that nobody else's is written over."""
BEGINNING = 1000
ROWS = 500
"""Of a chunk: some 200 kB, read within a blink."""
CHUNK = re.compile(r"(entries|failed)-(\d{4,})\.js", re.ASCII)
LONGEST_SIDE, PIXEL_ART = 320, 200
"""Of a thumbnail; below the second, pictures are shown pixel by pixel and stored without loss."""

Row = TypeVar("Row")


@dataclass(frozen=True)
class Entry:
    """One picture of the gallery.

    Attributes:
        file_name: of the picture, from the results folder on.
        id: of its job.
        thumb, condition: the files of the thumbnails, from the results folder on; empty if there
            are none. Without a thumbnail the picture itself is shown.
        remarks: what is to be known about it, a sentence each.
    """

    file_name: str
    id: str
    prompt: str
    seed: int
    seconds: float | None = None
    thumb: str = ""
    condition: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failure:
    """A job that came to nothing.

    Attributes:
        id: of the job; empty if its line could not be read so far.
        line: of the manifest.
        attempts: how often it was tried.
    """

    id: str
    line: int
    reason: str
    attempts: int = 1


@dataclass
class _Count:
    """What went by."""

    rows: int = 0
    remarks: int = 0


def thumbnail(picture: Image.Image) -> bytes:
    """A WebP of a result or a condition: never larger than the picture, nothing else in it."""
    small = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    small.info = {}  # a picture's own profile, place and camera are nobody's business
    exact = max(small.size) < PIXEL_ART
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "WEBP", quality=82, lossless=exact)
    return file.getvalue()


def write_gallery(
    folder: Path, entries: Iterable[Entry], failed: Iterable[Failure], title: str
) -> Path:
    """Writes the page of a results folder anew, in the order given, and says where it is.

    Both are read once and a chunk at a time, so there may be any number of them. The page comes
    last: until then the old one finds everything that it names.

    Raises:
        OutputError: if something cannot be written, or there is a page that is somebody else's.
        UsageError: if an entry names a file outside the folder.
    """
    page, home = folder / PAGE, folder / HOME
    _check_ours(page)
    make_folder(home)
    pictures, failures = _Count(), _Count()
    kept = _write_chunks(home, "entries", _entry_rows(entries, pictures))
    kept |= _write_chunks(home, "failed", _failure_rows(failed, failures))
    facts = {"home": HOME, "size": ROWS, "entries": pictures.rows, "remarks": pictures.remarks,
             "failed": failures.rows}  # fmt: skip
    write_text(_page(title, facts), page, force=True)
    _remove_surplus(home, kept)
    return page


def _entry_rows(entries: Iterable[Entry], count: _Count) -> Iterator[list[Any]]:
    for entry in entries:
        count.rows += 1
        count.remarks += bool(entry.remarks)
        seconds = None if entry.seconds is None else round(entry.seconds, 2)
        # The seed as a text: JavaScript's numbers are exact up to 2**53 only.
        yield [_link(entry.file_name), entry.id, entry.prompt, str(entry.seed), seconds,
               _link(entry.thumb), _link(entry.condition), entry.remarks]  # fmt: skip


def _failure_rows(failed: Iterable[Failure], count: _Count) -> Iterator[list[Any]]:
    for failure in failed:
        count.rows += 1
        yield [failure.id, failure.line, failure.reason, failure.attempts]


def _link(name: str) -> str:
    """A file's name as a link from the page, which never leads out of its folder.

    Raises:
        UsageError: if it would.
    """
    # Not pathlib: it keeps every part of every name in a table of the whole process.
    if name.startswith("/") or ".." in name.split("/") or "\\" in name:
        raise UsageError(f"{name!r} is not in the folder of the gallery")
    # Colons are quoted too, so nothing reads as another scheme.
    return quote(name, safe="/")


def _write_chunks(home: Path, kind: str, rows: Iterator[list[Any]]) -> set[str]:
    """Writes the rows in chunks and says the names of those."""
    names = set()
    for number, chunk in enumerate(_chunks(rows)):
        name = f"{kind}-{number:04d}.js"
        text = ",\n".join(_json(row) for row in chunk)
        write_text(f'sowRows("{kind}",[\n{text}\n]);\n', home / name, force=True)
        names.add(name)
    return names


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while chunk := list(islice(rows, ROWS)):
        yield chunk


def _json(value: object) -> str:
    """JSON of plain letters that means the same in a script and cannot end one."""
    # What is not ASCII is escaped: the line ends of JavaScript, marks that turn the direction of
    # writing, halves of letters.
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _page(title: str, facts: dict[str, Any]) -> str:
    """The page: the template with what is this folder's own, and leave to run nothing else."""
    template = TEMPLATE.read_text(encoding="utf-8")
    given = {
        "policy": _policy(template),
        # Halves of letters cannot be written as UTF-8.
        "title": html.escape(title.encode(errors="replace").decode()),
        "facts": _json(facts),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: given[found[1]], template)


def _policy(template: str) -> str:
    """What the page may load: pictures from the disk, its own looks, and what its program loads.

    Its program and looks are named by their hashes, and scripts that were put into the page by
    anything but the program are refused ('strict-dynamic'); files have no host to be named by.
    """
    return "; ".join(
        (
            "default-src 'none'",
            "img-src 'self' file:",
            f"style-src {inline_hash(template, 'style')}",
            f"script-src {inline_hash(template, 'script')} 'strict-dynamic'",
            "require-trusted-types-for 'script'",
            "trusted-types sow",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def inline_hash(template: str, tag: str) -> str:
    """What a page's policy calls its own program or looks by: only these may be there."""
    found = re.search(rf"<{tag}>(.*?)</{tag}>", template, re.DOTALL)
    assert found is not None
    digest = hashlib.sha256(found[1].encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _check_ours(page: Path) -> None:
    """Whether the page may be written: there is none, or it is a gallery.

    Raises:
        OutputError: if it is something else.
    """
    if not page.is_file():
        return  # whatever else may be there is refused where it is written
    with page.open("rb") as file:
        ours = OURS in file.read(BEGINNING)
    if not ours:
        raise OutputError(f"{str(page)!r} is not a gallery of ours", "move it away")


def _remove_surplus(home: Path, kept: set[str]) -> None:
    """Removes the chunks of an earlier gallery that was longer; other files stay."""
    for path in home.iterdir():
        if CHUNK.fullmatch(path.name) and path.name not in kept:
            with suppress(OSError):
                path.unlink()
