"""Attention modulation on the drawn world: every open choice tuned, then the paper's tables.

    python -m sow.benchmarks.figures.selective tuning|ablation|cycles|sheet [--count 200]

`tuning` varies one choice at a time on the tuning pairs, where settings may be chosen; the others
report on the test pairs, whose faces and prompts are all different. Boxes are those of the rules
(`sow.planners.offline`) unless a row says otherwise; the whole square round a head is planted.
Every row of a table makes the same pictures, seed by seed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image

from sow.benchmarks.figures.judge.reading import Judge
from sow.benchmarks.figures.planning import oracle_plans, request_of
from sow.benchmarks.figures.study import Cell, Task, grow, judge_cell, planted_canvas, tasks
from sow.drawing import labelled_row, stacked
from sow.models import load_pipeline
from sow.pipeline import SowPipeline
from sow.planners.offline import OfflinePlanner

RESULTS = Path(__file__).parent / "results"
OFF: dict[str, Any] = {"alpha_minus": 0.0, "alpha_plus": 0.0}
# What the rows of the tuning start from: the strongest part of the modulation and nothing else.
BASE: dict[str, Any] = {
    "alpha_minus": 0.0, "alpha_plus": 0.7, "lambda_c": 0.0, "lambda_d": 0.0, "gate": "none",
    "modulated_factors": (1, 2, 4, 8), "modulated_branches": "all", "inversion": "canvas",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A line of a table: settings changed from the preset, and which tasks it works on."""

    name: str
    changes: dict[str, Any] = field(default_factory=dict)
    places: str = "rules"


def based(name: str, **changes: Any) -> Row:
    """A row of the tuning."""
    return Row(name, {**BASE, **changes})


TUNING = (
    Row("COW: no modulation", OFF),
    *(based(f"alpha_plus {a:g}", alpha_plus=a) for a in (0.3, 0.5, 0.7, 0.85, 1.0)),
    *(based(f"alpha_minus {a:g} alone", alpha_plus=0.0, alpha_minus=a) for a in (0.3, 0.6, 1.0)),
    *(based(f"0.7, alpha_minus {a:g}", alpha_minus=a) for a in (0.3, 0.6)),
    based("1, alpha_minus 1", alpha_plus=1.0, alpha_minus=1.0),
    *(based(f"0.7, lambda_c {x:g}", lambda_c=x) for x in (0.1, 0.3)),
    based("0.7, lambda_d 0.5", lambda_d=0.5),
    based("1, lambda_d 0.5", alpha_plus=1.0, lambda_d=0.5),
    based("1, lambda_d 1", alpha_plus=1.0, lambda_d=1.0),
    *(based(f"0.7, factors {','.join(map(str, f))}", modulated_factors=f)
      for f in ((1,), (2,), (1, 2))),
    *(based(f"{a:g}, prompt's branch", alpha_plus=a, modulated_branches="prompt")
      for a in (0.3, 0.7)),
    *(based(f"0.7, gate {g} {t:g}", gate=g, tau=t)
      for g, t in (("above", 0.2), ("above", 0.25), ("ramp", 0.12), ("below", 0.25))),
    based("0.7, inverted alone", inversion="alone"),
    based("0.7, inverted with guidance 7.5 and the prompt", inversion_prompt="plan",
          inversion_guidance_scale=7.5),
    based("0.7, eta 1 in the cycles", cycle_eta=1.0),
    based("0.7, noun suppressed, 3 samples", outside="joined"),
    based("0.7, noun suppressed, 4 samples", outside="pair"),
)  # fmt: skip

# With what the tuning chose, which are the defaults now; the paper's Table III.
ABLATION = (
    Row("COW, random position", OFF, "random"),
    Row("COW, given position", OFF, "given"),
    Row("COW, position by rules (AP)", OFF),
    Row("SOW: all of it, AP", {}),
    Row("without suppress", {"alpha_minus": 0.0}),
    Row("without enhance", {"alpha_plus": 0.0}),
    Row("without temporal decay", {"lambda_c": 0.0}),
    Row("without spatial decay", {"lambda_d": 0.0}),
    Row("without indicator", {"gate": "none"}),
    Row("COW, AP, PI", OFF, "PI"),
    Row("SOW, AP, PI", {}, "PI"),
    Row("SOW, given position", {}, "given"),
    Row("SOW, random position", {}, "random"),
)

# The paper's Table IV: times 700-500 are states 7 and 5.
POSITIONS = ((7, 5), (9, 7), (8, 4), (5, 3))


def at(name: str, t2: int, t1: int, cycles: int, **changes: Any) -> Row:
    """A row of the table of cycles and positions; preserve steps stay under t1."""
    preserve = tuple(state for state in (4, 3) if state <= t1)
    how = {"t1": t1, "t2": t2, "cycles": cycles, "preserve": preserve, **changes}
    return Row(f"{name}{t2}00-{t1}00, {cycles} cycles", how)


CYCLES = (
    *(at(name, *place, 10, **how) for name, how in (("COW ", OFF), ("SOW ", {}))
      for place in POSITIONS),
    *(at(name, 7, 5, cycles, **how) for name, how in (("COW ", OFF), ("SOW ", {}))
      for cycles in (5, 20)),
)  # fmt: skip


def placed(work: Sequence[Task], places: str) -> list[Task]:
    """The tasks with boxes (and words, for PI) of another planner."""
    if places == "given":
        return list(work)
    if places == "random":
        from random import Random

        from sow.benchmarks.figures.tv2i import anywhere

        return [replace(t, box=anywhere(Random(f"anywhere {t.seed}"))) for t in work]
    boxes = [OfflinePlanner().plan(request_of(task)).box for task in work]
    work = [replace(task, box=box) for task, box in zip(work, boxes, strict=True)]
    if places == "PI":
        plans = oracle_plans(work)
        work = [replace(t, sentence=p.prompt) for t, p in zip(work, plans, strict=True)]
    return list(work)


def run(
    pipe: SowPipeline, judge: Judge, rows: Sequence[Row], work: Sequence[Task],
    say: Callable[[str], None],
) -> list[str]:  # fmt: skip
    """The table's lines; the last column compares each row with the first one of its places."""
    head, rule = Cell.HEADER.split("\n")
    lines = [f"{head} mended, spoilt |", f"{rule}---|"]
    first: dict[str, tuple[bool, ...]] = {}
    for row in rows:
        here = placed(work, row.places)
        images = grow(pipe, here, pipe.preset("normal").changed(**row.changes))
        cell = judge_cell(row.name, judge, here, images)
        before = first.setdefault(row.places, cell.failing)
        mended = sum(b and not a for a, b in zip(cell.failing, before, strict=True))
        spoilt = sum(a and not b for a, b in zip(cell.failing, before, strict=True))
        lines.append(f"{cell.row()} {mended}, {spoilt} |")
        say(lines[-1])
    return lines


def sheet(pipe: SowPipeline, judge: Judge, work: Sequence[Task]) -> Image.Image:
    """COW beside SOW, same seeds: first pictures that modulation changed for better or worse in
    the judge's eyes, as many of either as there are up to eight, then the first ones as they come.
    """
    work = placed(work, "rules")
    how = pipe.preset("normal")
    made = {name: grow(pipe, work, s) for name, s in (("COW", how.changed(**OFF)), ("SOW", how))}
    failing = {name: judge_cell(name, judge, work, some).failing for name, some in made.items()}
    numbers = range(len(work))
    groups = {
        "mended": [n for n in numbers if failing["COW"][n] and not failing["SOW"][n]][:8],
        "spoilt": [n for n in numbers if failing["SOW"][n] and not failing["COW"][n]][:8],
        "truncated in both": [n for n in numbers if failing["SOW"][n] and failing["COW"][n]][:8],
        "as they come": list(numbers)[:8],
    }
    parts = []
    for title, chosen in groups.items():
        rows = {
            "planted": [planted_canvas(work[n]) for n in chosen],
            **{name: [made[name][n] for n in chosen] for name in made},
        }
        for name, images in rows.items():
            tiles = [(f"seed {work[n].seed}", i) for n, i in zip(chosen, images, strict=True)]
            parts.append(labelled_row(f"{title}: {name}", tiles, columns=8, tile=144))
    return stacked(parts)


TABLES = {
    "tuning": ("Tuning of attention modulation, one choice at a time", TUNING, True),
    "ablation": ("What each part of attention modulation does", ABLATION, False),
    "cycles": ("Cycles, and where they start and end", CYCLES, False),
}


def main() -> None:
    """Writes `selective-TABLE.md`, or `selective.png`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=[*TABLES, "sheet"])
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--count", type=int, default=200)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    pipe = load_pipeline("figures", device="cpu", dtype="float32")
    pipe.set_progress_bar_config(disable=True)
    judge = Judge.load()
    if options.what == "sheet":
        page = sheet(pipe, judge, tasks(options.count))
        page.save(options.out / "selective.png", optimize=True)
        return
    title, rows, tuning = TABLES[options.what]
    lines = run(pipe, judge, rows, tasks(options.count, tuning=tuning), print)
    text = [
        f"# {title}", "",
        f"`python -m sow.benchmarks.figures.selective {options.what} --count {options.count}`; "
        f"{'tuning' if tuning else 'test'} pairs, {options.count} pictures a row, 95 % intervals. "
        "Last column: pictures that failed in the first row with these places and do not here, "
        "and the reverse.", "", *lines,
    ]  # fmt: skip
    (options.out / f"selective-{options.what}.md").write_text("\n".join(text) + "\n")


if __name__ == "__main__":
    main()
