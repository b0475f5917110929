"""Read the lines of untrusted files one by one, of bounded length; errors belong to a line."""

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
"""Bytes; a longer line is skipped without being kept in memory."""
TOO_LONG = f"longer than {MAX_LINE >> 20} MiB"
MAX_DEPTH = 100
"""Levels of nested lists and objects; plans and graphs have fewer than ten."""
BOM = b"\xef\xbb\xbf"


class Row(NamedTuple):
    """A row of a manifest: its data, or what is wrong with it.

    Attributes:
        number: the number of its line in the file, from 1; in Parquet, of the row.
    """

    number: int
    data: dict[str, Any] | None
    problem: str | None = None


Rows = Generator[Row, None, None]


@contextmanager
def open_for_reading(path: Path) -> Iterator[BufferedReader]:
    """Open a regular file for reading.

    Raises:
        UsageError: if it is not a regular file, or cannot be opened or read.
    """
    try:
        file = open_regular(path)
    except (OSError, ValueError) as error:  # the name may be invalid
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
    """Yield lines, with their line ends, numbered from 1; None for one that is too long."""
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
    """Yield the objects of a JSON Lines file; blank lines are skipped.

    Raises:
        UsageError: if the file cannot be read; an invalid line is a row with a problem.
    """
    with open_for_reading(path) as file:
        for number, line in numbered_lines(file):
            if line is None:
                yield Row(number, None, TOO_LONG)
            elif line.strip():
                yield _json_row(number, line)


def text_rows(path: Path) -> Iterator[str | None]:
    """Yield the prompts of a text file, without blank lines and lines that start with #.

    None stands for a line that is too long or not UTF-8.

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
        return Row(number, None, f"not UTF-8 at byte {error.start + 1}")
    except ValueError as error:
        return Row(number, None, str(error))
    if not isinstance(data, dict):
        return Row(number, None, 'not a JSON object: write {"prompt": …}')
    return Row(number, data)


def strict_json(text: str) -> Any:
    """Parse JSON strictly: no duplicate keys, no NaN or infinity, no lone surrogates.

    Raises:
        ValueError: if it is not such JSON or is nested too deeply; the message is one phrase.
    """
    try:
        data = json.loads(
            text,
            object_pairs_hook=_unique_keys,
            parse_constant=_reject_constant,
            parse_float=_finite_float,
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"invalid JSON: {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if text.count("[") + text.count("{") > MAX_DEPTH and _nesting_depth(data) > MAX_DEPTH:
        raise ValueError("nested too deeply")
    if "\\u" in text and not is_utf8(json.dumps(data, ensure_ascii=False)):
        raise ValueError("a lone surrogate, such as \\ud800, is not text")
    return data


def is_utf8(text: str) -> bool:
    """Return whether a string can be encoded as UTF-8: it has no lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object; where a key is repeated, Python would silently take the last."""
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"duplicate key {name[:80]!r}")
            seen.add(name)
    return made


def _reject_constant(word: str) -> Any:
    raise ValueError(f"{word} is not a number")


def _finite_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {text[:40]} is too large")
    return number


def _nesting_depth(value: Any) -> int:
    """Return how deeply lists and objects are nested, without recursion."""
    level, depth = [value], 0
    while level := [one for one in level if isinstance(one, (dict, list))]:
        depth += 1
        level = [
            inner for one in level for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return depth
