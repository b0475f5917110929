"""Does the planted face stay recognisable, and nothing else of its picture?

    sow bench study recognisable choices|pareto|guided|fresh|limit

All rows are what `sow generate` does by itself with a face (256 x 256, a head before a wall) and a
sentence: its planner's rules, its matte, its box; a row's name says what is changed. `choices`
(one choice at a time), `pareto` (the likeness dial) and `guided` (with the guidance of a checkpoint
of Stable Diffusion's kind) use people for tuning; `fresh` uses others, once, and `limit` says what
the autoencoder leaves of them. Rows of one table have the same people, sentences and seeds.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from sow.benchmarks.figures.judge.judge import Judge
from sow.benchmarks.figures.studies.common import PAIRED, brief, page, rows_of
from sow.benchmarks.figures.studies.trials import (
    MEASURES,
    Trial,
    generate,
    judged,
    pasted,
    service,
    trials,
)
from sow.benchmarks.figures.world.tv2i import fresh, more_tuning
from sow.benchmarks.output import StudyOutput
from sow.benchmarks.statistics import mean
from sow.benchmarks.tv2i.outcomes import Outcome
from sow.benchmarks.tv2i.pairs import SETTINGS
from sow.pictures.drawing import labelled_grid
from sow.service.service import Service
from sow.settings.settings import NEGATIVE_PROMPT

TUNING_SEED, FRESH_SEED = 7_700_000, 9_100_000


@dataclass(frozen=True)
class Row:
    """A line of a table: changed settings, another preset, another matte."""

    name: str
    changes: dict[str, Any] = field(default_factory=dict)
    preset: str | None = None
    matte: str = "auto"


def before(setting: str) -> tuple[Row, Row]:
    """Return the paper's presets, with an ellipse (as before) and with the whole square."""
    preset = f"paper-{setting}"
    return (
        Row("paper's preset, ellipse (until now)", preset=preset, matte="ellipse"),
        Row("paper's preset, whole square", preset=preset, matte="box"),
    )


CHOICES = (
    Row("the preset"),
    Row("planted once, 10 cycles", {"replant": 0, "cycles": 10}),
    Row("planted three times", {"replant": 2}),
    *(Row(f"{n} cycles", {"cycles": n}) for n in (0, 3, 10)),
    Row("2 cycles before planting again", {"first_cycles": 2}),
    Row("rim from 0.5 on", {"rim": (0.5, 0.5)}),
    Row("rim in part, 0 to 0.3", {"rim": (0.0, 0.3)}),
    Row("first rim from 0.02 on", {"first_rim": (0.02, 0.02)}),
    *(Row(f"preserve {','.join(map(str, p))}", {"preserve": p})
      for p in ((4, 3), (4, 3, 2), (1,))),
    *(Row(f"guidance {g:g} inside", {"condition_guidance_scale": g}) for g in (0, 7.5)),
    Row("no modulation", {"alpha_plus": 0.0}),
    Row("ellipse instead of the matte", matte="ellipse"),
    Row("whole square instead of the matte", matte="box"),
)  # fmt: skip

DIAL = (0.0, 0.25, 0.45, 0.6, 1.0)

# `figures` runs without a negative prompt; Stable Diffusion's kind has both of these.
WITH_PAIR = ", pair and negative prompt"
GUIDED: dict[str, Any] = {"outside": "pair", "negative_prompt": NEGATIVE_PROMPT}


def dial(setting: str) -> tuple[Row, ...]:
    """Return the rows of the likeness dial and the paper's presets."""
    return (*(Row(f"likeness {x:g}", {"likeness": x}) for x in DIAL), *before(setting))


def guided(setting: str) -> tuple[Row, ...]:
    """Return the rows of `dial`, with the guidance of Stable Diffusion outside the condition."""
    return tuple(
        Row(row.name + WITH_PAIR, {**row.changes, **GUIDED}, row.preset, row.matte)
        for row in dial(setting)
    )


def against_before(setting: str) -> tuple[Row, ...]:
    """Return the rows before, and what `sow generate` does now."""
    return (*before(setting), Row("now"))


ROWS: dict[str, Callable[[str], Sequence[Row]]] = {
    "choices": lambda _: CHOICES, "pareto": dial, "guided": guided, "fresh": against_before,
    "limit": lambda setting: against_before(setting)[-1:],
}  # fmt: skip
LIMIT = "the limit: the head pasted in, and once through the autoencoder"
COUNTS = {"choices": 30, "pareto": 30, "guided": 20, "fresh": 200, "limit": 200}


@dataclass(frozen=True)
class Made:
    """A row with its pictures and outcomes."""

    work: list[Trial]
    images: list[Image.Image]
    outcomes: list[Outcome]

    @property
    def name(self) -> str:
        """The row's."""
        return self.outcomes[0].method


def carried_out(
    made: Service, judge: Judge, output: StudyOutput, what: str, setting: str, count: int
) -> list[Made]:
    """Return every row of a table, in order; the limit uses the last row's pictures."""
    unseen = what in ("fresh", "limit")
    pairs = (fresh if unseen else more_tuning)(count, setting)
    seed = (FRESH_SEED if unseen else TUNING_SEED) + 100_000 * SETTINGS.index(setting)
    planned: dict[tuple[str | None, str], list[Trial]] = {}
    found = []
    for row in ROWS[what](setting):
        key = (row.preset, row.matte)
        if key not in planned:
            planned[key] = trials(made, pairs, seed, row.matte, row.preset)
        images = generate(made, planned[key], row.changes, output.pictures).images
        found.append(Made(planned[key], images, judged(row.name, judge, planned[key], images)))
        output.log(f"{setting}: {brief(found[-1].outcomes, MEASURES)}")
    if what == "limit":
        work, images = found[-1].work, pasted(made, found[-1].work, found[-1].images)
        found.append(Made(work, images, judged(LIMIT, judge, work, images)))
    return found


def draw_pareto(setting: str, found: Sequence[Made]) -> Image.Image:
    """Draw identity against the prompt: the dial as a line, the paper's presets as points."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4), layout="constrained")
    place = figure.subplots()
    points = [(100 * _mean(row, "followed"), _mean(row, "id_distance"), row.name) for row in found]
    on_dial = [point for point in points if point[2].startswith("likeness")]
    place.plot([p[0] for p in on_dial], [p[1] for p in on_dial], "o-", color="#c0392b")
    for x, y, name in points:
        if not name.startswith("likeness"):
            place.plot([x], [y], "s", color="#2c5aa0")
        text = name.removeprefix("likeness ").removesuffix(WITH_PAIR).replace(" (until now)", "")
        place.annotate(text, (x, y), textcoords="offset points", xytext=(5, 4), fontsize=8)
    place.set(title=setting, xlabel="prompt followed, %", ylabel="ID-Distance (lower: nearer)")
    place.margins(x=0.3, y=0.12)
    file = io.BytesIO()
    figure.savefig(file, dpi=90)
    return Image.open(file).convert("RGB")


def _mean(row: Made, metric: str) -> float:
    values = [one.scores[metric] for one in row.outcomes]
    return mean([value for value in values if value is not None]).value


def draw_sheet(found: Sequence[Made], columns: int = 12) -> list[Image.Image]:
    """Return the first pictures of every row, below what was planted."""
    heads = [(trial.pair.prompt[:22], trial.canvas) for trial in found[-1].work[:columns]]
    rows = [labelled_grid("planted", heads, columns, 128)]
    for row in found:
        tiles = [("", image) for image in row.images[:columns]]
        rows.append(labelled_grid(row.name, tiles, columns, 128))
    return rows


def study(output: StudyOutput, *, table: str, setting: str, count: int) -> None:
    """Write `recognisable-<table>-<setting>.md` and its picture."""
    settings = SETTINGS if setting == "all" else (setting,)
    count = count or COUNTS[table]
    drawn = table in ("pareto", "guided", "fresh")
    for one in settings:
        name = f"recognisable-{table}-{one}"
        output.check_output_path(f"{name}.md", *([f"{name}.png"] if drawn else []))
    unseen = table in ("fresh", "limit")
    people = "people and sentences nobody tuned on" if unseen else "people for tuning"
    made, judge = service(), Judge.load()
    for one in settings:
        name = f"recognisable-{table}-{one}"
        found = carried_out(made, judge, output, table, one, count)
        if drawn:
            parts = draw_sheet(found) if table == "fresh" else [draw_pareto(one, found)]
            output.write_sheet(f"{name}.png", parts, colours=255)
        title = f"Recognisable: {table}, {one}"
        outcomes = [outcome for row in found for outcome in row.outcomes]
        rows = rows_of(title, outcomes, MEASURES, found[-1].name if unseen else None)
        words = f"`{output.command}`; {count} {people} a row, one seed each. {PAIRED}"
        output.write_page(f"{name}.md", page(title, [words], [rows]))
