"""100 generated pictures with the judge's verdicts, to check by eye.

    sow bench study eye-sheet

40 by the method and 20 that are likely to fail (no cycles, a random start), all with the head's
outline as the condition, and 40 by text alone.
"""

from __future__ import annotations

import json
from dataclasses import replace

from sow.benchmarks.figures.judge.judge import Judge, Verdict
from sow.benchmarks.figures.studies.common import numbered_tiles
from sow.benchmarks.figures.studies.evaluate import HELD_OUT
from sow.benchmarks.figures.studies.tasks import COW, figures, generate, generate_from_text, tasks
from sow.benchmarks.output import StudyOutput


def lines_of(verdict: Verdict) -> list[str]:
    """Return the verdict in four short lines."""
    heads = f"{verdict.persons} head{'s' * (verdict.persons != 1)}"
    if verdict.heads:
        heads += ", truncated" if verdict.truncated else ", whole"
    style = verdict.picture_labels["style"]
    scene = verdict.picture_labels["scene"] + ("" if style == "none" else f", {style}")
    worn = f"{verdict.clothing_colour or 'no'} {verdict.picture_labels['clothing']}"
    if verdict.heads:
        worn += f", {verdict.hair_colour or 'no'} hair"
    things = ", ".join(f"{thing.colour} {thing.kind}" for thing in verdict.things[:2]) or "-"
    return [heads, scene, worn, things]


def study(output: StudyOutput, *, count: int) -> None:
    """Draw the sheet. count: pictures; of five, two are the method's and two of text alone."""
    output.check_output_path("judge-by-eye.png")
    pipe, judge = figures(), Judge.load()
    fifth = max(1, count // 5)
    work = [replace(task, outline=True) for task in tasks(3 * fifth, tuning=True)]
    normal = pipe.preset("paper-normal").changed(**COW)
    without, random = normal.changed(cycles=0), normal.changed(seed_canvas="none")
    first, half = 2 * fifth, 2 * fifth + fifth // 2
    images = generate(pipe, work[:first], normal, output.pictures)
    images += generate(pipe, work[first:half], without, output.pictures)
    images += generate(pipe, work[half:], random, output.pictures)
    captions = json.loads(HELD_OUT.read_text(encoding="utf-8"))[: 2 * fifth]
    texts = generate_from_text(pipe, [caption["text"] for caption in captions], output.pictures)
    verdicts = judge.look(images, [task.box for task in work]) + judge.look(texts)
    tiles = zip([*images, *texts], map(lines_of, verdicts), strict=True)
    output.write_sheet("judge-by-eye.png", numbered_tiles(tiles), colours=255)
