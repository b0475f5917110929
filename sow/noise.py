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

from sow.settings import Settings


class NoiseTape:
    """Standard normal noise, `[B, channels, h, w]` a slot, read by the name of the slot.

    Slots are `("start",)`, `("disturb", cycle)`, `("cycle", cycle, state)` and
    `("finish", state)`, in the order of the algorithm.
    """

    def __init__(
        self,
        settings: Sequence[Settings],
        shape: tuple[int, int, int],
        generators: Sequence[torch.Generator | None],
        device: torch.device,
    ) -> None:
        used = [
            slot
            for slot in _slots(settings[0])
            if slot[0] == "disturb" or any(_needs(s, slot) for s in settings)
        ]
        self._index = {slot: number for number, slot in enumerate(used)}
        self._tape = torch.zeros(len(used), len(settings), *shape, device=device)
        for job, (options, generator) in enumerate(zip(settings, generators, strict=True)):
            wanted = [self._index[slot] for slot in used if _needs(options, slot)]
            if wanted:
                drawn = randn_tensor(
                    (len(wanted), *shape), generator, device=device, dtype=torch.float32
                )
                self._tape[torch.tensor(wanted, device=device), job] = drawn

    def __call__(self, *slot: str | int) -> Tensor:
        """The noise of a slot; zeros for the jobs that do not need it."""
        return self._tape[self._index[slot]]

    def if_used(self, *slot: str | int) -> Tensor | None:
        """The noise of a slot, or None if no job of the batch needs it."""
        return self(*slot) if slot in self._index else None


def _slots(settings: Settings) -> list[tuple[str | int, ...]]:
    slots: list[tuple[str | int, ...]] = [("start",)]
    for cycle in range(settings.cycles):
        slots.append(("disturb", cycle))
        slots += [("cycle", cycle, state) for state in range(settings.t2, settings.t1, -1)]
    return slots + [("finish", state) for state in range(settings.t1, 0, -1)]


def _needs(settings: Settings, slot: tuple[str | int, ...]) -> bool:
    match slot[0]:
        case "start":
            return settings.seed_canvas == "none"
        case "disturb":
            return settings.noise_level > 0
        case "cycle":
            return settings.cycle_eta > 0
        case _:
            return settings.eta > 0


def background(kind: str, canvas: tuple[int, int], generator: torch.Generator | None) -> Tensor:
    """What the condition is planted on: `[3, H, W]` in [-1, 1], on the CPU (Sec. V-B)."""
    shape = (3, canvas[1], canvas[0])
    if kind == "noise":
        device = generator.device if generator is not None else "cpu"
        return torch.rand(shape, generator=generator, device=device).cpu() * 2 - 1
    return torch.full(shape, -1.0 if kind == "black" else 128 / 127.5 - 1)
