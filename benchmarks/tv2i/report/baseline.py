"""The table of variety and hue relative to the frozen model's own pictures."""

from __future__ import annotations

from collections.abc import Mapping

from sow.benchmarks.statistics import Estimate
from sow.benchmarks.tv2i.report.grid import Grid, GridCell, number, span
from sow.benchmarks.tv2i.runs import Measure, Run

HUE = "hue_distance"
WORDS = (
    "Beside the frozen model's own pictures of the same sentences and as many seeds (the method "
    "`text`), over the same pixels. Variety: its mean over the mean of theirs, 1 is as varied as "
    "the model is by itself; intervals by the bootstrap over pairs. Distance of hues: the total "
    "variation of the histograms of 12 hues, weighed by chroma, 0 to 1; n are the pairs that have "
    "colours to count. The row of the model itself has one half of its seeds beside the other: so "
    "far apart are hues by chance alone."
)


def baseline_grid(run: Run, labels: Mapping[str, str]) -> Grid | None:
    """Return a row per method; None if nothing was compared with the model's pictures."""
    if not run.beside:
        return None
    known = {one.name: one for one in run.measures}
    names = list(dict.fromkeys(one.measure for one in run.beside))
    names.sort(key=lambda name: name == HUE)
    plain = Measure(name="ratio")
    there = {(one.method, one.measure): one for one in run.beside}
    rows = []
    for method in dict.fromkeys(one.method for one in run.beside):
        cells = [GridCell(labels.get(method, method), (), "head")]
        for name in names:
            found = there.get((method, name))
            if found is None:
                cells.append(GridCell("–"))
                continue
            value = Estimate(found.value, found.low, found.high, found.count)
            lines = (f"{span(value, plain)} n = {value.count}",)
            cells.append(GridCell(number(value.value, plain), lines))
        rows.append(tuple(cells))
    heads = [
        "Distance of hues"
        if name == HUE
        else f"{known[name].display_name}, relative"
        if name in known
        else name
        for name in names
    ]
    return Grid("Beside the model's own pictures", ("", *heads), tuple(rows))
