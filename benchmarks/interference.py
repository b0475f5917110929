"""The physics as a figure: two flat pictures merged half and half, denoised (the paper's Fig. 4).

A grey and a white picture are inverted. At every state the left half of one is put beside the
right half of the other and the whole is denoised: plainly, with attention between the halves
enhanced, and with it suppressed. How far each half moves from what it would have become without
the other is how strong the interference is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sow.attention import Pull
from sow.drawing import labelled_row, stacked
from sow.pipeline import SowPipeline
from sow.processors import steered
from sow.quiet import quiet
from sow.regions import Tokens, grid_of
from sow.schedule import Schedule

KINDS = ("plain", "enhanced", "suppressed")
GREY, WHITE = 128, 255


class Halves:
    """Steers self-attention between the left and the right half of every picture."""

    def __init__(self, size: tuple[int, int], pull: float) -> None:
        """size: `(height, width)` of the latents; pull: on the other half's logits, -1 to 1."""
        self.size, self.strength = size, pull
        self.device = torch.device("cpu")

    def listens(self, count: int) -> bool:
        """Always, unless nothing pulls."""
        return self.strength != 0

    def observe(self, count: int, query: Tensor, key: Tensor) -> None:
        """Nothing is measured; it is only seen where the layer computes."""
        self.device = query.device

    def steering(self, count: int, samples: int) -> tuple[Tokens, Pull]:
        """Every query is pulled on the keys of the half it is not in."""
        columns = grid_of(count, self.size)[1]
        place = torch.arange(count, device=self.device) % columns
        left = (place < columns / 2).expand(samples, -1)
        tokens = Tokens(left, ~left, torch.zeros_like(left, dtype=torch.float32), count)
        return tokens, Pull(inside=self.strength * ~left, outside=self.strength * left)


@dataclass(frozen=True)
class Interference:
    """What merging did.

    images: for each kind, the pictures by the state of merging, 0 to S.
    moved: for each kind `[S + 1, 2]`, how far the grey and the white half moved: the mean
        absolute difference from the same half without a neighbour, in levels of 255.
    """

    steps: int
    strength: float
    images: dict[str, list[Image.Image]]
    moved: dict[str, np.ndarray[Any, np.dtype[np.float64]]]

    def table(self) -> list[str]:
        """Markdown: a line per state."""
        lines = [
            f"| merged at state | {' | '.join(f'{k}: grey half, white half' for k in KINDS)} |",
            "|---" * (len(KINDS) + 1) + "|",
        ]
        for state in range(self.steps + 1):
            cells = [f"{self.moved[k][state, 0]:.1f}, {self.moved[k][state, 1]:.1f}" for k in KINDS]
            lines.append(f"| {state} | " + " | ".join(cells) + " |")
        return lines

    def sheet(self) -> Image.Image:
        """A row of pictures per kind, from the clean end to the noise."""
        titles = {
            "plain": "(a) plain attention",
            "enhanced": f"(b) attention between the halves enhanced by {self.strength:g}",
            "suppressed": f"(c) suppressed by {self.strength:g}",
        }
        return stacked([
            labelled_row(
                titles[kind],
                [(f"state {n}: {a:.0f}, {b:.0f}", image) for n, (image, (a, b)) in
                 enumerate(zip(self.images[kind], self.moved[kind], strict=True))],
                columns=self.steps + 1, tile=104,
            )
            for kind in KINDS
        ])  # fmt: skip


@torch.no_grad()
def interference(pipe: SowPipeline, steps: int = 10, strength: float = 0.8) -> Interference:
    """Runs the experiment; no prompt, no guidance, nothing random.

    The largest batch that the UNet sees has `steps` samples.

    Args:
        pipe: any Stable Diffusion.
        steps: S; the merged pictures are made from every state.
        strength: of the pull, 0 to 1.
    """
    schedule = Schedule.from_scheduler(pipe.scheduler, steps)
    with quiet():
        empty = pipe.encode_prompt("", pipe._execution_device, 1, False)[0]

    def answer(latents: Tensor, state: int) -> Tensor:
        output: Tensor = pipe.unet(
            latents.to(pipe.unet.dtype), schedule.times[state],
            encoder_hidden_states=empty.expand(len(latents), -1, -1), return_dict=False,
        )[0].float()  # fmt: skip
        return output

    grey, white = (_inverted(pipe, schedule, level, answer) for level in (GREY, WHITE))
    half = grey[0].shape[3] // 2
    merged = [
        torch.cat([g[..., :half], w[..., half:]], 3) for g, w in zip(grey, white, strict=True)
    ]

    def denoised(starts: Sequence[Tensor]) -> np.ndarray[Any, np.dtype[np.float64]]:
        """From each state's start to a picture: `[S + 1, H, W, 3]` in levels, state by state."""
        latents = starts[0][:0]
        for state in range(steps, 0, -1):
            latents = torch.cat([starts[state], latents])
            latents, _ = schedule.denoise(latents, answer(latents, state), state)
        return _decoded(pipe, torch.cat([starts[0], latents]))

    alone = [denoised(grey), denoised(white)]
    images, moved = {}, {}
    for kind, pull in zip(KINDS, (0.0, strength, -strength), strict=True):
        halves = Halves((grey[0].shape[2], grey[0].shape[3]), pull)
        with steered(pipe.unet, halves):
            pixels = denoised(merged)
        middle = pixels.shape[2] // 2
        moved[kind] = np.stack(
            [
                np.abs(pixels[:, :, :middle] - alone[0][:, :, :middle]).mean((1, 2, 3)),
                np.abs(pixels[:, :, middle:] - alone[1][:, :, middle:]).mean((1, 2, 3)),
            ],
            1,
        )
        images[kind] = [Image.fromarray(each.astype(np.uint8)) for each in pixels]
    return Interference(steps, strength, images, moved)


def _inverted(pipe: SowPipeline, schedule: Schedule, level: int, answer: Any) -> list[Tensor]:
    """The states of a flat picture, `[1, 4, h, w]` each."""
    width, height = pipe.canvas
    pixels = torch.full((1, 3, height, width), level / 127.5 - 1, device=pipe._execution_device)
    encoded = pipe.vae.encode(pixels.to(pipe.vae.dtype)).latent_dist.mode().float()
    states = [encoded * pipe.vae.config.scaling_factor]
    for state in range(schedule.steps):
        states.append(schedule.invert(states[-1], answer(states[-1], state + 1), state))
    return states


def _decoded(pipe: SowPipeline, latents: Tensor) -> np.ndarray[Any, np.dtype[np.float64]]:
    """`[B, H, W, 3]` in whole levels, 0 to 255, one picture at a time."""
    scaled = (latents / pipe.vae.config.scaling_factor).to(pipe.vae.dtype)
    pixels = torch.cat([pipe.vae.decode(one[None], return_dict=False)[0] for one in scaled])
    levels = ((pixels.float() / 2 + 0.5).clamp(0, 1) * 255).round()
    return levels.permute(0, 2, 3, 1).cpu().double().numpy()
