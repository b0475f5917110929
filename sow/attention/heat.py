"""Where the words of a prompt are looked for: maps of cross-attention."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from sow.attention.control import AttentionControl, AttentionProbe, RunContext
from sow.attention.regions import coarser
from sow.backbones.base import AttentionLayer
from sow.diffusion.algorithm import Invert, UNetCall

LEAST_GRID = 8
"""Layers with fewer tokens in width or height are too coarse to say where anything is."""


class Average:
    """The mean of maps that come one by one."""

    def __init__(self) -> None:
        self._sum: Tensor | float = 0.0
        self.count = 0

    def add(self, maps: Tensor) -> None:
        """Maps of any one shape, on any device."""
        self._sum = self._sum + maps
        self.count += 1

    def mean(self) -> Tensor:
        """On the CPU."""
        if not isinstance(self._sum, Tensor):
            raise ValueError("nothing has been added")
        return (self._sum / self.count).cpu()


def spread(maps: Tensor, size: tuple[int, int], factor: int) -> Tensor:
    """Maps of a layer, `[B, M, N]`, at the size of the latents, `[B, M, h, w]`."""
    grid = coarser(size, factor)
    return interpolate(maps.reshape(*maps.shape[:2], *grid).float(), size, mode="bilinear")


def word_weights(probe: AttentionProbe, size: tuple[int, int], factor: int) -> Tensor:
    """What share of each place's cross-attention is on each token, `[B, M, h, w]`.

    The mean of the heads, in the prompt's branch; at every place all tokens together have 1.
    """
    scaled = probe.key.float() * probe.key.shape[3] ** -0.5
    weights: Tensor = (probe.query.float() @ scaled.transpose(2, 3)).softmax(-1)
    return spread(weights.mean(1).transpose(1, 2), size, factor)


class InversionHeat(AttentionControl):
    """Looks at the words of a prompt while a picture is inverted under it.

    Attributes:
        maps: `[B, tokens, h, w]` once the inversion is over, averaged over layers and steps.
    """

    def begin(self, context: RunContext) -> None:
        """Forgets the picture before."""
        self._size, self._average, self._looks = context.size, Average(), False
        self.maps = torch.zeros(0)

    def before_call(self, step: UNetCall) -> None:
        """Only inversions are looked at."""
        self._looks = isinstance(step, Invert)

    def observes(self, layer: AttentionLayer) -> bool:
        """Cross-attention that is fine enough to say where something is."""
        fine = min(coarser(self._size, layer.factor)) >= LEAST_GRID
        return self._looks and layer.kind == "cross" and fine

    def observe(self, layer: AttentionLayer, probe: AttentionProbe) -> None:
        """Adds one layer's maps."""
        self._average.add(word_weights(probe, self._size, layer.factor))

    def end(self) -> None:
        """Makes the mean of them."""
        if self._average.count:
            self.maps = self._average.mean()
