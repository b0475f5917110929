"""C and R: which tokens of an attention layer show the condition, and which belong to it.

C is the visual condition's region, R the condition-related regions minus C (Sec. IV-A, stage 3).
The UNet halves the latents several times, and every attention layer needs both regions, and how
far each token is from the condition, at its own resolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from sow.plan.box import Box
from sow.plan.plan import Plan


@dataclass(frozen=True)
class Regions:
    """The regions of B pictures at one resolution, N tokens row by row.

    Attributes:
        condition: C, boolean `[B, N]`.
        related: R, boolean `[B, N]`; no token is in both.
        weight: of each token of R, the largest of the regions it lies in, `[B, N]`; elsewhere 0.
        distance: of each token from the centre of C, in canvas widths, `[B, N]`.
    """

    condition: Tensor
    related: Tensor
    weight: Tensor
    distance: Tensor

    @property
    def tokens(self) -> int:
        """N."""
        return self.condition.shape[1]

    @property
    def nearest(self) -> Tensor:
        """The fifth of R that is nearest to the centre of C, at least one token, `[B, N]`."""
        far = self.distance.masked_fill(~self.related, torch.inf)
        rank = far.argsort(dim=1, stable=True).argsort(dim=1, stable=True)
        fifth = (self.related.sum(1, keepdim=True) + 4) // 5
        return self.related & (rank < fifth)

    def to(self, device: torch.device) -> Regions:
        """The same on another device."""
        parts = (self.condition, self.related, self.weight, self.distance)
        return Regions(*(part.to(device) for part in parts))


def coarser(size: tuple[int, int], factor: int) -> tuple[int, int]:
    """Height and width where the UNet has halved latents of this size down by `factor`."""
    return -(-size[0] // factor), -(-size[1] // factor)


def regions_of(condition_mask: Tensor, plans: Sequence[Plan], factor: int) -> Regions:
    """The regions where the UNet has halved the latents down by `factor`.

    A token belongs to a region if at least half of its area does; what is in C is not in R.

    Args:
        condition_mask: C in the latents, boolean `[B, 1, h, w]`, on the CPU.
        plans: B plans; their related regions make up R, the centre of their box is that of C.
        factor: 1 at the resolution of the latents, then 2, 4, 8.
    """
    height, width = coarser((condition_mask.shape[2], condition_mask.shape[3]), factor)
    inside = adaptive_avg_pool2d(condition_mask.float(), (height, width)).flatten(1) >= 0.5
    weight = torch.stack([_weight(plan, height, width) for plan in plans]) * ~inside
    distance = torch.stack([_distance(plan, height, width) for plan in plans])
    return Regions(inside, weight > 0, weight, distance)


def _weight(plan: Plan, height: int, width: int) -> Tensor:
    """Of each token of one plan's R, `[N]`, before C is taken out of it: what at least half of
    the token lies in has that weight or a larger one."""
    weight, boxes = torch.zeros(height * width), list[Box]()
    heaviest_first = sorted(plan.related, key=lambda region: -region.weight)
    for own, regions in groupby(heaviest_first, key=lambda region: region.weight):
        boxes += [region.box for region in regions]
        inside = share_of(boxes, plan.canvas, (height, width)) >= 0.5
        weight = torch.where(inside & (weight == 0), own, weight)
    return weight


def share_of(boxes: Sequence[Box], canvas: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """How much of each cell of a grid (height, width) boxes on a canvas cover, `[N]`, 0 to 1."""
    pixels = torch.zeros(1, canvas[1], canvas[0])
    for box in boxes:
        pixels[:, box.y : box.bottom, box.x : box.right] = 1
    return adaptive_avg_pool2d(pixels, grid).flatten()


def _distance(plan: Plan, height: int, width: int) -> Tensor:
    """Of each token's centre from the centre of the box, in canvas widths, `[N]`."""
    x, y = plan.box.centre
    across = (torch.arange(width) + 0.5) / width - x / plan.canvas[0]
    aspect = plan.canvas[1] / plan.canvas[0]
    down = ((torch.arange(height) + 0.5) / height - y / plan.canvas[1]) * aspect
    return torch.hypot(across[None, :], down[:, None]).flatten()
