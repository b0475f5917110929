"""The description of a benchmark run, `run.json`, and its folder with `results.json`.

A report is made from these two alone. They are untrusted, and read strictly.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator

from sow.benchmarks.tv2i.outcomes import (
    OUTCOMES,
    STRICT,
    Name,
    Number,
    Outcome,
    Words,
    as_json,
    read_outcomes,
    read_record,
)
from sow.errors import UsageError
from sow.utils.files import write_text
from sow.utils.validation import check_version

RUN = "run.json"
VERSION = 1
Better = Literal["lower", "higher", ""]
PaperTable = Literal["I", "II", "III", "A-I", "A-II", "A-III", "A-IV", "A-V", "A-VI", "A-VII"]


class Method(BaseModel):
    """A compared method.

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
    def display_name(self) -> str:
        """The name shown to people."""
        return self.label or self.name


class Ceiling(BaseModel):
    """The best possible value without copying.

    Attributes:
        of: between what it was measured, as a sentence begins: "Between two drawings of a person".
        scores: one for each two pictures.
        missing: those of which nothing can be said.
        note: what has to be known of it.
    """

    model_config = STRICT

    of: Words
    scores: Annotated[tuple[Number, ...], Field(strict=False, max_length=100_000)] = ()
    missing: int = Field(default=0, ge=0)
    note: Words = ""


class Measure(BaseModel):
    """A metric, as reports use it.

    Attributes:
        name: as in the outcomes.
        label: as people read it; the name, if empty.
        better: lower or higher; empty where neither is.
        unit: behind the number; "%" is for shares from 0 to 1, which are shown as per cent.
        rate: its scores are yes and no, 1 and 0.
        note: where it comes from.
        group: the heading of the table that it stands in, with others of the kind.
        main: it stands in the overview.
        ceiling: what it is of real pictures of one person, if that could be measured.
    """

    model_config = STRICT

    name: Name
    label: Words = ""
    better: Better = ""
    unit: Annotated[str, Field(max_length=20)] = ""
    rate: bool = False
    note: Words = ""
    group: Words = ""
    main: bool = False
    ceiling: Ceiling | None = None

    @property
    def display_name(self) -> str:
        """The name shown to people."""
        return self.label or self.name


class Variant(BaseModel):
    """A row of an ablation.

    Attributes:
        method: of the run.
        marks: what stands in the columns before the metrics, such as ✓ and ✗ for modules.
    """

    model_config = STRICT

    method: Name
    marks: Annotated[tuple[Words, ...], Field(strict=False, max_length=10)] = ()


class Ablation(BaseModel):
    """Variants of a method in a table of their own, as in the paper's Tables II to IV.

    Attributes:
        rows: in their order; several tables may have the same method.
        reference: the method that the others are compared with.
        marks: names of the columns before the metrics.
        paper: numbers of the paper's tables that are shown beside it.
        notes: what the table cannot show, a sentence each.
    """

    model_config = STRICT

    title: Words
    rows: Annotated[tuple[Variant, ...], Field(strict=False, min_length=1, max_length=100)]
    reference: Name
    marks: Annotated[tuple[Words, ...], Field(strict=False, max_length=10)] = ()
    paper: Annotated[tuple[PaperTable, ...], Field(strict=False, max_length=10)] = ()
    notes: Annotated[tuple[Words, ...], Field(strict=False, max_length=20)] = ()


class BaselineComparison(BaseModel):
    """A method's pictures relative to the frozen model's own of the same sentences.

    Attributes:
        method: of the run.
        measure: a variety, of which it is the mean over that of the model's own, or hue_distance.
        value, low, high: with its 95 % interval.
        count: pairs.
    """

    model_config = STRICT

    method: Name
    measure: Name
    value: Number
    low: Number
    high: Number
    count: int = Field(ge=0)


class Run(BaseModel):
    """The description of a run.

    Attributes:
        benchmark: its name, such as celeba-tv2i.
        split: of its pairs.
        pairs: how many of them were asked for.
        methods: in the order of the report; the others are compared with the first.
        measures: the metrics, in the order of the report.
        ablations: tables of variants; their methods stand in no other.
        beside: what methods are beside the model's own pictures, if those were made.
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
    ablations: Annotated[tuple[Ablation, ...], Field(strict=False, max_length=20)] = ()
    beside: Annotated[tuple[BaselineComparison, ...], Field(strict=False, max_length=2000)] = ()
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
        known = {method.name for method in self.methods}
        for table in self.ablations:
            if unknown := {table.reference, *(row.method for row in table.rows)} - known:
                raise ValueError(f"ablations: there is no method {min(unknown)!r}")
        return self

    @property
    def compared(self) -> tuple[Method, ...]:
        """The compared methods: those of no ablation."""
        variants = {row.method for table in self.ablations for row in table.rows}
        return tuple(method for method in self.methods if method.name not in variants)


@dataclass(frozen=True)
class Results:
    """A run with all its outcomes and its folder."""

    folder: Path
    run: Run
    outcomes: tuple[Outcome, ...]

    def __post_init__(self) -> None:
        """Check that every picture is unique and of a known method."""
        known, seen = {method.name for method in self.run.methods}, set()
        for outcome in self.outcomes:
            if outcome.method not in known:
                raise UsageError(
                    f"unknown method {outcome.method!r} in the results", f"add it to {RUN}"
                )
            if (outcome.method, *outcome.key) in seen:
                raise UsageError(
                    f"{outcome.method!r} has pair {outcome.pair!r} with seed {outcome.seed} twice",
                    f"keep one of both lines of {OUTCOMES}",
                )
            seen.add((outcome.method, *outcome.key))


def write_run(run: Run, path: Path, *, force: bool = False) -> None:
    """Write the description of a run.

    Raises:
        OutputError: if the file exists and `force` is not set, or cannot be written.
    """
    write_text(as_json(run, indent=2) + "\n", path, force=force)


def read_run(path: Path) -> Run:
    """Read the description of a run.

    Raises:
        UsageError: if the file is none of a run, or of a newer SOW.
    """
    return read_record(Run, path, "does not describe a run", "run the benchmark again")


def read_results(folder: Path) -> Results:
    """Read a folder of results: `run.json` and `results.json`.

    Raises:
        UsageError: if one of both is missing or broken, or they do not belong together.
    """
    return Results(folder, read_run(folder / RUN), tuple(read_outcomes(folder / OUTCOMES)))
