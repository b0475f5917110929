"""Controls change attention, or observe it, while pictures are made.

Any number of controls work together, in any order: each names the logits of a layer that it
changes, the chain adds the changes up, and each may observe the attention that results. Layers
are told apart by name, kind and resolution.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from sow.attention.edits import EditCompiler, LogitEdit
from sow.attention.kernel import Edits, edited_attention
from sow.backbones.base import AttentionLayer, Backbone
from sow.diffusion.algorithm import CANVAS, Invert, UNetCall
from sow.diffusion.jobs import Job


@dataclass(frozen=True)
class RunContext:
    """What is known of a run before its first UNet call.

    Attributes:
        jobs: B of them.
        condition_mask: C, boolean `[B, 1, h, w]`, on the device.
        backbone: the model.
        layers: all its attention layers.
    """

    jobs: Sequence[Job]
    condition_mask: Tensor
    backbone: Backbone
    layers: Sequence[AttentionLayer]

    @classmethod
    def of(cls, jobs: Sequence[Job], condition_mask: Tensor, backbone: Backbone) -> RunContext:
        """Return the context of these jobs, with all layers of the backbone."""
        return cls(jobs, condition_mask, backbone, backbone.attention_layers())

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the latents."""
        return int(self.condition_mask.shape[2]), int(self.condition_mask.shape[3])


class AttentionControl:
    """A say in the attention of a run: change logits, or observe. This one does neither."""

    def begin(self, context: RunContext) -> None:
        """Prepare for a run."""

    def before_call(self, step: UNetCall) -> None:
        """Prepare for a UNet call, about all pictures of the run."""

    def edits(self, layer: AttentionLayer) -> Sequence[LogitEdit]:
        """Return the changes to a layer's logits in this call."""
        return ()

    def observes(self, layer: AttentionLayer) -> bool:
        """Whether to observe a layer in this call."""
        return False

    def observe(self, layer: AttentionLayer, probe: AttentionProbe) -> None:
        """Look at a layer's attention."""

    def after_call(self, step: UNetCall) -> None:
        """Take in what was observed: the UNet call is over."""

    def end(self) -> None:
        """Clean up after a run, also after one that failed."""


class AttentionProbe:
    """The attention of one layer in one call, for the B samples with the prompt."""

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
        """Apply this attention, edits included, to other values of the keys' shape."""
        if self._edits is None:
            return torch.nn.functional.scaled_dot_product_attention(self.query, self.key, value)
        return edited_attention(self.query, self.key, value, self._edits)


def heads_of(attn: Any, projection: Any, states: Tensor) -> Tensor:
    """`[B, heads, N, d]` from `[B, N, channels]`, by one of a layer's projections."""
    projected: Tensor = projection(states)
    batch, count, channels = projected.shape
    return projected.view(batch, count, attn.heads, channels // attn.heads).transpose(1, 2)


class ControlledProcessor:
    """An attention processor that applies edits, and leaves calls without any to the original.

    The chain sets edits and observers before every UNet call.
    """

    def __init__(self, own: Any, layer: AttentionLayer, pictures: int) -> None:
        self.own, self.layer, self.pictures = own, layer, pictures
        self.edits: Edits | None = None
        self.observers: tuple[AttentionControl, ...] = ()

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
        if self.observers:
            self._show(attn, hidden_states, context)
        if self.edits is None:
            output: Tensor = self.own(attn, hidden_states, encoder_hidden_states, *args, **kwargs)
            return output
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
        probe = AttentionProbe(attn, states, context, self.pictures, self.edits)
        for control in self.observers:
            control.observe(self.layer, probe)


class Chain:
    """All controls of one run."""

    def __init__(self, controls: Sequence[AttentionControl], context: RunContext) -> None:
        self.controls, self.context = tuple(controls), context
        self._processors: list[ControlledProcessor] = []
        self._compiler = EditCompiler()

    @contextmanager
    def installed(self) -> Iterator[None]:
        """While open, every attention layer is under control; at the end all is as it was.

        Without controls the layers stay as they are.
        """
        if not self.controls:
            yield
            return
        before = self.context.backbone.processors()
        pictures = len(self.context.jobs)
        standing = {
            layer.name: ControlledProcessor(before[layer.name], layer, pictures)
            for layer in self.context.layers
        }
        self._processors = list(standing.values())
        with ExitStack() as stack:
            for control in self.controls:
                control.begin(self.context)
                stack.callback(control.end)
            stack.callback(self.context.backbone.set_processors, before)
            self.context.backbone.set_processors({**before, **standing})
            yield

    def before_call(self, step: UNetCall) -> None:
        """Ask all controls for their edits, and hand each layer its own.

        Conditions that are inverted alone are no pictures of the run: nothing is edited there.
        """
        if isinstance(step, Invert) and step.batch != CANVAS:
            for processor in self._processors:
                processor.edits, processor.observers = None, ()
            return
        for control in self.controls:
            control.before_call(step)
        # Layers with the same edits share what is made of them. The edits themselves are kept
        # beside it, so that no other edit can come to lie at the same address.
        ready: dict[tuple[int, ...], tuple[Edits | None, list[LogitEdit]]] = {}
        for processor in self._processors:
            layer = processor.layer
            edits = [edit for control in self.controls for edit in control.edits(layer)]
            key = tuple(map(id, edits))
            if key not in ready:
                ready[key] = (self._compiler.join(edits), edits)
            processor.edits = ready[key][0]
            processor.observers = tuple(c for c in self.controls if c.observes(layer))

    def after_call(self, step: UNetCall) -> None:
        """Tell all controls that the call is over."""
        if isinstance(step, Invert) and step.batch != CANVAS:
            return
        for control in self.controls:
            control.after_call(step)
