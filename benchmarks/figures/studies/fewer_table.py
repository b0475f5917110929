"""The tables of `fewer`: fewer UNet samples, before and after, and one change at a time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sow.benchmarks.statistics import Estimate, holm
from sow.benchmarks.tv2i.metrics.suites import figures_metrics
from sow.benchmarks.tv2i.report.comparison_table import Against, compared, estimated
from sow.benchmarks.tv2i.runs import Measure

ROWS = "fewer"
"""The folder of the rows, beside the table."""
THOROUGH = "thorough, as before"
"""The name of the row that the others are compared with."""
FAST = "fast"
"""The name of today's presets, and how the names of rows on top of them begin."""
Record = dict[str, Any]


def known(record: Record, metric: Measure) -> list[float]:
    """Return the scores of a metric, nan where missing."""
    return [float("nan") if v is None else v for v in record["scores"][metric.name]]


def measured(records: Sequence[Record], metrics: Sequence[Measure]) -> list[Measure]:
    """Return the metrics that all rows have; older rows have fewer."""
    return [one for one in metrics if all(one.name in record["scores"] for record in records)]


def estimate(record: Record, metric: Measure) -> Estimate:
    """Return the estimate of a metric."""
    return estimated([v for v in known(record, metric) if v == v], metric)


def against(one: Record, other: Record, metric: Measure) -> Against:
    """Return how the second row differs from the first, over the same pairs and seeds."""
    pairs = zip(known(one, metric), known(other, metric), strict=True)
    return compared([(a, b) for a, b in pairs if a == a and b == b], metric)


def beyond(test: Against, metric: Measure) -> str:
    """Return `worse` or `better` if the whole interval says so, else an empty text."""
    low, high = test.difference.low, test.difference.high
    if not metric.better or low <= 0 <= high:
        return ""
    return "better" if (high < 0) == (metric.better == "lower") else "worse"


def shown(metric: Measure, value: Estimate, sign: str = "") -> str:
    """Return a value with its interval, in the metric's unit."""
    times, digits = (100, 1) if metric.unit == "%" else (1, 2 if metric.unit else 3)
    numbers = (value.value, value.low, value.high)
    a, low, high = (f"{times * v:{sign}.{digits}f}" for v in numbers)
    return f"{a} [{low}, {high}]"


def before_and_after(one: Record, other: Record, metrics: Sequence[Measure]) -> list[str]:
    """Return a table with a line for every metric."""
    metrics = measured([one, other], metrics)
    tests = [against(one, other, metric) for metric in metrics]
    corrected = holm([test.p for test in tests])
    lines = [
        f"| | better | {one['name']} | {other['name']} | difference | p | Holm | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for metric, test, p in zip(metrics, tests, corrected, strict=True):
        values = (shown(metric, estimate(r, metric)) for r in (one, other))
        unit = f", {metric.unit}" if metric.unit else ""
        mark = "worse beyond its interval" if beyond(test, metric) == "worse" else ""
        cells = (
            metric.label + unit,
            metric.better,
            *values,
            shown(metric, test.difference, "+"),
            f"{test.p:.3f}",
            f"{p:.3f}",
            mark,
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines.append(f"| *UNet samples* | lower | {one['samples']:g} | {other['samples']:g} | | | | |")
    if "cpu_seconds" in one:
        seconds = f"{one['cpu_seconds']} | {other['cpu_seconds']}"
        lines.append(f"| *CPU seconds* | lower | {seconds} | | | | |")
    return lines


IN_SHORT = ("id_distance", "same_person", "followed", "truncated", "unjoined", "halo_share",
            "copied", "psnr")  # fmt: skip


def whole_samples(record: Record, share: str = "share") -> float:
    """Return the samples by their work: one with kept features counts less than one."""
    spared = record.get("shallow", 0) * (1 - record.get(share, 1))
    return float(record["samples"] - spared)


def samples_of(record: Record) -> str:
    """Return the samples as text, with their work where it differs."""
    text = f"{record['samples']:g}"
    return f"{text} as {whole_samples(record):.1f}" if "shallow" in record else text


def leads_table(records: Sequence[Record], metrics: Sequence[Measure]) -> list[str]:
    """Return a row for every change: its cost and what it moves, against the first."""
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
    """Return the table of kept features: what they save and what they move."""
    heads = (
        "",
        "UNet samples",
        "shallow",
        "as much work as",
        "of Stable Diffusion 2.1",
        "worse than without",
        "better than without",
    )
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    plain = {record["name"]: record for record in records}
    for record in (each for each in records if "shallow" in each):
        base = plain[FAST if record["name"].startswith(FAST) else THOROUGH]
        cells = [
            record["name"],
            f"{record['samples']:g}",
            f"{record['shallow']:g}",
            *(f"{whole_samples(record, name):.1f}" for name in ("share", "share_sd21")),
            *moved(base, record, metrics),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def moved(base: Record, record: Record, metrics: Sequence[Measure]) -> tuple[str, str]:
    """Return the metrics that are worse beyond their interval, and those that are better."""
    judged = [metric for metric in measured([base, record], metrics) if metric.better]
    tests = [against(base, record, metric) for metric in judged]
    changes: dict[str, list[str]] = {"worse": [], "better": [], "": []}
    for metric, test, p in zip(judged, tests, holm([test.p for test in tests]), strict=True):
        away = f"{metric.label} {shown(metric, test.difference, '+')}"
        changes[beyond(test, metric)].append(f"{away}, p {test.p:.3f}, Holm {p:.3f}")
    return "; ".join(changes["worse"]) or "none", "; ".join(changes["better"]) or "none"


def read(rows: Path, what: str, kind: str) -> list[Record]:
    """Return all rows of a table, the thorough presets first."""
    found = [json.loads(p.read_text(encoding="utf-8")) for p in rows.glob(f"{what}-{kind}-*.json")]
    return sorted(found, key=lambda record: (record["name"] != THOROUGH, record["name"]))


def together(record: Record, more: Record) -> Record:
    """Join two rows over different pairs; without seconds, which are of different days."""
    scores = {name: values + more["scores"][name] for name, values in record["scores"].items()}
    same = {key: value for key, value in record.items() if key != "cpu_seconds"}
    return {**same, "pairs": record["pairs"] + more["pairs"], "scores": scores}


def fresh_tables(rows: Path, kind: str) -> dict[str, list[Record]]:
    """Return the rows before and after on fresh pairs, by the titles of the tables."""
    first, again = (read(rows, what, kind) for what in ("fresh", "again"))
    both = [together(one, more) for one, more in zip(first, again, strict=False)]
    tables = ((first, "fresh pairs"), (again, "others"), (both, "both together"))
    return {
        f"{len(records[0]['pairs'])} {title}" if title != "both together" else title: records
        for records, title in tables
        if len(records) == 2
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
    """Return the page of the existing rows. command: the command that repeats it."""
    metrics = [metric.described() for metric in figures_metrics()]
    page = [
        "# Fewer UNet samples",
        "",
        f"`{command}`. "
        "Values with 95 % intervals; differences are paired by pair and seed (rates: Newcombe's "
        "interval and McNemar's exact test; means: the bootstrap's and flipped signs). Holm: over "
        "the metrics of a table.",
    ]
    for kind, title in TITLES.items():
        for subtitle, (before, after) in fresh_tables(rows, kind).items():
            page += ["", f"## {title}: {subtitle}", "", *before_and_after(before, after, metrics)]
    for kind, title in TITLES.items():
        leads = read(rows, "leads", kind)
        if len(leads) > 1:
            count = len(leads[0]["pairs"])
            page += ["", f"## {title}: leads, {count} tuning pairs", "", NOTE, ""]
            page += leads_table(leads, metrics)
        if any("shallow" in record for record in leads):
            page += ["", FEATURES, "", *features_table(leads, metrics)]
    return page
