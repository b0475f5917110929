"""100 generated pictures with what the judge says became of each head, for a person to check.

    python -m sow.benchmarks.figures.studies.keeping_sheet

Half as `sow generate` runs, half with the whole square planted by the paper's preset, which loses
parts and leaves halos; people for tuning. Each picture stands under the canvas that was planted.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from sow.benchmarks.figures.judge.keeping import has_halo, is_sticker, kept_parts
from sow.benchmarks.figures.judge.reading import Judge, Verdict
from sow.benchmarks.figures.studies.trials import Trial, grow, service, trials
from sow.benchmarks.figures.world.tv2i import more_tuning

SIDE, TEXT, COLUMNS = 150, 48, 10
HALF, SKIPPED, SEED = 50, 100, 7_760_000
"""So many of each half; the people before these chose the settings."""


def lines_of(verdict: Verdict, trial: Trial) -> list[str]:
    """The verdict in three short lines."""
    who = trial.pair.identity
    parts = kept_parts(verdict.looks if trial.found(verdict) else {}, who)
    kept = " ".join(f"{name} {'kept' if there else 'LOST'}" for name, there in parts.items()
                    if name != "hair style")  # fmt: skip
    hair = f"{who.hair_style}: {'kept' if parts['hair style'] else 'OTHER'}"
    seen = ["HALO" if has_halo(verdict, trial.planted) else "no halo"]
    seen += ["STICKER"] * is_sticker(verdict, trial.planted)
    seen += ["OTHER NECK" if verdict.unjoined else "neck"]
    return [kept or "-", hair, ", ".join(seen)]


def draw_sheet(
    work: list[Trial], images: list[Image.Image], verdicts: list[Verdict]
) -> Image.Image:
    """The pictures, numbered, under what was planted, ten in a row."""
    rows, height = -(-len(images) // COLUMNS), SIDE + SIDE // 2 + TEXT
    page = Image.new("RGB", (COLUMNS * SIDE, rows * height), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size=11)
    for n, (trial, image, verdict) in enumerate(zip(work, images, verdicts, strict=True)):
        x, y = n % COLUMNS * SIDE, n // COLUMNS * height
        half = SIDE // 2 - 2
        page.paste(trial.canvas.resize((half, half), Image.Resampling.BOX), (x + SIDE // 4, y))
        page.paste(image.resize((SIDE - 4, SIDE - 4), Image.Resampling.BICUBIC), (x, y + SIDE // 2))
        first, *rest = lines_of(verdict, trial)
        for k, text in enumerate([f"{n}: {first}", *rest]):
            pen.text((x + 2, y + SIDE + SIDE // 2 - 3 + 14 * k), text, fill="black", font=font)
    return page


def main() -> None:
    """Draws the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "judge" / "results")
    options = parser.parse_args()
    made, judge = service(), Judge.load()
    pairs = more_tuning(SKIPPED + 2 * HALF)[SKIPPED:]
    work = trials(made, pairs[:HALF], SEED)
    work += trials(made, pairs[HALF:], SEED + HALF, "box", "paper-normal")
    images = grow(made, work[:HALF]) + grow(made, work[HALF:])
    verdicts = judge.look(images, [trial.work.plan.box for trial in work])
    sheet = draw_sheet(work, images, verdicts)
    sheet.quantize(255, dither=Image.Dither.NONE).save(
        options.out / "keeping-by-eye.png", optimize=True
    )


if __name__ == "__main__":
    main()
