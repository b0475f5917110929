"""Measure the pictures of every pair, or give the reason why there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sow.batch.open_ledger import read_ledger
from sow.benchmarks.colours import Histogram
from sow.benchmarks.tv2i.metrics.base import Case, measure, split
from sow.benchmarks.tv2i.metrics.colour import hues_of
from sow.benchmarks.tv2i.metrics.variety import groups
from sow.benchmarks.tv2i.outcomes import Outcome
from sow.benchmarks.tv2i.pairs import Pair
from sow.benchmarks.tv2i.report.pictures import inside
from sow.benchmarks.tv2i.running.bench import Bench, Entrant
from sow.errors import SowError
from sow.pictures.condition import Condition
from sow.pictures.recipe import Recipe, read_recipe
from sow.utils.files import make_folder, write_png

AT_ONCE = 32
"""Pictures that are measured together."""
CONDITIONS = "conditions"
"""The folder of what was planted."""


Hues = dict[tuple[str, str], list[Histogram]]
"""The histograms of hue of a method's pictures of a pair, by both names."""


def outcomes(
    bench: Bench, entrant: Entrant, out: Path, colours: Hues | None = None
) -> Iterator[Outcome]:
    """Yield an outcome for every pair and seed, in order.

    colours: is given the hues of every picture.

    Raises:
        OutputError: if the method's folder is none of a batch, or a condition cannot be written.
    """
    with read_ledger(out / entrant.folder) as ledger:
        entries = {(one["id"], one["seed"]): one for one in ledger.picture_metadata()}
        failed = {one.id: one.reason for one in ledger.failures()}
    pairs, at_once = bench.listed.pairs, max(1, AT_ONCE // bench.seeds)
    for start in range(0, len(pairs), at_once):
        found = _Read(bench, entrant, out)
        found.read(pairs[start : start + at_once], entries, failed)
        if colours is not None:
            for (name, _), case in found.cases.items():
                if (seen := hues_of(case, bench.spread.counted)) is not None:
                    colours.setdefault((entrant.name, name), []).append(seen)
        yield from found.outcomes(entries)


def first_recipe(bench: Bench, entrant: Entrant, out: Path) -> Recipe | None:
    """Return the recipe of the first existing picture, or None."""
    for pair in bench.listed.pairs:
        for name in entrant.job(pair).files:
            with suppress(SowError):  # it is not there, or damaged
                return read_recipe(inside(out, f"{entrant.folder}/{name}"))[0]
    return None


Key = tuple[str, int]
"""A pair and a seed."""


@dataclass
class _Read:
    """Some pairs of a method: their pictures, or the reasons why there are none."""

    bench: Bench
    entrant: Entrant
    out: Path
    asked: dict[Key, Pair] = field(default_factory=dict)
    cases: dict[Key, Case] = field(default_factory=dict)
    errors: dict[Key, str] = field(default_factory=dict)

    def read(self, pairs: Sequence[Pair], entries: dict[Key, Any], failed: dict[str, str]) -> None:
        """Open the pictures."""
        self.asked = {(pair.id, seed): pair for pair in pairs for seed in pair.seeds}
        for key, pair in self.asked.items():
            if key not in entries:
                self.errors[key] = failed.get(pair.id, "it was not made")
                continue
            try:
                file = inside(self.out, f"{self.entrant.folder}/{entries[key]['file_name']}")
                recipe, condition = read_recipe(file)
            except SowError as error:
                self.errors[key] = error.what
                continue
            _keep(condition, self.out, pair)
            self.cases[key] = Case.read(pair, file, condition, recipe.plan)

    def outcomes(self, entries: dict[Key, Any]) -> Iterator[Outcome]:
        """Yield all outcomes with their scores; metrics of a pair's pictures together stand in
        each."""
        each = measure(self.bench.metrics, list(self.cases.values()))
        scores = dict(zip(self.cases, each, strict=True))
        for group in groups(list(self.cases.values())):
            together = {one.name: one(group) for one in self.bench.spread.varieties}
            for key in self.cases:
                if key[0] == group[0].pair.id:
                    scores[key] = {**scores[key], **together}
        for key, pair in self.asked.items():
            asked = {
                "method": self.entrant.name,
                "pair": pair.id,
                "setting": pair.setting,
                "prompt": pair.prompt,
                "person": pair.person,
                "seed": key[1],
            }
            if key in self.errors:
                yield Outcome.model_validate({**asked, "error": self.errors[key]})
                continue
            (found, missing), entry = split(scores[key]), entries[key]
            yield Outcome.model_validate(
                {
                    **asked,
                    "file": f"{self.entrant.folder}/{entry['file_name']}",
                    "condition": f"{CONDITIONS}/{pair.id}.png",
                    "scores": found,
                    "missing": missing,
                    "seconds": entry["seconds"],
                    "samples": entry.get("unet_samples"),
                    "calls": entry.get("unet_calls"),
                }
            )


def _keep(condition: Condition, out: Path, pair: Pair) -> None:
    """Store what was planted, for viewers of the report; the same for all methods."""
    file = out / CONDITIONS / f"{pair.id}.png"
    if not file.exists():
        make_folder(file.parent, below=out)
        write_png(condition.to_rgba(), file, below=out)
