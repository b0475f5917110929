"""What the cells of a table say: the fields of a job, by whatever name, as JSON or as words."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from pydantic import AliasChoices

from sow.batch.manifest.job import TV2IJob
from sow.batch.manifest.rows import strict_json
from sow.errors import UsageError


def _names() -> dict[str, str]:
    """Every name that a line may use, and the field it stands for."""
    known = {}
    for field, info in TV2IJob.model_fields.items():
        alias = info.validation_alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [field]
        known.update({str(choice): field for choice in choices})
    return known


NAMES = _names()
WHOLE = ("seed", "count", "face_index")
ALWAYS = ("related", "settings", "likeness", *WHOLE)
"""Fields that are no text: a cell of them is JSON."""
SOMETIMES = {"plan": "{", "graph": "{", "triples": "["}
"""Fields that are JSON if they begin so, and a file, a word or a phrase otherwise."""
FOUR = re.compile(r"-?\d{1,8}(\s*,\s*-?\d{1,8}){3}", re.ASCII)
PAIR = re.compile(r"(\d{1,8})\s*[xX×]\s*(\d{1,8})", re.ASCII)
EXACT = 2**53
"""From here on a float may stand for another whole number than was meant."""


def checked_columns(columns: Sequence[str], of: str) -> list[str]:
    """The fields that the columns of a table are for.

    Raises:
        UsageError: if one is for none, or two are for the same; `of` says whose they are.
    """
    fields: list[str] = []
    for column in columns:
        name = column.strip()
        if name not in NAMES:
            raise UsageError(
                f"{of} has a column {name[:80]!r}, which is no field of a job",
                f"its columns, between commas, may be {', '.join(NAMES)}",
            )
        if NAMES[name] in fields:
            raise UsageError(f"{of} has two columns for {NAMES[name]!r}", "leave one of them out")
        fields.append(NAMES[name])
    return fields


def from_text(field: str, text: str) -> Any:
    """What a cell of text says of a field; None if it is empty.

    Raises:
        ValueError: if it should be JSON and is none, in one phrase.
    """
    plain = text.strip()
    if not plain:
        return None
    if field == "box":
        listed = f"[{plain}]" if FOUR.fullmatch(plain) else plain
        return _json(field, listed) if listed.startswith("[") else text
    pair = PAIR.fullmatch(plain) if field == "canvas" else None
    if pair:
        return [int(pair[1]), int(pair[2])]
    if field in (*ALWAYS, "canvas") or plain.startswith(SOMETIMES.get(field, "\0")):
        return _meant(field, _json(field, plain))
    return text


def from_value(field: str, value: Any) -> Any:
    """What a cell of a table with kinds says of a field; None if it is left out.

    Raises:
        ValueError: if it holds what no JSON could, in one phrase.
    """
    if isinstance(value, str):
        return from_text(field, value)
    if field == "id" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # rows are often numbered
    made = _meant(field, _plain(field, value))
    # A map without entries looks like a list without any.
    return None if made == [] and field in ("related", "settings") else made


def _json(field: str, text: str) -> Any:
    try:
        return strict_json(text)
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from None


def _meant(field: str, value: Any) -> Any:
    """Tables with gaps in a column of whole numbers write 5 as 5.0."""
    whole = field in WHOLE and isinstance(value, float) and value.is_integer()
    return int(value) if whole and abs(value) < EXACT else value


def _plain(field: str, value: Any) -> Any:
    """A value of a table as JSON would have it; a column's objects share their names, so that
    what is None in one was left out."""
    if isinstance(value, dict):
        return {name: _plain(field, one) for name, one in value.items() if one is not None}
    if isinstance(value, list):
        if value and all(isinstance(one, tuple) for one in value):
            return _plain(field, _from_map(field, value))
        return [_plain(field, one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{field}: {value} is no number")
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise ValueError(f"{field}: a {type(value).__name__} is nothing a job knows")


def _from_map(field: str, entries: list[tuple[Any, Any]]) -> dict[str, Any]:
    made = {str(name): value for name, value in entries}
    if len(made) < len(entries):
        raise ValueError(f"{field}: a name is there twice")
    return made
