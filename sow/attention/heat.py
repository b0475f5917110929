"""Heat maps of a prompt's words, from cross-attention."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from sow.attention.control import AttentionControl, AttentionProbe, RunContext
from sow.attention.regions import downsampled_size
from sow.backbones.base import AttentionLayer
from sow.diffusion.algorithm import Invert, UNetCall

MIN_GRID = 8
"""Layers with fewer tokens in width or height are too coarse to localise anything."""


class RunningMean:
    """The mean of maps that are added one by one."""

    def __init__(self) -> None:
        self._sum: Tensor | float = 0.0
        self.count = 0

    def add(self, maps: Tensor) -> None:
        """Add maps; all must have the same shape, on any device."""
        self._sum = self._sum + maps
        self.count += 1

    def mean(self) -> Tensor:
        """Return the mean, on the CPU.

        Raises:
            ValueError: if nothing has been added.
        """
        if not isinstance(self._sum, Tensor):
            raise ValueError("nothing has been added")
        return (self._sum / self.count).cpu()


def upsample_maps(maps: Tensor, size: tuple[int, int], factor: int) -> Tensor:
    """Resize a layer's maps, `[B, M, N]`, to the size of the latents, `[B, M, h, w]`."""
    grid = downsampled_size(size, factor)
    return interpolate(maps.reshape(*maps.shape[:2], *grid).float(), size, mode="bilinear")


def cross_attention_maps(probe: AttentionProbe, size: tuple[int, int], factor: int) -> Tensor:
    """Return the share of each location's cross-attention on each token, `[B, M, h, w]`.

    Averaged over heads, in the prompt's branch; at every location the tokens sum to 1.
    """
    scaled = probe.key.float() * probe.key.shape[3] ** -0.5
    weights: Tensor = (probe.query.float() @ scaled.transpose(2, 3)).softmax(-1)
    return upsample_maps(weights.mean(1).transpose(1, 2), size, factor)


class InversionHeat(AttentionControl):
    """Collects heat maps of a prompt's tokens while a picture is inverted with it.

    Attributes:
        maps: `[B, tokens, h, w]` after the inversion, averaged over layers and steps.
    """

    def begin(self, context: RunContext) -> None:
        """Reset the maps."""
        self._size, self._mean, self._active = context.size, RunningMean(), False
        self.maps = torch.zeros(0)

    def before_call(self, step: UNetCall) -> None:
        """Observe inversion steps only."""
        self._active = isinstance(step, Invert)

    def observes(self, layer: AttentionLayer) -> bool:
        """Return whether the layer is cross-attention of sufficient resolution."""
        fine = min(downsampled_size(self._size, layer.factor)) >= MIN_GRID
        return self._active and layer.kind == "cross" and fine

    def observe(self, layer: AttentionLayer, probe: AttentionProbe) -> None:
        """Add one layer's maps."""
        self._mean.add(cross_attention_maps(probe, self._size, layer.factor))

    def end(self) -> None:
        """Average the maps."""
        if self._mean.count:
            self.maps = self._mean.mean()
