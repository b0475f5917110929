"""A run of `sow tune`: planned once, drawn by the batch runner, measured and reported.

Pictures of a candidate are a batch of their own; a run that was killed goes on, and comes to the
same numbers. So nothing that a clock says is in its tables: what a picture costs is counted.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sow.batch.run_batch import Batch
from sow.batch.runners.buckets import balanced_batch_size
from sow.batch.runners.options import Options
from sow.benchmarks.tuning.candidates import Candidate, candidates
from sow.benchmarks.tuning.measures import Measuring
from sow.benchmarks.tuning.pairs import SEEDS, Halves, draw_faces
from sow.benchmarks.tuning.plan import (
    HALVES,
    PlannedCandidate,
    TuningPlan,
    check_pictures,
    chosen,
    pairs_within,
    read_plan,
    write_plan,
)
from sow.benchmarks.tv2i.outcomes import OUTCOMES, Outcome, write_outcomes
from sow.benchmarks.tv2i.pairs import Pair, PairList, Setting
from sow.benchmarks.tv2i.report.comparison_table import Table, table
from sow.benchmarks.tv2i.running.bench import Bench, Entrant, batch_of
from sow.benchmarks.tv2i.running.measuring import outcomes
from sow.diffusion.recording import unet_calls_of
from sow.errors import UsageError
from sow.models.memory import MAX_BATCH_SIZE, max_batch_size
from sow.service.budget import count_unet_samples
from sow.service.lazy_model import Report
from sow.service.methods import SOW
from sow.service.service import Service

NAME = "tuning"
UNBOUNDED = 10**9


@dataclass(frozen=True)
class SharedServiceOptions(Options):
    """Options of batches that share one loaded model.

    kept: the service; None to load one per batch.
    """

    kept: Service | None = None

    def service(self, report: Report) -> Service:
        """Return the shared service."""
        return self.kept or super().service(report)


@dataclass(frozen=True)
class Measured:
    """The measurements of a run.

    Attributes:
        outcomes: of every picture, candidate by candidate.
        choosing, reporting: candidates by measures, on either half.
    """

    outcomes: tuple[Outcome, ...]
    choosing: Table
    reporting: Table


@dataclass(frozen=True)
class Tuning:
    """A planned run: draw its batches, then measure it.

    Attributes:
        plan: what was decided.
        out: its folder.
        options: of the batches.
        measuring: what pictures are read by.
        resumed: it was begun before, and goes on.
        force: files in the way are replaced.
    """

    plan: TuningPlan
    out: Path
    options: Options
    measuring: Measuring
    resumed: bool
    force: bool = False

    def batches(
        self, report: Report = lambda kind, line: None
    ) -> Iterator[tuple[PlannedCandidate, Batch]]:
        """Yield each candidate with the batch of its pictures.

        Raises:
            SowError: if a job makes no sense, or a folder is of other options.
        """
        bench = self._bench(tuple(one.pair(self.plan.setting) for one in self.plan.pairs))
        for tried in self.plan.candidates:
            yield (
                tried,
                batch_of(
                    bench,
                    self._entrant(tried),
                    self.options,
                    self.out,
                    report,
                    self.force,
                    retry_failed=True,
                ),
            )

    def measured(self, tick: Callable[[str], object] = lambda name: None) -> Measured:
        """Measure all pictures and write the outcomes to `results.json`.

        tick: called with the name of each method before it is measured.

        Raises:
            SowError: if there are no pictures at all, or something cannot be written.
        """
        plan = self.plan
        found: list[Outcome] = []
        bench = self._bench(tuple(one.pair(plan.setting) for one in plan.pairs))
        for tried in plan.candidates:
            tick(tried.name)
            for one in outcomes(bench, self._entrant(tried), self.out):
                counted = {} if one.error else {"samples": tried.samples, "calls": tried.calls}
                found.append(one.model_copy(update={"seconds": None, **counted}))
        if all(one.error for one in found):
            raise UsageError(
                f"no candidate made a picture in {str(self.out)!r}",
                f"see why: sow batch status {self.out / plan.candidates[0].candidate.folder}",
            )
        write_outcomes(found, self.out / OUTCOMES, force=True)
        tables = []
        for half in HALVES:
            ids = {pair.id for pair in plan.of(half)}
            selected = [one for one in found if one.pair in ids]
            names = [tried.name for tried in plan.candidates]
            tables.append(table(selected, names, self.measuring.measures(plan.setting)))
        return Measured(tuple(found), tables[0], tables[1])

    def _entrant(self, tried: PlannedCandidate) -> Entrant:
        given = (("preset", f"published-{self.plan.setting}"),)
        return Entrant(tried.name, SOW, given, tuple(tried.changes.items()))

    def _bench(self, pairs: tuple[Pair, ...]) -> Bench:
        measuring = self.measuring
        return Bench(NAME, "", PairList(pairs), measuring.metrics, spread=measuring.spread)


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
    """Plan a run and write the plan into its folder, or resume the run that is there.

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
        report: called with notes for the user.

    Raises:
        OutputError: if the folder is of another run, or cannot be written to.
        SowError: if there is no model, or a picture cannot be made.
    """
    service = options.service(report)
    request: dict[str, Any] = {
        "model": service.model.name,
        "revision": service.model.revision,
        "setting": setting,
        "minutes": None if limit else minutes,
        "limit": limit,
        **(asked or {}),
    }
    plan = read_plan(out, request, force)
    resumed = plan is not None
    if plan is None:
        listed = tried or candidates(setting, service.model.checkpoint_spec)
        plan = _decided(
            service,
            options,
            halves,
            listed,
            setting,
            request,
            minutes,
            limit,
            out,
            drawn,
            force,
        )
        write_plan(plan, out, force)
    else:
        check_pictures(plan, halves, out)
        if drawn:
            draw_faces([one.pair(setting) for one in plan.pairs], setting, out, True)
    how = SharedServiceOptions(
        options.model,
        options.revision,
        options.config,
        options.device,
        options.dtype,
        options.planner,
        plan.batch_size,
        kept=service,
    )
    return Tuning(plan, out, how, measuring, resumed, force)


def _decided(
    service: Service,
    options: Options,
    halves: Halves,
    listed: Sequence[Candidate],
    setting: Setting,
    request: dict[str, Any],
    minutes: float,
    limit: int | None,
    out: Path,
    drawn: bool,
    force: bool,
) -> TuningPlan:
    checkpoint = service.model.checkpoint_spec
    everyone = tuple(
        _tried(one, checkpoint.preset(f"published-{setting}").changed(**one.changes))
        for one in listed
    )
    first = halves.limited(2).pairs[0]
    if drawn:
        draw_faces([first], setting, out, force)
    size, seconds = _timed(service, first, setting)
    selected = (
        pairs_within(halves, everyone, seconds, minutes) if limit is None else halves.limited(limit)
    )
    count = SEEDS * len(selected.pairs)
    plan = TuningPlan(
        asked=request,
        model=service.model.name,
        revision=service.model.revision,
        setting=setting,
        batch_size=options.batch_size or balanced_batch_size(size, count),
        seconds=seconds,
        candidates=everyone,
        pairs=chosen(selected),
        notes=selected.notes,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )
    if drawn:
        draw_faces(selected.pairs, setting, out, force)
    return plan


def _tried(one: Candidate, settings: Any) -> PlannedCandidate:
    calls = len(unet_calls_of(settings))
    samples = count_unet_samples(settings, UNBOUNDED)
    return PlannedCandidate(
        name=one.name, why=one.why, changes=dict(one.changes), samples=samples, calls=calls
    )


def _timed(service: Service, pair: Pair, setting: Setting) -> tuple[int, float]:
    """Return how many pictures fit into a call, and the seconds of one by the published method;
    the first warms up."""
    request = replace(pair, count=1).job().request()
    work = service.resolve(request.with_preset(f"published-{setting}"))
    size = max_batch_size(service.pipe, work.plan.canvas, work.settings.branches, MAX_BATCH_SIZE)
    seconds = 0.0
    for seed in (pair.seed, pair.seed + 1):
        seconds = next(iter(service.make(work, [seed]))).seconds
    return size, seconds
