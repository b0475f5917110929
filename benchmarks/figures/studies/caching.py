"""Keep deep features of the UNet from one state to the next: an experiment outside the engine.

The lower a level of the UNet, the less of it changes from one state to its neighbour (DeepCache).
So at some states only the uppermost levels are computed, on the latents of that state, and what
comes up to them from below is that of the state before. The engine does not know it: a control
is called with every step, and the UNet's `forward` is replaced during a trial. Controls edit and
observe the lower levels only at states where these are computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from sow.attention.control import AttentionControl, RunContext
from sow.diffusion.algorithm import Invert, UNetCall
from sow.pipeline.pipeline import SowPipeline

Phase = Literal["inversion", "cycle", "finish"]


@dataclass(frozen=True)
class Keeping:
    """Which features are kept, and for how long.

    Attributes:
        levels: of the UNet that are always computed; 0 is less than one, only the way from the
            very first convolution into the very last block.
        phases: in which states share features; nothing goes from one phase to another.
        every: so many states share them. 1 keeps nothing.
    """

    levels: int = 1
    phases: tuple[Phase, ...] = ("finish",)
    every: int = 2


@dataclass(frozen=True)
class Part:
    """A piece of the UNet between two skip connections; missing layers are None."""

    resnet: Any = None
    attention: Any = None
    resample: Any = None

    def __call__(self, x: Tensor, time: Tensor, texts: Tensor) -> Tensor:
        """Apply the layers to x; the time is already embedded."""
        if self.resnet is not None:
            x = self.resnet(x, time)
        if self.attention is not None:
            x = self.attention(x, encoder_hidden_states=texts, return_dict=False)[0]
        if self.resample is not None:
            x = self.resample(x)
        return x


def parts_down(unet: Any) -> list[Part]:
    """Return the parts on the way down; each ends in a skip connection."""
    parts = []
    for block in unet.down_blocks:
        parts += [Part(*both) for both in _layers(block)]
        parts += [Part(resample=each) for each in block.downsamplers or ()]
    return parts


def parts_up(unet: Any) -> list[Part]:
    """Return the parts on the way up; each begins with a skip connection, in opposite order."""
    parts = []
    for block in unet.up_blocks:
        *before, last = _layers(block)
        parts += [Part(*both) for both in before]
        parts.append(Part(*last, *(block.upsamplers or ())))
    return parts


def _layers(block: Any) -> list[tuple[Any, Any]]:
    attentions = getattr(block, "attentions", None) or [None] * len(block.resnets)
    return list(zip(block.resnets, attentions, strict=True))


def skips_of(unet: Any, levels: int) -> int:
    """Return the number of skip connections of the uppermost levels."""
    return sum(len(block.resnets) for block in list(unet.up_blocks)[-levels:]) if levels else 1


class Features:
    """The features that reach the uppermost parts of a UNet from below: stored and reused."""

    def __init__(self, unet: Any, levels: int) -> None:
        self._unet = unet
        self._down = parts_down(unet)[: skips_of(unet, levels) - 1]
        self._up = parts_up(unet)[-len(self._down) - 1 :]
        self.kept: Tensor | None = None

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Store the features of every full UNet call while open."""

        def enter(_: Any, args: tuple[Tensor, ...]) -> None:
            self.kept = args[0]  # with the channels of the skip connection behind its own

        hook = self._up[0].resnet.register_forward_pre_hook(enter)
        try:
            yield
        finally:
            hook.remove()

    def shallow(self, sample: Tensor, timestep: Any, texts: Tensor) -> Tensor:
        """Return the UNet's output computed from stored features.

        There may be fewer samples than were kept: branches of guidance are left out at the end.
        """
        unet, kept = self._unet, self.kept
        assert kept is not None
        time = unet.time_embedding(unet.get_time_embed(sample=sample, timestep=timestep))
        skips = [unet.conv_in(sample)]
        for part in self._down:
            skips.append(part(skips[-1], time, texts))
        x = kept[: len(sample), : -skips[-1].shape[1]]
        for part in self._up:
            x = part(torch.cat([x, skips.pop()], dim=1), time, texts)
        answer: Tensor = unet.conv_out(unet.conv_act(unet.conv_norm_out(x)))
        return answer


class Caching(AttentionControl):
    """A control that decides for every UNet call whether stored features are reused.

    reused: samples so far that were answered with features of another state.
    """

    def __init__(self, unet: Any, keeping: Keeping) -> None:
        self.features, self.reused = Features(unet, keeping.levels), 0
        self.keeping, self._whole = keeping, unet.forward
        self._phase: tuple[Phase, int] | None = None
        self._number, self._reuse = 0, False

    def begin(self, context: RunContext) -> None:
        """Forget the features of earlier pictures."""
        self.features.kept = self._phase = None

    def before_call(self, step: UNetCall) -> None:
        """Count the states of a phase; its first state is always computed in full."""
        phase = phase_of(step)
        self._number = self._number + 1 if phase == self._phase else 0
        self._phase = phase
        shared = phase[0] in self.keeping.phases and self._number % self.keeping.every > 0
        self._reuse = shared

    def forward(
        self, sample: Tensor, timestep: Any, encoder_hidden_states: Tensor, **more: Any
    ) -> Any:
        """Replace the UNet's `forward`; a call that no step announced is computed in full."""
        reuse, self._reuse = self._reuse, False
        kept = self.features.kept
        if reuse and kept is not None and len(sample) <= len(kept):
            self.reused += len(sample)
            return (self.features.shallow(sample, timestep, encoder_hidden_states),)
        with self.features.keeping():
            return self._whole(sample, timestep, encoder_hidden_states, **more)


def phase_of(step: UNetCall) -> tuple[Phase, int]:
    """Return the phase of a step and its number."""
    if isinstance(step, Invert):
        return "inversion", step.batch
    return ("finish", step.left) if step.cycle is None else ("cycle", step.cycle)


@contextmanager
def caching(pipe: SowPipeline, keeping: Keeping | None) -> Iterator[Caching | None]:
    """Make a pipeline keep features while open; without `keeping`, change nothing."""
    if keeping is None:
        yield None
        return
    control = Caching(pipe.unet, keeping)
    pipe.controls.append(control)
    pipe.unet.forward = control.forward
    try:
        yield control
    finally:
        del pipe.unet.forward  # the class has its own
        pipe.controls.remove(control)


def share(config: Mapping[str, Any], levels: int) -> float:
    """Return the FLOPs of a call with kept features as a share of a full call.

    config: of the UNet; nothing is computed, and of weights there are only the shapes.
    """
    with torch.device("meta"), torch.no_grad():
        unet = UNet2DConditionModel.from_config(dict(config))
        size = unet.config.sample_size
        sample, time = torch.zeros(1, unet.config.in_channels, size, size), torch.zeros(1)
        texts = torch.zeros(1, 77, unet.config.cross_attention_dim)
        features = Features(unet, levels)
        with features.keeping(), FlopCounterMode(display=False) as full:
            unet(sample, time, texts)
        with FlopCounterMode(display=False) as shallow:
            features.shallow(sample, time, texts)
    return float(shallow.get_total_flops() / full.get_total_flops())
