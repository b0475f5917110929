"""The interface of attention controls, which edit or observe attention during a run.

Any number of controls work together, in any order: each returns its edits of a layer's logits,
`sow.attention.chain` combines them, and each control may observe the attention that results.
Layers are distinguished by name, kind and resolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor

from sow.attention.edits import LogitEdit
from sow.attention.kernel import CompiledEdits, edited_attention
from sow.backbones.base import AttentionLayer, Backbone
from sow.diffusion.algorithm import UNetCall
from sow.diffusion.guidance import guidance_texts
from sow.diffusion.jobs import Job


@dataclass(frozen=True)
class RunContext:
    """What controls know about a run before its first UNet call.

    Attributes:
        jobs: the B jobs of the batch.
        condition_mask: C, boolean `[B, 1, h, w]`, on the device.
        backbone: the model.
        layers: all its attention layers; a joint one is two of them.
    """

    jobs: Sequence[Job]
    condition_mask: Tensor
    backbone: Backbone
    layers: Sequence[AttentionLayer]

    @classmethod
    def of(cls, jobs: Sequence[Job], condition_mask: Tensor, backbone: Backbone) -> RunContext:
        """Return the context of these jobs, with all attention layers of the backbone."""
        return cls(jobs, condition_mask, backbone, backbone.attention_layers())

    @cached_property
    def text_tokens(self) -> int:
        """The number of keys of cross-attention, M, in every call.

        The texts of the inversion are the prompts or empty, and so no longer.
        """
        syntax = self.jobs[0].settings.prompt_syntax
        return self.backbone.text_tokens(guidance_texts(self.jobs), syntax)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the latents, h and w."""
        return int(self.condition_mask.shape[2]), int(self.condition_mask.shape[3])


class AttentionControl:
    """Base class of controls: edits nothing and observes nothing."""

    def begin(self, context: RunContext) -> None:
        """Prepare for a run."""

    def before_call(self, step: UNetCall) -> None:
        """Prepare for a UNet call on all pictures of the run."""

    def edits(self, layer: AttentionLayer) -> Sequence[LogitEdit]:
        """Return the edits of a layer's logits in this call."""
        return ()

    def observes(self, layer: AttentionLayer) -> bool:
        """Return whether to observe a layer in this call."""
        return False

    def observe(self, layer: AttentionLayer, probe: AttentionProbe) -> None:
        """Observe a layer's attention."""

    def after_call(self, step: UNetCall) -> None:
        """Process what was observed in this UNet call."""

    def end(self) -> None:
        """Clean up after a run, even if it failed."""


class AttentionProbe:
    """The attention of one layer in one call, in the prompt's branch (B samples)."""

    def __init__(
        self,
        attn: Any,
        hidden_states: Tensor,
        context: Tensor,
        batch_size: int,
        edits: CompiledEdits | None,
    ) -> None:
        self._attn, self._edits = attn, edits
        self._hidden_states, self._context = hidden_states[:batch_size], context[:batch_size]

    @cached_property
    def query(self) -> Tensor:
        """`[B, heads, N, d]`."""
        return project_heads(self._attn, "q", self._hidden_states)

    @cached_property
    def key(self) -> Tensor:
        """`[B, heads, M, d]`."""
        return project_heads(self._attn, "k", self._context)

    def attend(self, value: Tensor) -> Tensor:
        """Apply this attention, edits included, to `value`, `[B, heads, M, d]`."""
        return self._attend(self.key, value)

    def _attend(self, key: Tensor, value: Tensor) -> Tensor:
        if self._edits is None:
            return torch.nn.functional.scaled_dot_product_attention(self.query, key, value)
        return edited_attention(self.query, key, value, self._edits)


class JointProbe(AttentionProbe):
    """Half of a joint layer: the attention of the picture's tokens to those of one kind.

    It is that share of the joint attention; its rows sum to less than 1.
    """

    def __init__(self, kind: Literal["self", "cross"], *arguments: Any) -> None:
        super().__init__(*arguments)
        self._kind = kind

    @cached_property
    def keys(self) -> tuple[Tensor, Tensor]:
        """Those of the picture's tokens and of the prompt's, `[B, heads, N, d]` and M."""
        picture = project_heads(self._attn, "k", self._hidden_states)
        return picture, project_heads(self._attn, "added_k", self._context)

    @cached_property
    def key(self) -> Tensor:
        """Those of its kind, `[B, heads, N or M, d]`."""
        return self.keys[self._kind == "cross"]

    def attend(self, value: Tensor) -> Tensor:
        """Apply this attention, edits included, to `value` of its kind's tokens."""
        values = [value if key is self.key else torch.zeros_like(key) for key in self.keys]
        return self._attend(torch.cat(self.keys, 2), torch.cat(values, 2))


Projection = Literal["q", "k", "v", "added_q", "added_k", "added_v"]
"""Of a layer's tokens; `added` are those of the prompt in a joint layer."""


def project_heads(attn: Any, name: Projection, hidden_states: Tensor) -> Tensor:
    """Apply a layer's projection, split its heads, and normalise them if the layer does.

    Args:
        attn: the diffusers `Attention` module.
        name: which projection.
        hidden_states: `[B, N, channels]`.

    Returns:
        `[B, heads, N, d]`.
    """
    is_added, letter = name.startswith("added_"), name[-1]
    projection = getattr(attn, f"add_{letter}_proj" if is_added else f"to_{letter}")
    projected: Tensor = projection(hidden_states)
    batch, count, channels = projected.shape
    heads = projected.view(batch, count, attn.heads, channels // attn.heads).transpose(1, 2)
    norm = getattr(attn, f"norm_{name}", None)
    return heads if norm is None else norm(heads)
