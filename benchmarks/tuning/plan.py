"""The plan of a `sow tune` run: candidates, pairs and seeds, kept in its folder.

It is decided once, by how long a picture takes; a resumed run follows it exactly.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator

from sow.benchmarks.tuning.candidates import Candidate
from sow.benchmarks.tuning.pairs import SEEDS, Halves
from sow.benchmarks.tv2i.outcomes import OUTCOMES, STRICT, Name, Words, as_json, read_record
from sow.benchmarks.tv2i.pairs import Pair, Setting
from sow.errors import OutputError, UsageError
from sow.utils.files import write_text
from sow.utils.validation import check_version

PLAN = "tuning.json"
VERSION: Literal[1] = 1
Half = Literal["choosing", "reporting"]
HALVES: tuple[Half, ...] = ("choosing", "reporting")
REPORT, PROPOSAL, SHEET, FRONT = "report.md", "proposal.json", "sheet.webp", "front.png"
WRITTEN = (OUTCOMES, REPORT, PROPOSAL, SHEET, FRONT)
HINT = "give another out=, or force=True"


class PlannedCandidate(BaseModel):
    """A candidate, as it was when the run began."""

    model_config = STRICT

    name: Name
    why: Words = ""
    changes: dict[str, Any] = Field(default_factory=dict)
    samples: int = Field(ge=0)
    calls: int = Field(ge=0)

    @property
    def candidate(self) -> Candidate:
        """The candidate."""
        return Candidate(self.name, self.why, self.changes)


class PlannedPair(BaseModel):
    """A pair and its half."""

    model_config = STRICT

    id: Name
    prompt: Words
    image: Annotated[str, Field(max_length=4000)]
    person: Name | int
    seed: int = Field(ge=0, lt=2**64)
    half: Half

    def pair(self, setting: Setting) -> Pair:
        """Return the pair as benchmarks take it."""
        return Pair(
            self.id,
            setting,
            self.prompt,
            Path(self.image),
            None,
            self.person,
            self.seed,
            count=SEEDS,
        )


class TuningPlan(BaseModel):
    """Everything that is decided for a run.

    Attributes:
        asked: the user's options, by name.
        model, revision: the checkpoint, and its fingerprint or commit.
        setting: the setting whose preset is tuned.
        batch_size: pictures in a call; it affects rounding.
        seconds: measured for one picture by the published method.
        candidates: in their order; the first is the published method.
        pairs: in their order.
        notes: on the pairs.
        date: of the start.
    """

    model_config = STRICT

    version: Literal[1] = VERSION
    asked: dict[str, Any]
    model: Words
    revision: Words
    setting: Setting
    batch_size: int = Field(ge=1)
    seconds: float = Field(ge=0, allow_inf_nan=False)
    candidates: Annotated[
        tuple[PlannedCandidate, ...], Field(strict=False, min_length=1, max_length=500)
    ]
    pairs: Annotated[tuple[PlannedPair, ...], Field(strict=False, min_length=2, max_length=10_000)]
    notes: Annotated[tuple[Words, ...], Field(strict=False, max_length=20)] = ()
    date: Words = ""

    @model_validator(mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        check_version("run of sow tune", value, VERSION)
        return value

    @property
    def pictures(self) -> int:
        """The number of pictures."""
        return SEEDS * len(self.candidates) * len(self.pairs)

    @property
    def minutes(self) -> float:
        """The estimated minutes of drawing."""
        return SEEDS * len(self.pairs) * seconds_of(self.candidates, self.seconds) / 60

    @property
    def summary(self) -> str:
        """The pictures to be made, in one line."""
        return (
            f"{len(self.candidates)} candidates on {len(self.pairs)} pairs, {SEEDS} seeds each: "
            f"about {self.pictures} pictures, about {max(1, round(self.minutes))} min "
            f"({self.seconds:.2g} s for one by the published method)"
        )

    def of(self, half: Half) -> tuple[Pair, ...]:
        """Return the pairs of one half."""
        return tuple(pair.pair(self.setting) for pair in self.pairs if pair.half == half)


def seconds_of(candidates: tuple[PlannedCandidate, ...], published: float) -> float:
    """Return the estimated seconds of one picture by each candidate, in proportion to UNet samples.

    published: what one by the first of them takes.
    """
    return published * sum(one.samples for one in candidates) / max(1, candidates[0].samples)


def pairs_within(
    halves: Halves, candidates: tuple[PlannedCandidate, ...], seconds: float, minutes: float
) -> Halves:
    """Return as many pairs as the time allows, at least two.

    seconds: that a picture by the published method takes.
    """
    each = SEEDS * seconds_of(candidates, seconds)
    return halves.limited(max(2, int(60 * minutes / each)) if each else 10**9)


def chosen(halves: Halves) -> tuple[PlannedPair, ...]:
    """Return the pairs with their halves, in drawing order."""
    first = {pair.id for pair in halves.choosing}
    made = []
    for pair in halves.pairs:
        half: Half = "choosing" if pair.id in first else "reporting"
        made.append(
            PlannedPair(
                id=pair.id,
                prompt=pair.prompt,
                image=str(pair.image),
                person=pair.person,
                seed=pair.seed,
                half=half,
            )
        )
    return tuple(made)


def read_plan(out: Path, asked: Mapping[str, Any], force: bool = False) -> TuningPlan | None:
    """Return the plan in a folder if it is of the requested run; None if there is none.

    Args:
        asked: the options of this run.
        force: ignore another run.

    Raises:
        OutputError: if another run is there, or files of something else, without `force`.
    """
    if not os.path.lexists(out / PLAN):
        for name in (name for name in WRITTEN if os.path.lexists(out / name) and not force):
            raise OutputError(f"{str(out)!r} has {name}, which sow tune did not write", HINT)
        return None
    try:
        found = read_record(TuningPlan, out / PLAN, "is not a run of sow tune", "")
    except UsageError as error:
        if force:
            return None
        raise OutputError(error.what, HINT) from None
    other = [name for name in asked if found.asked.get(name) != asked[name]]
    if not other:
        return found
    if force:
        return None
    name = other[0]
    raise OutputError(
        f"{str(out)!r} has another run: its {name} is {found.asked.get(name)!r}, not "
        f"{asked[name]!r}",
        HINT,
    )


def check_pictures(plan: TuningPlan, halves: Halves, out: Path) -> None:
    """Check that the plan found in a folder names no pictures but those of this command.

    Raises:
        OutputError: if it does; a folder may come from a stranger.
    """
    known = {str(pair.image) for pair in halves.pairs}
    if other := next((one.image for one in plan.pairs if one.image not in known), None):
        raise OutputError(f"{str(out)!r} has a run with other pictures, such as {other!r}", HINT)


def write_plan(plan: TuningPlan, out: Path, force: bool = False) -> None:
    """Write the plan into the folder.

    Raises:
        OutputError: if one is there and `force` is not set, or it cannot be written.
    """
    write_text(as_json(plan, indent=1) + "\n", out / PLAN, force=force)
