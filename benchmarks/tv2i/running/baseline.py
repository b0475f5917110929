"""Variety and hues of methods relative to the frozen model's own pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from sow.benchmarks.colours import Histogram
from sow.benchmarks.statistics import Estimate
from sow.benchmarks.tv2i.methods.text import Text
from sow.benchmarks.tv2i.metrics.base import Missing
from sow.benchmarks.tv2i.metrics.colour import hue_estimate
from sow.benchmarks.tv2i.metrics.variety import relative_mean
from sow.benchmarks.tv2i.outcomes import Outcome
from sow.benchmarks.tv2i.report.baseline import HUE
from sow.benchmarks.tv2i.running.measuring import Hues
from sow.benchmarks.tv2i.running.program import Program
from sow.benchmarks.tv2i.runs import BaselineComparison

OWN = Text.name


def compare_with_baseline(
    program: Program, found: Sequence[Outcome], colours: Hues
) -> tuple[BaselineComparison, ...]:
    """Compare all methods with the method `text`, if it is present, over common pairs.

    colours: the hues of every picture. The row of `text` has its own pictures of one half of the
    seeds beside those of the other: what chance alone makes of hues.
    """
    names = [entrant.name for entrant, _ in program.tasks]
    if OWN not in names:
        return ()
    made: list[BaselineComparison] = []
    for name in names:
        made += _varieties(program, found, name)
        made += _hues(colours, name)
    return tuple(made)


def _varieties(
    program: Program, found: Sequence[Outcome], name: str
) -> Iterator[BaselineComparison]:
    """Yield the varieties of a method relative to the model's own."""
    for variety in program.bench.spread.varieties if name != OWN else ():
        model_own, method_own = (
            {one.pair: one.scores.get(variety.name) for one in found if one.method == who}
            for who in (OWN, name)
        )
        pairs = [pair for pair in method_own if pair in model_own]
        value = relative_mean(
            [method_own[pair] for pair in pairs], [model_own[pair] for pair in pairs]
        )
        if not math.isnan(value.value):
            yield _said(name, variety.name, value)


def _hues(colours: Hues, name: str) -> Iterator[BaselineComparison]:
    model_own, method_own = (
        {pair: pictures for (method, pair), pictures in colours.items() if method == who}
        for who in (OWN, name)
    )
    both = [(method_own[pair], model_own[pair]) for pair in method_own if pair in model_own]
    if name == OWN:
        both = [
            (pictures[::2], pictures[1::2]) for pictures in model_own.values() if len(pictures) > 1
        ]
    try:
        value = hue_estimate([_mean(one) for one, _ in both], [_mean(other) for _, other in both])
    except Missing:
        return
    yield _said(name, HUE, value)


def _mean(pictures: Sequence[Histogram]) -> Histogram:
    """Return the mean histogram of a pair, so that each pair counts as one."""
    return np.asarray(np.mean(pictures, 0))


def _said(name: str, measure: str, value: Estimate) -> BaselineComparison:
    return BaselineComparison(
        method=name,
        measure=measure,
        value=value.value,
        low=value.low,
        high=value.high,
        count=value.count,
    )
