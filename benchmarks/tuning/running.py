"""A run of `sow tune`: decided once, drawn by the batch runner, measured, and told.

Pictures of a candidate are a batch of their own; a run that was killed goes on, and comes to the
same numbers. So nothing that a clock says is in its tables: what a picture costs is counted.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sow.benchmarks.tuning.candidates import Candidate, candidates
from sow.benchmarks.tuning.course import (
    HALVES,
    Course,
    Tried,
    chosen,
    enough,
    keep,
    kept_in,
)
from sow.benchmarks.tuning.measures import Measuring
from sow.benchmarks.tuning.pairs import SEEDS, Halves, draw_faces
from sow.benchmarks.tv2i.outcomes import OUTCOMES, Outcome, write_outcomes
from sow.benchmarks.tv2i.pairs import Listed, Pair, Setting
from sow.benchmarks.tv2i.report.cells import Table, table
from sow.benchmarks.tv2i.running.bench import Bench, Entrant, batch_of
from sow.benchmarks.tv2i.running.reading import outcomes
from sow.diffusion.recording import unet_calls_of
from sow.errors import UsageError
from sow.jobs.batch import Batch
from sow.jobs.batches import even_size
from sow.jobs.options import Options
from sow.models.memory import MOST, pictures_at_once
from sow.service.budget import samples_of
from sow.service.methods import SOW
from sow.service.model import Report
from sow.service.service import Service

NAME = "tuning"
UNBOUNDED = 10**9


@dataclass(frozen=True)
class OneModel(Options):
    """Options of batches that all draw with one service: the model is loaded once.

    kept: it; None as any others.
    """

    kept: Service | None = None

    def service(self, report: Report) -> Service:
        """The one that is kept."""
        return self.kept or super().service(report)


@dataclass(frozen=True)
class Measured:
    """What a run came to.

    Attributes:
        outcomes: of every picture, candidate by candidate.
        choosing, reporting: candidates by measures, on either half.
    """

    outcomes: tuple[Outcome, ...]
    choosing: Table
    reporting: Table


@dataclass(frozen=True)
class Tuning:
    """A run that is decided; whoever carries it out iterates over its batches, then measures.

    Attributes:
        course: what was decided.
        out: its folder.
        options: of the batches.
        measuring: what pictures are read by.
        known: it was begun before, and goes on.
        force: files in the way are replaced.
    """

    course: Course
    out: Path
    options: Options
    measuring: Measuring
    known: bool
    force: bool = False

    def batches(self, report: Report = lambda kind, line: None) -> Iterator[tuple[Tried, Batch]]:
        """The pictures of each candidate, as a batch that nobody has carried out yet.

        Raises:
            SowError: if a job makes no sense, or a folder is of other options.
        """
        bench = self._bench(tuple(one.pair(self.course.setting) for one in self.course.pairs))
        for tried in self.course.candidates:
            yield tried, batch_of(bench, self._entrant(tried), self.options, self.out, report,
                                  self.force, retry_failed=True)  # fmt: skip

    def measured(self, tick: Callable[[str], object] = lambda name: None) -> Measured:
        """Reads all pictures, and writes what was found into `results.json`.

        tick: is told whose pictures are measured.

        Raises:
            SowError: if there are no pictures at all, or something cannot be written.
        """
        course = self.course
        found: list[Outcome] = []
        bench = self._bench(tuple(one.pair(course.setting) for one in course.pairs))
        for tried in course.candidates:
            tick(tried.name)
            for one in outcomes(bench, self._entrant(tried), self.out):
                counted = {} if one.error else {"samples": tried.samples, "calls": tried.calls}
                found.append(one.model_copy(update={"seconds": None, **counted}))
        if all(one.error for one in found):
            raise UsageError(f"no candidate has made a picture in {str(self.out)!r}",
                             "see why: sow batch status "
                             f"{self.out / course.candidates[0].candidate.folder}")  # fmt: skip
        write_outcomes(found, self.out / OUTCOMES, force=True)
        tables = []
        for half in HALVES:
            ids = {pair.id for pair in course.of(half)}
            some = [one for one in found if one.pair in ids]
            names = [tried.name for tried in course.candidates]
            tables.append(table(some, names, self.measuring.measures(course.setting)))
        return Measured(tuple(found), tables[0], tables[1])

    def _entrant(self, tried: Tried) -> Entrant:
        given = (("preset", f"published-{self.course.setting}"),)
        return Entrant(tried.name, SOW, given, tuple(tried.changes.items()))

    def _bench(self, pairs: tuple[Pair, ...]) -> Bench:
        measuring = self.measuring
        return Bench(NAME, "", Listed(pairs), measuring.metrics, spread=measuring.spread)


def begin(
    out: Path,
    options: Options,
    halves: Halves,
    measuring: Measuring,
    setting: Setting,
    *,
    minutes: float = 30.0,
    limit: int | None = None,
    asked: Mapping[str, Any] | None = None,
    drawn: bool = False,
    tried: Sequence[Candidate] | None = None,
    force: bool = False,
    report: Report = lambda kind, line: None,
) -> Tuning:
    """Decides a run and writes that into its folder, or takes up the one that is there.

    Args:
        out: the folder, which is there.
        options: the model and the device; plans are made by rules.
        halves: the pairs, as many as there are.
        measuring: what pictures are read by.
        setting: whose preset is looked for.
        minutes: about how long drawing may take: so many of the pairs are taken.
        limit: at most so many pairs, however long they take.
        asked: what else the user said: a folder is of one.
        drawn: the pairs are the drawn world's own, whose faces have to be drawn first.
        tried: other candidates; the first is what the others are compared with.
        force: whatever else is there may be replaced.
        report: is told what a person should know.

    Raises:
        OutputError: if the folder is of another run, or cannot be written to.
        SowError: if there is no model, or a picture cannot be made.
    """
    service = options.service(report)
    said: dict[str, Any] = {
        "model": service.model.name, "revision": service.model.revision, "setting": setting,
        "minutes": None if limit else minutes, "limit": limit, **(asked or {}),
    }  # fmt: skip
    course = kept_in(out, said, force)
    known = course is not None
    if course is None:
        listed = tried or candidates(setting, service.model.facts)
        course = _decided(service, options, halves, listed, setting, said, minutes, limit, drawn,
                          force)  # fmt: skip
        keep(course, out, force)
    elif drawn:
        draw_faces([one.pair(setting) for one in course.pairs], setting, True)
    how = OneModel(options.model, options.revision, options.config, options.device, options.dtype,
                   options.planner, course.batch_size, kept=service)  # fmt: skip
    return Tuning(course, out, how, measuring, known, force)


def _decided(
    service: Service, options: Options, halves: Halves, listed: Sequence[Candidate],
    setting: Setting, said: dict[str, Any], minutes: float, limit: int | None, drawn: bool,
    force: bool,
) -> Course:  # fmt: skip
    facts = service.model.facts
    everyone = tuple(_tried(one, facts.preset(f"published-{setting}").changed(**one.changes))
                     for one in listed)  # fmt: skip
    first = halves.limited(2).pairs[0]
    if drawn:
        draw_faces([first], setting, force)
    size, seconds = _timed(service, first, setting)
    some = enough(halves, everyone, seconds, minutes) if limit is None else halves.limited(limit)
    count = SEEDS * len(some.pairs)
    course = Course(
        asked=said, model=service.model.name, revision=service.model.revision, setting=setting,
        batch_size=options.batch_size or even_size(size, count), seconds=seconds,
        candidates=everyone, pairs=chosen(some), notes=some.notes,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )  # fmt: skip
    if drawn:
        draw_faces(some.pairs, setting, force)
    return course


def _tried(one: Candidate, settings: Any) -> Tried:
    calls = len(unet_calls_of(settings))
    samples = samples_of(settings, UNBOUNDED)
    return Tried(name=one.name, why=one.why, changes=dict(one.changes), samples=samples,
                 calls=calls)  # fmt: skip


def _timed(service: Service, pair: Pair, setting: Setting) -> tuple[int, float]:
    """How many pictures fit into a call, and the seconds of one by the published method; the first
    warms up."""
    work = service.work(replace(pair, count=1).job().request(), preset=f"published-{setting}")
    size = pictures_at_once(service.pipe, work.plan.canvas, work.settings.branches, MOST)
    seconds = 0.0
    for seed in (pair.seed, pair.seed + 1):
        seconds = next(iter(service.make(work, [seed]))).seconds
    return size, seconds
