"""Compare the presets in likeness, prompt, heads, variety, colour and cost.

    sow bench study presets before|fresh [--setting normal]

`before` has the presets as they were until now beside the published ones, on people for tuning;
`fresh` the published, `swift` and what `figures` has of its own, on people and sentences that
nothing was chosen by. (What `figures` has was chosen by `sow tune`, on people for tuning.) For
normal prompts some sentences leave the clothes open, which alone tell of colour. These and the
first others are drawn with two seeds, which tell of variety; all rows have the same people,
sentences and seeds.

What a picture is compared with in colour and variety is the model's own of the same sentence and
seed, outside the same condition (the preset `text`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from sow.benchmarks.colours import Histogram
from sow.benchmarks.figures.judge.judge import Judge
from sow.benchmarks.figures.studies import picture_cache
from sow.benchmarks.figures.studies.common import PAIRED, brief, outcome, page, rows_of
from sow.benchmarks.figures.studies.picture_cache import PictureSpec
from sow.benchmarks.figures.studies.trials import MEASURES, Trial, service, trials
from sow.benchmarks.figures.world.tv2i import fresh, more_tuning, open_pairs
from sow.benchmarks.output import StudyOutput
from sow.benchmarks.statistics import Estimate, mean_ratio
from sow.benchmarks.tv2i.methods.text import without_condition
from sow.benchmarks.tv2i.metrics.base import Case, measure
from sow.benchmarks.tv2i.metrics.colour import clothes_by, hue_estimate, hues_of
from sow.benchmarks.tv2i.metrics.judge_base import Verdicts
from sow.benchmarks.tv2i.metrics.judge_metrics import judged_metrics
from sow.benchmarks.tv2i.metrics.variety import FeatureVariety, PixelVariety, groups, relative_mean
from sow.benchmarks.tv2i.outcomes import Outcome
from sow.benchmarks.tv2i.pairs import SETTINGS
from sow.pictures.drawing import labelled_grid
from sow.service.budget import count_unet_samples
from sow.service.service import Service
from sow.settings.settings import Settings

TUNING_SEED, FRESH_SEED, SECOND = 6_100_000, 6_500_000, 50_000
COUNTS, OPEN_COUNTS = {"before": 20, "fresh": 200}, {"before": 20, "fresh": 60}
"""People and sentences; and beside them, for normal prompts, those that leave the clothes open."""
VARIED = 40
"""How many of the first are drawn with two seeds."""
LEAST = 8
"""Pairs below which nothing is said of variety and colour: intervals of fewer are too narrow."""
PUBLISHED, OWN = "published", "the model's own"


@dataclass(frozen=True)
class Row:
    """A line of a table: a preset, in which `{setting}` is the pairs' setting."""

    name: str
    preset: str


FIRST = Row(PUBLISHED, "published-{setting}")
SWIFT = Row("swift", "swift-{setting}")
BEFORE = (
    FIRST, SWIFT, Row("thorough, as it was", "thorough-{setting}"),
    Row("paper, as it was", "paper-{setting}"), Row("cow", "cow"),
)  # fmt: skip


FINAL = (FIRST, SWIFT, Row("figures' own", "{setting}"))
TABLES = {"before": BEFORE, "fresh": FINAL}


@dataclass(frozen=True)
class Made:
    """The pictures of a row and their metrics.

    Attributes:
        cases: with their pictures; several seeds of a pair are cases of one pair.
        outcomes: the judge's metrics of each.
        samples: UNet samples of a picture, as `figures` runs: without a pair outside.
    """

    name: str
    cases: list[Case]
    outcomes: list[Outcome]
    samples: int

    def of(self, name: str) -> list[float]:
        """Return a metric of each pair, its seeds averaged; nan where missing."""
        found: dict[str, list[float]] = {}
        for one in self.outcomes:
            values = found.setdefault(one.pair, [])
            values += [v for v in [one.scores.get(name)] if v is not None]
        return [float(np.mean(values)) if values else np.nan for values in found.values()]


class People:
    """The trials of a setting: people, sentences and seeds."""

    def __init__(self, made: Service, table: str, setting: str, count: int) -> None:
        unseen = table == "fresh"
        pairs = (fresh if unseen else more_tuning)(count, setting)
        first = (FRESH_SEED if unseen else TUNING_SEED) + 100_000 * SETTINGS.index(setting)
        opened = min(count, OPEN_COUNTS[table]) if setting == "normal" else 0
        open_ones = open_pairs(opened, tuning=not unseen)
        once = trials(made, pairs, first)
        both = trials(made, open_ones, first + 10_000)
        again_ones = [replace(t, seed=t.seed + SECOND) for t in (*once[:VARIED], *both)]
        self.trials = [*once, *both, *again_ones]
        self.drawn = {trial.pair.id: trial.pair for trial in self.trials}


def made_of(
    made: Service, verdicts: Verdicts, people: People, row: Row, setting: str, pictures: Path
) -> Made:
    """Return a row with its pictures and metrics."""
    settings = made.model.checkpoint_spec.preset(row.preset.format(setting=setting))
    wanted = [replace(PictureSpec.of(t.work, t.seed), settings=settings) for t in people.trials]
    images = picture_cache.generate(made.pipe, wanted, pictures).images
    return read(verdicts, row.name, people.trials, images, settings)


def made_by_text(made: Service, verdicts: Verdicts, people: People, pictures: Path) -> Made:
    """Return the model's own pictures of the same sentences and seeds."""
    settings = made.model.checkpoint_spec.preset("text")
    wanted = [
        PictureSpec(None, without_condition(trial.work.plan), settings, trial.seed)
        for trial in people.trials
    ]
    images = picture_cache.generate(made.pipe, wanted, pictures).images
    return read(verdicts, OWN, people.trials, images, settings)


def read(
    verdicts: Verdicts,
    name: str,
    some: Sequence[Trial],
    images: Sequence[Image.Image],
    settings: Settings,
) -> Made:
    """Return a row with the judge's metrics of its pictures."""
    cases = [trial.case(image) for trial, image in zip(some, images, strict=True)]
    found = measure(judged_metrics(verdicts), cases)
    outcomes = [
        outcome(
            name, t.pair.id, t.pair.setting, t.pair.prompt, t.pair.identity_seed, t.seed, scores
        )
        for t, scores in zip(some, found, strict=True)
    ]
    return Made(name, cases, outcomes, count_unet_samples(settings, 10_000))


def looser(rows: Sequence[Made], text_row: Made, verdicts: Verdicts) -> Iterator[str]:
    """Yield the table of variety and colour, which single pictures do not show."""
    published = next(row for row in rows if row.name == PUBLISHED)
    everyone = [*rows, text_row]
    seen = {
        row.name: {
            kind.name: [kind(some).value for some in groups(row.cases) if len(some) > 1]
            for kind in (PixelVariety(), FeatureVariety(verdicts))
        }
        for row in everyone
    }
    hues = {row.name: histograms(row, verdicts) for row in everyone}
    yield (
        "| | UNet samples | variety: pixels, of 255 | of the model's own | of the published "
        "| judge's features, of the model's own | of the published | saturation of the published "
        "| of the model's own | hues away from the model's own |"
    )
    yield "|---" * 10 + "|"
    for row in everyone:
        pixels, features = seen[row.name]["variety_pixels"], seen[row.name]["variety_features"]
        parts = [str(row.samples), f"{np.mean([v for v in pixels if v is not None]):.1f}"]
        for name, values in (("variety_pixels", pixels), ("variety_features", features)):
            parts += [
                interval(relative_mean(values, seen[base.name][name]))
                for base in (text_row, published)
            ]
        saturation = row.of("saturation")
        parts += [
            interval(mean_ratio(saturation, base.of("saturation")))
            for base in (published, text_row)
        ]
        away = "" if row is text_row else hue_interval(hues[row.name], hues[OWN])
        yield f"| {row.name} | {' | '.join(parts)} | {away} |"
    half = hue_interval(hues[OWN][::2], hues[OWN][1::2])
    if half:
        yield f"\nTwo halves of the model's own pictures are {half} of hue from each other."


def histograms(row: Made, verdicts: Verdicts) -> list[Histogram]:
    """Return the hues of the clothes of each picture that shows any."""
    found = (hues_of(case, clothes_by(verdicts)) for case in row.cases)
    return [one for one in found if one is not None]


def hue_interval(some: Sequence[Histogram], others: Sequence[Histogram]) -> str:
    """Return the distance of two sets of hues as text; empty if one set is empty."""
    return interval(hue_estimate(some, others)) if some and others else ""


def interval(estimate: Estimate) -> str:
    """Return an estimate with its interval; empty for fewer than `LEAST` pairs."""
    if estimate.count < LEAST or np.isnan(estimate.value):
        return ""
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"


def sheet(rows: Sequence[Made], people: People, first: int = 10) -> list[Image.Image]:
    """Return the sheet: what is planted, then each row by both seeds, for the first people."""
    ids = [t.pair.id for t in people.trials if t.pair.id.startswith("open")]
    chosen = list(dict.fromkeys(ids or people.drawn))[:first]
    canvas = {t.pair.id: t.canvas for t in people.trials}
    lines = [labelled_grid("planted", [("", canvas[one]) for one in chosen])]
    for row in rows:
        by_pair = {some[0].pair.id: some for some in groups(row.cases)}
        for seed in (0, 1):
            images = [by_pair[one][min(seed, len(by_pair[one]) - 1)].picture for one in chosen]
            lines.append(labelled_grid(f"{row.name}, seed {seed + 1}", [("", i) for i in images]))
    return lines


def study(output: StudyOutput, *, table: str, setting: str, count: int) -> None:
    """Write `presets-TABLE-SETTING.md` and its sheet for every setting."""
    settings = SETTINGS if setting == "all" else (setting,)
    count = count or COUNTS[table]
    for one in settings:
        output.check_output_path(f"presets-{table}-{one}.md", f"presets-{table}-{one}.png")
    made, judge = service(), Judge.load()
    for one in settings:
        people = People(made, table, one, count)
        verdicts = Verdicts(judge, people.drawn)
        rows = []
        for row in TABLES[table]:
            rows.append(made_of(made, verdicts, people, row, one, output.pictures))
            output.log(f"{one}: {brief(rows[-1].outcomes, MEASURES)}")
        text_row = made_by_text(made, verdicts, people, output.pictures)
        output.write_sheet(
            f"presets-{table}-{one}.png", sheet([*rows, text_row], people), colours=255
        )
        title = f"Presets: {table}, {one}"
        outcomes = [o for row in (*rows, text_row) for o in row.outcomes]
        whose = "nobody chose anything by" if table == "fresh" else "for tuning"
        opened = len({t.pair.id for t in people.trials}) - count
        beside = f", and {opened} that leave the clothes open" if opened else ""
        words = (
            f"`{output.command}`; {count} people and sentences {whose}{beside}; two seeds of the "
            f"open ones and of the first {VARIED} others. {PAIRED}"
        )
        grid = rows_of(title, outcomes, MEASURES, PUBLISHED)
        parts = [
            *page(title, [words], [grid]),
            "",
            "## Variety and colour",
            "",
            *looser(rows, text_row, verdicts),
        ]
        output.write_page(f"presets-{table}-{one}.md", parts)
