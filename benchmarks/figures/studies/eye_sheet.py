"""100 generated pictures with the judge's verdicts under them, for a person to check.

    python -m sow.benchmarks.figures.studies.eye_sheet

40 by the method and 20 that are likely to fail (no cycles, a random start), all with the head's
outline as the condition, and 40 by text alone.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from sow.benchmarks.figures.judge.reading import Judge, Verdict
from sow.benchmarks.figures.studies.evaluate import HELD_OUT
from sow.benchmarks.figures.studies.study import COW, grow, imagine, tasks
from sow.models import load_pipeline

SIDE, TEXT, COLUMNS = 160, 62, 10


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


def draw_sheet(images: list[Image.Image], verdicts: list[Verdict]) -> Image.Image:
    """The pictures, numbered, ten in a row."""
    rows = -(-len(images) // COLUMNS)
    page = Image.new("RGB", (COLUMNS * SIDE, rows * (SIDE + TEXT)), (255, 255, 255))
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size=12)
    for n, (image, verdict) in enumerate(zip(images, verdicts, strict=True)):
        x, y = n % COLUMNS * SIDE, n // COLUMNS * (SIDE + TEXT)
        page.paste(image.resize((SIDE - 4, SIDE - 4), Image.Resampling.BICUBIC), (x, y))
        for line, text in enumerate([f"{n}: {lines_of(verdict)[0]}", *lines_of(verdict)[1:]]):
            pen.text((x + 2, y + SIDE - 3 + 14 * line), text, fill=(0, 0, 0), font=font)
    return page


def main() -> None:
    """Draws the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "judge" / "results")
    parser.add_argument("--model", default="figures")
    parser.add_argument("--judge", type=Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    pipe = load_pipeline(options.model, device="cpu", dtype="float32")
    pipe.set_progress_bar_config(disable=True)
    judge = Judge.load(options.judge) if options.judge else Judge.load()
    work = [replace(task, outline=True) for task in tasks(60, tuning=True)]
    normal = pipe.preset("paper-normal").changed(**COW)
    images = grow(pipe, work[:40], normal)
    images += grow(pipe, work[40:50], normal.changed(cycles=0))
    images += grow(pipe, work[50:], normal.changed(seed_canvas="none"))
    captions = json.loads(HELD_OUT.read_text(encoding="utf-8"))[:40]
    images += imagine(pipe, [caption["text"] for caption in captions])
    grown = len(work)
    verdicts = judge.look(images[:grown], [task.box for task in work])
    verdicts += judge.look(images[grown:])
    sheet = draw_sheet(images, verdicts)
    sheet.quantize(255, dither=Image.Dither.NONE).save(
        options.out / "judge-by-eye.png", optimize=True
    )


if __name__ == "__main__":
    main()
