"""The indicator: how far the flow from the condition has spread (Sec. IV-C, Eq. 7)."""

from __future__ import annotations

import torch
from torch import Tensor

from sow.attention.control import AttentionControl, AttentionProbe, RunContext
from sow.attention.regions import Regions, regions_of
from sow.backbones.base import AttentionLayer
from sow.diffusion.algorithm import Denoise, UNetCall


class Indicator(AttentionControl):
    """Measures the indicator in all self-attention layers, in every UNet call of the cycles.

    Attributes:
        latest: the indicator of the last call, `[B, 1]`; -inf before the first call, nan where no
            layer can measure it because C or R is too small.
    """

    def __init__(self) -> None:
        self.latest = torch.zeros(0, 1)
        self._cycle: int | None = None
        self._per_layer: list[Tensor] = []
        self._history: list[list[Tensor]] = []

    def begin(self, context: RunContext) -> None:
        """Compute the regions of all layers, on the CPU."""
        mask, plans = context.condition_mask.cpu(), [job.plan for job in context.jobs]
        factors = {layer.factor for layer in context.layers if layer.kind == "self"}
        on_cpu = {factor: regions_of(mask, plans, factor) for factor in sorted(factors)}
        device = context.condition_mask.device
        self._regions = {factor: regions.to(device) for factor, regions in on_cpu.items()}
        measurable = torch.stack([is_measurable(regions) for regions in on_cpu.values()]).any(0)
        self.latest = torch.where(measurable, -torch.inf, torch.nan)[:, None].to(device)
        self._history = []

    def before_call(self, step: UNetCall) -> None:
        """Note which cycle the call is in."""
        cycle = step.cycle if isinstance(step, Denoise) else None
        if cycle is not None and cycle != self._cycle:
            self._history.append([])
        self._cycle = cycle

    def observes(self, layer: AttentionLayer) -> bool:
        """Return whether the layer is self-attention, in a cycle."""
        return self._cycle is not None and layer.kind == "self"

    def observe(self, layer: AttentionLayer, probe: AttentionProbe) -> None:
        """Add the indicator of one layer."""
        regions = self._regions[layer.factor]
        self._per_layer.append(layer_indicator(probe.query, probe.key, regions))

    def after_call(self, step: UNetCall) -> None:
        """Average over the layers that can measure it; the device is not waited for."""
        if self._per_layer:
            indicator = torch.stack(self._per_layer).nanmean(0)
            self.latest = indicator[:, None]
            self._history[-1].append(indicator)
            self._per_layer = []

    @property
    def history(self) -> Tensor:
        """The mean of each cycle's UNet calls, `[cycles, B]` in float32 on the CPU."""
        cycles = [torch.stack(calls).mean(0) for calls in self._history if calls]
        return torch.stack(cycles).cpu() if cycles else torch.zeros(0, len(self.latest))


def is_measurable(regions: Regions) -> Tensor:
    """Return whether the indicator can be measured, `[B]`: C has a token, and R has five."""
    return regions.condition.any(1) & (regions.related.sum(1) >= 5)


def layer_indicator(query: Tensor, key: Tensor, regions: Regions) -> Tensor:
    """Return the indicator of one layer, `[B]`: how much of R's attention to C is near C (Eq. 7).

    a_i, for i in R, is the mean of query i's logits over the keys in C and over the heads, and is
    normalised to [0, 1] over R. The indicator is the share of their sum that the nearest fifth of
    R has: a fifth if all of R attends to C equally, more if the flow has not spread. It is nan
    without C, or if R has fewer than five tokens.

    The mean of logits is the logit of the mean key, so no matrix of logits is computed.
    """
    condition, related = regions.condition, regions.related
    of_condition = condition / condition.sum(1, keepdim=True).clamp(min=1)
    with torch.autocast(query.device.type, enabled=False):
        mean_key = torch.einsum("bhnd,bn->bhd", key.float(), of_condition)
        scores = torch.einsum("bhnd,bhd->bn", query.float(), mean_key)
    lowest = scores.masked_fill(~related, torch.inf).amin(1, keepdim=True)
    above = (scores - lowest).where(related, 0)
    above = above.where(above.sum(1, keepdim=True) > 0, related.float())  # all scores are equal
    share = (above * regions.nearest_fifth).sum(1) / above.sum(1)
    return share.where(is_measurable(regions), torch.nan)
