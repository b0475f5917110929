"""Dynamic attention modulation: the flow of information, sent where it belongs (Sec. IV-C).

While COW cycles, self-attention from C to everything else is suppressed, so that the condition
keeps to itself, and attention from R, the regions that belong to it, to C is enhanced, so that
they listen to it, each as its weight says. Both fade with the cycles, the second also with the
distance from C, and an indicator of how far the flow has spread gates them picture by picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sow.attention.control import AttentionControl, RunContext
from sow.attention.edits import LogitEdit
from sow.attention.indicator import Indicator
from sow.attention.regions import regions_of
from sow.backbones.base import AttentionLayer
from sow.diffusion.algorithm import Denoise, UNetCall
from sow.settings.settings import Settings


def modulates(settings: Sequence[Settings]) -> bool:
    """Whether any job's attention is modulated at all."""
    return any(one.alpha_minus or one.alpha_plus for one in settings)


def gated(settings: Sequence[Settings]) -> bool:
    """Whether modulation needs the indicator."""
    return modulates(settings) and settings[0].gate != "none"


class Modulation(AttentionControl):
    """Enhances and suppresses self-attention in the cycles.

    indicator: what gates it, where it is gated; another control of the same run.
    """

    def __init__(self, indicator: Indicator | None = None) -> None:
        self._indicator = indicator
        self._cycle: int | None = None

    def begin(self, context: RunContext) -> None:
        """Works out the regions of all layers, on the CPU."""
        settings = [job.settings for job in context.jobs]
        device = context.condition_mask.device
        self._settings = settings[0]
        self._own = {
            name: torch.tensor([getattr(s, name) for s in settings])[:, None].to(device)
            for name in ("alpha_minus", "alpha_plus", "lambda_c", "lambda_d", "tau")
        }
        mask, plans = context.condition_mask.cpu(), [job.plan for job in context.jobs]
        factors = {layer.factor for layer in context.layers if layer.kind == "self"}
        self._queries, self._regions, self._others = {}, {}, {}
        for factor in sorted(factors.intersection(self._settings.modulated_factors)):
            regions = regions_of(mask, plans, factor)
            if any(s.alpha_plus for s in settings):
                self._queries[factor, "raise"] = regions.related
            if any(s.alpha_minus for s in settings):
                self._queries[factor, "lower"] = regions.condition
            self._regions[factor] = regions.to(device)
            self._others[factor] = ~self._regions[factor].condition
        self._edits: dict[int, list[LogitEdit]] = {}

    def before_call(self, step: UNetCall) -> None:
        """Only the cycles are modulated; what the last call showed decides on the next."""
        cycle = step.cycle if isinstance(step, Denoise) else None
        if cycle is not None and (cycle != self._cycle or self._indicator is not None):
            self._edits = self._edits_of(cycle)
        self._cycle = cycle

    def edits(self, layer: AttentionLayer) -> Sequence[LogitEdit]:
        """Of self-attention at the resolutions chosen."""
        if self._cycle is None or layer.kind != "self":
            return ()
        return self._edits.get(layer.factor, ())

    def _edits_of(self, cycle: int) -> dict[int, list[LogitEdit]]:
        """By the resolution of the layers."""
        own, indicator = self._own, self._indicator
        fading = torch.exp(-own["lambda_c"] * cycle)
        if indicator is not None:
            fading = gate_of(self._settings.gate, indicator.latest, own["tau"]) * fading
        everywhere = self._settings.modulated_branches == "all"
        branches = self._settings.branches if everywhere else 1
        edits: dict[int, list[LogitEdit]] = {}
        for (factor, kind), queries in self._queries.items():
            regions = self._regions[factor]
            if kind == "raise":
                near = torch.exp(-own["lambda_d"] * regions.distance)
                strength = own["alpha_plus"] * fading * near * regions.weight
                edit = LogitEdit("raise", queries, regions.condition, strength, branches)
            else:
                strength = own["alpha_minus"] * fading * regions.condition
                edit = LogitEdit("lower", queries, self._others[factor], strength, branches)
            edits.setdefault(factor, []).append(edit)
        return edits


def gate_of(kind: str, indicator: Tensor, tau: Tensor) -> Tensor:
    """How far modulation is switched on, 0 to 1 (Eq. 8): where the flow has not spread.

    `above` is a step at the threshold, `ramp` rises from there to 1 at twice of it, `below` is
    the opposite reading of the paper's sentence, `none` modulates always. An indicator that is
    nan, because it cannot be measured, holds nothing back; one that is -inf, because it has not
    been measured yet, holds back everything.
    """
    if kind == "above":
        gate = (indicator > tau).float()
    elif kind == "below":
        gate = (indicator < tau).float()
    elif kind == "ramp":
        gate = (indicator / tau - 1).clamp(0, 1)
    else:
        gate = torch.ones_like(indicator)
    return gate.masked_fill(indicator.isnan(), 1.0).masked_fill(indicator == -torch.inf, 0.0)
