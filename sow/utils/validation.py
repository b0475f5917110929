"""Validate data that people or earlier versions wrote: fields, versions, errors in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from sow.utils.suggestions import did_you_mean

UPDATE = "update SOW: pip install --upgrade sow"


class StrictModel(BaseModel):
    """Data that people write by hand: an unknown field is refused, with the nearest known one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _check_field_names(cls, value: Any) -> Any:
        for name in value if isinstance(value, Mapping) else ():
            if name not in cls.model_fields:
                fields = f"choose one of {', '.join(cls.model_fields)}"
                hint = did_you_mean(str(name)[:80], cls.model_fields, fields)
                raise ValueError(f"unknown field {str(name)[:80]!r}, {hint}")
        return value


class NewerVersion(ValueError):
    """Data in a format newer than this version of SOW knows."""


def check_version(name: str, value: Any, known: int) -> None:
    """Check that data has no `version`, or one up to `known`.

    Raises:
        NewerVersion: if the version is higher.
    """
    version = value.get("version") if isinstance(value, dict) else None
    if isinstance(version, int) and version > known:
        raise NewerVersion(f"this {name} has version {version}, but this SOW reads up to {known}")


def newer_version(error: ValidationError) -> str | None:
    """Return the message of the first `NewerVersion` in a validation error, if any."""
    for problem in _problems(error):
        cause = problem.get("ctx", {}).get("error")
        if isinstance(cause, NewerVersion):
            return str(cause)
    return None


def first_problem(error: ValidationError) -> str:
    """Return the first problem of a validation error as one short phrase: `field: message`."""
    problem = _problems(error)[0]
    field = ".".join(str(part) for part in problem["loc"])[:100]  # keys are untrusted too
    message = str(problem["msg"]).removeprefix("Value error, ")[:500]
    return f"{field}: {message}" if field else message


def without_default(model: BaseModel, data: dict[str, Any], field: str) -> dict[str, Any]:
    """Remove a field from dumped data if it has its default, so that old files stay the same."""
    if getattr(model, field) == type(model).model_fields[field].default:
        data.pop(field, None)
    return data


def _problems(error: ValidationError) -> list[Any]:
    """Return the problems without the input data, which may be long."""
    return error.errors(include_url=False, include_input=False)
