"""Looking into attention while pictures are made: where words are looked for, where C is heard.

While a trace is open, the prompt's cross-attention and, in the cycles, its coarser self-attention
are computed a second time; once it is closed it costs nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sow.attention.control import AttentionControl, AttentionProbe, RunContext
from sow.attention.heat import Average, spread, word_weights
from sow.attention.indicator import Indicator
from sow.attention.regions import regions_of
from sow.backbones.base import AttentionLayer
from sow.diffusion.algorithm import Denoise, UNetCall

LARGEST_FLOW = 32 * 32
"""Layers with more tokens are left out of the flow maps: finer than anybody looks, and dear."""


class Trace(AttentionControl):
    """What was seen in the last call of the pipeline; h x w is the size of the latents.

    Attributes:
        flow: `[cycles, B, h, w]`, how much of each place's self-attention is on C, 0 to 1, in the
            prompt's branch, averaged over heads, layers of up to 1024 tokens and steps.
        indicators: `[cycles, B]`, the indicator (Eq. 7); nan where it could not be taken.
    """

    def __init__(self) -> None:
        self.flow = torch.zeros(0, 0, 0, 0)
        self.indicators = torch.zeros(0, 0)
        self._words: list[list[tuple[str, list[int]]]] = []
        self._heat = torch.zeros(0)

    def words(self, job: int = 0) -> list[tuple[str, Tensor]]:
        """The prompt's words in order, each with its heat map `[h, w]`.

        Cross-attention on the word's tokens in the prompt's branch, averaged over heads, layers
        and the steps of cycles and finish (DAAM: Tang et al., "What the DAAM", 2023). Maps of one
        picture can be compared with each other: at every place, all tokens together have 1.
        """
        words = self._words[job] if self._words else []
        return [
            (word, self._heat[job, places].mean(0))
            for word, places in words
            if max(places) < self._heat.shape[1]
        ]

    def begin(self, context: RunContext) -> None:
        """Forgets the call before."""
        self._context, self._looks = context, False
        self._cycle: int | None = None
        self._average, self._flow = Average(), [
            Average() for _ in range(context.jobs[0].settings.total_cycles)
        ]  # fmt: skip
        self._indicator = Indicator()
        self._indicator.begin(context)
        plans, mask = [job.plan for job in context.jobs], context.condition_mask
        self._on_condition = {
            factor: regions_of(mask.cpu(), plans, factor).condition.to(mask.device)
            for factor in {layer.factor for layer in context.layers}
        }

    def before_call(self, step: UNetCall) -> None:
        """Cycles and finish are looked at."""
        self._looks = isinstance(step, Denoise) and not step.from_noise
        self._cycle = step.cycle if isinstance(step, Denoise) else None
        self._indicator.before_call(step)

    def observes(self, layer: AttentionLayer) -> bool:
        """All cross-attention; self-attention in the cycles."""
        return self._looks and (layer.kind == "cross" or self._cycle is not None)

    def observe(self, layer: AttentionLayer, probe: AttentionProbe) -> None:
        """Adds one layer's maps."""
        size = self._context.size
        if layer.kind == "cross":
            self._average.add(word_weights(probe, size, layer.factor))
            return
        self._indicator.observe(layer, probe)
        on_condition = self._on_condition[layer.factor]
        if self._cycle is not None and on_condition.shape[1] <= LARGEST_FLOW:
            # Attention whose values say "this is C" answers how much of it went there.
            value = on_condition.to(probe.key.dtype)[:, None, :, None].expand_as(probe.key)
            share = probe.attend(value.contiguous())[..., 0].float().mean(1)[:, None]
            self._flow[self._cycle].add(spread(share, size, layer.factor))

    def after_call(self, step: UNetCall) -> None:
        """The indicator is that of a call."""
        self._indicator.after_call(step)

    def end(self) -> None:
        """Makes averages of what was seen; a run that was broken off has fewer cycles."""
        context = self._context
        pictures = len(context.jobs)
        self._words = [context.backbone.words(job.plan.prompt) for job in context.jobs]
        nothing = torch.zeros(pictures, 0, *context.size)
        self._heat = self._average.mean() if self._average.count else nothing
        flow = [each.mean()[:, 0] for each in self._flow if each.count]
        self.flow = torch.stack(flow) if flow else torch.zeros(0, pictures, *context.size)
        self.indicators = self._indicator.history
