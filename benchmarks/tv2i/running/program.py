"""All that a run compares: methods, and the variants of ablations; what two tables show is drawn
once."""

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
    """What is drawn, and the tables of it.

    Attributes:
        bench: what is asked of methods.
        few: the same with the pairs of the ablations, which are among them.
        tasks: who draws, and which of both they are asked; nobody is there twice.
        ablations: tables of variants.
    """

    bench: Bench
    few: Bench
    tasks: tuple[tuple[Entrant, Bench], ...]
    ablations: tuple[Ablation, ...]


def tables_of(text: str) -> tuple[str, ...]:
    """Tables by their names, with commas between them.

    Raises:
        UsageError: if there is no such table, or none is named.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [name for name in names if name not in TABLES]
    if unknown or not names:
        wrong = ", ".join(map(repr, unknown)) or "is named"
        raise UsageError(f"no table {wrong}", f"choose of {', '.join(TABLES)}")
    return names


def program(
    bench: Bench, methods: Sequence[Entrant], tables: Sequence[str], limit: int | None,
    canvas: int, worded: Worded | None = None,
) -> Program:  # fmt: skip
    """What has to be drawn for these tables.

    Args:
        methods: those of the table `methods`.
        limit: most pairs of the ablations, as many of every setting.
        canvas: the model's side in pixels.
        worded: says what the conditions show, for the last row of the paper's Table II.

    Raises:
        UsageError: for a limit below 1.
    """
    few = replace(bench, listed=replace(
        bench.listed, pairs=tuple(limited(bench.listed.pairs, limit))
    ))  # fmt: skip
    made = {"modules": lambda: modules(canvas, worded), "attention": attention, "cycles": cycles}
    variants: list[Variants] = [make() for name, make in made.items() if name in tables]
    tasks = {one.name: (one, bench) for one in methods if METHODS in tables}
    for some in variants:
        tasks.update({one.name: (one, few) for one in some.entrants})
    return Program(bench, few, tuple(tasks.values()), tuple(some.table for some in variants))
