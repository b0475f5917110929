"""Dynamic attention modulation: directs the flow of information (Sec. IV-C).

During COW's cycles, self-attention from C to everything else is suppressed, so that the condition
stays unaffected, and attention from R, the regions related to it, to C is enhanced, in proportion
to each region's weight. Both decay with the cycles, the second also with the distance from C, and
an indicator of how far the flow has spread gates them for each picture.
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


def uses_modulation(settings: Sequence[Settings]) -> bool:
    """Return whether any job's attention is modulated."""
    return any(s.alpha_minus or s.alpha_plus for s in settings)


def uses_indicator(settings: Sequence[Settings]) -> bool:
    """Return whether modulation needs the indicator."""
    return uses_modulation(settings) and settings[0].gate != "none"


class Modulation(AttentionControl):
    """Enhances and suppresses self-attention in the cycles.

    indicator: the control of the same run that gates modulation; required unless `gate` is `none`.
    """

    def __init__(self, indicator: Indicator | None = None) -> None:
        self._indicator = indicator
        self._cycle: int | None = None

    def begin(self, context: RunContext) -> None:
        """Compute the regions of all modulated layers, on the CPU."""
        settings = [job.settings for job in context.jobs]
        device = context.condition_mask.device
        self._settings = settings[0]
        self._per_job = {
            name: torch.tensor([getattr(s, name) for s in settings])[:, None].to(device)
            for name in ("alpha_minus", "alpha_plus", "lambda_c", "lambda_d", "tau")
        }
        mask, plans = context.condition_mask.cpu(), [job.plan for job in context.jobs]
        factors = {layer.factor for layer in context.layers if layer.kind == "self"}
        self._queries, self._regions, self._outside = {}, {}, {}
        for factor in sorted(factors.intersection(self._settings.modulated_factors)):
            regions = regions_of(mask, plans, factor)
            if any(s.alpha_plus for s in settings):
                self._queries[factor, "raise"] = regions.related
            if any(s.alpha_minus for s in settings):
                self._queries[factor, "lower"] = regions.condition
            self._regions[factor] = regions.to(device)
            self._outside[factor] = ~self._regions[factor].condition
        self._edits: dict[int, list[LogitEdit]] = {}

    def before_call(self, step: UNetCall) -> None:
        """Compute the edits of a call in a cycle, gated by the indicator of the last call."""
        cycle = step.cycle if isinstance(step, Denoise) else None
        if cycle is not None and (cycle != self._cycle or self._indicator is not None):
            self._edits = self._compute_edits(cycle)
        self._cycle = cycle

    def edits(self, layer: AttentionLayer) -> Sequence[LogitEdit]:
        """Return the edits of self-attention at the modulated resolutions."""
        if self._cycle is None or layer.kind != "self":
            return ()
        return self._edits.get(layer.factor, ())

    def _compute_edits(self, cycle: int) -> dict[int, list[LogitEdit]]:
        """Return the edits by the layers' `factor`."""
        per_job, indicator = self._per_job, self._indicator
        decay = torch.exp(-per_job["lambda_c"] * cycle)
        if indicator is not None:
            decay = compute_gate(self._settings.gate, indicator.latest, per_job["tau"]) * decay
        all_branches = self._settings.modulated_branches == "all"
        branches = self._settings.branches if all_branches else 1
        edits: dict[int, list[LogitEdit]] = {}
        for (factor, kind), queries in self._queries.items():
            regions = self._regions[factor]
            if kind == "raise":
                proximity = torch.exp(-per_job["lambda_d"] * regions.distance)
                strength = per_job["alpha_plus"] * decay * proximity * regions.weight
                edit = LogitEdit("raise", queries, regions.condition, strength, branches)
            else:
                strength = per_job["alpha_minus"] * decay * regions.condition
                edit = LogitEdit("lower", queries, self._outside[factor], strength, branches)
            edits.setdefault(factor, []).append(edit)
        return edits


def compute_gate(kind: str, indicator: Tensor, tau: Tensor) -> Tensor:
    """Return the gate of modulation, 0 to 1 (Eq. 8): open where the flow has not spread.

    `above` is a step at the threshold, `ramp` rises from there to 1 at twice the threshold,
    `below` is the opposite reading of the paper's sentence, `none` is always open. The gate is 1
    where the indicator is nan (not measurable), and 0 where it is -inf (not measured yet).
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
