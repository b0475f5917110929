"""A benchmark: pairs, compared methods, and the batch of each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from sow.batch.ledger.manifest_check import JobSource
from sow.batch.manifest.job import TV2IJob
from sow.batch.run_batch import Batch
from sow.batch.runners.options import Options
from sow.benchmarks.tv2i.methods import METHODS, method
from sow.benchmarks.tv2i.metrics.base import Described, Metric
from sow.benchmarks.tv2i.metrics.suites import Spread
from sow.benchmarks.tv2i.pairs import Pair, PairList
from sow.benchmarks.tv2i.runs import Ceiling
from sow.errors import UsageError
from sow.service.lazy_model import Report
from sow.service.methods import Method
from sow.utils.files import make_folder

BY_NAME = (("preset", "{setting}"),)
"""The checkpoint's own preset, named: a benchmark does not run what `sow tune` found here."""
FIXED = ("cow", "cow-release", "text")
"""Methods that name their preset themselves."""


@dataclass(frozen=True)
class Bench:
    """The benchmark that every method runs.

    Attributes:
        name: of the benchmark, such as `figures-tv2i`.
        split: of its pairs.
        listed: the pairs, and what has to be known about them.
        metrics: what the pictures are read by, in the order of the report.
        notes: what else has to be known, such as metrics that had no weights.
        ceiling: measures how far real pictures of one person are from each other, if anything can.
        spread: what is measured of several pictures together.
    """

    name: str
    split: str
    listed: PairList
    metrics: tuple[Metric, ...]
    notes: tuple[str, ...] = ()
    ceiling: Callable[[], Ceiling | None] = lambda: None
    spread: Spread = field(default_factory=Spread)

    @property
    def columns(self) -> tuple[Described, ...]:
        """All metrics of outcomes."""
        return (*self.metrics, *self.spread.varieties)

    @property
    def seeds(self) -> int:
        """The largest number of pictures per pair."""
        return max((pair.count for pair in self.listed.pairs), default=1)


@dataclass(frozen=True)
class Entrant:
    """A compared method or variant.

    Attributes:
        name: as people read it, and in the outcomes.
        method: who draws.
        given: fields of its jobs that are not the pairs'; `{setting}` in one is the pair's.
        settings: changes of its preset.
        anywhere_on: the side of a canvas on which the place is drawn by chance, the same for
            all methods; None leaves it to the planner.
        worded: says a pair's sentence otherwise; None leaves it as it is.
    """

    name: str
    method: Method
    given: tuple[tuple[str, str], ...] = ()
    settings: tuple[tuple[str, Any], ...] = ()
    anywhere_on: int | None = None
    worded: Callable[[Pair], str] | None = None

    @property
    def folder(self) -> str:
        """The name of its folder."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    def job(self, pair: Pair) -> TV2IJob:
        """Return its job for a pair.

        Raises:
            SowError: if that makes no sense.
        """
        given: dict[str, Any] = {
            name: text.format(setting=pair.setting) for name, text in self.given
        }
        if self.settings:
            given["settings"] = dict(self.settings)
        if self.anywhere_on is not None:
            given["box"] = anywhere(Random(f"anywhere {pair.id}"), self.anywhere_on)
        if self.worded is not None:
            given["prompt"] = self.worded(pair)
        return replace(pair, given={**pair.given, **given}).job()


def anywhere(random: Random, canvas: int) -> list[int]:
    """Return a random box with sizes of the paper's planner: 180 to 256 of 512 pixels (Sec. V),
    on the grid of latents."""
    side = 8 * random.randint(-(-180 * canvas // 512 // 8), 256 * canvas // 512 // 8)
    x, y = (8 * random.randint(0, (canvas - side) // 8) for _ in range(2))
    return [x, y, side, side]


def with_seeds(listed: PairList, seeds: int) -> PairList:
    """Return the pairs with `seeds` results each.

    Raises:
        UsageError: if there are fewer than one.
    """
    if seeds < 1:
        raise UsageError(f"the number of seeds must be at least 1, not {seeds}", "give 1 or more")
    return replace(listed, pairs=tuple(replace(pair, count=seeds) for pair in listed.pairs))


def entrants(names: Iterable[str], weights: Iterable[str] = ()) -> tuple[Entrant, ...]:
    """Return methods by name, each with its weights if it needs any.

    Args:
        names: of methods; the first is the one that the others are compared with.
        weights: `name=folder or hub id`.

    Raises:
        UsageError: for an unknown name, one that is there twice, or weights for none of them.
    """
    wanted = [name.strip() for name in names]
    if len(set(wanted)) < len(wanted) or not wanted:
        raise UsageError("methods are missing or repeated", f"choose from {', '.join(METHODS)}")
    given = dict(_split(text) for text in weights)
    if others := set(given) - set(wanted):
        raise UsageError(
            f"weights for {', '.join(sorted(others))}, not compared", "add it to the methods"
        )
    return tuple(
        Entrant(
            name,
            method(name, **({"weights": given[name]} if name in given else {})),
            () if name in FIXED else BY_NAME,
        )
        for name in wanted
    )


def _split(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not (name and sign and value):
        raise UsageError(
            f"{text!r} is not method=weights", "give method=folder, or method=owner/name"
        )
    return name, value


def batch_of(
    bench: Bench,
    entrant: Entrant,
    options: Options,
    out: Path,
    report: Report,
    force: bool = False,
    retry_failed: bool = False,
) -> Batch:
    """Return the batch of a method's pictures in its own folder; run again, it resumes.

    force: pictures of other options are made again, and files in the way are replaced.
    retry_failed: what failed before is tried again.

    Raises:
        SowError: if a job makes no sense, or the folder is of other options.
    """

    def jobs() -> Iterator[tuple[int, TV2IJob]]:
        for number, pair in enumerate(bench.listed.pairs, 1):
            yield number, entrant.job(pair)

    make_folder(out / entrant.folder, "give another out=", below=out)
    source = JobSource(jobs, str(Path.cwd()), f"the pairs of {bench.name}")
    how = replace(options, method=entrant.method)
    return Batch(
        source, out / entrant.folder, how, force=force, retry_failed=retry_failed, report=report
    )
