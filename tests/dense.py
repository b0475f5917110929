"""Modulated attention written out, with every matrix in full: what the fast form must equal."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def dense_attention(
    query: Tensor, key: Tensor, value: Tensor, condition: Tensor, inside: Tensor, outside: Tensor
) -> Tensor:
    """softmax(S') V in float64; see `sow.attention`.

    Args:
        query, key, value: `[B, heads, N, d]`.
        condition: which keys are in C, boolean `[B, N]`.
        inside, outside: the pull of each query on keys in C and on all others, `[B, N]`.
    """
    query, key, value = query.double(), key.double(), value.double()
    scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])  # [B, heads, N, N]
    lowest, highest = scores.amin(-1, keepdim=True), scores.amax(-1, keepdim=True)
    in_condition = condition[:, None, None, :]
    pull = torch.where(in_condition, inside[:, None, :, None], outside[:, None, :, None]).double()
    enhanced = scores + pull * (highest - scores)
    suppressed = scores + pull * (scores - lowest)
    return torch.where(pull > 0, enhanced, suppressed).softmax(-1) @ value
