"""Attention with logits pulled towards or away from a set of keys, exactly and in little memory.

With logits S = Q K^T / sqrt(d) and each row's extremes over all keys, lo_i and hi_i, a pull p_ij
between -1 and 1 changes a logit to (Sec. IV-C, Eq. 4, 5 and 8; design, "Modulation")

    S'_ij = S_ij + p_ij * (hi_i - S_ij)      enhanced, p_ij > 0
    S'_ij = S_ij + p_ij * (S_ij - lo_i)      suppressed, p_ij < 0

p_ij depends on the query and on whether the key is in C: two numbers a query. Queries without a
pull take the library's fused attention. The others are worked through in slices that fit the
processor's cache, so that no N x N matrix is ever there.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from sow.regions import Tokens

# Logits worked on at a time: 8 MiB in float32, which a CPU's caches hold. A GPU wants more.
SLICE = {"cpu": 2**21}
LARGE_SLICE = 2**24


@dataclass(frozen=True)
class Pull:
    """How the logits of each query are pulled, `[B, N]` each, from -1 to 1.

    Attributes:
        inside: the pull on keys in C.
        outside: the pull on all other keys. No query has both.
    """

    inside: Tensor
    outside: Tensor

    def first(self, samples: int) -> Pull:
        """That of the first samples of the batch."""
        return Pull(self.inside[:samples], self.outside[:samples])

    def repeated(self, times: int) -> Pull:
        """The same for the branches of guidance, which are stacked in the batch."""
        return Pull(self.inside.repeat(times, 1), self.outside.repeat(times, 1))


def pulled_attention(
    query: Tensor, key: Tensor, value: Tensor, tokens: Tokens, pull: Pull
) -> Tensor:
    """softmax(S') V, with S' as above; where nothing pulls, plain attention.

    Args:
        query, key, value: `[B, heads, N, d]`.
        tokens: whose `condition` says which keys are in C; only the first `rows` queries of its
            `order` may be pulled.
        pull: of each query, float32.

    Returns:
        `[B, heads, N, d]`.
    """
    order = tokens.order[:, None, :, None]
    ordered = query.gather(2, order.expand_as(query))  # the queries that may be pulled first
    out = torch.empty_like(value)
    rows = tokens.rows
    if rows < query.shape[2]:
        out[:, :, rows:] = scaled_dot_product_attention(ordered[:, :, rows:], key, value)
    if rows:
        with torch.autocast(query.device.type, enabled=False):
            _pulled_rows(ordered[:, :, :rows], key, value, tokens, pull, out[:, :, :rows])
    return torch.empty_like(out).scatter_(2, order.expand_as(out), out)


def _pulled_rows(
    query: Tensor, key: Tensor, value: Tensor, tokens: Tokens, pull: Pull, out: Tensor
) -> None:
    """The queries that may be pulled, in slices, in float32; the answers go to `out`."""
    rows = query.shape[2]
    first = tokens.order[:, :rows]
    inside, outside = (p.gather(1, first)[:, None, :, None] for p in (pull.inside, pull.outside))
    # A pull moves logits by more than the rounding of half precision forgives: float32 here.
    of_condition = tokens.condition[:, None, None, :].float()
    keys, values = key.transpose(2, 3).float() * query.shape[3] ** -0.5, value.float()
    step = _rows_at_a_time(query, key.shape[2])
    for start in range(0, rows, step):
        part = slice(start, min(start + step, rows))
        towards, away = inside[:, :, part], outside[:, :, part]
        strength = torch.addcmul(away.abs(), towards.abs() - away.abs(), of_condition)
        logits = query[:, :, part].float() @ keys
        extreme = torch.where(
            towards + away > 0, logits.amax(-1, keepdim=True), logits.amin(-1, keepdim=True)
        )
        out[:, :, part] = logits.lerp_(extreme, strength).softmax(-1) @ values


def _rows_at_a_time(query: Tensor, keys: int) -> int:
    batch, heads = query.shape[:2]
    return max(1, SLICE.get(query.device.type, LARGE_SLICE) // (batch * heads * keys))
