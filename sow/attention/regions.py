"""C and R as token masks of attention layers.

C is the visual condition's region, R the condition-related regions minus C (Sec. IV-A, stage 3).
The UNet halves the latents several times, and every attention layer needs both regions, and each
token's distance from the condition, at its own resolution.
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
    """The regions of B pictures at one resolution, N tokens in row-major order.

    Attributes:
        condition: C, boolean `[B, N]`.
        related: R, boolean `[B, N]`; no token is in both.
        weight: the largest weight of the regions that a token of R lies in, `[B, N]`; 0 elsewhere.
        distance: from each token to the centre of C, in canvas widths, `[B, N]`.
    """

    condition: Tensor
    related: Tensor
    weight: Tensor
    distance: Tensor

    @property
    def num_tokens(self) -> int:
        """N."""
        return self.condition.shape[1]

    @property
    def nearest_fifth(self) -> Tensor:
        """The fifth of R nearest to the centre of C, rounded up; boolean `[B, N]`."""
        far = self.distance.masked_fill(~self.related, torch.inf)
        rank = far.argsort(dim=1, stable=True).argsort(dim=1, stable=True)
        fifth = (self.related.sum(1, keepdim=True) + 4) // 5
        return self.related & (rank < fifth)

    def to(self, device: torch.device) -> Regions:
        """Return a copy on another device."""
        parts = (self.condition, self.related, self.weight, self.distance)
        return Regions(*(part.to(device) for part in parts))


def downsampled_size(size: tuple[int, int], factor: int) -> tuple[int, int]:
    """Return height and width after the UNet has downsampled latents of this size by `factor`."""
    return -(-size[0] // factor), -(-size[1] // factor)


def regions_of(condition_mask: Tensor, plans: Sequence[Plan], factor: int) -> Regions:
    """Return the regions at the resolution of the latents divided by `factor`.

    A token belongs to a region if at least half of its area does; a token of C is not in R.

    Args:
        condition_mask: C in the latents, boolean `[B, 1, h, w]`, on the CPU.
        plans: B plans; their related regions make up R, the centre of their box is that of C.
        factor: 1 at the resolution of the latents, then 2, 4, 8.
    """
    height, width = downsampled_size((condition_mask.shape[2], condition_mask.shape[3]), factor)
    inside = adaptive_avg_pool2d(condition_mask.float(), (height, width)).flatten(1) >= 0.5
    weight = torch.stack([_related_weight(plan, height, width) for plan in plans]) * ~inside
    distance = torch.stack([_distance(plan, height, width) for plan in plans])
    return Regions(inside, weight > 0, weight, distance)


def _related_weight(plan: Plan, height: int, width: int) -> Tensor:
    """Return the weight of each token of one plan's R, `[N]`, C included.

    It is the largest weight w for which the regions of weight w or more cover at least half of
    the token.
    """
    weight, boxes = torch.zeros(height * width), list[Box]()
    heaviest_first = sorted(plan.related, key=lambda region: -region.weight)
    for region_weight, regions in groupby(heaviest_first, key=lambda region: region.weight):
        boxes += [region.box for region in regions]
        inside = box_coverage(boxes, plan.canvas, (height, width)) >= 0.5
        weight = torch.where(inside & (weight == 0), region_weight, weight)
    return weight


def box_coverage(boxes: Sequence[Box], canvas: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """Return the share of each grid cell that the boxes cover, `[N]`, 0 to 1.

    canvas: width and height of what the boxes are on. grid: number of rows and columns.
    """
    pixels = torch.zeros(1, canvas[1], canvas[0])
    for box in boxes:
        pixels[:, box.y : box.bottom, box.x : box.right] = 1
    return adaptive_avg_pool2d(pixels, grid).flatten()


def _distance(plan: Plan, height: int, width: int) -> Tensor:
    """Return the distance of each token's centre from the box's, in canvas widths, `[N]`."""
    x, y = plan.box.centre
    across = (torch.arange(width) + 0.5) / width - x / plan.canvas[0]
    aspect = plan.canvas[1] / plan.canvas[0]
    down = ((torch.arange(height) + 0.5) / height - y / plan.canvas[1]) * aspect
    return torch.hypot(across[None, :], down[:, None]).flatten()
