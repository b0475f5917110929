"""A benchmark: its pairs, who is compared on them, and the pictures of each in a folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sow.benchmarks.tv2i.methods import METHODS, method
from sow.benchmarks.tv2i.metrics.base import Metric
from sow.benchmarks.tv2i.pairs import Listed, Pair
from sow.errors import UsageError
from sow.jobs.batch import Batch
from sow.jobs.checking import Source
from sow.jobs.job import TV2IJob
from sow.jobs.options import Options
from sow.service.methods import Method
from sow.service.model import Report


@dataclass(frozen=True)
class Bench:
    """What is asked of every method.

    Attributes:
        name: of the benchmark, such as `figures-tv2i`.
        split: of its pairs.
        listed: the pairs, and what has to be known about them.
        metrics: what the pictures are read by, in the order of the report.
        notes: what else has to be known, such as metrics that had no weights.
    """

    name: str
    split: str
    listed: Listed
    metrics: tuple[Metric, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entrant:
    """One of those compared.

    Attributes:
        name: of its folder and in the outcomes.
        method: who draws.
        label: as people read it.
        given: fields of its jobs that are not the pairs', such as settings.
    """

    name: str
    method: Method
    label: str = ""
    given: tuple[tuple[str, Any], ...] = ()

    def job(self, pair: Pair) -> TV2IJob:
        """What it is asked for a pair.

        Raises:
            SowError: if `given` makes no sense.
        """
        return replace(pair, given={**pair.given, **dict(self.given)}).job()


def entrants(names: Iterable[str], weights: Iterable[str] = ()) -> tuple[Entrant, ...]:
    """Methods by name, each with its weights if it needs some.

    Args:
        names: of methods; the first is the one that the others are compared with.
        weights: `name=folder or hub id`.

    Raises:
        UsageError: for an unknown name, one that is there twice, or weights for none of them.
    """
    wanted = list(names)
    if len(set(wanted)) < len(wanted) or not wanted:
        raise UsageError("a method is there twice, or none", f"choose of {', '.join(METHODS)}")
    given = dict(_split(text) for text in weights)
    if others := set(given) - set(wanted):
        raise UsageError(f"weights for {', '.join(sorted(others))}", "name the method, too")
    return tuple(
        Entrant(name, made, made.said)
        for name in wanted
        for made in [method(name, **({"weights": given[name]} if name in given else {}))]
    )


def _split(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not (name and sign and value):
        raise UsageError(f"{text!r} says no weights", "give method=folder, or method=owner/name")
    return name, value


def batch_of(bench: Bench, entrant: Entrant, options: Options, out: Path, report: Report) -> Batch:
    """The pictures of a method, as a batch into a folder of its own; run again, it goes on.

    Raises:
        SowError: if a job makes no sense, or the folder is of other options.
    """

    def jobs() -> Iterator[tuple[int, TV2IJob]]:
        for number, pair in enumerate(bench.listed.pairs, 1):
            yield number, entrant.job(pair)

    source = Source(jobs, str(Path.cwd()), f"the pairs of {bench.name}")
    how = replace(options, method=entrant.method)
    return Batch(source, out / entrant.name, how, report=report)
