"""diffusers' door into attention: processors that stand before the ones that are there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from sow.attention import Pull, pulled_attention
from sow.regions import Tokens

Processor = Any
"""Anything that can be called as `processor(attn, hidden_states, encoder_hidden_states, ...)`."""


class Steering(Protocol):
    """Who tells self-attention layers what to do; see `sow.modulation.Modulation`."""

    def listens(self, count: int) -> bool:
        """Whether layers with so many tokens have something to do or to report now."""

    def observe(self, count: int, query: Tensor, key: Tensor) -> None:
        """Takes a report from such a layer: all its queries and keys, `[samples, heads, N, d]`."""

    def steering(self, count: int, samples: int) -> tuple[Tokens, Pull] | None:
        """For the samples that come first: the regions, and how the logits are pulled."""


@contextmanager
def wrapped(unet: Any, wrap: Callable[[str, Processor], Processor]) -> Iterator[None]:
    """Gives every attention layer the processor that `wrap` makes of its name and its own one.

    Names are such as `down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor`, where
    attn1 is self-attention and attn2 cross-attention. At the end all is as it was.
    """
    before = unet.attn_processors
    unet.set_attn_processor({name: wrap(name, own) for name, own in before.items()})
    try:
        yield
    finally:
        unet.set_attn_processor(before)


def heads_of(attn: Any, projection: Any, states: Tensor) -> Tensor:
    """`[B, heads, N, d]` out of `[B, N, channels]` by one of a layer's projections."""
    projected: Tensor = projection(states)
    batch, count, channels = projected.shape
    return projected.view(batch, count, attn.heads, channels // attn.heads).transpose(1, 2)


class SelectiveProcessor:
    """Self-attention that is modulated while a cycle is under way.

    At any other time the processor that was there before does its work.
    """

    def __init__(self, own: Processor, steering: Steering) -> None:
        self.own, self.steering = own, steering

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        *args: Any,
        **kwargs: Any,
    ) -> Tensor:
        """`[samples, N, channels]` in and out."""
        steering, count = self.steering, hidden_states.shape[1]
        if not steering.listens(count):
            answer: Tensor = self.own(attn, hidden_states, *args, **kwargs)
            return answer
        query, key, value = (
            heads_of(attn, projection, hidden_states)
            for projection in (attn.to_q, attn.to_k, attn.to_v)
        )
        steering.observe(count, query, key)
        out = modulated(query, key, value, steering)
        projected: Tensor = attn.to_out[1](attn.to_out[0](out.transpose(1, 2).flatten(2)))
        return projected


def steered(unet: Any, steering: Steering) -> AbstractContextManager[None]:
    """While open, every self-attention layer asks `steering` what to do."""

    def wrap(name: str, own: Processor) -> Processor:
        return SelectiveProcessor(own, steering) if "attn1" in name else own

    return wrapped(unet, wrap)


def modulated(query: Tensor, key: Tensor, value: Tensor, steering: Steering) -> Tensor:
    """Attention, `[samples, heads, N, d]`, of which the samples that come first are modulated."""
    found = steering.steering(query.shape[2], len(query))
    if found is None:
        return scaled_dot_product_attention(query, key, value)
    tokens, pull = found
    first = len(tokens.condition)
    out = pulled_attention(query[:first], key[:first], value[:first], tokens, pull)
    if first == len(query):
        return out
    rest = scaled_dot_product_attention(query[first:], key[first:], value[first:])
    return torch.cat([out, rest])
