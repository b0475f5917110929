"""What became of every pair: its picture measured, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sow.benchmarks.tv2i.metrics.base import Case, Metric, measure, split
from sow.benchmarks.tv2i.outcomes import Outcome
from sow.benchmarks.tv2i.pairs import Pair
from sow.benchmarks.tv2i.running.bench import Bench, Entrant
from sow.errors import SowError
from sow.files import write_png
from sow.jobs.opening import opened
from sow.pictures.condition import Condition
from sow.recipe import Recipe, read_recipe

AT_ONCE = 32
"""Pictures that are measured together."""
CONDITIONS = "conditions"
"""The folder of what was planted."""


def outcomes(bench: Bench, entrant: Entrant, out: Path) -> Iterator[Outcome]:
    """An outcome for every pair, in their order.

    Raises:
        OutputError: if the method's folder is none of a batch, or a condition cannot be written.
    """
    with opened(out / entrant.folder) as ledger:
        told = {one["id"]: one for one in ledger.entries()}
        failed = {one.id: one.reason for one in ledger.failures()}
    pairs = bench.listed.pairs
    for start in range(0, len(pairs), AT_ONCE):
        some = pairs[start : start + AT_ONCE]
        yield from _of(bench.metrics, entrant, some, out, told, failed)


def first_recipe(bench: Bench, entrant: Entrant, out: Path) -> Recipe | None:
    """Of a picture that was made: what made it; None if there is none."""
    for pair in bench.listed.pairs:
        with suppress(SowError):  # it is not there, or damaged
            return read_recipe(out / entrant.folder / f"{pair.id}.png")[0]
    return None


def _of(
    metrics: Sequence[Metric], entrant: Entrant, pairs: Sequence[Pair], out: Path,
    told: dict[str, Any], failed: dict[str, str],
) -> Iterator[Outcome]:  # fmt: skip
    cases, errors = {}, {}
    for pair in pairs:
        if pair.id not in told:
            errors[pair.id] = failed.get(pair.id, "it was not made")
            continue
        file = out / entrant.folder / told[pair.id]["file_name"]
        try:
            recipe, condition = read_recipe(file)
        except SowError as error:
            errors[pair.id] = error.what
            continue
        _keep(condition, out, pair)
        cases[pair.id] = Case.read(pair, file, condition, recipe.plan)
    scores = dict(zip(cases, measure(metrics, list(cases.values())), strict=True))
    for pair in pairs:
        asked = {"method": entrant.name, "pair": pair.id, "setting": pair.setting,
                 "prompt": pair.prompt, "person": pair.person, "seed": pair.seed}  # fmt: skip
        if pair.id in errors:
            yield Outcome.model_validate({**asked, "error": errors[pair.id]})
            continue
        (found, missing), said = split(scores[pair.id]), told[pair.id]
        yield Outcome.model_validate({
            **asked, "file": f"{entrant.folder}/{said['file_name']}",
            "condition": f"{CONDITIONS}/{pair.id}.png", "scores": found, "missing": missing,
            "seconds": said["seconds"], "samples": said.get("unet_samples"),
            "calls": said.get("unet_calls"),
        })  # fmt: skip


def _keep(condition: Condition, out: Path, pair: Pair) -> None:
    """What was planted, for whoever looks at the report; the same for all methods."""
    file = out / CONDITIONS / f"{pair.id}.png"
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        write_png(condition.cut_out(), file)
