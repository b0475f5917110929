"""People's answers about outlines, added to the report beside the automatic metrics.

`people.json` in a folder of results holds it, so that a run that goes on does not lose it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator

from sow.benchmarks.tv2i.metrics.base import HEAD
from sow.benchmarks.tv2i.outcomes import (
    OUTCOMES,
    STRICT,
    Name,
    Outcome,
    as_json,
    read_record,
    write_outcomes,
)
from sow.benchmarks.tv2i.preference.answers import read_votes
from sow.benchmarks.tv2i.preference.key import read_key
from sow.benchmarks.tv2i.preference.votes import truncated
from sow.benchmarks.tv2i.runs import RUN, Measure, Results, Run, read_results, write_run
from sow.errors import OutputError, UsageError
from sow.utils.files import write_text
from sow.utils.validation import check_version

PEOPLE, VERSION = "people.json", 1
MOST_BYTES = 64 * 2**20
NAME = "truncated_people"


class Mark(BaseModel):
    """The majority's answer on a picture: truncated or not; None if tied or unsure."""

    model_config = STRICT

    method: Name
    pair: Name
    seed: int = Field(ge=0, lt=2**64)
    truncated: bool | None


class Marks(BaseModel):
    """People's answers about outlines.

    Attributes:
        people, votes: how many there were.
        marks: of the pictures that were shown.
    """

    model_config = STRICT

    kind: Literal["sow-outline-marks"] = "sow-outline-marks"
    version: int = VERSION
    people: int = Field(ge=0)
    votes: int = Field(ge=0)
    marks: Annotated[tuple[Mark, ...], Field(strict=False, max_length=500_000)]

    @model_validator(mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        check_version("file of marks", value, VERSION)
        return value

    @property
    def measure(self) -> Measure:
        """The column of the report."""
        return Measure(
            name=NAME,
            label="Truncated, by people",
            better="lower",
            unit="%",
            rate=True,
            group=HEAD,
            note=f"what most of those say who were asked about a picture, without its "
            f"method's name: {self.votes} votes of {self.people} people in all",
        )


@dataclass(frozen=True)
class Marking:
    """The answers and the results with them: checked, but not written yet."""

    marks: Marks
    results: Results

    def write(self, *, force: bool = False) -> None:
        """Write both into the folder of the results.

        Raises:
            OutputError: if marks are already there and `force` is not set, or it cannot be
                written.
        """
        folder = self.results.folder
        write_text(as_json(self.marks, indent=1) + "\n", folder / PEOPLE, force=force)
        write_outcomes(self.results.outcomes, folder / OUTCOMES, force=True)
        write_run(self.results.run, folder / RUN, force=True)


def marking(files: Sequence[Path], key: Path, folder: Path, *, force: bool = False) -> Marking:
    """Return people's answers about outlines, and the results of a folder with them.

    force: it may be written over what other people said before.

    Raises:
        UsageError: if a file does not answer the key's page, has no answers about outlines,
            or the pictures were not those of the folder.
        OutputError: if what people said is there already and `force` is not set.
    """
    results = read_results(folder)
    if os.path.lexists(folder / PEOPLE) and not force:
        raise OutputError(
            f"{str(folder)!r} already has people's answers", "force=True replaces them"
        )
    votes = [
        vote for vote in read_votes(files, read_key(key))[0] if vote.question.kind == "outline"
    ]
    if not votes:
        raise UsageError("no answers about outlines", "sow bench survey --ask outline")
    found = truncated(files, key)
    known = {(one.method, *one.key) for one in results.outcomes}
    if strange := set(found) - known:
        method, pair, _ = min(strange)
        what = f"{str(folder)!r} has no picture of {pair!r} by {method!r}"
        raise UsageError(what, "name the folder that was asked about")
    marks = tuple(
        Mark(
            method=method,
            pair=pair,
            seed=seed,
            truncated=None if truncated_share is None else truncated_share > 0,
        )
        for (method, pair, seed), truncated_share in found.items()
    )
    marks_read = Marks(people=len({vote.rater for vote in votes}), votes=len(votes), marks=marks)
    return Marking(marks_read, Results(folder, *_with(marks_read, results.run, results.outcomes)))


def add_marks(files: Sequence[Path], key: Path, folder: Path, *, force: bool = False) -> Results:
    """Write people's answers about outlines into a folder of results.

    Raises:
        UsageError, OutputError: as `marking` does, and if it cannot be written.
    """
    made = marking(files, key, folder, force=force)
    made.write(force=force)
    return made.results


def with_marks(
    run: Run, outcomes: Sequence[Outcome], folder: Path
) -> tuple[Run, tuple[Outcome, ...]]:
    """Return a run and its outcomes with people's answers, if there are any.

    Raises:
        UsageError: if the folder's `people.json` is broken.
    """
    if not (folder / PEOPLE).exists():
        return run, tuple(outcomes)
    marks_read = read_record(
        Marks,
        folder / PEOPLE,
        "does not contain marks of outlines",
        "sow bench votes --into writes it",
        MOST_BYTES,
    )
    return _with(marks_read, run, outcomes)


def _with(
    marks_read: Marks, run: Run, outcomes: Sequence[Outcome]
) -> tuple[Run, tuple[Outcome, ...]]:
    marks = {(one.method, one.pair, one.seed): one.truncated for one in marks_read.marks}
    others = tuple(one for one in run.measures if one.name != NAME)
    marked = tuple(_marked(one, marks) if one.file else one for one in outcomes)
    return run.model_copy(update={"measures": (*others, marks_read.measure)}), marked


def _marked(one: Outcome, marks: dict[tuple[str, str, int], bool | None]) -> Outcome:
    picture = (one.method, *one.key)
    value = marks.get(picture)
    missing = {name: why for name, why in one.missing.items() if name != NAME}
    if value is None:
        reason = "people are divided" if picture in marks else "nobody was asked about it"
        missing[NAME] = reason
    score = None if value is None else float(value)
    return one.model_copy(update={"scores": {**one.scores, NAME: score}, "missing": missing})
