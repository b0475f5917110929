"""100 generated pictures with the judge's verdict on each planted head, to check by eye.

    sow bench study keeping-sheet

Half as `sow generate` runs, half with the whole square planted by the paper's preset, which loses
parts and leaves halos; people for tuning. Each picture stands under the canvas that was planted.
"""

from __future__ import annotations

from PIL import Image

from sow.benchmarks.figures.judge.judge import Judge
from sow.benchmarks.figures.judge.planted_head import has_halo, is_sticker, kept_parts
from sow.benchmarks.figures.studies.common import numbered_tiles
from sow.benchmarks.figures.studies.trials import Trial, generate, looked, service, trials
from sow.benchmarks.figures.world.tv2i import more_tuning
from sow.benchmarks.output import StudyOutput
from sow.benchmarks.tv2i.metrics.judge_base import Judged

SKIPPED, SEED = 100, 7_760_000
"""The people before these chose the settings."""
SIDE = 150


def lines_of(judged: Judged) -> list[str]:
    """Return the verdict in three short lines."""
    verdict, who = judged.verdict, judged.pair.identity
    parts = kept_parts(verdict.looks if judged.here else {}, who)
    kept = " ".join(
        f"{name} {'kept' if there else 'LOST'}"
        for name, there in parts.items()
        if name != "hair style"
    )
    hair = f"{who.hair_style}: {'kept' if parts['hair style'] else 'OTHER'}"
    seen = ["HALO" if has_halo(verdict, judged.planted) else "no halo"]
    seen += ["STICKER"] * is_sticker(verdict, judged.planted)
    seen += ["OTHER NECK" if verdict.unjoined else "neck"]
    return [kept or "-", hair, ", ".join(seen)]


def under(trial: Trial, image: Image.Image) -> Image.Image:
    """Return a picture below what was planted for it."""
    half = SIDE // 2
    tile = Image.new("RGB", (SIDE, SIDE + half), "white")
    tile.paste(trial.canvas.resize((half, half), Image.Resampling.BOX), (SIDE // 4, 0))
    tile.paste(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC), (0, half))
    return tile


def study(output: StudyOutput, *, count: int) -> None:
    """Draw the sheet."""
    output.check_output_path("keeping-by-eye.png")
    made, judge, half = service(), Judge.load(), max(1, count // 2)
    pairs = more_tuning(SKIPPED + 2 * half)[SKIPPED:]
    work = trials(made, pairs[:half], SEED)
    work += trials(made, pairs[half:], SEED + half, "box", "paper-normal")
    images = [
        image
        for some in (work[:half], work[half:])
        for image in generate(made, some, None, output.pictures).images
    ]
    captions = map(lines_of, looked(judge, work, images))
    tiles = [under(trial, image) for trial, image in zip(work, images, strict=True)]
    rows = numbered_tiles(zip(tiles, captions, strict=True))
    output.write_sheet("keeping-by-eye.png", rows, colours=255)
