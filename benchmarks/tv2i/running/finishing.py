"""All pictures measured and written down: `results.json`, `run.json` and the report of both."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from sow.benchmarks.tv2i.outcomes import OUTCOMES, Outcome, write_outcomes
from sow.benchmarks.tv2i.preference.marks import with_marks
from sow.benchmarks.tv2i.report.report import report
from sow.benchmarks.tv2i.report.writing import write_report
from sow.benchmarks.tv2i.running.beginning import may_overwrite
from sow.benchmarks.tv2i.running.bench import Bench, Entrant
from sow.benchmarks.tv2i.running.program import Program
from sow.benchmarks.tv2i.running.reading import Hues, first_recipe, outcomes
from sow.benchmarks.tv2i.running.spreading import OWN, beside
from sow.benchmarks.tv2i.runs import RUN, Measure, Method, Run, read_results, read_run, write_run
from sow.errors import UsageError

Tick = Callable[[str], object]


def finish(
    asked: Program, out: Path, tick: Tick = lambda name: None, force: bool = False
) -> tuple[Path, Path]:  # fmt: skip
    """Measures all pictures, writes both files and the report, and says where that is.

    Args:
        asked: who was compared; the first method is what the others are compared with.
        tick: is told whose pictures are measured.
        force: results of other benchmarks are written over, too.

    Raises:
        SowError: if there are no pictures, or something cannot be written.
    """
    over = may_overwrite(out, asked.bench.name, asked.bench.split, force)
    found: list[Outcome] = []
    colours: Hues | None = {} if OWN in [one.name for one, _ in asked.tasks] else None
    for entrant, bench in asked.tasks:
        tick(entrant.name)
        found += outcomes(bench, entrant, out, colours)
    if all(outcome.error for outcome in found):
        raise UsageError(f"no method has made a picture in {str(out)!r}", "see why: sow batch "
                         f"status {out / asked.tasks[0][0].folder}")  # fmt: skip
    run = described(asked, found, out)
    run = run.model_copy(update={"beside": beside(asked, found, colours or {})})
    run, marked = with_marks(run, found, out)
    # First what says whose the others are: if this ends here, the folder is known again.
    write_run(run, out / RUN, force=over)
    write_outcomes(marked, out / OUTCOMES, force=over)
    return write_report(report(read_results(out)), out, force=over)


def described(asked: Program, found: Sequence[Outcome], out: Path) -> Run:
    """What was run, from what the pictures themselves say."""
    recipes = (first_recipe(bench, entrant, out) for entrant, bench in asked.tasks)
    recipe = next(recipe for recipe in recipes if recipe)
    bench, seeds = asked.bench, [outcome.seed for outcome in found]
    return Run(
        benchmark=bench.name, split=bench.split,
        pairs=max(len(each.listed.pairs) for _, each in asked.tasks),
        methods=tuple(_method(entrant, found) for entrant, _ in asked.tasks),
        measures=_measures(bench), ablations=asked.ablations,
        model=recipe.model, revision=recipe.revision, device=recipe.device, dtype=recipe.dtype,
        versions=dict(recipe.versions), date=_date(out, bench.name),
        seeds=f"{_seeds(bench.seeds)} for each pair, the same for all methods: {min(seeds)} to "
        f"{max(seeds)}",
        notes=(*bench.listed.notes, *bench.notes),
    )  # fmt: skip


def _seeds(count: int) -> str:
    return "one" if count == 1 else f"{count}"


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
    """Those of its method, if it has any, and what it is asked otherwise."""
    said = [entrant.method.said] if entrant.method.said != entrant.method.name else []
    said += ["places by chance"] if entrant.anywhere_on is not None else []
    said += ["sentences with what the condition shows behind them"] if entrant.worded else []
    return "; ".join(said)


def _measures(bench: Bench) -> tuple[Measure, ...]:
    """The metrics, ID-Distance with its ceiling."""
    return tuple(
        Measure(
            name=metric.name, label=metric.label, better=metric.better, unit=metric.unit,
            rate=metric.rate, note=metric.note, group=metric.group, main=metric.main,
            ceiling=bench.ceiling() if metric.name == "id_distance" else None,
        )
        for metric in bench.columns
    )  # fmt: skip


def _date(out: Path, name: str) -> str:
    """When it was run first: a run that goes on says the same."""
    with suppress(UsageError):
        before = read_run(out / RUN)
        if before.benchmark == name and before.date:
            return before.date
    return datetime.datetime.now(datetime.UTC).date().isoformat()
