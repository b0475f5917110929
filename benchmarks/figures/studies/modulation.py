"""Attention modulation on the drawn world: every open choice tuned, then the paper's tables.

    python -m sow.benchmarks.figures.studies.modulation tuning|fresh|ablation|cycles|sheet

`tuning` varies one choice at a time on the tuning pairs, where settings may be chosen; `fresh`
looks at a few of them on as many people and sentences as pictures, which are in no pair; the
others report on the test pairs, which share no face and no prompt with either. Boxes are those of
the rules (`sow.planners.offline`) unless a row says otherwise; the whole square round a head is
planted.
Rows of the same tasks have the same faces, sentences, boxes and seeds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from sow.benchmarks.figures.judge.reading import Judge
from sow.benchmarks.figures.studies.planning import oracle_plans, request_of
from sow.benchmarks.figures.studies.study import (
    COW,
    Cell,
    Task,
    grow,
    judge_cell,
    planted_canvas,
    tasks,
)
from sow.benchmarks.figures.world.tv2i import anywhere, more_tuning
from sow.box import Box
from sow.models import load_pipeline
from sow.pictures.drawing import labelled_row, stacked
from sow.pipeline import SowPipeline
from sow.planners.offline.planner import OfflinePlanner

REPEATED = (
    "The tuning pairs are 20, each with ten seeds: for other faces and prompts the intervals are "
    "too narrow."
)
RESULTS = Path(__file__).parent / "results"
# What the rows of the tuning start from: the strongest part of the modulation and nothing else.
BASE: dict[str, Any] = {
    "alpha_minus": 0.0, "alpha_plus": 0.7, "lambda_c": 0.0, "lambda_d": 0.0, "gate": "none",
    "modulated_factors": (1, 2, 4, 8), "modulated_branches": "all", "inversion": "canvas",
    "inversion_prompt": "empty", "inversion_guidance_scale": 1.0, "cycle_eta": 0.0,
    "outside": "none",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A line of a table: settings changed from a preset, and which tasks it works on.

    places: `rules`, `given position` (a box with room below that nobody planned), `random
    position`, `prompt intensification` (the rules' box, a perfect model's words) or `outline`
    (the rules' box, but only the head is the condition). body_from: see `Task`. versus: the row
    it is compared with; by itself the first one.
    """

    name: str
    changes: dict[str, Any] = field(default_factory=dict)
    places: str = "rules"
    setting: str = "normal"
    versus: str = ""
    body_from: float = 1.0


def based(name: str, versus: str = "", **changes: Any) -> Row:
    """A row of the tuning."""
    return Row(name, {**BASE, **changes}, versus=versus)


def both(name: str, **changes: Any) -> tuple[Row, Row]:
    """A choice that matters without modulation too: COW with it, then modulation with it."""
    plain = Row(f"COW, {name}", {**BASE, **COW, **changes})
    return plain, based(f"0.7, {name}", plain.name, **changes)


TUNING = (
    Row("COW: no modulation", {**BASE, **COW}),
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
    *both("inverted alone", inversion="alone"),
    *both("eta 1 in the cycles", cycle_eta=1.0),
    based("0.7, inverted with guidance 7.5 and the prompt", inversion_prompt="plan",
          inversion_guidance_scale=7.5),
    based("0.7, noun suppressed, 3 samples", outside="joined"),
    based("0.7, noun suppressed, 4 samples", outside="pair"),
)  # fmt: skip

FRESH = (
    Row("COW", COW),
    Row("SOW: the default", {}),
    Row("COW, outline", COW, "outline", versus="COW, outline"),
    *(Row(f"SOW, outline, {name}", {}, "outline", versus="COW, outline", body_from=share)
      for name, share in (("R from the box's lower edge", 1.0), ("R from 0.7 of its height", 0.7),
                          ("R from 0.4 of its height", 0.4))),
)  # fmt: skip

# All that the paper describes, each part as strong as the tuning bore best.
PAPER: dict[str, Any] = {
    **BASE, "alpha_minus": 0.3, "alpha_plus": 0.85, "lambda_c": 0.1, "lambda_d": 0.5,
    "gate": "above", "tau": 0.2,
}  # fmt: skip

# The paper's Table III, then SOW as the tuning left it in every place and setting.
ABLATION = (
    Row("COW", COW),
    Row("every part of the paper", PAPER),
    Row("without suppress", {**PAPER, "alpha_minus": 0.0}),
    Row("without enhance", {**PAPER, "alpha_plus": 0.0}),
    Row("without temporal decay", {**PAPER, "lambda_c": 0.0}),
    Row("without spatial decay", {**PAPER, "lambda_d": 0.0}),
    Row("without indicator", {**PAPER, "gate": "none"}),
    Row("SOW: the default", {}),
    *(Row(f"{name}, {places}", how, places, versus=f"COW, {places}")
      for places in ("random position", "given position", "prompt intensification", "outline")
      for name, how in (("COW", COW), ("SOW", {}))),
    *(Row(f"{name}, {setting}", how, setting=setting, versus=f"COW, {setting}")
      for setting in ("attribute", "style") for name, how in (("COW", COW), ("SOW", {}))),
)  # fmt: skip


def at(t2: int, t1: int, cycles: int) -> tuple[Row, Row]:
    """COW and SOW with these cycles; preserve steps stay under t1.

    The paper's Table IV: its times 700-500 are states 7 and 5.
    """
    preserve = tuple(state for state in (4, 3) if state <= t1)
    how: dict[str, Any] = {"t1": t1, "t2": t2, "cycles": cycles, "preserve": preserve}
    name = f"{t2}00-{t1}00, {cycles} cycles"
    return Row(f"COW {name}", {**how, **COW}, versus=f"COW {name}"), Row(
        f"SOW {name}", how, versus=f"COW {name}"
    )


CYCLES = tuple(
    row
    for t2, t1, cycles in ((7, 5, 10), (9, 7, 10), (8, 4, 10), (5, 3, 10), (7, 5, 5), (7, 5, 20))
    for row in at(t2, t1, cycles)
)


def placed(work: Sequence[Task], places: str) -> list[Task]:
    """The tasks with the boxes, words or outlines of these places."""
    if places == "given position":
        return list(work)
    if places == "random position":
        return [replace(t, box=anywhere(Random(f"anywhere {t.seed}"))) for t in work]
    boxes = [OfflinePlanner().plan(request_of(task)).box for task in work]
    work = [
        replace(t, box=b, outline=places == "outline") for t, b in zip(work, boxes, strict=True)
    ]
    if places == "prompt intensification":
        plans = oracle_plans(work)
        work = [replace(t, sentence=p.prompt) for t, p in zip(work, plans, strict=True)]
    return list(work)


def source(what: str, count: int) -> Callable[[str], list[Task]]:
    """The tasks of a table, by setting."""
    if what == "fresh":
        unplaced = Box(x=0, y=0, width=56, height=56)  # the rules will move it
        made = more_tuning(count)
        fresh = [Task(pair, unplaced, 2_000_000 + n) for n, pair in enumerate(made)]
        return lambda setting: fresh
    return lambda setting: tasks(count, setting, tuning=what == "tuning")


def run(
    pipe: SowPipeline, judge: Judge, rows: Sequence[Row], work_of: Callable[[str], list[Task]],
    say: Callable[[str], None],
) -> list[str]:  # fmt: skip
    """The table's lines; the last column compares each row with the COW row of its tasks."""
    head, rule = Cell.HEADER.split("\n")
    lines = [f"{head} mended, spoilt |", f"{rule}---|"]
    failing: dict[str, tuple[bool, ...]] = {}
    for row in rows:
        work = placed(work_of(row.setting), row.places)
        work = [replace(task, body_from=row.body_from) for task in work]
        images = grow(pipe, work, pipe.preset(f"paper-{row.setting}").changed(**row.changes))
        cell = judge_cell(row.name, judge, work, images)
        failing[row.name] = cell.failing
        before = failing[row.versus or rows[0].name]
        mended = sum(b and not a for a, b in zip(cell.failing, before, strict=True))
        spoilt = sum(a and not b for a, b in zip(cell.failing, before, strict=True))
        lines.append(f"{cell.row()} {mended}, {spoilt} |")
        say(lines[-1])
    return lines


def sheet(pipe: SowPipeline, judge: Judge, work: Sequence[Task]) -> Image.Image:
    """COW beside SOW, same seeds, eight pictures of each group: those that modulation changed
    most, those that it mended or spoilt in the judge's eyes, and the first ones as they come.
    """
    work = placed(work, "rules")
    how = pipe.preset("paper-normal")
    made = {name: grow(pipe, work, s) for name, s in (("COW", how.changed(**COW)), ("SOW", how))}
    failing = {name: judge_cell(name, judge, work, some).failing for name, some in made.items()}
    numbers = range(len(work))
    changed = [
        float(np.abs(np.asarray(cow, float) - np.asarray(sow, float)).mean())
        for cow, sow in zip(made["COW"], made["SOW"], strict=True)
    ]
    groups = {
        "changed most": sorted(numbers, key=lambda n: -changed[n])[:8],
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
    "tuning": ("Tuning of attention modulation, one choice at a time", TUNING, "tuning pairs"),
    "fresh": ("What was tuned, on other people and sentences", FRESH, "fresh pairs"),
    "ablation": ("What each part of attention modulation does", ABLATION, "test pairs"),
    "cycles": ("Cycles, and where they start and end", CYCLES, "test pairs"),
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
    title, rows, pairs = TABLES[options.what]
    lines = run(pipe, judge, rows, source(options.what, options.count), print)
    text = [
        f"# {title}", "",
        f"`python -m sow.benchmarks.figures.studies.modulation {options.what} "
        f"--count {options.count}`; {pairs}, {options.count} pictures a row, 95 % intervals. "
        "Last column: pictures that failed in COW with the same tasks and do not here, and the "
        f"reverse. {REPEATED if options.what == 'tuning' else ''}", "", *lines,
    ]  # fmt: skip
    (options.out / f"selective-{options.what}.md").write_text("\n".join(text) + "\n")


if __name__ == "__main__":
    main()
