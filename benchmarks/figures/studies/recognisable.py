"""Whether what is planted stays itself, and nothing else of its picture does.

    python -m sow.benchmarks.figures.studies.recognisable choices|pareto|guided|fresh|limit

All rows are what `sow generate` does by itself with a face (256 x 256, a head before a wall) and a
sentence: its planner's rules, its matte, its box; a row's name says what is changed. `choices`
(one choice at a time), `pareto` (the likeness dial) and `guided` (with the guidance of a checkpoint
of Stable Diffusion's kind) use people for tuning; `fresh` uses others, once, and `limit` says what
the autoencoder leaves of them. Rows of one table have the same people, sentences and seeds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sow.benchmarks.figures.judge.reading import Judge
from sow.benchmarks.figures.studies.trials import (
    Outcome,
    Trial,
    grow,
    judged,
    pasted,
    service,
    trials,
)
from sow.benchmarks.figures.world.tv2i import fresh, more_tuning
from sow.benchmarks.statistics import mean_difference, sign_test
from sow.pictures.drawing import labelled_row, stacked
from sow.presets import LIKENESS
from sow.service.service import Service
from sow.settings import NEGATIVE_PROMPT

RESULTS = Path(__file__).parent / "results"
SETTINGS = ("normal", "attribute", "style")
TUNING_SEED, FRESH_SEED = 7_700_000, 9_100_000


@dataclass(frozen=True)
class Row:
    """A line of a table: settings changed, another preset, another way of cutting out."""

    name: str
    changes: dict[str, Any] = field(default_factory=dict)
    preset: str | None = None
    matte: str = "auto"


def before(setting: str) -> tuple[Row, Row]:
    """The paper's presets: as `sow generate` planted until now, and with the whole square."""
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
    """The likeness dial, and the presets of the paper."""
    return (*(Row(f"likeness {x:g}", {"likeness": x}) for x in DIAL), *before(setting))


def guided(setting: str) -> tuple[Row, ...]:
    """The same with the guidance of Stable Diffusion outside the condition."""
    return tuple(
        Row(row.name + WITH_PAIR, {**row.changes, **GUIDED}, row.preset,
            row.matte)
        for row in dial(setting)
    )  # fmt: skip


def against_before(setting: str) -> tuple[Row, ...]:
    """Until now, and what `sow generate` does now."""
    return (*before(setting), Row(f"now (likeness {LIKENESS[setting]:g})"))


ROWS: dict[str, Callable[[str], Sequence[Row]]] = {
    "choices": lambda _: CHOICES, "pareto": dial, "guided": guided, "fresh": against_before,
    "limit": lambda setting: against_before(setting)[-1:],
}  # fmt: skip
LIMIT = "the limit: the head pasted in, and once through the autoencoder"
COUNTS = {"choices": 30, "pareto": 30, "guided": 20, "fresh": 200, "limit": 200}

Say = Callable[[str], None]


@dataclass
class Study:
    """Rows over the same pairs, with all that was made, so that sheets can be drawn of it."""

    made: Service
    judge: Judge
    say: Say

    def outcomes(
        self, rows: Sequence[Row], setting: str, count: int, *, unseen: bool
    ) -> list[tuple[Outcome, list[Trial], list[Image.Image]]]:
        """Every row, in order."""
        pairs = (fresh if unseen else more_tuning)(count, setting)
        seed = (FRESH_SEED if unseen else TUNING_SEED) + 100_000 * SETTINGS.index(setting)
        planned: dict[tuple[str | None, str], list[Trial]] = {}
        found = []
        for row in rows:
            key = (row.preset, row.matte)
            if key not in planned:
                planned[key] = trials(self.made, pairs, seed, row.matte, row.preset)
            work = planned[key]
            images = grow(self.made, work, row.changes)
            found.append((judged(row.name, self.judge, work, images), work, images))
            self.say(f"{setting:9s} {found[-1][0].brief()}")
        return found


def compared(one: Outcome, other: Outcome) -> str:
    """What a row mended and spoilt of another, for every column that is yes or no."""
    parts = []
    for column in Outcome.COLUMNS:
        a, b = one.values[column], other.values[column]
        if column in ("identity", "followed"):
            parts.append(f"{column} {mean_difference(list(a), list(b)).number()}")
            continue
        bad = column in ("halo", "sticker", "unjoined", "truncated", "apart")
        up, down = int(np.sum(b > a)), int(np.sum(b < a))
        better, worse = (down, up) if bad else (up, down)
        parts.append(f"{column} {better} better, {worse} worse (p {sign_test(better, worse):.2g})")
    return f"- {other.name} against {one.name}: {'; '.join(parts)}"


Rows = list[tuple[Outcome, list[Trial], list[Image.Image]]]


def table(found: Rows, *, compare: bool) -> list[str]:
    """Lines of Markdown; and the last row against each of the others, if they are compared."""
    lines = ["", Outcome.HEADER, *(outcome.row() for outcome, _, _ in found)]
    if compare:
        now = found[-1][0]
        lines += ["", *(compared(old, now) for old, _, _ in found[:-1])]
    return lines


def draw_pareto(setting: str, found: Rows, path: Path) -> None:
    """Identity against the prompt: the dial as a line, the paper's presets as points."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4), layout="constrained")
    place = figure.subplots()
    points = [(100 * o.estimate("followed").value, o.estimate("identity").value, o.name)
              for o, _, _ in found]  # fmt: skip
    on_dial = [point for point in points if point[2].startswith("likeness")]
    place.plot([p[0] for p in on_dial], [p[1] for p in on_dial], "o-", color="#c0392b")
    for x, y, name in points:
        if not name.startswith("likeness"):
            place.plot([x], [y], "s", color="#2c5aa0")
        text = name.removeprefix("likeness ").removesuffix(WITH_PAIR).replace(" (until now)", "")
        place.annotate(text, (x, y), textcoords="offset points", xytext=(5, 4), fontsize=8)
    place.set(title=setting, xlabel="prompt followed, %", ylabel="ID-Distance (lower: nearer)")
    place.margins(x=0.3, y=0.12)
    figure.savefig(path, dpi=90)


def draw_sheet(found: Rows, path: Path, columns: int = 12) -> None:
    """The first pictures of every row, under what was planted."""
    _, work, _ = found[-1]
    heads = [(trial.pair.prompt[:22], trial.canvas) for trial in work[:columns]]
    rows = [labelled_row("planted", heads, columns, 128)]
    for outcome, _, images in found:
        tiles = [("", image) for image in images[:columns]]
        rows.append(labelled_row(outcome.name, tiles, columns, 128))
    stacked(rows, 4).quantize(255, dither=Image.Dither.NONE).save(path, optimize=True)


def main() -> None:
    """Writes `recognisable-<what>-<setting>.md` and the picture that belongs to it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=tuple(ROWS))
    parser.add_argument("settings", nargs="*", help="normal, attribute, style; all by default")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--count", type=int)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    what, unseen = options.what, options.what in ("fresh", "limit")
    count = options.count or COUNTS[what]
    people = "people and sentences nobody tuned on" if unseen else "people for tuning"
    study = Study(service(), Judge.load(), lambda line: print(line, flush=True))
    for setting in options.settings or SETTINGS:
        found = study.outcomes(ROWS[what](setting), setting, count, unseen=unseen)
        if what == "limit":
            _, work, images = found[0]
            images = pasted(study.made, work, images)
            found.append((judged(LIMIT, study.judge, work, images), work, images))
        name = options.out / f"recognisable-{what}-{setting}"
        if what in ("pareto", "guided"):
            draw_pareto(setting, found, name.with_suffix(".png"))
        if what == "fresh":
            draw_sheet(found, name.with_suffix(".png"))
        head = [
            f"# Recognisable: {what}, {setting}", "",
            f"`python -m sow.benchmarks.figures.studies.recognisable {what} {setting}`; {count} "
            f"{people} a row, one seed each, the same in every row; 95 % intervals.",
        ]  # fmt: skip
        lines = [*head, *table(found, compare=unseen)]
        name.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
