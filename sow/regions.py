"""C and R: which tokens of an attention layer show the condition, and which belong to it.

C is the visual condition's region, R the condition-related regions minus C (Sec. IV-A, stage 3).
The UNet halves the latents several times, and every attention layer needs both regions, and how
far each token is from the condition, at its own resolution.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from sow.plan import Plan
from sow.settings import FACTORS


@dataclass(frozen=True)
class Tokens:
    """The regions of B pictures at one resolution, N tokens row by row.

    Attributes:
        condition: C, boolean `[B, N]`.
        related: R, boolean `[B, N]`; no token is in both.
        distance: of each token from the centre of C, in canvas widths, `[B, N]`.
        rows: the largest number of queries that a picture has which may be pulled.
        suppressing: whether those of C may be pulled, or only those of R.
    """

    condition: Tensor
    related: Tensor
    distance: Tensor
    rows: int
    suppressing: bool = True

    @property
    def count(self) -> int:
        """N."""
        return self.condition.shape[1]

    @cached_property
    def order(self) -> Tensor:
        """A permutation of each picture's tokens, those that may be pulled first, `[B, N]`."""
        pulled = self.condition | self.related if self.suppressing else self.related
        return pulled.byte().argsort(dim=1, descending=True, stable=True)

    @cached_property
    def nearest(self) -> Tensor:
        """The fifth of R that is nearest to the centre of C, at least one token, `[B, N]`."""
        far = self.distance.masked_fill(~self.related, torch.inf)
        rank = far.argsort(dim=1, stable=True).argsort(dim=1, stable=True)
        fifth = (self.related.sum(1, keepdim=True) + 4) // 5
        return self.related & (rank < fifth)

    def to(self, device: torch.device) -> Tokens:
        """The same on another device."""
        return self._each(lambda part: part.to(device))

    def first(self, samples: int) -> Tokens:
        """Those of the first samples of the batch."""
        return self._each(lambda part: part[:samples])

    def repeated(self, times: int) -> Tokens:
        """The same regions for the branches of guidance, which are stacked in the batch."""
        if times == 1:
            return self
        return self._each(lambda part: part.repeat(times, 1))

    def _each(self, change: Callable[[Tensor], Tensor]) -> Tokens:
        parts = change(self.condition), change(self.related), change(self.distance)
        return Tokens(*parts, self.rows, self.suppressing)

    def enhancing_only(self) -> Tokens:
        """The same regions where the queries of C are left alone: fewer rows to work through."""
        rows = int(self.related.sum(1).max())
        return Tokens(self.condition, self.related, self.distance, rows, suppressing=False)


def halved(size: tuple[int, int], factor: int) -> tuple[int, int]:
    """Height and width where the UNet has halved latents of this size down by `factor`."""
    return -(-size[0] // factor), -(-size[1] // factor)


def grid_of(count: int, size: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the layer that has so many tokens, for latents of this size."""
    grids = [halved(size, factor) for factor in FACTORS]
    return next(grid for grid in grids if grid[0] * grid[1] == count)


def tokens_of(condition: Tensor, plans: Sequence[Plan], factor: int) -> Tokens:
    """The regions where the UNet has halved the latents down by `factor`.

    A token belongs to a region if at least half of its area does; what is in C is not in R.

    Args:
        condition: C in the latents, boolean `[B, 1, h, w]`, on the CPU.
        plans: B plans; their related regions make up R, the centre of their box is that of C.
        factor: 1 at the resolution of the latents, then 2, 4, 8.
    """
    height, width = halved((condition.shape[2], condition.shape[3]), factor)
    inside = adaptive_avg_pool2d(condition.float(), (height, width)).flatten(1) >= 0.5
    related = torch.stack([_related(plan, height, width) for plan in plans]) & ~inside
    distance = torch.stack([_distance(plan, height, width) for plan in plans])
    rows = int((inside | related).sum(1).max())
    return Tokens(inside, related, distance, rows)


def _related(plan: Plan, height: int, width: int) -> Tensor:
    """R of one plan, `[N]`, before C is taken out of it."""
    covered = torch.zeros(1, plan.canvas[1], plan.canvas[0])
    for region in plan.related:
        box = region.box
        covered[:, box.y : box.bottom, box.x : box.right] = 1
    return adaptive_avg_pool2d(covered, (height, width)).flatten() >= 0.5


def _distance(plan: Plan, height: int, width: int) -> Tensor:
    """Of each token's centre from the centre of the box, in canvas widths, `[N]`."""
    x, y = plan.box.centre
    across = (torch.arange(width) + 0.5) / width - x / plan.canvas[0]
    aspect = plan.canvas[1] / plan.canvas[0]
    down = ((torch.arange(height) + 0.5) / height - y / plan.canvas[1]) * aspect
    return torch.hypot(across[None, :], down[:, None]).flatten()
