"""Controls: whoever changes attention, or looks at it, while pictures are made.

Any number of controls work together, in any order and without knowing of one another: each says
for a layer which logits it changes, the chain adds the changes up, and each may look at the
attention that comes out. What they do is found by the layer's name and resolution.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import torch
from torch import Tensor

from sow.attention.edits import Edit, Orders
from sow.attention.kernel import Edits, edited_attention
from sow.backbones.base import AttentionLayer, Backbone
from sow.diffusion.algorithm import CANVAS, Denoise, Invert
from sow.diffusion.jobs import Job


@dataclass(frozen=True)
class Scene:
    """What a run is about: known before its first UNet call.

    Attributes:
        jobs: B of them.
        condition_mask: C, boolean `[B, 1, h, w]`, on the device.
        backbone: whose attention it is.
        layers: all its attention layers.
    """

    jobs: Sequence[Job]
    condition_mask: Tensor
    backbone: Backbone
    layers: Sequence[AttentionLayer]

    @classmethod
    def of(cls, jobs: Sequence[Job], condition_mask: Tensor, backbone: Backbone) -> Scene:
        """With all layers of the backbone."""
        return cls(jobs, condition_mask, backbone, backbone.attention_layers())

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the latents."""
        return int(self.condition_mask.shape[2]), int(self.condition_mask.shape[3])


class Control(Protocol):
    """Somebody with a say in attention. `AttentionControl` does nothing, to start from."""

    def begin(self, scene: Scene) -> None:
        """A run begins."""

    def before_call(self, move: Invert | Denoise) -> None:
        """The UNet is about to be called, about all pictures of the scene."""

    def edits(self, layer: AttentionLayer) -> Sequence[Edit]:
        """What it changes in a layer in this call."""

    def watches(self, layer: AttentionLayer) -> bool:
        """Whether it wants to look at a layer in this call."""

    def watch(self, layer: AttentionLayer, seen: Seen) -> None:
        """Looks at it."""

    def after_call(self, move: Invert | Denoise) -> None:
        """The UNet has answered."""

    def end(self) -> None:
        """The run is over, also if it was broken off."""


class AttentionControl:
    """A control that has nothing to say."""

    def begin(self, scene: Scene) -> None:
        """See :class:`Control`."""

    def before_call(self, move: Invert | Denoise) -> None:
        """See :class:`Control`."""

    def edits(self, layer: AttentionLayer) -> Sequence[Edit]:
        """See :class:`Control`."""
        return ()

    def watches(self, layer: AttentionLayer) -> bool:
        """See :class:`Control`."""
        return False

    def watch(self, layer: AttentionLayer, seen: Seen) -> None:
        """See :class:`Control`."""

    def after_call(self, move: Invert | Denoise) -> None:
        """See :class:`Control`."""

    def end(self) -> None:
        """See :class:`Control`."""


class Seen:
    """One layer in one call, as a control may look at it: the B samples of the prompt's branch."""

    def __init__(
        self, attn: Any, states: Tensor, context: Tensor, pictures: int, edits: Edits | None
    ) -> None:
        self._attn, self._edits = attn, edits
        self._states, self._context = states[:pictures], context[:pictures]

    @cached_property
    def query(self) -> Tensor:
        """`[B, heads, N, d]`."""
        return heads_of(self._attn, self._attn.to_q, self._states)

    @cached_property
    def key(self) -> Tensor:
        """`[B, heads, M, d]`."""
        return heads_of(self._attn, self._attn.to_k, self._context)

    def attend(self, value: Tensor) -> Tensor:
        """What this attention makes of other values, of the keys' shape; with all its edits."""
        if self._edits is None:
            return torch.nn.functional.scaled_dot_product_attention(self.query, self.key, value)
        return edited_attention(self.query, self.key, value, self._edits)


def heads_of(attn: Any, projection: Any, states: Tensor) -> Tensor:
    """`[B, heads, N, d]` out of `[B, N, channels]` by one of a layer's projections."""
    projected: Tensor = projection(states)
    batch, count, channels = projected.shape
    return projected.view(batch, count, attn.heads, channels // attn.heads).transpose(1, 2)


class ControlledProcessor:
    """Stands before the processor that was there, which works on wherever nothing is changed.

    The chain sets what is to be done before every call of the UNet.
    """

    def __init__(self, own: Any, layer: AttentionLayer, pictures: int) -> None:
        self.own, self.layer, self.pictures = own, layer, pictures
        self.edits: Edits | None = None
        self.watchers: tuple[Control, ...] = ()

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Tensor:
        """`[samples, N, channels]` in and out."""
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        if self.watchers:
            self._show(attn, hidden_states, context)
        if self.edits is None:
            answer: Tensor = self.own(attn, hidden_states, encoder_hidden_states, *args, **kwargs)
            return answer
        query, key, value = (
            heads_of(attn, project, states)
            for project, states in (
                (attn.to_q, hidden_states), (attn.to_k, context), (attn.to_v, context)
            )
        )  # fmt: skip
        out = edited_attention(query, key, value, self.edits)
        projected: Tensor = attn.to_out[1](attn.to_out[0](out.transpose(1, 2).flatten(2)))
        return projected

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # torch has no types for it
    def _show(self, attn: Any, states: Tensor, context: Tensor) -> None:
        seen = Seen(attn, states, context, self.pictures, self.edits)
        for control in self.watchers:
            control.watch(self.layer, seen)


class Chain:
    """All controls of one run, asked together before every call of the UNet."""

    def __init__(self, controls: Sequence[Control], scene: Scene) -> None:
        self.controls, self.scene = tuple(controls), scene
        self._processors: list[ControlledProcessor] = []
        self._orders = Orders()

    @contextmanager
    def installed(self) -> Iterator[None]:
        """While open, every attention layer is under control; at the end all is as it was."""
        before = self.scene.backbone.processors()
        pictures = len(self.scene.jobs)
        standing = {
            layer.name: ControlledProcessor(before[layer.name], layer, pictures)
            for layer in self.scene.layers
        }
        self._processors = list(standing.values())
        with ExitStack() as stack:
            for control in self.controls:
                control.begin(self.scene)
                stack.callback(control.end)
            stack.callback(self.scene.backbone.set_processors, before)
            self.scene.backbone.set_processors({**before, **standing})
            yield

    def before_call(self, move: Invert | Denoise) -> None:
        """Asks all controls and tells all layers.

        Conditions inverted alone are other pictures than the scene's, and left alone.
        """
        if isinstance(move, Invert) and move.frame != CANVAS:
            for processor in self._processors:
                processor.edits, processor.watchers = None, ()
            return
        for control in self.controls:
            control.before_call(move)
        # Layers with the same edits share what is made of them. The edits themselves are kept
        # beside it, so that no other edit can come to lie at the same address.
        ready: dict[tuple[int, ...], tuple[Edits | None, list[Edit]]] = {}
        for processor in self._processors:
            layer = processor.layer
            edits = [edit for control in self.controls for edit in control.edits(layer)]
            key = tuple(map(id, edits))
            if key not in ready:
                ready[key] = (self._orders.join(edits), edits)
            processor.edits = ready[key][0]
            processor.watchers = tuple(c for c in self.controls if c.watches(layer))

    def after_call(self, move: Invert | Denoise) -> None:
        """Tells all controls."""
        if isinstance(move, Invert) and move.frame != CANVAS:
            return
        for control in self.controls:
            control.after_call(move)
