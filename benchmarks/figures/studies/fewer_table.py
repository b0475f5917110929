"""The tables of `fewer`: what fewer UNet samples cost, before and after, and lead by lead."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sow.benchmarks.statistics import Estimate, holm
from sow.benchmarks.tv2i.metrics.choice import figures_metrics
from sow.benchmarks.tv2i.report.cells import Against, compared, estimated
from sow.benchmarks.tv2i.runs import Measure

ROWS = "fewer"
"""The folder of the rows, beside the table."""
THOROUGH = "thorough, as before"
"""The name of the row that the others are compared with."""
FAST = "fast"
"""The name of today's presets, and how the names of rows on top of them begin."""
Record = dict[str, Any]


def known(record: Record, metric: Measure) -> list[float]:
    """The scores that there are, nan where there is none."""
    return [float("nan") if v is None else v for v in record["scores"][metric.name]]


def measured(records: Sequence[Record], metrics: Sequence[Measure]) -> list[Measure]:
    """The metrics that all of these rows have: older ones know fewer."""
    return [one for one in metrics if all(one.name in record["scores"] for record in records)]


def estimate(record: Record, metric: Measure) -> Estimate:
    """Of a metric, with its interval."""
    return estimated([v for v in known(record, metric) if v == v], metric)


def against(one: Record, other: Record, metric: Measure) -> Against:
    """How the second differs from the first, over the same pairs and seeds."""
    pairs = zip(known(one, metric), known(other, metric), strict=True)
    return compared([(a, b) for a, b in pairs if a == a and b == b], metric)


def beyond(test: Against, metric: Measure) -> str:
    """`worse` or `better` where all of the interval says so; for no metric that has neither."""
    low, high = test.difference.low, test.difference.high
    if not metric.better or low <= 0 <= high:
        return ""
    return "better" if (high < 0) == (metric.better == "lower") else "worse"


def shown(metric: Measure, value: Estimate, sign: str = "") -> str:
    """A value with its interval, as the metric is read."""
    times, digits = (100, 1) if metric.unit == "%" else (1, 2 if metric.unit else 3)
    numbers = (value.value, value.low, value.high)
    a, low, high = (f"{times * v:{sign}.{digits}f}" for v in numbers)
    return f"{a} [{low}, {high}]"


def before_and_after(one: Record, other: Record, metrics: Sequence[Measure]) -> list[str]:
    """A table with a line for every metric."""
    metrics = measured([one, other], metrics)
    tests = [against(one, other, metric) for metric in metrics]
    corrected = holm([test.p for test in tests])
    lines = [f"| | better | {one['name']} | {other['name']} | difference | p | Holm | |",
             "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for metric, test, p in zip(metrics, tests, corrected, strict=True):
        values = (shown(metric, estimate(r, metric)) for r in (one, other))
        unit = f", {metric.unit}" if metric.unit else ""
        mark = "worse beyond its interval" if beyond(test, metric) == "worse" else ""
        cells = (metric.label + unit, metric.better, *values, shown(metric, test.difference, "+"),
                 f"{test.p:.3f}", f"{p:.3f}", mark)  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    lines.append(f"| *UNet samples* | lower | {one['samples']:g} | {other['samples']:g} | | | | |")
    if "cpu_seconds" in one:
        seconds = f"{one['cpu_seconds']} | {other['cpu_seconds']}"
        lines.append(f"| *CPU seconds* | lower | {seconds} | | | | |")
    return lines


IN_SHORT = ("id_distance", "same_person", "followed", "truncated", "unjoined", "halo_share",
            "copied", "psnr")  # fmt: skip


def whole_samples(record: Record, share: str = "share") -> float:
    """Its samples by their work: one that had features kept is less than one."""
    spared = record.get("shallow", 0) * (1 - record.get(share, 1))
    return float(record["samples"] - spared)


def samples_of(record: Record) -> str:
    """At the UNet's door, and by their work where that is another number."""
    said = f"{record['samples']:g}"
    return f"{said} as {whole_samples(record):.1f}" if "shallow" in record else said


def leads_table(records: Sequence[Record], metrics: Sequence[Measure]) -> list[str]:
    """A line for every lead: its cost, and what it moves, against the first."""
    first, *others = records
    chosen = [metric for metric in metrics if metric.name in IN_SHORT]
    heads = ["", "UNet samples", *(metric.label for metric in chosen)]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    values = [shown(metric, estimate(first, metric)) for metric in chosen]
    lines.append(f"| {' | '.join([first['name'], samples_of(first), *values])} |")
    for record in sorted(others, key=lambda r: -whole_samples(r)):
        cells = [record["name"], samples_of(record)]
        for metric in chosen:
            test = against(first, record, metric)
            cells.append(f"{shown(metric, test.difference, '+')}, p {test.p:.3f}")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def features_table(records: Sequence[Record], metrics: Sequence[Measure]) -> list[str]:
    """What kept features save, and all that they move, each against its row without them."""
    heads = ("", "UNet samples", "shallow", "as much work as", "of Stable Diffusion 2.1",
             "worse than without", "better than without")  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    plain = {record["name"]: record for record in records}
    for record in (each for each in records if "shallow" in each):
        base = plain[FAST if record["name"].startswith(FAST) else THOROUGH]
        cells = [record["name"], f"{record['samples']:g}", f"{record['shallow']:g}",
                 *(f"{whole_samples(record, name):.1f}" for name in ("share", "share_sd21")),
                 *moved(base, record, metrics)]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def moved(base: Record, record: Record, metrics: Sequence[Measure]) -> tuple[str, str]:
    """The metrics that are worse beyond their interval, and those that are better."""
    judged = [metric for metric in measured([base, record], metrics) if metric.better]
    tests = [against(base, record, metric) for metric in judged]
    told: dict[str, list[str]] = {"worse": [], "better": [], "": []}
    for metric, test, p in zip(judged, tests, holm([test.p for test in tests]), strict=True):
        away = f"{metric.label} {shown(metric, test.difference, '+')}"
        told[beyond(test, metric)].append(f"{away}, p {test.p:.3f}, Holm {p:.3f}")
    return "; ".join(told["worse"]) or "none", "; ".join(told["better"]) or "none"


def read(rows: Path, what: str, kind: str) -> list[Record]:
    """All rows there are of a table, the thorough presets first."""
    found = [json.loads(p.read_text(encoding="utf-8")) for p in rows.glob(f"{what}-{kind}-*.json")]
    return sorted(found, key=lambda record: (record["name"] != THOROUGH, record["name"]))


def together(some: Record, more: Record) -> Record:
    """A row over the pairs of two; without seconds, for they are of two days."""
    scores = {name: values + more["scores"][name] for name, values in some["scores"].items()}
    same = {key: value for key, value in some.items() if key != "cpu_seconds"}
    return {**same, "pairs": some["pairs"] + more["pairs"], "scores": scores}


def fresh_tables(rows: Path, kind: str) -> dict[str, list[Record]]:
    """Before and after on pairs that nothing was chosen on, with the titles of the tables."""
    first, again = (read(rows, what, kind) for what in ("fresh", "again"))
    both = [together(one, more) for one, more in zip(first, again, strict=False)]
    told = ((first, "fresh pairs"), (again, "others"), (both, "both together"))
    return {
        f"{len(some[0]['pairs'])} {said}" if said != "both together" else said: some
        for some, said in told
        if len(some) == 2
    }


TITLES = {
    "figures": "As `figures` runs: no guidance of its own outside",
    "guided": "With `outside=pair` and a negative prompt, in words that it knows",
}


NOTE = (
    "The first line has values, the others the difference from it and the p of none, uncorrected. "
    "Rows with * need a change of the loop that was not kept (`fewer/leads.patch`)."
)

FEATURES = (
    "Features kept (`caching.py`): of every two states of a phase the second computes only so many "
    "levels of the UNet, and has from below what the first had; `last layer` is less than a level. "
    "Such a sample is shallow. What all are as much work as, whole ones, is by FLOPs. Against the "
    "row without, of all metrics that have a better: those whose 95 % interval leaves out 0."
)


def lines(rows: Path, command: str) -> list[str]:
    """The page of the rows that are there. command: what repeats it."""
    metrics = [metric.described() for metric in figures_metrics()]
    page = [
        "# Fewer UNet samples", "",
        f"`{command}`. "
        "Values with 95 % intervals; differences are paired by pair and seed (rates: Newcombe's "
        "interval and McNemar's exact test; means: the bootstrap's and flipped signs). Holm: over "
        "the metrics of a table.",
    ]  # fmt: skip
    for kind, title in TITLES.items():
        for said, (before, after) in fresh_tables(rows, kind).items():
            page += ["", f"## {title}: {said}", "", *before_and_after(before, after, metrics)]
    for kind, title in TITLES.items():
        leads = read(rows, "leads", kind)
        if len(leads) > 1:
            count = len(leads[0]["pairs"])
            page += ["", f"## {title}: leads, {count} tuning pairs", "", NOTE, ""]
            page += leads_table(leads, metrics)
        if any("shallow" in record for record in leads):
            page += ["", FEATURES, "", *features_table(leads, metrics)]
    return page
