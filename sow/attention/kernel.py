"""Attention with logits changed for some queries and keys, exactly and in little memory.

With logits S = Q K^T / sqrt(d) and each row's extremes over all keys, lo_i and hi_i, strengths
r_ij and l_ij between 0 and 1 change a logit to (Sec. IV-C, Eq. 4, 5 and 8; design, "Modulation")

    S'_ij = S_ij + r_ij * (hi_i - S_ij)      raised
    S''_ij = S'_ij - l_ij * (S'_ij - lo_i)   lowered

and those that are forbidden to minus infinity. Each strength is that of the query on a set of
keys. Queries that nothing changes take the library's fused attention. The others are worked
through in slices that fit the processor's cache, so that no matrix of all queries by all keys is
ever there. Where a sample has fewer of these than another beside it, others of its queries are
worked through too, but keep the fused result: it is independent of the rest of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

# Logits worked on at a time: 8 MiB in float32, which a CPU's caches hold. A GPU wants more.
SLICE = {"cpu": 2**21}
LARGE_SLICE = 2**24


@dataclass(frozen=True)
class Edits:
    """How the logits of one layer are changed; N queries, M keys, S samples, E sets of keys each.

    Only the first S samples of a batch are changed, and only the first R queries of `order`.

    Attributes:
        order: a permutation of each sample's queries, `[S, N]`.
        concerned: of the last of the R, which are changed at all, boolean `[S, U]`; those before
            them are changed in every sample.
        raised, lowered: strength of each of the R queries on each set of keys, `[E, S, R]`.
        forbidden: which queries may not see which sets of keys, boolean `[E, S, R]`.
        raised_keys, lowered_keys, forbidden_keys: the sets, `[E, S, M]`, float, float, boolean.
    """

    order: Tensor
    concerned: Tensor
    raised: Tensor
    raised_keys: Tensor
    lowered: Tensor
    lowered_keys: Tensor
    forbidden: Tensor
    forbidden_keys: Tensor

    @property
    def samples(self) -> int:
        """S."""
        return len(self.order)

    def first(self, samples: int) -> Edits:
        """Those of the first samples."""
        sets = (self.raised, self.raised_keys, self.lowered, self.lowered_keys, self.forbidden,
                self.forbidden_keys)  # fmt: skip
        return Edits(self.order[:samples], self.concerned[:samples],
                     *(part[:, :samples] for part in sets))  # fmt: skip


def edited_attention(query: Tensor, key: Tensor, value: Tensor, edits: Edits) -> Tensor:
    """softmax(S'') V, with S'' as above; where nothing changes, plain attention.

    Args:
        query: `[B, heads, N, d]`.
        key, value: `[B, heads, M, d]`.
        edits: of the first samples; the others are left alone.

    Returns:
        `[B, heads, N, d]`.
    """
    samples = edits.samples
    if len(query) < samples:
        edits, samples = edits.first(len(query)), len(query)
    parts = (edits.order, edits.concerned, edits.raised, edits.raised_keys, edits.lowered,
             edits.lowered_keys, edits.forbidden, edits.forbidden_keys)  # fmt: skip
    attend = _as_one_operation if torch.compiler.is_compiling() else _edited
    out = attend(query[:samples], key[:samples], value[:samples], *parts)
    if samples == len(query):
        return out
    rest = scaled_dot_product_attention(query[samples:], key[samples:], value[samples:])
    return torch.cat([out, rest])


def _edited(
    query: Tensor, key: Tensor, value: Tensor, order: Tensor, concerned: Tensor,
    raised: Tensor, raised_keys: Tensor, lowered: Tensor, lowered_keys: Tensor,
    forbidden: Tensor, forbidden_keys: Tensor,
) -> Tensor:  # fmt: skip
    """All samples are changed: the queries concerned come first, then the others in one call."""
    rows = raised.shape[2]
    sure = rows - concerned.shape[1]
    index = order[:, None, :, None]
    ordered = query.gather(2, index.expand_as(query))
    out = _room(query, value)
    plain = out[:, :, sure:]
    if sure < query.shape[2]:
        plain = scaled_dot_product_attention(ordered[:, :, sure:], key, value)
        out[:, :, rows:] = plain[:, :, rows - sure :]
    with torch.autocast(query.device.type, enabled=False):
        # A change moves logits by more than the rounding of half precision forgives: float32.
        keys, values = key.transpose(2, 3).float() * query.shape[3] ** -0.5, value.float()
        step = _rows_at_a_time(query, key.shape[2])
        for start in range(0, rows, step):
            part = slice(start, min(start + step, rows))
            logits = ordered[:, :, part].float() @ keys
            lowest = logits.amin(-1, keepdim=True) if len(lowered) else None
            if len(raised):
                highest = logits.amax(-1, keepdim=True)
                logits.lerp_(highest, _strength(raised[:, :, part], raised_keys))
            if lowest is not None:
                logits.lerp_(lowest, _strength(lowered[:, :, part], lowered_keys))
            for queries, those in zip(forbidden[:, :, part], forbidden_keys, strict=True):
                logits.masked_fill_((queries[:, :, None] & those[:, None, :])[:, None], -torch.inf)
            out[:, :, part] = logits.softmax(-1) @ values
    if sure < rows:
        changed = out[:, :, sure:rows]
        kept = plain[:, :, : rows - sure]
        out[:, :, sure:rows] = changed.where(concerned[:, None, :, None], kept)
    return torch.empty_like(out).scatter_(2, index.expand_as(out), out)


def _room(query: Tensor, value: Tensor) -> Tensor:
    """For the answers, laid out as the queries are where that can be: it spares a copy."""
    if query.shape[3] == value.shape[3]:
        return torch.empty_like(query)
    return query.new_empty(*query.shape[:3], value.shape[3])


def _strength(queries: Tensor, keys: Tensor) -> Tensor:
    """One strength per query and key, `[S, 1, rows, M]`; several add up as 1 - (1-a)(1-b)."""
    total = queries[0, :, :, None] * keys[0, :, None, :]
    for more, those in zip(queries[1:], keys[1:], strict=True):
        other = more[:, :, None] * those[:, None, :]
        total = total + other - total * other
    return total[:, None]


def _rows_at_a_time(query: Tensor, keys: int) -> int:
    batch, heads = query.shape[:2]
    return max(1, SLICE.get(query.device.type, LARGE_SLICE) // (batch * heads * keys))


# To a compiler it is one operation: how many slices there are does not concern it.
_as_one_operation = torch.library.custom_op("sow::edited_attention", _edited, mutates_args=())


@_as_one_operation.register_fake
def _shape(query: Tensor, key: Tensor, value: Tensor, *_: Tensor) -> Tensor:
    return _room(query, value)
