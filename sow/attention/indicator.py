"""The indicator: how far the flow from the condition has spread (Sec. IV-C, Eq. 7)."""

from __future__ import annotations

import torch
from torch import Tensor

from sow.attention.control import AttentionControl, AttentionProbe, RunContext
from sow.attention.regions import Regions, regions_of
from sow.backbones.base import AttentionLayer
from sow.diffusion.algorithm import Denoise, UNetCall


class Indicator(AttentionControl):
    """Measures it in every self-attention layer of every call in the cycles.

    Attributes:
        latest: that of the last call, `[B, 1]`; before the first it is -inf, and nan where no
            layer can tell, because C or R are too small.
    """

    def __init__(self) -> None:
        self.latest = torch.zeros(0, 1)
        self._cycle: int | None = None
        self._shares: list[Tensor] = []
        self._history: list[list[Tensor]] = []

    def begin(self, context: RunContext) -> None:
        """Works out the regions of all layers, on the CPU."""
        mask, plans = context.condition_mask.cpu(), [job.plan for job in context.jobs]
        factors = {layer.factor for layer in context.layers if layer.kind == "self"}
        on_host = {factor: regions_of(mask, plans, factor) for factor in sorted(factors)}
        device = context.condition_mask.device
        self._regions = {factor: found.to(device) for factor, found in on_host.items()}
        told = torch.stack([can_tell(found) for found in on_host.values()]).any(0)
        self.latest = torch.where(told, -torch.inf, torch.nan)[:, None].to(device)
        self._history = []

    def before_call(self, step: UNetCall) -> None:
        """Notes which cycle it is."""
        cycle = step.cycle if isinstance(step, Denoise) else None
        if cycle is not None and cycle != self._cycle:
            self._history.append([])
        self._cycle = cycle

    def observes(self, layer: AttentionLayer) -> bool:
        """Self-attention in the cycles."""
        return self._cycle is not None and layer.kind == "self"

    def observe(self, layer: AttentionLayer, probe: AttentionProbe) -> None:
        """Takes it from one layer."""
        self._shares.append(near_share(probe.query, probe.key, self._regions[layer.factor]))

    def after_call(self, step: UNetCall) -> None:
        """The mean of the layers that can tell; nothing waits for the device."""
        if self._shares:
            indicator = torch.stack(self._shares).nanmean(0)
            self.latest = indicator[:, None]
            self._history[-1].append(indicator)
            self._shares = []

    @property
    def history(self) -> Tensor:
        """`[cycles, B]` in float32 on the CPU: the mean of each cycle's UNet calls."""
        cycles = [torch.stack(calls).mean(0) for calls in self._history if calls]
        return torch.stack(cycles).cpu() if cycles else torch.zeros(0, len(self.latest))


def can_tell(regions: Regions) -> Tensor:
    """Whether the indicator can be taken, `[B]`: there is a C, and R has a fifth."""
    return regions.condition.any(1) & (regions.related.sum(1) >= 5)


def near_share(query: Tensor, key: Tensor, regions: Regions) -> Tensor:
    """The indicator of one layer, `[B]`: how much of R's listening to C is close to C (Eq. 7).

    a_i, for i in R, is the mean of query i's logits over the keys in C and over the heads, and is
    normalised to [0, 1] over R. The indicator is the share of their sum that the nearest fifth of
    R has: a fifth if C is listened to everywhere alike, more if the flow has not spread. It is
    nan without C, or where R has fewer than five tokens and no fifth.

    The mean of logits is the logit of the mean key, so that no logits are needed.
    """
    condition, related = regions.condition, regions.related
    of_condition = condition / condition.sum(1, keepdim=True).clamp(min=1)
    with torch.autocast(query.device.type, enabled=False):
        mean_key = torch.einsum("bhnd,bn->bhd", key.float(), of_condition)
        scores = torch.einsum("bhnd,bhd->bn", query.float(), mean_key)
    lowest = scores.masked_fill(~related, torch.inf).amin(1, keepdim=True)
    above = (scores - lowest).where(related, 0)
    above = above.where(above.sum(1, keepdim=True) > 0, related.float())  # all alike
    share = (above * regions.nearest).sum(1) / above.sum(1)
    return share.where(can_tell(regions), torch.nan)
