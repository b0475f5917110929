"""Attention modulation on the drawn world: tune every choice, then repeat the paper's tables.

    sow bench study modulation tuning|fresh|ablation|cycles|sheet

`tuning` varies one choice at a time on the tuning pairs, where settings may be chosen; `fresh`
looks at a few of them on as many people and sentences as pictures, which are in no pair; the
others report on the test pairs, which share no face and no prompt with either. Boxes are those of
the rules (`sow.planners.offline`) unless a row says otherwise; the whole square round a head is
planted. Rows of the same tasks have the same faces, sentences, boxes and seeds.

What is left out, and which cycles, is what `sow bench figures-tv2i --ablation` has (Tables III and
IV) on the pairs of that benchmark; here it stands beside COW, at places and in settings of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from sow.benchmarks.figures.judge.judge import Judge
from sow.benchmarks.figures.studies.common import PAIRED, brief, page, rows_of
from sow.benchmarks.figures.studies.planning import oracle_plans, request_of
from sow.benchmarks.figures.studies.tasks import (
    COW,
    MEASURES,
    Task,
    figures,
    generate,
    judged,
    planted_canvas,
    tasks,
)
from sow.benchmarks.figures.world.tv2i import anywhere, fresh
from sow.benchmarks.output import StudyOutput
from sow.benchmarks.tv2i.outcomes import Outcome
from sow.benchmarks.tv2i.report.grid import Grid
from sow.benchmarks.tv2i.running.ablations import CYCLES as SPANS
from sow.benchmarks.tv2i.running.ablations import attention
from sow.pictures.drawing import labelled_grid
from sow.pipeline.pipeline import SowPipeline
from sow.plan.box import Box
from sow.planners.offline.planner import OfflinePlanner
from sow.settings.settings import Settings

REPEATED = "The tuning pairs are 20, each with ten seeds, whose scores are averaged: n are pairs."
# What the rows of the tuning start from: the strongest part of the modulation and nothing else.
BASE: dict[str, Any] = {
    "alpha_minus": 0.0, "alpha_plus": 0.7, "lambda_c": 0.0, "lambda_d": 0.0, "gate": "none",
    "modulated_factors": (1, 2, 4, 8), "modulated_branches": "all", "inversion": "canvas",
    "inversion_prompt": "empty", "inversion_guidance_scale": 1.0, "cycle_eta": 0.0,
    "outside": "none",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A line of a table: changed settings, and the tasks it works on.

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
    """Return a row of the tuning."""
    return Row(name, {**BASE, **changes}, versus=versus)


def both(name: str, **changes: Any) -> tuple[Row, Row]:
    """Return a choice that matters without modulation too: COW with it, then modulation with it."""
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
STRENGTHS = ("alpha_minus", "alpha_plus", "lambda_c", "lambda_d", "gate", "tau")
PAPER: dict[str, Any] = {**BASE, **Settings().model_dump(include=set(STRENGTHS))}


def left_out() -> Iterator[Row]:
    """Yield the rows of the paper's Table III: all parts, then each one left out."""
    yield Row("every part of the paper", PAPER)
    for variant in attention().entrants:
        if variant.name.startswith("without"):
            yield Row(variant.name, {**PAPER, **dict(variant.settings)})


def both_ways(kind: str, places: str = "rules", setting: str = "normal") -> tuple[Row, Row]:
    """Return COW and SOW on tasks of one kind."""
    plain = Row(f"COW, {kind}", COW, places, setting, f"COW, {kind}")
    return plain, Row(f"SOW, {kind}", {}, places, setting, plain.name)


# The paper's Table III, then SOW as the tuning left it in every place and setting.
ABLATION = (
    Row("COW", COW),
    *left_out(),
    Row("SOW: the default", {}),
    *(row for places in ("random position", "given position", "prompt intensification", "outline")
      for row in both_ways(places, places)),
    *(row for setting in ("attribute", "style") for row in both_ways(setting, setting=setting)),
)  # fmt: skip


def at(cycles: int, t2: int, t1: int) -> tuple[Row, Row]:
    """Return COW and SOW with these cycles; preserved states stay at or below t1."""
    preserve = tuple(state for state in (4, 3) if state <= t1)
    how: dict[str, Any] = {"t1": t1, "t2": t2, "cycles": cycles, "preserve": preserve}
    name = f"{t2}00-{t1}00, {cycles} cycles"
    plain = Row(f"COW {name}", {**how, **COW}, versus=f"COW {name}")
    return plain, Row(f"SOW {name}", how, versus=plain.name)


# The paper's Table IV, as the benchmark has it.
CYCLES = tuple(row for span in SPANS for row in at(*span))


def placed(work: Sequence[Task], places: str) -> list[Task]:
    """Return the tasks with the boxes, words or outlines of these places."""
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
    """Return the function from a setting to the tasks of a table."""
    if what == "fresh":
        unplaced = Box(x=0, y=0, width=56, height=56)  # the rules will move it
        made = [Task(pair, unplaced, 2_000_000 + n) for n, pair in enumerate(fresh(count))]
        return lambda setting: made
    return lambda setting: tasks(count, setting, tuning=what == "tuning")


def run(
    pipe: SowPipeline,
    judge: Judge,
    rows: Sequence[Row],
    work_of: Callable[[str], list[Task]],
    output: StudyOutput,
) -> list[list[Outcome]]:
    """Return the outcomes of every row."""
    found = []
    for row in rows:
        work = placed(work_of(row.setting), row.places)
        work = [replace(task, body_from=row.body_from) for task in work]
        how = pipe.preset(f"paper-{row.setting}").changed(**row.changes)
        images = generate(pipe, work, how, output.pictures)
        found.append(judged(row.name, judge, work, images))
        output.log(brief(found[-1], MEASURES))
    return found


def grids(title: str, rows: Sequence[Row], found: Iterable[list[Outcome]]) -> Iterator[Grid]:
    """Yield a table for every reference row."""
    by_row = dict(zip((row.name for row in rows), found, strict=True))
    first = rows[0].name
    for versus in dict.fromkeys(row.versus or first for row in rows):
        names = [row.name for row in rows if (row.versus or first) == versus]
        # A row that is compared with another may be what others are compared with.
        names = [versus, *(name for name in names if name != versus)]
        outcomes = [one for name in names for one in by_row[name]]
        shown = title if versus == first else f"Compared with {versus}"
        yield rows_of(shown, outcomes, MEASURES, versus)


def sheet(
    pipe: SowPipeline, judge: Judge, work: Sequence[Task], output: StudyOutput
) -> list[Image.Image]:
    """Return COW beside SOW, same seeds, eight pictures per group: most changed, mended,
    spoilt, truncated in both, and the first ones."""
    work = placed(work, "rules")
    how = pipe.preset("paper-normal")
    ways = {"COW": how.changed(**COW), "SOW": how}
    made = {name: generate(pipe, work, way, output.pictures) for name, way in ways.items()}
    failing = {
        name: [one.score("truncated") > 0.5 for one in judged(name, judge, work, some)]
        for name, some in made.items()
    }
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
            parts.append(labelled_grid(f"{title}: {name}", tiles, columns=8, tile=144))
    return parts


TABLES = {
    "tuning": ("Tuning of attention modulation, one choice at a time", TUNING, "tuning pairs"),
    "fresh": ("What was tuned, on other people and sentences", FRESH, "fresh pairs"),
    "ablation": ("What each part of attention modulation does", ABLATION, "test pairs"),
    "cycles": ("Cycles, and where they start and end", CYCLES, "test pairs"),
}


def study(output: StudyOutput, *, table: str, count: int) -> None:
    """Write `modulation-<table>.md`, or `modulation.png`."""
    name = "modulation.png" if table == "sheet" else f"modulation-{table}.md"
    output.check_output_path(name)
    pipe, judge = figures(), Judge.load()
    if table == "sheet":
        output.write_sheet(name, sheet(pipe, judge, tasks(count), output), 0)
        return
    title, rows, pairs = TABLES[table]
    found = run(pipe, judge, rows, source(table, count), output)
    words = [f"`{output.command}`; {pairs}, {count} pictures a row. {PAIRED}"]
    if table == "tuning":
        words.append(REPEATED)
    output.write_page(name, page(title, words, grids(title, rows, found)))
