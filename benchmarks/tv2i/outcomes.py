"""The outcome of every picture of a benchmark, one per line of `results.json`.

`results.json` is JSON Lines: one object a line, so that it is written and read as a stream. It is
untrusted: it is read strictly, with one-line errors.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from sow.batch.manifest.rows import is_utf8, json_rows, strict_json
from sow.errors import UsageError
from sow.utils.files import MAX_TEXT_BYTES, read_regular, write_atomically
from sow.utils.validation import UPDATE, first_problem, newer_version

OUTCOMES = "results.json"
MOST_OUTCOMES = 500_000
"""Lines of a file of results that are read: some thousand pairs by some hundred methods."""
Setting = Literal["normal", "attribute", "style"]


def _text(value: str) -> str:
    if not is_utf8(value):
        raise ValueError("it contains an unpaired surrogate")
    return value


def _inside(value: str) -> str:
    """Check that a name stays below the folder of results."""
    parts = value.split("/")
    if value.startswith("/") or "\\" in value or ":" in parts[0] or "\0" in value:
        raise ValueError("it is not a name inside the folder of results")
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError("it points outside the folder of results")
    return value


Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_text)]
Words = Annotated[str, Field(max_length=20_000), AfterValidator(_text)]
File = Annotated[str, Field(max_length=1000), AfterValidator(_text), AfterValidator(_inside)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Record = TypeVar("Record", bound=BaseModel)
STRICT = ConfigDict(frozen=True, extra="forbid", strict=True)


class Outcome(BaseModel):
    """One picture of one method and its scores; a failed one has an `error`.

    Attributes:
        method: name of the method.
        pair: id of the pair.
        setting: of the pair: normal, attribute or style.
        prompt: what was asked.
        person: whose picture was planted.
        seed: of the picture.
        file: of the picture, from the folder of results on; None where there is none.
        condition: the file of what was planted.
        scores: by metric; None where a metric has no answer. Yes and no are 1 and 0.
        missing: why, for every metric without an answer.
        error: why there is no picture.
        seconds: its share of the time of a call.
        samples: of the UNet: a guided step of 3 branches counts 3.
        calls: of the UNet.
    """

    model_config = STRICT

    method: Name
    pair: Name
    setting: Setting
    prompt: Words
    person: Name | int
    seed: int = Field(ge=0, lt=2**64)
    file: File | None = None
    condition: File | None = None
    scores: dict[Name, Number | None] = Field(default_factory=dict)
    missing: dict[Name, Words] = Field(default_factory=dict)
    error: Words | None = None
    seconds: Number | None = Field(default=None, ge=0)
    samples: int | None = Field(default=None, ge=0)
    calls: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _consistent(self) -> Outcome:
        if (self.file is None) != (self.error is not None):
            raise ValueError("it needs either a file or an error")
        unexplained = [
            name
            for name, score in self.scores.items()
            if score is None and not self.missing.get(name)
        ]
        if unexplained:
            raise ValueError(f"scores.{unexplained[0]}: missing without a reason")
        known = [name for name in self.missing if self.scores.get(name) is not None]
        if known:
            raise ValueError(f"missing.{known[0]}: there is a score")
        return self

    @property
    def key(self) -> tuple[str, int]:
        """The key of comparisons: pair and seed."""
        return (self.pair, self.seed)

    def score(self, metric: str) -> float:
        """Return a score or a cost; nan if missing."""
        costs = {"seconds": self.seconds, "samples": self.samples, "calls": self.calls}
        value = costs[metric] if metric in costs else self.scores.get(metric)
        return math.nan if value is None else float(value)


def read_record(
    kind: type[Record], path: Path, what: str, hint: str, most: int = MAX_TEXT_BYTES
) -> Record:
    """Read a record from its own file, which is untrusted.

    Args:
        kind: the class of the record.
        path: of the file.
        what: the error for invalid contents, to follow the file's name.
        hint: the hint of that error.
        most: the maximum size of the file in bytes.

    Raises:
        UsageError: if there is none in it, or a newer SOW wrote it.
    """
    try:
        return kind.model_validate(strict_json(read_regular(path, most).decode("utf-8")))
    except ValidationError as error:
        newer = newer_version(error)
        problem = newer or f"{str(path)!r} {what} ({first_problem(error)})"
        raise UsageError(problem, UPDATE if newer else hint) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"{str(path)!r} cannot be read ({why})", "check its name") from None


def write_outcomes(outcomes: Iterable[Outcome], path: Path, *, force: bool = False) -> None:
    """Write outcomes line by line; the file appears only when complete.

    Raises:
        OutputError: if the file exists and `force` is not set, or cannot be written.
    """

    def write(file: BinaryIO) -> None:
        for outcome in outcomes:
            file.write(f"{as_json(outcome)}\n".encode())

    write_atomically(write, path, force)


def read_outcomes(path: Path) -> Iterator[Outcome]:
    """Yield the outcomes of a file.

    Raises:
        UsageError: where a line is none.
    """
    for count, row in enumerate(json_rows(path), 1):
        if row.problem:
            raise _broken(path, row.number, row.problem)
        if count > MOST_OUTCOMES:
            raise UsageError(f"{str(path)!r} has more than {MOST_OUTCOMES:,} lines", "split it")
        try:
            yield Outcome.model_validate(row.data)
        except ValidationError as error:
            raise _broken(path, row.number, first_problem(error)) from None


def as_json(model: BaseModel, **how: Any) -> str:
    """Return a record as JSON without escaping letters."""
    data: Mapping[str, Any] = model.model_dump(mode="json")
    return json.dumps(data, ensure_ascii=False, allow_nan=False, **how)


def _broken(path: Path, line: int, what: str) -> UsageError:
    return UsageError(f"{path.name!r}, line {line}: {what}", "run the benchmark again")
