"""The paper's Fig. 4: two flat pictures merged half and half, and denoised.

A grey and a white picture are inverted. At every state the left half of one is put beside the
right half of the other and the whole is denoised: plainly, with attention between the halves
enhanced, and with it suppressed. How far each half moves from what it would have become without
the other is how strong the interference is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sow.attention.chain import ControlChain
from sow.attention.control import AttentionControl, RunContext
from sow.attention.edits import LogitEdit
from sow.attention.regions import downsampled_size
from sow.backbones.base import AttentionLayer, Backbone
from sow.backbones.stable_diffusion import StableDiffusion
from sow.diffusion.algorithm import Denoise
from sow.pictures.drawing import labelled_grid, stacked
from sow.pipeline.calls import unet_lock
from sow.pipeline.pipeline import SowPipeline
from sow.utils.representation import duration_text

KINDS = ("plain", "enhanced", "suppressed")
GREY, WHITE = 128, 255


class Halves(AttentionControl):
    """Raises or lowers self-attention between the left and the right half of every picture.

    size: `(height, width)` of the latents; strength: on the other half's logits, -1 to 1.
    """

    def __init__(self, size: tuple[int, int], strength: float, device: torch.device) -> None:
        self.size, self.strength, self.device = size, strength, device
        self.pictures = 0

    def edits(self, layer: AttentionLayer) -> list[LogitEdit]:
        """Return the edits: every query, on the keys of the other half."""
        if layer.kind != "self" or not self.strength:
            return []
        height, width = downsampled_size(self.size, layer.factor)
        left = torch.arange(height * width) % width < width / 2
        return [
            LogitEdit(
                "raise" if self.strength > 0 else "lower",
                queries=half.expand(self.pictures, -1),
                keys=~half.to(self.device).expand(self.pictures, -1),
                strength=abs(self.strength) * half.to(self.device).expand(self.pictures, -1),
            )
            for half in (left, ~left)
        ]


@dataclass(frozen=True)
class Interference:
    """The result of merging.

    images: for each kind, the pictures by the state of merging, 0 to S.
    moved: for each kind `[S + 1, 2]`, how far the grey and the white half moved: the mean
        absolute difference from the same half without a neighbour, in levels of 255.
    """

    steps: int
    strength: float
    images: dict[str, list[Image.Image]]
    moved: dict[str, np.ndarray[Any, np.dtype[np.float64]]]

    def table(self) -> list[str]:
        """Return Markdown: a line per state."""
        lines = [
            f"| merged at state | {' | '.join(f'{k}: grey half, white half' for k in KINDS)} |",
            "|---" * (len(KINDS) + 1) + "|",
        ]
        for state in range(self.steps + 1):
            cells = [f"{self.moved[k][state, 0]:.1f}, {self.moved[k][state, 1]:.1f}" for k in KINDS]
            lines.append(f"| {state} | " + " | ".join(cells) + " |")
        return lines

    def sheet(self) -> Image.Image:
        """Return a row of pictures per kind, from the clean end to the noise."""
        titles = {
            "plain": "(a) plain attention",
            "enhanced": f"(b) attention between the halves enhanced by {self.strength:g}",
            "suppressed": f"(c) suppressed by {self.strength:g}",
        }
        return stacked(
            [
                labelled_grid(
                    titles[kind],
                    [
                        (f"state {n}: {a:.0f}, {b:.0f}", image)
                        for n, (image, (a, b)) in enumerate(
                            zip(self.images[kind], self.moved[kind], strict=True)
                        )
                    ],
                    columns=self.steps + 1,
                    tile=104,
                )
                for kind in KINDS
            ]
        )


@torch.no_grad()
def interference(
    pipe: SowPipeline,
    steps: int = 10,
    strength: float = 0.8,
    say: Callable[[str], object] = lambda line: None,
) -> Interference:
    """Run the experiment: no prompt, no guidance, no randomness.

    The largest batch that the UNet sees has `steps` samples.

    Args:
        pipe: any Stable Diffusion.
        steps: S; the merged pictures are made from every state.
        strength: of the pull, 0 to 1.
        say: is given a line about how long it takes, after the first part of it.
    """
    backbone = StableDiffusion(pipe)
    schedule = backbone.schedule(steps)
    empty = backbone.embed([[[""]]])[0].prompt_embeds[0]

    def answer(latents: Tensor, state: int) -> Tensor:
        output: Tensor = pipe.unet(
            latents.to(pipe.unet.dtype),
            schedule.timesteps[state],
            encoder_hidden_states=empty.expand(len(latents), -1, -1),
            return_dict=False,
        )[0].float()
        return output

    before = time.monotonic()
    grey, white = (_inverted(pipe, backbone, steps, level, answer) for level in (GREY, WHITE))
    # The two inversions took 2 S samples; a row of pictures takes 1 + 2 + … + S.
    each = (time.monotonic() - before) / (2 * steps)
    samples = (2 + len(KINDS)) * steps * (steps + 1) // 2
    say(f"{duration_text(each * samples)} for {samples} more UNet samples")
    half = grey[0].shape[3] // 2
    merged = [
        torch.cat([g[..., :half], w[..., half:]], 3) for g, w in zip(grey, white, strict=True)
    ]

    def denoised(
        starts: Sequence[Tensor], halves: Halves | None = None, chain: ControlChain | None = None
    ) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Denoise from each state's start to a picture: `[S + 1, H, W, 3]` in levels."""
        latents = starts[0][:0]
        for state in range(steps, 0, -1):
            latents = torch.cat([starts[state], latents])
            if halves is not None and chain is not None:
                halves.pictures = len(latents)
                chain.before_call(Denoise(state))
            latents, _ = schedule.denoise(latents, answer(latents, state), state)
        return _decoded(pipe, torch.cat([starts[0], latents]))

    unmixed = [denoised(grey), denoised(white)]
    size = (int(grey[0].shape[2]), int(grey[0].shape[3]))
    context = RunContext.of((), torch.zeros(1, 1, *size, device=backbone.device).bool(), backbone)
    images, moved = {}, {}
    for kind, change in zip(KINDS, (0.0, strength, -strength), strict=True):
        halves = Halves(size, change, backbone.device)
        chain = ControlChain([halves], context)
        with unet_lock(pipe.unet), chain.installed():
            pixels = denoised(merged, halves, chain)
        middle = pixels.shape[2] // 2
        moved[kind] = np.stack(
            [
                np.abs(pixels[:, :, :middle] - unmixed[0][:, :, :middle]).mean((1, 2, 3)),
                np.abs(pixels[:, :, middle:] - unmixed[1][:, :, middle:]).mean((1, 2, 3)),
            ],
            1,
        )
        images[kind] = [Image.fromarray(each.astype(np.uint8)) for each in pixels]
    return Interference(steps, strength, images, moved)


def _inverted(
    pipe: SowPipeline, backbone: Backbone, steps: int, level: int, answer: Any
) -> list[Tensor]:
    """Return the states of a flat picture, `[1, 4, h, w]` each."""
    width, height = pipe.canvas
    schedule = backbone.schedule(steps)
    pixels = torch.full((1, 3, height, width), level / 127.5 - 1, device=backbone.device)
    states = [backbone.encode(pixels)]
    for state in range(steps):
        states.append(schedule.invert(states[-1], answer(states[-1], state + 1), state))
    return states


def _decoded(pipe: SowPipeline, latents: Tensor) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return pictures `[B, H, W, 3]` in levels, 0 to 255, decoded one at a time."""
    scaled = (latents / pipe.vae.config.scaling_factor).to(pipe.vae.dtype)
    pixels = torch.cat([pipe.vae.decode(one[None], return_dict=False)[0] for one in scaled])
    levels = ((pixels.float() / 2 + 0.5).clamp(0, 1) * 255).round()
    return levels.permute(0, 2, 3, 1).cpu().double().numpy()
