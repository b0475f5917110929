"""Lines of strangers' files, one after another: bounded, and what is wrong is said of a line."""

from __future__ import annotations

import json
import math
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from sow.errors import UsageError
from sow.utils.files import open_regular

MAX_LINE = 2**20
"""Bytes; what is longer is skipped without ever being held."""
TOO_LONG = f"it is longer than {MAX_LINE >> 20} MiB"
MAX_DEPTH = 100
"""Lists in lists and the like: no plan or graph has ten, and programs that read them recurse."""
BOM = b"\xef\xbb\xbf"


class Row(NamedTuple):
    """A line of a manifest: what it says, or what is wrong with it.

    Attributes:
        number: of the line in its file, from 1; of the row, where there are no lines.
    """

    number: int
    data: dict[str, Any] | None
    problem: str | None = None


Rows = Generator[Row, None, None]


@contextmanager
def open_for_reading(path: Path) -> Iterator[BufferedReader]:
    """A plain file, open for reading.

    Raises:
        UsageError: if it is none, or cannot be read, now or later.
    """
    try:
        file = open_regular(path)
    except (OSError, ValueError) as error:  # a name can be no name at all
        raise _unreadable(path, error) from None
    with file:
        try:
            yield file
        except OSError as error:
            raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> UsageError:
    why = getattr(error, "strerror", None) or error
    return UsageError(f"{str(path)!r} cannot be read ({why})", "check its name")


def numbered_lines(file: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Lines with their ends, counted from 1; None stands for one that is too long to be held."""
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        whole = len(line) <= MAX_LINE or line.endswith(b"\n")
        rest = b"" if whole else line
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(MAX_LINE)
        line = line.removeprefix(BOM) if number == 1 else line
        yield number, line if whole else None


def json_rows(path: Path) -> Rows:
    """The objects of a JSON Lines file; lines that are blank do not count as rows.

    Raises:
        UsageError: if the file cannot be read; whatever is wrong with a line is said in its row.
    """
    with open_for_reading(path) as file:
        for number, line in numbered_lines(file):
            if line is None:
                yield Row(number, None, TOO_LONG)
            elif line.strip():
                yield _json_row(number, line)


def text_rows(path: Path) -> Iterator[str | None]:
    """The prompts of a text file; not blank lines nor those that begin with #.

    None stands for a line that cannot be read.

    Raises:
        UsageError: if the file cannot be read.
    """
    with open_for_reading(path) as file:
        for _, line in numbered_lines(file):
            try:
                text = None if line is None else line.decode("utf-8").strip()
            except UnicodeDecodeError:
                text = None
            if text is None or (text and not text.startswith("#")):
                yield text


def _json_row(number: int, line: bytes) -> Row:
    try:
        data = strict_json(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        return Row(number, None, f"it is not UTF-8 at byte {error.start + 1}")
    except ValueError as error:
        return Row(number, None, str(error))
    if not isinstance(data, dict):
        return Row(number, None, 'it is no JSON object: write {"prompt": …}')
    return Row(number, data)


def strict_json(text: str) -> Any:
    """JSON that means one thing: no name twice in an object, no numbers that are none.

    Raises:
        ValueError: if it is something else, or nested too deeply, in one phrase.
    """
    try:
        data = json.loads(
            text, object_pairs_hook=_unique_keys, parse_constant=_reject_constant, parse_float=_finite_float
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON: {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if text.count("[") + text.count("{") > MAX_DEPTH and _nesting_depth(data) > MAX_DEPTH:
        raise ValueError("it is nested too deeply")
    if "\\u" in text and not is_utf8(json.dumps(data, ensure_ascii=False)):
        raise ValueError("it has half a character, \\ud800 or the like")
    return data


def is_utf8(text: str) -> bool:
    """Whether it can be written as UTF-8: no half characters, no bytes that were none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; Python would take the last of two in silence."""
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"{name[:80]!r} is there twice")
            seen.add(name)
    return made


def _reject_constant(word: str) -> Any:
    raise ValueError(f"{word} is no number")


def _finite_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:40]} is too large a number")
    return number


def _nesting_depth(value: Any) -> int:
    """How deeply lists and objects are nested, found level by level."""
    level, depth = [value], 0
    while level := [one for one in level if isinstance(one, (dict, list))]:
        depth += 1
        level = [
            inner for one in level for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return depth
