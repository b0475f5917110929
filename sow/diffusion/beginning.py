"""Where pictures of one plan part: up to the first move that leaves something to chance.

Whatever comes before it is the same for every seed, so it can be worked out once and gone on from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sow.diffusion.algorithm import Disturb, Draw, Move, algorithm, noise_scale
from sow.settings import Settings


@dataclass(frozen=True)
class Begun:
    """How far pictures are after their first moves; B of them.

    Attributes:
        moves: how many moves that were.
        latents, clean: the pictures' x_s, and the clean latents they point to, `[B, c, h, w]`.
        states: of the seed canvas, from x_0 on, `[B, c, h, w]` each.
        inside: C, as it is from here on, `[B, 1, h, w]`.
    """

    moves: int
    latents: Tensor
    clean: Tensor
    states: tuple[Tensor, ...]
    inside: Tensor

    @classmethod
    def stacked(cls, parts: Sequence[Begun]) -> Begun:
        """Those of several pictures that are equally far."""

        def joined(name: str) -> Tensor:
            return torch.cat([getattr(part, name) for part in parts])

        states = zip(*(part.states for part in parts), strict=True)
        return cls(
            parts[0].moves, joined("latents"), joined("clean"),
            tuple(torch.cat(some) for some in states), joined("inside"),
        )  # fmt: skip


def shared_moves(moves: Sequence[Move], settings: Sequence[Settings]) -> int:
    """How many of the first moves are the same for all seeds of each of these jobs.

    None where the seed canvas is noise. Conditions that are inverted alone are laid out job by job
    in other frames: those are not shared either.
    """
    if settings[0].seed_canvas == "noise" or settings[0].inversion == "alone":
        return 0
    for number, move in enumerate(moves):
        if isinstance(move, Disturb | Draw) or any(noise_scale(move, one) for one in settings):
            return number
    return len(moves)


def without_chance(settings: Settings) -> bool:
    """Whether all moves are the same for all seeds."""
    moves = list(algorithm(settings))
    return shared_moves(moves, [settings]) == len(moves)
