"""LPIPS's network (Zhang et al. 2018, version 0.1, AlexNet), from a safetensors file.

torchmetrics has the same, but downloads AlexNet as a pickle whenever it is made; so the network is
written down here, with torchmetrics's names for its tensors, and tested against it.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from sow.benchmarks.tv2i.metrics.weights import load_into, read_weights

MEAN, SPREAD = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Of ImageNet's channels, for pixels in [-1, 1]."""
CHANNELS = (64, 192, 384, 256, 256)
TINY = 1e-8


class Lpips(nn.Module):
    """Five stages of AlexNet's features, each compared pixel by pixel and weighed by channel."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            [
                _stage(nn.Conv2d(3, 64, 11, stride=4, padding=2)),
                _stage(nn.MaxPool2d(3, 2), nn.Conv2d(64, 192, 5, padding=2)),
                _stage(nn.MaxPool2d(3, 2), nn.Conv2d(192, 384, 3, padding=1)),
                _stage(nn.Conv2d(384, 256, 3, padding=1)),
                _stage(nn.Conv2d(256, 256, 3, padding=1)),
            ]
        )
        self.weights = nn.ParameterList([nn.Parameter(torch.zeros(n)) for n in CHANNELS])
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("spread", torch.tensor(SPREAD).view(1, 3, 1, 1), persistent=False)

    @classmethod
    def load(cls, path: Path | str) -> Lpips:
        """Load the file that `convert lpips` wrote.

        Raises:
            ModelError: if it is none of it.
        """
        network = cls()
        load_into(network, read_weights(path, "lpips"), "lpips")
        return network

    def forward(self, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Return the distances of two batches `[B, 3, H, W]` in [-1, 1]: `[B]`."""
        mean, spread = self.get_buffer("mean"), self.get_buffer("spread")
        a, b = (one - mean) / spread, (other - mean) / spread
        total = torch.zeros(len(a), device=a.device)
        for stage, weight in zip(self.stages, self.weights, strict=True):
            a, b = stage(a), stage(b)
            apart = (_unit(a) - _unit(b)) ** 2
            total = total + (apart * weight.view(1, -1, 1, 1)).sum(1).mean((1, 2))
        return total


def _stage(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers, nn.ReLU())


def _unit(features: torch.Tensor) -> torch.Tensor:
    """Return every pixel's features at length 1."""
    length = torch.sqrt(TINY + (features**2).sum(1, keepdim=True))
    return features / length
