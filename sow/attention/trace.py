"""Looking into attention while pictures are made: where words are looked for, where C is heard.

While a trace is open, the prompt's cross-attention and, in the cycles, its coarser self-attention
are computed a second time; once it is closed it costs nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sow.attention.control import AttentionControl, Scene, Seen
from sow.attention.heat import Average, spread, word_weights
from sow.attention.indicator import Indicator
from sow.attention.regions import regions_of
from sow.backbones.base import AttentionLayer
from sow.diffusion.algorithm import Denoise, Invert

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

    def begin(self, scene: Scene) -> None:
        """Forgets the call before."""
        self._scene, self._looks = scene, False
        self._cycle: int | None = None
        self._average, self._flow = Average(), [
            Average() for _ in range(scene.jobs[0].settings.all_cycles)
        ]  # fmt: skip
        self._indicator = Indicator()
        self._indicator.begin(scene)
        plans, mask = [job.plan for job in scene.jobs], scene.condition_mask
        self._on_condition = {
            factor: regions_of(mask.cpu(), plans, factor).condition.to(mask.device)
            for factor in {layer.factor for layer in scene.layers}
        }

    def before_call(self, move: Invert | Denoise) -> None:
        """Cycles and finish are looked at."""
        self._looks = isinstance(move, Denoise) and not move.from_noise
        self._cycle = move.cycle if isinstance(move, Denoise) else None
        self._indicator.before_call(move)

    def watches(self, layer: AttentionLayer) -> bool:
        """All cross-attention; self-attention in the cycles."""
        return self._looks and (layer.kind == "cross" or self._cycle is not None)

    def watch(self, layer: AttentionLayer, seen: Seen) -> None:
        """Adds one layer's maps."""
        size = self._scene.size
        if layer.kind == "cross":
            self._average.add(word_weights(seen, size, layer.factor))
            return
        self._indicator.watch(layer, seen)
        on_condition = self._on_condition[layer.factor]
        if self._cycle is not None and on_condition.shape[1] <= LARGEST_FLOW:
            # Attention whose values say "this is C" answers how much of it went there.
            value = on_condition.to(seen.key.dtype)[:, None, :, None].expand_as(seen.key)
            share = seen.attend(value.contiguous())[..., 0].float().mean(1)[:, None]
            self._flow[self._cycle].add(spread(share, size, layer.factor))

    def after_call(self, move: Invert | Denoise) -> None:
        """The indicator is that of a call."""
        self._indicator.after_call(move)

    def end(self) -> None:
        """Makes averages of what was seen; a run that was broken off has fewer cycles."""
        scene = self._scene
        pictures = len(scene.jobs)
        self._words = [scene.backbone.words(job.plan.prompt) for job in scene.jobs]
        nothing = torch.zeros(pictures, 0, *scene.size)
        self._heat = self._average.mean() if self._average.count else nothing
        seen = [each.mean()[:, 0] for each in self._flow if each.count]
        self.flow = torch.stack(seen) if seen else torch.zeros(0, pictures, *scene.size)
        self.indicators = self._indicator.history
