"""Measure all pictures and write `results.json`, `run.json` and the report."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from sow.batch.open_ledger import read_ledger
from sow.benchmarks.tv2i.outcomes import OUTCOMES, Outcome, write_outcomes
from sow.benchmarks.tv2i.pairs import OPEN, SPLITS, check_split
from sow.benchmarks.tv2i.preference.marks import with_marks
from sow.benchmarks.tv2i.report.markdown import SHEETS
from sow.benchmarks.tv2i.report.report import report
from sow.benchmarks.tv2i.report.writing import REPORT, write_report
from sow.benchmarks.tv2i.running.baseline import OWN, compare_with_baseline
from sow.benchmarks.tv2i.running.bench import Bench, Entrant
from sow.benchmarks.tv2i.running.measuring import Hues, first_recipe, outcomes
from sow.benchmarks.tv2i.running.program import Program
from sow.benchmarks.tv2i.runs import RUN, Measure, Method, Run, read_results, read_run, write_run
from sow.errors import OutputError, SowError, UsageError

Tick = Callable[[str], object]


def finish(
    program: Program, out: Path, tick: Tick = lambda name: None, force: bool = False
) -> tuple[Path, Path]:
    """Measure all pictures, write the results and the report, and return its paths.

    Args:
        program: the compared methods; the first is the reference.
        tick: called with the name of each method before it is measured.
        force: results of other benchmarks are written over, too.

    Raises:
        SowError: if there are no pictures, or something cannot be written.
    """
    over = may_overwrite(out, program.bench.name, program.bench.split, force)
    found: list[Outcome] = []
    colours: Hues | None = {} if OWN in [one.name for one, _ in program.tasks] else None
    for entrant, bench in program.tasks:
        tick(entrant.name)
        found += outcomes(bench, entrant, out, colours)
    if all(outcome.error for outcome in found):
        raise UsageError(
            f"no method made a picture in {str(out)!r}",
            f"see why: sow batch status {out / program.tasks[0][0].folder}",
        )
    run = described(program, found, out)
    run = run.model_copy(update={"beside": compare_with_baseline(program, found, colours or {})})
    run, marked = with_marks(run, found, out)
    # First what says whose the others are: if this ends here, the folder is known again.
    write_run(run, out / RUN, force=over)
    write_outcomes(marked, out / OUTCOMES, force=over)
    return write_report(report(read_results(out)), out, force=over)


def saved_pictures(program: Program, out: Path) -> dict[str, int]:
    """Return how many pictures of each entrant are saved in a folder of results."""
    saved = {}
    for entrant, _ in program.tasks:
        try:
            with read_ledger(out / entrant.folder) as ledger:
                saved[entrant.name] = ledger.num_saved_pictures()
        except SowError:  # it has not begun
            saved[entrant.name] = 0
    return saved


def part_begun(program: Program, out: Path) -> Program:
    """Return the part of an interrupted program of which there are pictures, with a note on it.

    Tables of variants that have not all begun are left out.
    """
    saved = saved_pictures(program, out)
    tasks = tuple(task for task in program.tasks if saved[task[0].name])
    begun = {entrant.name for entrant, _ in tasks}
    note = (
        f"This run was interrupted: {sum(saved.values())} of {program.num_pictures} pictures are "
        "there. Run the same command to continue."
    )
    return replace(
        program,
        bench=replace(program.bench, notes=(note, *program.bench.notes)),
        tasks=tasks,
        ablations=tuple(
            table for table in program.ablations if {row.method for row in table.rows} <= begun
        ),
    )


def described(program: Program, found: Sequence[Outcome], out: Path) -> Run:
    """Return the description of the run, from the recipes of its pictures."""
    recipes = (first_recipe(bench, entrant, out) for entrant, bench in program.tasks)
    recipe = next(recipe for recipe in recipes if recipe)
    bench, seeds = program.bench, [outcome.seed for outcome in found]
    return Run(
        benchmark=bench.name,
        split=bench.split,
        pairs=max(len(each.listed.pairs) for _, each in program.tasks),
        methods=tuple(_method(entrant, found) for entrant, _ in program.tasks),
        measures=_measures(bench),
        ablations=program.ablations,
        model=recipe.model,
        revision=recipe.revision,
        device=recipe.device,
        dtype=recipe.dtype,
        versions=dict(recipe.versions),
        date=_date(out, bench.name),
        seeds=f"{_seeds(bench.seeds)} for each pair, the same for all methods: {min(seeds)} to "
        f"{max(seeds)}",
        notes=(*bench.listed.notes, *bench.notes),
    )


def _seeds(count: int) -> str:
    return "one" if count == 1 else f"{count}"


def _method(entrant: Entrant, found: Sequence[Outcome]) -> Method:
    made = [one for one in found if one.method == entrant.name and one.error is None]
    samples, calls = {one.samples for one in made}, {one.calls for one in made}
    return Method(
        name=entrant.name,
        note=_parameters(entrant),
        settings=dict((*entrant.given, *entrant.settings)),
        samples=samples.pop() if len(samples) == 1 else None,
        calls=calls.pop() if len(calls) == 1 else None,
    )


def _parameters(entrant: Entrant) -> str:
    """Return the method's parameters and special inputs."""
    parts = [entrant.method.label] if entrant.method.label != entrant.method.name else []
    parts += ["places by chance"] if entrant.anywhere_on is not None else []
    parts += ["sentences with what the condition shows behind them"] if entrant.worded else []
    return "; ".join(parts)


def _measures(bench: Bench) -> tuple[Measure, ...]:
    """Return the metrics' descriptions, with the ceiling of ID-Distance."""
    return tuple(
        Measure(
            name=metric.name,
            label=metric.label,
            better=metric.better,
            unit=metric.unit,
            rate=metric.rate,
            note=metric.note,
            group=metric.group,
            main=metric.main,
            ceiling=bench.ceiling() if metric.name == "id_distance" else None,
        )
        for metric in bench.columns
    )


def _date(out: Path, name: str) -> str:
    """Return the date of the first run: a resumed run keeps it."""
    with suppress(UsageError):
        before = read_run(out / RUN)
        if before.benchmark == name and before.date:
            return before.date
    return datetime.datetime.now(datetime.UTC).date().isoformat()


WRITTEN = (OUTCOMES, f"{REPORT}.md", f"{REPORT}.html", SHEETS)
HINT = "give another out=, or force=True"


def may_overwrite(out: Path, benchmark: str, split: str, force: bool = False) -> bool:
    """Return whether files in a folder may be overwritten.

    Those of the same benchmark and split may, and all with force.

    False for a folder without results: a file that appears meanwhile is not overwritten.

    Raises:
        UsageError: if there is no such split.
        OutputError: if a file of something else would be overwritten.
    """
    check_split(split, (*SPLITS, OPEN))
    if force:
        return True
    if not os.path.lexists(out / RUN):
        for name in filter(lambda name: _is_there(out / name), WRITTEN):
            raise OutputError(f"{str(out)!r} has {name}, which no benchmark wrote", HINT)
        return False
    try:
        before = read_run(out / RUN)
    except UsageError as error:
        raise OutputError(error.what, HINT) from None
    if (before.benchmark, before.split) != (benchmark, split):
        results = f"{before.benchmark} ({before.split})" if before.split else before.benchmark
        raise OutputError(f"{str(out)!r} has the results of {results}", HINT)
    return True


def _is_there(path: Path) -> bool:
    """Return whether a file, or a folder with content, exists."""
    return any(path.iterdir()) if path.is_dir() else os.path.lexists(path)
