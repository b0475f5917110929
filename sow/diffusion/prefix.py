"""The prefix of a run: everything before the first random step, shared by all seeds of a plan.

It is computed once per plan and replayed: a run uses its results instead of calling the
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
        """Return the states of several pictures as one batch, truncated to the shortest."""
        rows = zip(*(part.results for part in parts), strict=False)
        return cls(tuple(tuple(torch.cat(each) for each in zip(*row, strict=True)) for row in rows))


def shared_steps(settings: Sequence[Settings]) -> list[Step]:
    """Return the first steps of a batch that do not depend on the seed of any of its jobs.

    Empty if the seed canvas is noise, or if conditions are inverted alone, since their batches
    depend on all jobs.
    """
    if settings[0].seed_canvas == "noise" or settings[0].inversion == "alone":
        return []

    def is_shared(step: Step) -> bool:
        return not any(is_random(step, job_settings) for job_settings in settings)

    return list(takewhile(is_shared, steps_of(settings[0])))


def shared_calls(settings: Sequence[Settings]) -> int:
    """Return the number of UNet calls among the shared steps."""
    return sum(isinstance(step, Invert | Denoise) for step in shared_steps(settings))


def is_deterministic(settings: Settings) -> bool:
    """Return whether all seeds give the same picture."""
    return len(shared_steps([settings])) == len(steps_of(settings))
