"""Convert the cells of a table to the fields of a job: text, JSON, or typed values."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from types import UnionType
from typing import Any, Literal, get_args, get_origin

from sow.batch.manifest.job import FIELDS_BY_NAME
from sow.batch.manifest.rows import strict_json
from sow.errors import UsageError
from sow.planners.request import options_of
from sow.service.request import Request
from sow.utils.suggestions import did_you_mean


def _json_types(field: str) -> set[Any]:
    """Return the types of a field in JSON: `{str, dict}`."""
    union = options_of(Request)[field][1].json
    parts = get_args(union) if isinstance(union, UnionType) else (union,)
    return {get_origin(part) or part for part in parts}


JSON_TYPES = {field: _json_types(field) for field in options_of(Request)}
INTEGER_FIELDS = {"seed", "num"} | {f for f, types in JSON_TYPES.items() if types == {int}}
JSON_FIELDS = (
    INTEGER_FIELDS
    | {"canvas"}
    | {f for f, types in JSON_TYPES.items() if not types & {str, Literal}}
)
"""Fields that are never text: a cell of them is JSON."""
JSON_STARTS = {
    field: "{" if dict in types else "["
    for field, types in JSON_TYPES.items()
    if str in types and types & {dict, list}
}
"""How a cell starts that is JSON, in fields that may also be a file, a word or a phrase."""
FOUR = re.compile(r"-?\d{1,8}(\s*,\s*-?\d{1,8}){3}", re.ASCII)
DECIMAL_COMMA = re.compile(r"-?\d{1,8},\d{1,20}", re.ASCII)
"""A number of a spreadsheet in a language that writes 0,3 for 0.3."""
PAIR = re.compile(r"(\d{1,8})\s*[xX×]\s*(\d{1,8})", re.ASCII)
EXACT = 2**53
"""From here on a float does not hold every whole number."""


def checked_columns(columns: Sequence[str], of: str) -> list[str]:
    """Return the field of each column of a table; `of` names the table in errors.

    Raises:
        UsageError: for an unknown column, or two columns for one field.
    """
    fields: list[str] = []
    every = ", ".join(dict.fromkeys(FIELDS_BY_NAME.values()))
    for column in columns:
        name = column.strip()
        if name not in FIELDS_BY_NAME:
            raise UsageError(
                f"{of} has a column {name[:80]!r}, which is not a field of a job",
                did_you_mean(name, FIELDS_BY_NAME, f"its columns may be {every}"),
            )
        if FIELDS_BY_NAME[name] in fields:
            field = FIELDS_BY_NAME[name]
            raise UsageError(f"{of} has two columns for {field!r}", "leave one of them out")
        fields.append(FIELDS_BY_NAME[name])
    return fields


def from_text(field: str, text: str) -> Any:
    """Return the value of a cell of text; None if it is empty.

    Raises:
        ValueError: if it should be JSON and is not; one phrase.
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
    if field == "canvas" and ":" in plain:
        return plain
    if JSON_TYPES.get(field) == {float} and DECIMAL_COMMA.fullmatch(plain):
        return float(plain.replace(",", "."))
    if field in JSON_FIELDS or plain.startswith(JSON_STARTS.get(field, "\0")):
        return _without_float(field, _json(field, plain))
    return text


def from_value(field: str, value: Any) -> Any:
    """Return the value of a cell of a typed table; None if it is empty.

    Raises:
        ValueError: if it cannot be JSON; one phrase.
    """
    if isinstance(value, str):
        return from_text(field, value)
    if field == "id" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # rows are often numbered
    made = _without_float(field, _as_json_value(field, value))
    # An empty map looks like an empty list.
    return None if made == [] and field in ("related", "settings") else made


def _json(field: str, text: str) -> Any:
    try:
        return strict_json(text)
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from None


def _without_float(field: str, value: Any) -> Any:
    """Undo 5.0 for 5: tables with gaps store a column of whole numbers as floats."""
    whole = field in INTEGER_FIELDS and isinstance(value, float) and value.is_integer()
    return int(value) if whole and abs(value) < EXACT else value


def _as_json_value(field: str, value: Any) -> Any:
    """Return a value as JSON would have it, without None: all objects of a column share their
    names, so that None means left out."""
    if isinstance(value, dict):
        return {name: _as_json_value(field, one) for name, one in value.items() if one is not None}
    if isinstance(value, list):
        if value and all(isinstance(one, tuple) for one in value):
            return _as_json_value(field, _from_map(field, value))
        return [_as_json_value(field, one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{field}: {value} is not a number")
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise ValueError(f"{field}: values of type {type(value).__name__} are not supported")


def _from_map(field: str, entries: list[tuple[Any, Any]]) -> dict[str, Any]:
    made = {str(name): value for name, value in entries}
    if len(made) < len(entries):
        raise ValueError(f"{field}: a name appears twice")
    return made
