"""All pictures measured and written down: `results.json`, `run.json` and the report of both."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from sow.benchmarks.tv2i.metrics.base import Metric
from sow.benchmarks.tv2i.outcomes import OUTCOMES, Outcome, write_outcomes
from sow.benchmarks.tv2i.report.report import Ablation, ablation, report
from sow.benchmarks.tv2i.report.writing import write_report
from sow.benchmarks.tv2i.running.bench import Bench, Entrant
from sow.benchmarks.tv2i.running.reading import first_recipe, outcomes
from sow.benchmarks.tv2i.runs import RUN, Measure, Method, Run, read_results, read_run, write_run
from sow.errors import UsageError

Tick = Callable[[str], object]


def finish(
    bench: Bench, some: Sequence[Entrant], out: Path, table: Ablation | None = None,
    tick: Tick = lambda name: None,
) -> tuple[Path, Path]:  # fmt: skip
    """Measures all pictures, writes both files and the report, and says where that is.

    Args:
        some: who was compared, the first as what the others are compared with.
        table: of variants, before all others.
        tick: is told whose pictures are measured.

    Raises:
        SowError: if there are no pictures, or something cannot be written.
    """
    found: list[Outcome] = []
    for entrant in some:
        tick(entrant.name)
        found += outcomes(bench, entrant, out)
    if all(outcome.error for outcome in found):
        raise UsageError(f"no method has made a picture in {str(out)!r}", "see why: sow batch "
                         f"status {out / some[0].folder}")  # fmt: skip
    write_outcomes(found, out / OUTCOMES, force=True)
    write_run(described(bench, some, found, out), out / RUN, force=True)
    results = read_results(out)
    made = report(results)
    if table is not None:
        made = replace(made, sections=(ablation(results, table), *made.sections))
    return write_report(made, out, force=True)


def described(bench: Bench, some: Sequence[Entrant], found: Sequence[Outcome], out: Path) -> Run:
    """What was run, from what the pictures themselves say."""
    recipes = [recipe for entrant in some if (recipe := first_recipe(bench, entrant, out))]
    recipe = recipes[0]
    seeds = [pair.seed for pair in bench.listed.pairs]
    return Run(
        benchmark=bench.name, split=bench.split, pairs=len(bench.listed.pairs),
        methods=tuple(_method(entrant, found) for entrant in some),
        measures=tuple(_measure(metric) for metric in bench.metrics),
        model=recipe.model, revision=recipe.revision, device=recipe.device, dtype=recipe.dtype,
        versions=dict(recipe.versions), date=_date(out, bench.name),
        seeds=f"one for each pair, the same for all methods: {min(seeds)} to {max(seeds)}",
        notes=(*bench.listed.notes, *bench.notes),
    )  # fmt: skip


def _method(entrant: Entrant, found: Sequence[Outcome]) -> Method:
    mine = [one for one in found if one.method == entrant.name and one.error is None]
    samples, calls = {one.samples for one in mine}, {one.calls for one in mine}
    return Method(
        name=entrant.name, note=_parameters(entrant),
        settings=dict((*entrant.given, *entrant.settings)),
        samples=samples.pop() if len(samples) == 1 else None,
        calls=calls.pop() if len(calls) == 1 else None,
    )  # fmt: skip


def _parameters(entrant: Entrant) -> str:
    """Those of its method, if it has any."""
    return entrant.method.said if entrant.method.said != entrant.method.name else ""


def _measure(metric: Metric) -> Measure:
    return Measure(name=metric.name, label=metric.label, better=metric.better, unit=metric.unit,
                   rate=metric.rate, note=metric.note)  # fmt: skip


def _date(out: Path, name: str) -> str:
    """When it was run first: a run that goes on says the same."""
    with suppress(UsageError):
        before = read_run(out / RUN)
        if before.benchmark == name and before.date:
            return before.date
    return datetime.datetime.now(datetime.UTC).date().isoformat()
