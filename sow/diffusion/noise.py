"""All the random numbers of a batch, drawn before the loop starts.

Every job draws from its own generator, only what it needs and in the order in which it is used,
so a job's picture does not depend on its neighbours; and nothing has to be moved to the device
while the UNet runs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from sow.diffusion.algorithm import Disturb, Draw, Move, noise_scale
from sow.settings import Settings


class NoiseTape:
    """Standard normal noise, `[B, c, h, w]` for every move of the algorithm that may need it."""

    def __init__(
        self,
        moves: Sequence[Move],
        settings: Sequence[Settings],
        shape: tuple[int, int, int],
        generators: Sequence[torch.Generator | None],
        device: torch.device,
    ) -> None:
        used = [
            move
            for move in moves
            if isinstance(move, Disturb | Draw) or any(noise_scale(move, s) for s in settings)
        ]
        self._index = {move: number for number, move in enumerate(used)}
        self._tape = torch.zeros(len(used), len(settings), *shape, device=device)
        for job, (own, generator) in enumerate(zip(settings, generators, strict=True)):
            wanted = [self._index[move] for move in used if noise_scale(move, own)]
            if wanted:
                drawn = randn_tensor(
                    (len(wanted), *shape), generator, device=device, dtype=torch.float32
                )
                self._tape[torch.tensor(wanted, device=device), job] = drawn

    def __getitem__(self, move: Move) -> Tensor:
        """The noise of a move; zeros for the jobs that do not need it."""
        return self._tape[self._index[move]]

    def get(self, move: Move) -> Tensor | None:
        """The noise of a move, or None if no job of the batch needs it."""
        return self[move] if move in self._index else None


def background(kind: str, canvas: tuple[int, int], generator: torch.Generator | None) -> Tensor:
    """What the condition is planted on: `[3, H, W]` in [-1, 1], on the CPU (Sec. V-B)."""
    shape = (3, canvas[1], canvas[0])
    if kind == "noise":
        device = generator.device if generator is not None else "cpu"
        return torch.rand(shape, generator=generator, device=device).cpu() * 2 - 1
    return torch.full(shape, -1.0 if kind == "black" else 128 / 127.5 - 1)
