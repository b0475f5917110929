"""100 generated pictures with the judge's verdicts under them, for a person to check.

    sow bench study eye-sheet

40 by the method and 20 that are likely to fail (no cycles, a random start), all with the head's
outline as the condition, and 40 by text alone.
"""

from __future__ import annotations

import json
from dataclasses import replace

from sow.benchmarks.desk import Desk
from sow.benchmarks.figures.judge.reading import Judge, Verdict
from sow.benchmarks.figures.studies.evaluate import HELD_OUT
from sow.benchmarks.figures.studies.sharing import told_apart
from sow.benchmarks.figures.studies.study import COW, figures, grow, imagine, tasks


def lines_of(verdict: Verdict) -> list[str]:
    """The verdict in four short lines."""
    heads = f"{verdict.persons} head{'s' * (verdict.persons != 1)}"
    if verdict.heads:
        heads += ", truncated" if verdict.truncated else ", whole"
    style = verdict.whole["style"]
    scene = verdict.whole["scene"] + ("" if style == "none" else f", {style}")
    worn = f"{verdict.clothing_colour or 'no'} {verdict.whole['clothing']}"
    if verdict.heads:
        worn += f", {verdict.hair_colour or 'no'} hair"
    things = ", ".join(f"{thing.colour} {thing.kind}" for thing in verdict.things[:2]) or "-"
    return [heads, scene, worn, things]


def study(desk: Desk, *, count: int) -> None:
    """Draws the sheet. count: pictures; of five, two are the method's and two of text alone."""
    desk.free("judge-by-eye.png")
    pipe, judge = figures(), Judge.load()
    fifth = max(1, count // 5)
    work = [replace(task, outline=True) for task in tasks(3 * fifth, tuning=True)]
    normal = pipe.preset("paper-normal").changed(**COW)
    without, random = normal.changed(cycles=0), normal.changed(seed_canvas="none")
    first, half = 2 * fifth, 2 * fifth + fifth // 2
    images = grow(pipe, work[:first], normal, desk.pictures)
    images += grow(pipe, work[first:half], without, desk.pictures)
    images += grow(pipe, work[half:], random, desk.pictures)
    captions = json.loads(HELD_OUT.read_text(encoding="utf-8"))[: 2 * fifth]
    texts = imagine(pipe, [caption["text"] for caption in captions], desk.pictures)
    verdicts = judge.look(images, [task.box for task in work]) + judge.look(texts)
    tiles = zip([*images, *texts], map(lines_of, verdicts), strict=True)
    desk.sheet("judge-by-eye.png", told_apart(tiles), colours=255)
