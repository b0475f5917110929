"""How varied the pictures of methods are, and of what hues, beside the frozen model's own."""

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
from sow.benchmarks.tv2i.report.beside import HUE
from sow.benchmarks.tv2i.running.program import Program
from sow.benchmarks.tv2i.running.reading import Hues
from sow.benchmarks.tv2i.runs import Beside

OWN = Text.name


def beside(asked: Program, found: Sequence[Outcome], colours: Hues) -> tuple[Beside, ...]:
    """Everybody beside the method `text`, if that was asked, over the pairs that both have.

    colours: the hues of every picture. The row of `text` has its own pictures of one half of the
    seeds beside those of the other: what chance alone makes of hues.
    """
    names = [entrant.name for entrant, _ in asked.tasks]
    if OWN not in names:
        return ()
    made: list[Beside] = []
    for name in names:
        made += _varieties(asked, found, name)
        made += _hues(colours, name)
    return tuple(made)


def _varieties(asked: Program, found: Sequence[Outcome], name: str) -> Iterator[Beside]:
    """Each variety of a method over the model's own; of that itself 1 by definition, left out."""
    for variety in asked.bench.spread.varieties if name != OWN else ():
        own, mine = ({one.pair: one.scores.get(variety.name) for one in found if one.method == who}
                     for who in (OWN, name))  # fmt: skip
        pairs = [pair for pair in mine if pair in own]
        value = relative_mean([mine[pair] for pair in pairs], [own[pair] for pair in pairs])
        if not math.isnan(value.value):
            yield _said(name, variety.name, value)


def _hues(colours: Hues, name: str) -> Iterator[Beside]:
    own, mine = (
        {pair: some for (method, pair), some in colours.items() if method == who}
        for who in (OWN, name)
    )
    both = [(mine[pair], own[pair]) for pair in mine if pair in own]
    if name == OWN:
        both = [(some[::2], some[1::2]) for some in own.values() if len(some) > 1]
    try:
        value = hue_estimate([_mean(one) for one, _ in both], [_mean(other) for _, other in both])
    except Missing:
        return
    yield _said(name, HUE, value)


def _mean(some: Sequence[Histogram]) -> Histogram:
    """Of a pair's pictures, so that each pair counts as one."""
    return np.asarray(np.mean(some, 0))


def _said(name: str, measure: str, value: Estimate) -> Beside:
    return Beside(method=name, measure=measure, value=value.value, low=value.low, high=value.high,
                  count=value.count)  # fmt: skip
