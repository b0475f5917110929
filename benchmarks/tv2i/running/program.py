"""All methods and ablation variants of a run; a variant shared by two tables is drawn once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sow.benchmarks.tv2i.pairs import limited
from sow.benchmarks.tv2i.running.ablations import Variants, Worded, attention, cycles, modules
from sow.benchmarks.tv2i.running.bench import Bench, Entrant
from sow.benchmarks.tv2i.runs import Ablation
from sow.errors import UsageError

METHODS = "methods"
ABLATIONS = ("modules", "attention", "cycles")
TABLES = (METHODS, *ABLATIONS)


@dataclass(frozen=True)
class Program:
    """The work of a run, and its tables.

    Attributes:
        bench: what is asked of methods.
        few: the same with the pairs of the ablations, which are among them.
        tasks: the entrants, each once, with the bench it runs.
        ablations: tables of variants.
    """

    bench: Bench
    few: Bench
    tasks: tuple[tuple[Entrant, Bench], ...]
    ablations: tuple[Ablation, ...]

    @property
    def num_pictures(self) -> int:
        """How many pictures all entrants make."""
        return sum(len(pair.seeds) for _, bench in self.tasks for pair in bench.listed.pairs)


def tables_of(text: str) -> tuple[str, ...]:
    """Return the names of tables in a comma-separated list.

    Raises:
        UsageError: if there is no such table, or none is named.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [name for name in names if name not in TABLES]
    if unknown or not names:
        wrong = ", ".join(map(repr, unknown)) or "no name given"
        raise UsageError(f"unknown table: {wrong}", f"choose from {', '.join(TABLES)}")
    return names


def make_program(
    bench: Bench,
    methods: Sequence[Entrant],
    tables: Sequence[str],
    limit: int | None,
    canvas: int,
    worded: Worded | None = None,
) -> Program:
    """Return the work needed for these tables.

    Args:
        methods: those of the table `methods`.
        limit: most pairs of the ablations, as many of every setting.
        canvas: the model's side in pixels.
        worded: says what the conditions show, for the last row of the paper's Table II.

    Raises:
        UsageError: for a limit below 1.
    """
    few = replace(
        bench, listed=replace(bench.listed, pairs=tuple(limited(bench.listed.pairs, limit)))
    )
    made = {"modules": lambda: modules(canvas, worded), "attention": attention, "cycles": cycles}
    variants: list[Variants] = [make() for name, make in made.items() if name in tables]
    tasks = {one.name: (one, bench) for one in methods if METHODS in tables}
    for variant in variants:
        tasks.update({one.name: (one, few) for one in variant.entrants})
    return Program(bench, few, tuple(tasks.values()), tuple(variant.table for variant in variants))
