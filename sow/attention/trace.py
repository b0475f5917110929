"""Traces of attention while pictures are made: heat maps of words, and the flow from C.

While a trace is open, the prompt's cross-attention and, in the cycles, its coarser self-attention
are computed a second time; a closed trace costs nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sow.attention.control import AttentionControl, AttentionProbe, RunContext
from sow.attention.heat import RunningMean, cross_attention_maps, upsample_maps
from sow.attention.indicator import Indicator
from sow.attention.regions import regions_of
from sow.backbones.base import AttentionLayer
from sow.diffusion.algorithm import Denoise, UNetCall

MAX_FLOW_TOKENS = 32 * 32
"""Layers with more tokens are left out of the flow maps: expensive, and finer than needed."""


class Trace(AttentionControl):
    """The attention in the last call of the pipeline; h x w is the size of the latents.

    Attributes:
        flow: `[cycles, B, h, w]`, the share of each location's self-attention that is on C, 0 to
            1, in the prompt's branch, averaged over heads, layers of up to 1024 tokens and steps.
        indicators: `[cycles, B]`, the indicator (Eq. 7); nan where it could not be measured.
    """

    def __init__(self) -> None:
        self.flow = torch.zeros(0, 0, 0, 0)
        self.indicators = torch.zeros(0, 0)
        self._words: list[list[tuple[str, list[int]]]] = []
        self._lengths: list[int] = []
        self._heat = torch.zeros(0)

    def words(self, job: int = 0) -> list[tuple[str, Tensor]]:
        """Return the prompt's words in order, each with its heat map `[h, w]`.

        Cross-attention on the word's tokens in the prompt's branch, averaged over heads, layers
        and the steps of cycles and finish (DAAM: Tang et al., "What the DAAM", 2023). Maps of one
        picture are comparable: at every location, all tokens together sum to 1.
        """
        if not self._words:
            return []
        heat, length = self._heat[job], self._lengths[job]
        if len(heat) % length == 0:  # the prompt may be repeated, to be as long as other texts
            heat = heat.view(-1, length, *heat.shape[1:]).sum(0)
        return [
            (word, heat[indices].mean(0))
            for word, indices in self._words[job]
            if max(indices) < len(heat)
        ]

    def begin(self, context: RunContext) -> None:
        """Reset the maps of the call before."""
        self._context, self._active = context, False
        self._cycle: int | None = None
        self._heat_mean = RunningMean()
        cycles = context.jobs[0].settings.total_cycles
        self._flow_means = [RunningMean() for _ in range(cycles)]
        self._indicator = Indicator()
        self._indicator.begin(context)
        plans, mask = [job.plan for job in context.jobs], context.condition_mask
        self._on_condition = {
            factor: regions_of(mask.cpu(), plans, factor).condition.to(mask.device)
            for factor in {layer.factor for layer in context.layers}
        }

    def before_call(self, step: UNetCall) -> None:
        """Observe the cycles and the finish."""
        self._active = isinstance(step, Denoise) and not step.from_noise
        self._cycle = step.cycle if isinstance(step, Denoise) else None
        self._indicator.before_call(step)

    def observes(self, layer: AttentionLayer) -> bool:
        """Return whether the layer is cross-attention, or self-attention in a cycle."""
        return self._active and (layer.kind == "cross" or self._cycle is not None)

    def observe(self, layer: AttentionLayer, probe: AttentionProbe) -> None:
        """Add one layer's maps."""
        size = self._context.size
        if layer.kind == "cross":
            self._heat_mean.add(cross_attention_maps(probe, size, layer.factor))
            return
        self._indicator.observe(layer, probe)
        on_condition = self._on_condition[layer.factor]
        if self._cycle is not None and on_condition.shape[1] <= MAX_FLOW_TOKENS:
            # Values that are 1 in C and 0 elsewhere turn the output into the share on C.
            value = on_condition.to(probe.key.dtype)[:, None, :, None].expand_as(probe.key)
            share = probe.attend(value.contiguous())[..., 0].float().mean(1)[:, None]
            self._flow_means[self._cycle].add(upsample_maps(share, size, layer.factor))

    def after_call(self, step: UNetCall) -> None:
        """Finish the indicator of this call."""
        self._indicator.after_call(step)

    def end(self) -> None:
        """Average the maps; a cancelled run has fewer cycles."""
        context = self._context
        batch_size = len(context.jobs)
        prompts = [(job.plan.prompt, job.settings.prompt_syntax) for job in context.jobs]
        self._words = [context.backbone.words(*prompt) for prompt in prompts]
        self._lengths = [context.backbone.text_tokens([[text]], syntax) for text, syntax in prompts]
        empty = torch.zeros(batch_size, 0, *context.size)
        self._heat = self._heat_mean.mean() if self._heat_mean.count else empty
        flow = [mean.mean()[:, 0] for mean in self._flow_means if mean.count]
        self.flow = torch.stack(flow) if flow else torch.zeros(0, batch_size, *context.size)
        self.indicators = self._indicator.history
