"""Write the gallery of a batch: an HTML page that is opened from disk, without a server.

A page opened from disk cannot fetch files, but it can load scripts, so its data is in scripts of
500 rows each, which it loads as needed. The page's markup, style and code are in `gallery.html`,
which inserts all text from users as text only.
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
from sow.utils.output_folder import OutputFolder

PAGE = "index.html"
ASSETS = ".sow/gallery"
TEMPLATE = Path(__file__).with_name("gallery.html")
GENERATOR_TAG = b'<meta name="generator" content="sow">'
"""Near the start of every gallery, so that other pages are not overwritten."""
TAG_BYTES = 1000
CHUNK_ROWS = 500
"""Rows in a chunk of about 200 kB."""
CHUNK_NAME = re.compile(r"(entries|failed)-(\d{4,})\.js", re.ASCII)
THUMBNAIL_SIDE, LOSSLESS_BELOW = 320, 200
"""The longest side of a thumbnail in px; below the second, pictures are pixel art and lossless."""

Row = TypeVar("Row")


@dataclass(frozen=True)
class Entry:
    """One picture of the gallery.

    Attributes:
        file_name: the path of the picture, relative to the results folder.
        id: the id of its job.
        thumb, condition: the paths of the thumbnails of the picture and its condition, relative
            to the results folder; empty if there is none. Without `thumb` the picture is shown.
        remarks: sentences about the picture.
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
    """A failed job.

    Attributes:
        id: the id of the job; empty if its line could not be parsed.
        line: its line in the manifest.
        reason: the error.
        attempts: how often it was tried.
    """

    id: str
    line: int
    reason: str
    attempts: int = 1


@dataclass
class _Totals:
    """Counts of the rows that were written."""

    rows: int = 0
    remarks: int = 0


def thumbnail(picture: Image.Image) -> bytes:
    """Return a thumbnail as WebP without metadata, never larger than the picture."""
    small = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    small.info = {}  # no colour profile, location or camera data
    exact = max(small.size) < LOSSLESS_BELOW
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "WEBP", quality=82, lossless=exact)
    return file.getvalue()


def write_gallery(
    folder: Path, entries: Iterable[Entry], failed: Iterable[Failure], title: str
) -> Path:
    """Write the gallery of a results folder and return the path of its page.

    The iterables are read once, a chunk at a time, so they may be of any length. The page is
    written last: until then the old page finds all of its files.

    Raises:
        OutputError: if a file cannot be written, or there is another page of the same name.
        UsageError: if an entry names a file outside the folder.
    """
    page, assets = folder / PAGE, folder / ASSETS
    _check_is_gallery(page)
    make_folder(assets, below=folder)
    pictures, failures = _Totals(), _Totals()
    written = _write_chunks(folder, "entries", _entry_rows(entries, pictures))
    written |= _write_chunks(folder, "failed", _failure_rows(failed, failures))
    facts = {
        "home": ASSETS,
        "size": CHUNK_ROWS,
        "entries": pictures.rows,
        "remarks": pictures.remarks,
        "failed": failures.rows,
    }
    write_text(_page(title, facts), page, force=True)
    _remove_surplus(folder, written)
    return page


def _entry_rows(entries: Iterable[Entry], count: _Totals) -> Iterator[list[Any]]:
    for entry in entries:
        count.rows += 1
        count.remarks += bool(entry.remarks)
        seconds = None if entry.seconds is None else round(entry.seconds, 2)
        # The seed is a string: JavaScript's numbers are exact only up to 2**53.
        yield [_link(entry.file_name), entry.id, entry.prompt, str(entry.seed), seconds,
               _link(entry.thumb), _link(entry.condition), entry.remarks]  # fmt: skip


def _failure_rows(failed: Iterable[Failure], count: _Totals) -> Iterator[list[Any]]:
    for failure in failed:
        count.rows += 1
        yield [failure.id, failure.line, failure.reason, failure.attempts]


def _link(name: str) -> str:
    """Return a file name as a relative URL that does not leave the folder of the page.

    Raises:
        UsageError: if it would leave the folder.
    """
    # Not pathlib, which interns every part of every name.
    if name.startswith("/") or ".." in name.split("/") or "\\" in name:
        raise UsageError(f"{name!r} is not in the folder of the gallery")
    # Colons are quoted too, so that no name is read as a URL scheme.
    return quote(name, safe="/")


def _write_chunks(folder: Path, kind: str, rows: Iterator[list[Any]]) -> set[str]:
    """Write the rows in chunks and return the names of the files."""
    names = set()
    for number, chunk in enumerate(_chunks(rows)):
        name = f"{kind}-{number:04d}.js"
        text = ",\n".join(_json(row) for row in chunk)
        script = f'sowRows("{kind}",[\n{text}\n]);\n'
        write_text(script, folder / ASSETS / name, force=True, below=folder)
        names.add(name)
    return names


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while chunk := list(islice(rows, CHUNK_ROWS)):
        yield chunk


def _json(value: object) -> str:
    """Return ASCII JSON that is safe inside a `<script>` element."""
    # Non-ASCII is escaped: JavaScript line separators, bidirectional marks, lone surrogates.
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _page(title: str, facts: dict[str, Any]) -> str:
    """Return the page: the template with its title, counts and content security policy."""
    template = TEMPLATE.read_text(encoding="utf-8")
    values = {
        "policy": _content_security_policy(template),
        # Lone surrogates cannot be encoded as UTF-8.
        "title": html.escape(title.encode(errors="replace").decode()),
        "facts": _json(facts),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: values[found[1]], template)


def _content_security_policy(template: str) -> str:
    """Return the policy: images from disk, the inline style and script, and what that loads.

    Inline style and script are allowed by hash; 'strict-dynamic' refuses scripts that the inline
    script has not inserted, since files on disk have no host to allow.
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
    """Return the CSP hash of the inline `<script>` or `<style>` element of a page."""
    found = re.search(rf"<{tag}>(.*?)</{tag}>", template, re.DOTALL)
    assert found is not None
    digest = hashlib.sha256(found[1].encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _check_is_gallery(page: Path) -> None:
    """Check that there is no page yet, or that it is a gallery.

    Raises:
        OutputError: if it is another page.
    """
    if not page.is_file():
        return  # anything but a file is refused when the page is written
    with page.open("rb") as file:
        is_gallery = GENERATOR_TAG in file.read(TAG_BYTES)
    if not is_gallery:
        raise OutputError(f"{str(page)!r} is not a SOW gallery", "move it away")


def _remove_surplus(folder: Path, written: set[str]) -> None:
    """Remove chunks of an earlier, longer gallery; other files stay."""
    with OutputFolder(folder) as outputs, suppress(OSError):
        for name in outputs.entries(ASSETS):
            if CHUNK_NAME.fullmatch(name) and name not in written:
                with suppress(OSError):
                    outputs.remove(f"{ASSETS}/{name}")
