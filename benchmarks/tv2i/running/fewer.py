"""What fewer UNet samples cost: the fast presets against the thorough ones, and leads one by one.

    python -m sow.benchmarks.tv2i.running.fewer grow fresh|leads [--kind figures|guided]
    python -m sow.benchmarks.tv2i.running.fewer table

`leads` are on the 60 tuning pairs of Figures-TV2I, one change of the thorough presets at a time;
`fresh` is on 200 pairs of its test split that no report has used, once. Every pair has one seed,
the same in every row. `figures` runs as it does by itself; `guided` runs with what Stable Diffusion
has and `figures` has not: a pair outside the condition and a negative prompt, in words it knows.
Rows are kept in `results/fewer`, so that several processes can share the work, and rows of leads
whose patch of the loop was not kept can stand beside the others.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from sow.benchmarks.figures.studies.trials import BATCH, service
from sow.benchmarks.tv2i.figures import figures_pairs
from sow.benchmarks.tv2i.metrics.base import Case, Metric, measure
from sow.benchmarks.tv2i.metrics.choice import figures_metrics
from sow.benchmarks.tv2i.pairs import SETTINGS, Pair
from sow.benchmarks.tv2i.running.fewer_table import ROWS, THOROUGH, table
from sow.calls import counted
from sow.service.request import Request
from sow.service.results import Work
from sow.service.service import Service

REPORTED, FRESH = 20, 67
"""Pairs of every setting that a report has had, and how many after these are taken; 200 in all."""
KINDS: dict[str, dict[str, Any]] = {
    "figures": {},
    "guided": {
        "outside": "pair", "negative_prompt": "nobody, an empty picture",
        "encourage_prompt": "a picture",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """What is compared: presets by their prefix, and what is set besides."""

    name: str
    prefix: str = "thorough-"
    changes: Mapping[str, Any] = field(default_factory=dict)


BEFORE, AFTER = Row(THOROUGH), Row("fast", "")
LEADS = (
    BEFORE,
    Row("inversion stride 2", changes={"inversion_stride": 2}),
    Row("guided from 3", changes={"guided_until": 3, "first_guided_until": 3}),
    Row("first guided from 3", changes={"first_guided_until": 3}),
    Row("pair from 4", changes={"outside_until": 4}),
    Row("joined", changes={"outside": "joined"}),
    AFTER,
)  # fmt: skip


def fresh_pairs(work: Path) -> list[Pair]:
    """Those of the test split after the ones that a report has had, 200 of three settings."""
    pairs = figures_pairs(work, "test").pairs
    by_setting = [[p for p in pairs if p.setting == name] for name in SETTINGS]
    return [p for some in by_setting for p in some[REPORTED : REPORTED + FRESH]][:200]


def tuning_pairs(work: Path) -> list[Pair]:
    """The 60 for choosing."""
    return list(figures_pairs(work, "val").pairs)


def planned(made: Service, pairs: Sequence[Pair], row: Row, kind: str) -> list[Work]:
    """What each pair comes to by the presets of a row."""
    settings = {**KINDS[kind], **row.changes}
    return [
        made.work(Request(pair.image, pair.prompt), preset=row.prefix + pair.setting,
                  settings=settings)
        for pair in pairs
    ]  # fmt: skip


def drawn(made: Service, pairs: Sequence[Pair], works: Sequence[Work]) -> list[Image.Image]:
    """A picture for each; those of one setting share calls."""
    images: list[Image.Image] = []
    for name in SETTINGS:
        some = [one for one in zip(pairs, works, strict=True) if one[0].setting == name]
        for start in range(0, len(some), BATCH):
            batch = some[start : start + BATCH]
            images += made.pipe(
                image=[work.condition for _, work in batch],
                plan=[work.plan for _, work in batch],
                settings=[work.settings for _, work in batch],
                generator=[torch.Generator().manual_seed(pair.seed) for pair, _ in batch],
            ).images
    return images


def grown(
    made: Service, metrics: Sequence[Metric], pairs: Sequence[Pair], row: Row, kind: str,
    keep: Path,
) -> dict[str, Any]:  # fmt: skip
    """A row: its scores pair by pair, and what it cost."""
    works = planned(made, pairs, row, kind)
    started = time.process_time()
    with counted(made.pipe.unet) as spent:
        images = drawn(made, pairs, works)
    seconds = time.process_time() - started
    keep.mkdir(parents=True, exist_ok=True)
    for pair, image in zip(pairs, images, strict=True):
        image.save(keep / f"{pair.id}.png")
    cases = [Case(*one) for one in zip(pairs, images, (w.condition for w in works),
                                       (w.plan for w in works), strict=True)]  # fmt: skip
    scores = measure(metrics, cases)
    return {
        "name": row.name, "kind": kind, "samples": round(spent.samples / len(pairs), 2),
        "cpu_seconds": round(seconds / len(pairs), 3), "pairs": [pair.id for pair in pairs],
        "scores": {m.name: [_short(each[m.name].value) for each in scores] for m in metrics},
    }  # fmt: skip


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 5)


def file_of(what: str, kind: str, row: str) -> Path:
    """Where a row is kept."""
    plain = "".join(c if c.isalnum() else "-" for c in row.lower())
    return ROWS / f"{what}-{kind}-{plain}.json"


def grow(what: str, kinds: Sequence[str], rows: Sequence[Row], work: Path) -> None:
    """Makes the rows that nobody has begun yet."""
    ROWS.mkdir(parents=True, exist_ok=True)
    made, metrics = service(), figures_metrics()
    pairs = (fresh_pairs if what == "fresh" else tuning_pairs)(work)
    for kind in kinds:
        for row in rows:
            path = file_of(what, kind, row.name)
            try:
                path.touch(exist_ok=False)
            except FileExistsError:
                continue
            record = grown(made, metrics, pairs, row, kind, work / path.stem)
            path.write_text(json.dumps(record) + "\n", encoding="utf-8")
            print(f"{path.stem}: {record['samples']:g} samples", flush=True)


def main() -> None:
    """Grows rows, or writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("do", choices=("grow", "table"))
    parser.add_argument("what", nargs="?", choices=("fresh", "leads"))
    parser.add_argument("--kind", choices=tuple(KINDS))
    parser.add_argument("--row", help="only the one of this name")
    parser.add_argument("--work", type=Path, default=Path("build/fewer"))
    options = parser.parse_args()
    if options.do == "table":
        table()
        return
    if options.what is None:
        parser.error("grow what: fresh or leads")
    rows: Sequence[Row] = (BEFORE, AFTER) if options.what == "fresh" else LEADS
    rows = tuple(row for row in rows if options.row in (None, row.name))
    grow(options.what, [options.kind] if options.kind else list(KINDS), rows, options.work)


if __name__ == "__main__":
    main()
