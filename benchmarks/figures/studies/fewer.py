"""Measure what fewer UNet samples cost: fast presets against thorough ones, and single changes.

    sow bench study fewer fresh|again|leads

`leads` are on the 60 tuning pairs of Figures-TV2I, one change of the thorough presets at a time;
`fresh` is on 200 pairs of its test split that no report has used, once, and `again` on 200 others.
Every pair has one seed, the same in every row. `figures` runs as it does by itself; `guided` runs
with what Stable Diffusion has and `figures` has not: a pair outside the condition and a negative
prompt, in words it knows.
Rows are kept in the folder `fewer` beside the table: what is there is not made again, and rows of
leads whose patch of the loop was not kept can stand beside the others.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from sow.benchmarks.checkpoints import SD21_BASE
from sow.benchmarks.figures.studies.caching import Caching, Keeping, caching, share
from sow.benchmarks.figures.studies.fewer_table import FAST, ROWS, THOROUGH, lines
from sow.benchmarks.figures.studies.picture_cache import BATCH
from sow.benchmarks.figures.studies.trials import service
from sow.benchmarks.output import StudyOutput
from sow.benchmarks.tv2i.figures import figures_pairs
from sow.benchmarks.tv2i.metrics.base import Case, Metric, measure
from sow.benchmarks.tv2i.metrics.suites import figures_metrics
from sow.benchmarks.tv2i.pairs import SETTINGS, Pair
from sow.pipeline.calls import count_forwards
from sow.service.request import Request
from sow.service.results import GenerationSpec
from sow.service.service import Service
from sow.utils.files import make_folder, write_text

REPORTED, FRESH = 20, 67
"""Pairs of every setting that a report has had, and how many after these are taken; 200 in all."""
AFTER_THESE = {"fresh": REPORTED, "again": REPORTED + FRESH}
"""The place of the first of them, by table."""
KINDS: dict[str, dict[str, Any]] = {
    "figures": {},
    "guided": {
        "outside": "pair", "negative_prompt": "nobody, an empty picture",
        "encourage_prompt": "a picture",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A row: presets by prefix, changed settings and kept features.

    kinds: the kinds for which the row is meaningful; as `figures` runs there is no pair.
    """

    name: str
    prefix: str = "thorough-"
    changes: Mapping[str, Any] = field(default_factory=dict)
    keeping: Keeping | None = None
    kinds: Collection[str] = tuple(KINDS)


BEFORE, AFTER = Row(THOROUGH), Row(FAST, "swift-")
LEADS = (
    BEFORE,
    Row("inversion stride 2", changes={"inversion_stride": 2}),
    Row("guided from 3", changes={"guided_until": 3, "first_guided_until": 3}),
    Row("first guided from 3", changes={"first_guided_until": 3}),
    Row("pair from 4", changes={"outside_until": 4}, kinds=("guided",)),
    Row("joined", changes={"outside": "joined"}, kinds=("guided",)),
    AFTER,
    Row("features, 1 level, finish", keeping=Keeping(1)),
    Row("features, 2 levels, finish", keeping=Keeping(2)),
    Row("features, last layer, finish", keeping=Keeping(0)),
    Row("features, 1 level, inversion", keeping=Keeping(1, ("inversion",))),
    Row("features, 1 level, all phases", keeping=Keeping(1, ("inversion", "cycle", "finish"))),
    Row("fast, features, 1 level, finish", "swift-", keeping=Keeping(1)),
    Row("fast, features, 2 levels, finish", "swift-", keeping=Keeping(2)),
)  # fmt: skip


def pairs_of(table: str, work: Path) -> list[Pair]:
    """Return the 60 tuning pairs, or 200 of all settings that nothing was chosen on."""
    if table == "leads":
        return list(figures_pairs(work, "val").pairs)
    pairs, first = figures_pairs(work, "test").pairs, AFTER_THESE[table]
    by_setting = [[p for p in pairs if p.setting == name] for name in SETTINGS]
    return [p for selected in by_setting for p in selected[first : first + FRESH]][:200]


def planned(made: Service, pairs: Sequence[Pair], row: Row, kind: str) -> list[GenerationSpec]:
    """Return the work for each pair by the presets of a row."""
    settings = {**KINDS[kind], **row.changes}
    return [
        made.resolve(
            Request(pair.image, pair.prompt, preset=row.prefix + pair.setting, settings=settings)
        )
        for pair in pairs
    ]


def drawn(
    made: Service, pairs: Sequence[Pair], works: Sequence[GenerationSpec]
) -> list[Image.Image]:
    """Return a picture for each pair; pictures of one setting share calls."""
    images: list[Image.Image] = []
    for name in SETTINGS:
        selected = [one for one in zip(pairs, works, strict=True) if one[0].setting == name]
        for start in range(0, len(selected), BATCH):
            batch = selected[start : start + BATCH]
            images += made.pipe(
                image=[work.condition for _, work in batch],
                plan=[work.plan for _, work in batch],
                settings=[work.settings for _, work in batch],
                generator=[torch.Generator().manual_seed(pair.seed) for pair, _ in batch],
            ).images
    return images


def grown(
    made: Service,
    metrics: Sequence[Metric],
    pairs: Sequence[Pair],
    row: Row,
    kind: str,
    keep: Path,
) -> dict[str, Any]:
    """Return a row as JSON data: scores pair by pair, and costs."""
    works = planned(made, pairs, row, kind)
    started = time.process_time()
    with count_forwards(made.pipe.unet) as spent, caching(made.pipe, row.keeping) as cache:
        images = drawn(made, pairs, works)
    seconds = time.process_time() - started
    keep.mkdir(parents=True, exist_ok=True)
    for pair, image in zip(pairs, images, strict=True):
        image.save(keep / f"{pair.id}.png")
    cases = [
        Case(*one)
        for one in zip(
            pairs, images, (w.condition for w in works), (w.plan for w in works), strict=True
        )
    ]
    scores = measure(metrics, cases)
    return {
        "name": row.name,
        "kind": kind,
        "samples": round(spent.samples / len(pairs), 2),
        "cpu_seconds": round(seconds / len(pairs), 3),
        "pairs": [pair.id for pair in pairs],
        **shallow(cache, len(pairs), made.pipe.unet.config),
        "scores": {m.name: [_short(each[m.name].value) for each in scores] for m in metrics},
    }


def shallow(cache: Caching | None, count: int, unet: Mapping[str, Any]) -> dict[str, Any]:
    """Return how many samples used kept features, and the share of work of such a sample.

    It counts at the UNet's door as any other; Stable Diffusion's is of 512 x 512 pixels.
    """
    if cache is None:
        return {}
    levels = cache.keeping.levels
    shares = {"share": share(unet, levels), "share_sd21": share(SD21_BASE["unet"], levels)}
    rounded = {name: round(value, 4) for name, value in shares.items()}
    return {"shallow": round(cache.reused / count, 2), **rounded}


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 5)


def file_of(rows: Path, what: str, kind: str, row: str) -> Path:
    """Return the file of a row."""
    plain = "".join(c if c.isalnum() else "-" for c in row.lower())
    return rows / f"{what}-{kind}-{plain}.json"


def study(output: StudyOutput, *, table: str, kind: str) -> None:
    """Make the missing rows and write `fewer.md`."""
    output.check_output_path("fewer.md")
    made, metrics, kept = service(), figures_metrics(), output.out / ROWS
    make_folder(kept, "give another out=")
    with tempfile.TemporaryDirectory(prefix="sow-") as name:
        pairs = pairs_of(table, Path(name))
        for each in KINDS if kind == "all" else (kind,):
            for row in LEADS if table == "leads" else (BEFORE, AFTER):
                path = file_of(kept, table, each, row.name)
                if each not in row.kinds or path.exists():
                    continue
                record = grown(made, metrics, pairs, row, each, output.pictures / path.stem)
                write_text(json.dumps(record) + "\n", path)
                output.log(f"{path.stem}: {record['samples']:g} samples")
    output.write_page("fewer.md", lines(kept, output.command))
