"""Measure how reliable the judge is about the colour of clothes and the variety of pictures.

    sow bench study judge-colour

On drawings that it never learnt from: which pixels are clothes, and whether they were drawn gray,
is known; so is which of two drawings differ more. On generated pictures, of pairs whose sentences
leave the clothes open: how well two of four seeds say what the other two say, and a sheet of 30;
what a person found wrong on it stands in `judge/results/colour-by-eye.json`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

import sow.benchmarks.figures.judge as judge_folder
from sow.backbones.stable_diffusion import StableDiffusion
from sow.benchmarks.colours import Histogram, is_grey, mean_saturation
from sow.benchmarks.figures.judge.accuracy import Line, by_eye
from sow.benchmarks.figures.judge.clothes import LEAST, clothes_of
from sow.benchmarks.figures.judge.judge import Judge, Verdict
from sow.benchmarks.figures.studies.colour_ladder import RUNGS, Ladder, ladders
from sow.benchmarks.figures.studies.common import numbered_tiles
from sow.benchmarks.figures.studies.picture_cache import PictureSpec, generate
from sow.benchmarks.figures.studies.trials import Trial, service, trials
from sow.benchmarks.figures.world.drawing import TESTING, Drawing, identity_of, make
from sow.benchmarks.figures.world.paper import BODY
from sow.benchmarks.figures.world.tv2i import open_pairs
from sow.benchmarks.output import StudyOutput, bar
from sow.benchmarks.statistics import mean, rate
from sow.benchmarks.tv2i.methods.text import without_condition
from sow.benchmarks.tv2i.metrics.base import Case
from sow.benchmarks.tv2i.metrics.colour import (
    JudgedGrey,
    JudgedSaturation,
    clothes_by,
    hue_estimate,
    hues_of,
)
from sow.benchmarks.tv2i.metrics.judge_base import Verdicts
from sow.benchmarks.tv2i.metrics.variety import (
    FeatureVariety,
    PixelVariety,
    Variety,
    relative_mean,
)
from sow.service.service import Service

FIRST = TESTING + 15_000_000
STYLES = ("none", "oil", "watercolor")
SEEDS = 4
SEED = 9_500_000
SHOWN = 30
EYE = "colour-by-eye"
WORDS = (
    "*Grey* and *saturation* are of the pixels that the judge takes for clothes "
    "(`judge/clothes.py`), held to those that were drawn as clothes: gray ones are a tenth of all. "
    "The threshold of grey was chosen on 600 other drawings, for tuning: there saturations from "
    "0.08 to 0.4, with values from 0.2 to 0.95, 0.3 to 0.85 or 0.35 to 0.75, err nowhere, and "
    "without bounds of value 58 times and more. Watercolours pale black to grey; their sentences "
    "name the colour, so that it is not read."
)
LADDER = (
    "Two drawings of the same head in the same place; counted is what is outside the head. "
    "*Higher than the rung above*: how often two drawings of this rung score higher than two of "
    "the rung above, of all people with all (area under the curve), and of the same person."
)
HALVES = (
    "What `sow generate` does by itself, and the model's own pictures of the same sentences, on "
    "pairs that nothing was tuned on, four seeds each. *Repeatability*: the correlation over pairs "
    "of the variety of the first two seeds with that of the other two; by Spearman and Brown that "
    "of four seeds is twice it over one more than it. Low, it says that sentences hardly differ in "
    "variety, or that seeds are few: means over pairs can be trusted as their intervals say, "
    "single pairs cannot."
)


@dataclass(frozen=True)
class ClothesReading:
    """Clothes as drawn and as the judge reads them: pixels `[n, 3]`."""

    gray: bool
    true: NDArray[np.uint8]
    read: NDArray[np.uint8]


def seen(drawings: Sequence[Drawing], verdicts: Sequence[Verdict]) -> list[ClothesReading]:
    """Return the clothes of the drawings that show enough of a body."""
    found = []
    for drawing, verdict in zip(drawings, verdicts, strict=True):
        true, person = drawing.mask(BODY), drawing.spec.person
        if person is not None and true.sum() >= LEAST:
            pixels = np.asarray(drawing.image)
            read = verdict.pixels[clothes_of(verdict)]
            found.append(ClothesReading(person.clothing_colour == "gray", pixels[true], read))
    return found


def of_clothes(selected: Sequence[ClothesReading], what: str) -> list[Line]:
    """Return the errors of saturation, and how often grey is recognised. what: the row label."""
    away = [
        mean_saturation(one.read) - mean_saturation(one.true) for one in selected if len(one.read)
    ]
    grey = [(one.gray, is_grey(one.read)) for one in selected]
    lines = [
        Line(
            f"{what}: error of the mean saturation, either way",
            mean([abs(value) for value in away]).number(),
            len(away),
        ),
        Line(f"{what}: the same, too high on average", mean(away).number(), len(away)),
        Line(f"{what}: grey as drawn", rate([a == b for a, b in grey]).percent(), len(grey)),
        Line(
            f"{what}: gray clothes called grey",
            rate([b for a, b in grey if a]).percent(),
            sum(a for a, _ in grey),
        ),
        Line(
            f"{what}: others called grey",
            rate([b for a, b in grey if not a]).percent(),
            sum(not a for a, _ in grey),
        ),
    ]
    return [line for line in lines if line.count]


@torch.no_grad()
def through(made: Service, images: Sequence[Image.Image]) -> list[Image.Image]:
    """Return each picture after the model's autoencoder, as every result is."""
    backbone, results = StableDiffusion(made.pipe), []
    for image in images:
        pixels = torch.from_numpy(np.asarray(image, np.float32)).permute(2, 0, 1)[None]
        back = backbone.decode(backbone.encode(pixels / 127.5 - 1)).clamp(-1, 1)[0]
        shown = ((back.permute(1, 2, 0).numpy() + 1) * 127.5).round().astype(np.uint8)
        results.append(Image.fromarray(shown))
    return results


def clothes_lines(made: Service, judge: Judge, count: int) -> Iterator[Line]:
    """Yield the lines of the table of clothes."""
    for place, style in enumerate(STYLES):
        first = FIRST + 100_000 * place
        numbers = bar(range(first, first + (count if place == 0 else max(3, count // 3))), style)
        drawn = [make(n, identity=identity_of(n + 50_000), style=style) for n in numbers]
        images = [one.image for one in drawn]
        yield from of_clothes(seen(drawn, judge.look(images)), f"style {style}")
        if place == 0:
            few = max(3, count // 3)
            back = judge.look(through(made, images[:few]))
            yield from of_clothes(seen(drawn[:few], back), "through the autoencoder")


def ladder_lines(judge: Judge, count: int) -> list[str]:
    """Return the lines of the table of variety."""
    kinds: list[Variety] = [PixelVariety(), FeatureVariety(judge)]
    selected: list[Ladder] = list(bar(ladders(count), "ladders", count))
    lines = [
        "| | "
        + " | ".join(
            f"{kind.label} | higher than the rung above | of the same person" for kind in kinds
        )
        + " |",
        "|---" * 7 + "|",
    ]
    before: list[NDArray[np.float64]] = []
    for rung, name in enumerate(RUNGS):
        cells, now = [], []
        for place, kind in enumerate(kinds):
            scores = [kind(one.cases(rung)).value for one in selected]
            values = np.array([np.nan if score is None else score for score in scores])
            now.append(values)
            cells += [mean(list(values)).number(), "", ""]
            if before:
                cells[-2] = f"{area(before[place], values):.3f}"
                cells[-1] = rate(list(values > before[place])).percent()
        lines.append(f"| {' | '.join([name, *cells])} |")
        before = now
    return lines


def area(low: NDArray[np.float64], high: NDArray[np.float64]) -> float:
    """Return how often a value of the second exceeds one of the first; ties count half."""
    over, same = high[:, None] > low[None], high[:, None] == low[None]
    return float(over.mean() + same.mean() / 2)


def grown(made: Service, output: StudyOutput, work: Sequence[Trial]) -> dict[str, list[list[Case]]]:
    """Return the pictures of every pair by `sow generate` and by the model alone, by seed."""
    text_settings = made.pipe.preset("text")
    rows: dict[str, list[PictureSpec]] = {
        "sow": [
            replace(PictureSpec.of(one.work, one.seed), seed=seed)
            for one in work
            for seed in seeds_of(one)
        ],
        "text": [
            PictureSpec(None, without_condition(one.work.plan), text_settings, seed)
            for one in work
            for seed in seeds_of(one)
        ],
    }
    found = {}
    for name, wanted in rows.items():
        images = generate(made.pipe, wanted, output.pictures).images
        cases = [
            one.case(images[SEEDS * n + k]) for n, one in enumerate(work) for k in range(SEEDS)
        ]
        found[name] = [cases[start : start + SEEDS] for start in range(0, len(cases), SEEDS)]
    return found


def seeds_of(trial: Trial) -> range:
    """Return the seeds of a trial; no two trials share one."""
    first = SEED + SEEDS * (trial.seed - SEED)
    return range(first, first + SEEDS)


def halves(kind: Variety, selected: Sequence[Sequence[Case]]) -> NDArray[np.float64]:
    """Return the variety of both halves of the seeds of every pair, `[n, 2]`."""
    scores = [[kind(one[: SEEDS // 2]).value, kind(one[SEEDS // 2 :]).value] for one in selected]
    return np.array(scores, float)


def repeatability(values: NDArray[np.float64], draws: int = 2000) -> str:
    """Return the correlation of two columns with its bootstrap interval over rows."""
    dice, found = np.random.default_rng(0), []
    for _ in range(draws):
        if (chosen := values[dice.integers(len(values), size=len(values))]).std(0).min() > 0:
            found.append(correlation(chosen))
    low, high = np.percentile(found, (2.5, 97.5)) if found else (np.nan, np.nan)
    return f"{correlation(values):.2f} [{low:.2f}, {high:.2f}]"


def correlation(values: NDArray[np.float64]) -> float:
    """Return Pearson's correlation of two columns."""
    one, other = (column - column.mean() for column in values.T)
    return float((one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum()))


def grown_lines(verdicts: Verdicts, found: dict[str, list[list[Case]]]) -> list[str]:
    """Return the lines of the table of generated pictures."""
    kinds: list[Variety] = [PixelVariety(), FeatureVariety(verdicts)]
    lines = ["| | sow | the model alone | sow, relative |", "|---|---|---|---|"]
    for kind in kinds:
        variety = {name: [kind(one).value for one in selected] for name, selected in found.items()}
        cells = [mean([v for v in values if v is not None]).number() for values in variety.values()]
        cells.append(relative_mean(variety["sow"], variety["text"]).number())
        lines.append(f"| {kind.label} | {' | '.join(cells)} |")
        cells = [repeatability(halves(kind, selected)) for selected in found.values()]
        lines.append(f"| repeatability of two seeds | {' | '.join(cells)} | |")
    for metric in (JudgedSaturation(verdicts), JudgedGrey(verdicts)):
        cells = []
        for selected in found.values():
            pairs = [
                [v for case in one if (v := metric(case).value) is not None] for one in selected
            ]
            each = [float(np.mean(one)) for one in pairs if one]
            cells.append(
                f"{mean(each).percent() if metric.rate else mean(each).number()}, n = {len(each)}"
            )
        lines.append(f"| {metric.label} | {' | '.join(cells)} | |")
    seen_hues = {
        name: [
            [h for case in one if (h := hues_of(case, clothes_by(verdicts))) is not None]
            for one in selected
        ]
        for name, selected in found.items()
    }
    both = [n for n, (a, b) in enumerate(zip(*seen_hues.values(), strict=True)) if a and b]
    sow_hues, text_hues = ([middle(seen_hues[name][n]) for n in both] for name in ("sow", "text"))
    several = [one for one in seen_hues["text"] if len(one) > 1]
    halved = hue_estimate(
        [middle(one[::2]) for one in several], [middle(one[1::2]) for one in several]
    )
    return [
        *lines,
        f"| Distance of hues from the model's own, 0 to 1 | "
        f"{hue_estimate(sow_hues, text_hues).number()} | {halved.number()} "
        "(half of its seeds from the other half) | |",
    ]


def middle(selected: Sequence[Histogram]) -> Histogram:
    """Return the mean of a pair's histograms."""
    return np.asarray(np.mean(np.stack(list(selected)), 0))


def sheet(verdicts: Verdicts, found: dict[str, list[list[Case]]]) -> list[Image.Image]:
    """Return the sheet: one picture of each of the first pairs, half of them by the model alone."""
    tiles = []
    for number, pair in enumerate(found["sow"][:SHOWN]):
        case = found["text"][number][0] if number % 2 else pair[0]
        grey, much = JudgedGrey(verdicts)(case), JudgedSaturation(verdicts)(case)
        label = grey.missing if grey.value is None else ("grey" if grey.value else "not grey")
        tiles.append(
            (case.picture, [label[:24], "" if much.value is None else f"{much.value:.2f}"])
        )
    return numbered_tiles(tiles)


def checked() -> list[str]:
    """Return what a person found on the committed sheet; empty if it is missing."""
    notes = Path(judge_folder.__path__[0]) / "results" / f"{EYE}.json"
    if not notes.exists():
        return []
    what = json.loads(notes.read_text(encoding="utf-8"))["what"]
    return ["", f"## On {SHOWN} generated pictures, by eye", "", what, "", *by_eye(notes)]


def study(output: StudyOutput, *, count: int, pairs: int) -> None:
    """Write `colour.md` and its sheet. count: drawings. pairs: to grow, four seeds each."""
    output.check_output_path("colour.md", f"{EYE}.png")
    made, judge = service(), Judge.load()
    selected = open_pairs(pairs, tuning=False)
    verdicts = Verdicts(judge, {pair.id: pair for pair in selected})
    found = grown(made, output, trials(made, selected, SEED))
    output.write_sheet(f"{EYE}.png", sheet(verdicts, found), colours=255)
    lines = [
        "# Colour and variety: how far the judge can be trusted",
        "",
        f"`{output.command}`; intervals are 95 %.",
        "",
        f"## Clothes on {count} drawings it never saw",
        "",
        WORDS,
        "",
        "| | | of |",
        "|---|---|---|",
        *(line.row() for line in clothes_lines(made, judge, count)),
        "",
        f"## Variety: drawings of {count // 2} people that differ more and more",
        "",
        LADDER,
        "",
        *ladder_lines(judge, count // 2),
        "",
        f"## On generated pictures: {pairs} pairs, {SEEDS} seeds",
        "",
        HALVES,
        "",
        *grown_lines(verdicts, found),
        *checked(),
    ]
    output.write_page("colour.md", lines)
