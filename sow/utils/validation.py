"""What was written earlier, elsewhere or by a newer SOW: versions, and complaints in one line."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError

UPDATE = "update SOW: pip install --upgrade sow"


class NewerVersion(ValueError):
    """What was written by a newer SOW than this one."""


def check_version(kind: str, value: Any, known: int) -> None:
    """Whether data may be read: it says no version, or one up to `known`.

    Raises:
        NewerVersion: if it says a higher one.
    """
    said = value.get("version") if isinstance(value, dict) else None
    if isinstance(said, int) and said > known:
        raise NewerVersion(f"this {kind} has version {said}, and only {known} is known here")


def newer_version(error: ValidationError) -> str | None:
    """What a `NewerVersion` among the complaints says, if there is one."""
    for problem in _complaints(error):
        cause = problem.get("ctx", {}).get("error")
        if isinstance(cause, NewerVersion):
            return str(cause)
    return None


def first_problem(error: ValidationError) -> str:
    """The first complaint of pydantic as one short phrase."""
    problem = _complaints(error)[0]
    where = ".".join(str(part) for part in problem["loc"])[:100]  # keys are strangers' words too
    what = str(problem["msg"]).removeprefix("Value error, ")[:500]
    return f"{where}: {what}" if where else what


def without_default(model: BaseModel, data: dict[str, Any], field: str) -> dict[str, Any]:
    """A record's data without a field that came later, where it says what was always meant."""
    if getattr(model, field) == type(model).model_fields[field].default:
        data.pop(field, None)
    return data


def _complaints(error: ValidationError) -> list[Any]:
    """What is wrong, without the data itself, which may be long."""
    return error.errors(include_url=False, include_input=False)
