"""What all seeds of a plan have in common: everything before the first random step.

It is worked out once per plan, and replayed: a run takes these results instead of asking the
autoencoder and the UNet again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

import torch
from torch import Tensor

from sow.diffusion.algorithm import Denoise, Invert, Step
from sow.diffusion.noise import is_random
from sow.diffusion.recording import steps_of
from sow.settings.settings import Settings


@dataclass(frozen=True)
class PrefixState:
    """The results of the first calls of a run, B pictures.

    results: of the autoencoder and the UNet, in the order of the run; `[B, c, h, w]` each.
    """

    results: tuple[tuple[Tensor, ...], ...]

    @classmethod
    def stacked(cls, parts: Sequence[PrefixState]) -> PrefixState:
        """Join those of several pictures, as far as the shortest of them goes."""
        rows = zip(*(part.results for part in parts), strict=False)
        return cls(tuple(tuple(torch.cat(each) for each in zip(*row, strict=True)) for row in rows))


def shared_steps(settings: Sequence[Settings]) -> list[Step]:
    """Return the first steps that are the same for all seeds of each of these jobs of one batch.

    None where the seed canvas is noise. Conditions that are inverted alone are laid out job by job
    in other batches: those are not shared either.
    """
    if settings[0].seed_canvas == "noise" or settings[0].inversion == "alone":
        return []

    def same(step: Step) -> bool:
        return not any(is_random(step, each) for each in settings)

    return list(takewhile(same, steps_of(settings[0])))


def shared_calls(settings: Sequence[Settings]) -> int:
    """Return how many UNet calls those are."""
    return sum(isinstance(step, Invert | Denoise) for step in shared_steps(settings))


def is_deterministic(settings: Settings) -> bool:
    """Whether all seeds give the same picture."""
    return len(shared_steps([settings])) == len(steps_of(settings))
