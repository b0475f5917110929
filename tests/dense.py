"""Edited attention written out, with every matrix in full: what the fast form must equal."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from sow.attention.edits import LogitEdit


def dense_attention(
    query: Tensor, key: Tensor, value: Tensor, edits: Sequence[LogitEdit]
) -> Tensor:
    """softmax(S'') V in float64; see `sow.attention.kernel`.

    Args:
        query: `[B, heads, N, d]`.
        key, value: `[B, heads, M, d]`.
        edits: of B pictures, each with one branch.
    """
    scores = query.double() @ key.double().transpose(-1, -2) / math.sqrt(query.shape[-1])
    return edited_scores(scores, edits).softmax(-1) @ value.double()


def edited_scores(scores: Tensor, edits: Sequence[LogitEdit]) -> Tensor:
    """S'', `[B, heads, N, M]`, of S in float64."""
    lowest, highest = scores.amin(-1, keepdim=True), scores.amax(-1, keepdim=True)
    remaining = {"raise": torch.ones_like(scores), "lower": torch.ones_like(scores)}
    forbidden = torch.zeros_like(scores, dtype=torch.bool)
    for edit in edits:
        keys = edit.keys[:, None, None, :]
        if edit.strength is None:
            forbidden |= edit.queries[:, None, :, None] & keys
        else:
            strength = edit.strength.double()[:, None, :, None] * keys
            remaining[edit.kind] = remaining[edit.kind] * (1 - strength)
    raised = scores + (1 - remaining["raise"]) * (highest - scores)
    lowered = raised - (1 - remaining["lower"]) * (raised - lowest)
    return lowered.masked_fill(forbidden, -torch.inf)
