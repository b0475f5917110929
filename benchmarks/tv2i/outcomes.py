"""What became of every picture of a run, and what the run was: the two files a report is made of.

`results.json` has one JSON object a line (JSON Lines), an `Outcome` each; `run.json` is the `Run`.
Both may come from strangers: they are read strictly, and what is wrong is said in one line.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator,
)  # fmt: skip

from sow.errors import UsageError
from sow.files import publish, read_regular, write_text
from sow.jobs.lines import is_text, json_rows, strict_json
from sow.records import UPDATE, check_version, first_problem, newer_version

OUTCOMES, RUN = "results.json", "run.json"
VERSION = 1
MOST_OUTCOMES = 500_000
"""Lines of a file of results that are read: some thousand pairs by some hundred methods."""
Setting = Literal["normal", "attribute", "style"]
Better = Literal["lower", "higher", ""]


def _text(value: str) -> str:
    if not is_text(value):
        raise ValueError("it has half a character")
    return value


def _inside(value: str) -> str:
    """A name below the folder of results, which never leads out of it."""
    parts = value.split("/")
    if value.startswith("/") or "\\" in value or ":" in parts[0] or "\0" in value:
        raise ValueError("it is no name inside the folder of results")
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError("it leads out of the folder of results")
    return value


Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_text)]
Words = Annotated[str, Field(max_length=20_000), AfterValidator(_text)]
File = Annotated[str, Field(max_length=1000), AfterValidator(_text), AfterValidator(_inside)]
Number = Annotated[float, Field(allow_inf_nan=False)]
STRICT = ConfigDict(frozen=True, extra="forbid", strict=True)


class Outcome(BaseModel):
    """One picture of one method, and what was found in it; one that failed has an `error`.

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
        seconds: that it took, its share of a call's.
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
            raise ValueError("it has either a file or an error")
        unexplained = [name for name, score in self.scores.items()
                       if score is None and not self.missing.get(name)]  # fmt: skip
        if unexplained:
            raise ValueError(f"scores.{unexplained[0]}: it is missing, and not said why")
        known = [name for name in self.missing if self.scores.get(name) is not None]
        if known:
            raise ValueError(f"missing.{known[0]}: there is a score")
        return self

    @property
    def key(self) -> tuple[str, int]:
        """What is compared with each other: the same pair with the same seed."""
        return (self.pair, self.seed)

    def score(self, metric: str) -> float:
        """A score, or what it cost; nan where there is none."""
        own = {"seconds": self.seconds, "samples": self.samples, "calls": self.calls}
        value = own[metric] if metric in own else self.scores.get(metric)
        return math.nan if value is None else float(value)


class Method(BaseModel):
    """What was compared.

    Attributes:
        name: as in the outcomes.
        label: as people read it; the name, if empty.
        settings: whatever it was run with.
        samples, calls: of the UNet for a picture, as the method says itself.
        note: what has to be known, such as weights that were trained for it.
    """

    model_config = STRICT

    name: Name
    label: Words = ""
    settings: dict[str, Any] = Field(default_factory=dict)
    samples: int | None = Field(default=None, ge=0)
    calls: int | None = Field(default=None, ge=0)
    note: Words = ""

    @property
    def said(self) -> str:
        """What it is called."""
        return self.label or self.name


class Measure(BaseModel):
    """A metric, as a report has to know it.

    Attributes:
        name: as in the outcomes.
        label: as people read it; the name, if empty.
        better: lower or higher; empty where neither is.
        unit: behind the number; "%" is for shares from 0 to 1, which are shown as per cent.
        rate: its scores are yes and no, 1 and 0.
        note: where it comes from.
    """

    model_config = STRICT

    name: Name
    label: Words = ""
    better: Better = ""
    unit: Annotated[str, Field(max_length=20)] = ""
    rate: bool = False
    note: Words = ""

    @property
    def said(self) -> str:
        """What it is called."""
        return self.label or self.name


class Run(BaseModel):
    """What was run, for whoever reads the numbers.

    Attributes:
        benchmark: its name, such as celeba-tv2i.
        split: of its pairs.
        pairs: how many of them were asked for.
        methods: in the order of the report; the others are compared with the first.
        measures: the metrics, in the order of the report.
        model, revision, device, dtype: what made the pictures.
        versions: of the programs.
        seeds: how they were chosen.
        date: as the caller says it.
        notes: what else has to be known, a sentence each.
    """

    model_config = STRICT

    version: int = VERSION
    benchmark: Name
    split: Words = ""
    pairs: int = Field(ge=0)
    methods: Annotated[tuple[Method, ...], Field(strict=False, min_length=1, max_length=500)]
    measures: Annotated[tuple[Measure, ...], Field(strict=False, max_length=200)] = ()
    model: Words = ""
    revision: Words | None = None
    device: Words = ""
    dtype: Words = ""
    versions: dict[str, Words] = Field(default_factory=dict)
    seeds: Words = ""
    date: Words = ""
    notes: Annotated[tuple[Words, ...], Field(strict=False, max_length=100)] = ()

    @model_validator(mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        check_version("description of a run", value, VERSION)
        return value

    @model_validator(mode="after")
    def _named_once(self) -> Run:
        for kind, named in (("methods", self.methods), ("measures", self.measures)):
            names = [one.name for one in named]
            if len(set(names)) < len(names):
                raise ValueError(f"{kind}: one name is there twice")
        return self


@dataclass(frozen=True)
class Results:
    """A run with all its outcomes, and the folder that their files are in."""

    folder: Path
    run: Run
    outcomes: tuple[Outcome, ...]

    def __post_init__(self) -> None:
        """Every picture is there once, and is of a method that the run knows."""
        known, seen = {method.name for method in self.run.methods}, set()
        for outcome in self.outcomes:
            if outcome.method not in known:
                raise UsageError(f"the run knows no method {outcome.method!r}", f"add it to {RUN}")
            if (outcome.method, *outcome.key) in seen:
                raise UsageError(
                    f"{outcome.method!r} has pair {outcome.pair!r} with seed {outcome.seed} twice",
                    f"keep one of both lines of {OUTCOMES}",
                )
            seen.add((outcome.method, *outcome.key))


def write_outcomes(outcomes: Iterable[Outcome], path: Path, *, force: bool = False) -> None:
    """Writes them a line each, one after another: whole, or not there.

    Raises:
        OutputError: if the file exists and `force` is not set, or cannot be written.
    """

    def write(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8") as file:
            for outcome in outcomes:
                file.write(_json(outcome) + "\n")

    publish(write, path, force)


def read_outcomes(path: Path) -> Iterator[Outcome]:
    """The outcomes of a file, one after another.

    Raises:
        UsageError: where a line is none.
    """
    count = 0
    for row in json_rows(path):
        count += 1
        if row.problem:
            raise _broken(path, row.number, row.problem)
        if count > MOST_OUTCOMES:
            raise UsageError(f"{str(path)!r} has more than {MOST_OUTCOMES:,} lines", "split it")
        try:
            yield Outcome.model_validate(row.data)
        except ValidationError as error:
            raise _broken(path, row.number, first_problem(error)) from None


def write_run(run: Run, path: Path, *, force: bool = False) -> None:
    """Writes what a run was.

    Raises:
        OutputError: if the file exists and `force` is not set, or cannot be written.
    """
    write_text(_json(run, indent=2) + "\n", path, force=force)


def read_run(path: Path) -> Run:
    """What a run was.

    Raises:
        UsageError: if the file is none of a run, or of a newer SOW.
    """
    try:
        return Run.model_validate(strict_json(read_regular(path).decode("utf-8")))
    except ValidationError as error:
        newer = newer_version(error)
        what = newer or f"{str(path)!r} describes no run ({first_problem(error)})"
        raise UsageError(what, UPDATE if newer else "let the benchmark write it") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"{str(path)!r} cannot be read ({why})", "check its name") from None


def read_results(folder: Path) -> Results:
    """A folder of results: `run.json` and `results.json`.

    Raises:
        UsageError: if one of both is missing or broken, or they do not belong together.
    """
    return Results(folder, read_run(folder / RUN), tuple(read_outcomes(folder / OUTCOMES)))


def _json(model: BaseModel, **how: Any) -> str:
    data: Mapping[str, Any] = model.model_dump(mode="json")
    return json.dumps(data, ensure_ascii=False, allow_nan=False, **how)


def _broken(path: Path, line: int, what: str) -> UsageError:
    return UsageError(f"{path.name!r}, line {line}: {what}", "let the benchmark write it anew")
