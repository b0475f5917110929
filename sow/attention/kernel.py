"""Attention with edited logits for some queries and keys, exact and memory-efficient.

With logits S = Q K^T / sqrt(d) and each row's extremes over all keys, lo_i and hi_i, strengths
r_ij and l_ij between 0 and 1 change a logit to (Sec. IV-C, Eq. 4, 5 and 8; design, "Modulation")

    S'_ij = S_ij + r_ij * (hi_i - S_ij)      raised
    S''_ij = S'_ij - l_ij * (S'_ij - lo_i)   lowered

and forbidden logits to minus infinity. A strength is a query's, on a set of keys. Queries without
edits take the library's fused attention. The others are computed in slices that fit the
processor's cache, so that the full matrix of all queries by all keys never exists. A sample with
fewer edited queries than its neighbour computes unedited ones too, but keeps their fused result:
a sample's output does not depend on the rest of the batch.

In joint attention one softmax is over the tokens of the picture and those of the prompt. There,
lo_i and hi_i of a logit are the extremes over the keys of its own kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

# 8 MiB of logits in float32 fit into a CPU's caches; a GPU is faster with larger slices.
LOGITS_PER_SLICE = {"cpu": 2**21}
DEFAULT_LOGITS_PER_SLICE = 2**24
MIN_ROWS = 256
"""Rows of a slice, if several heads have more."""


@dataclass(frozen=True)
class CompiledEdits:
    """The edits of one layer's logits; N queries, M keys, S samples, E sets of keys per kind.

    Only the first S samples of a batch are edited, and only the first R queries of `order`.

    Attributes:
        order: a permutation of each sample's queries, `[S, N]`.
        is_edited: which of the last U of the R queries are edited in which sample, boolean
            `[S, U]`; the first R - U are edited in every sample.
        raised, lowered: the R queries' strength on each set of keys, `[E, S, R]`.
        forbidden: which queries may not attend to which sets of keys, boolean `[E, S, R]`.
        raised_keys, lowered_keys, forbidden_keys: the sets, `[E, S, M]`, float, float, boolean.
        picture_keys: how many of the first keys are the picture's, in joint attention; else 0.
        picture_sets: how many of the first raised, lowered and forbidden sets have only such keys;
            the others then have none.
    """

    order: Tensor
    is_edited: Tensor
    raised: Tensor
    raised_keys: Tensor
    lowered: Tensor
    lowered_keys: Tensor
    forbidden: Tensor
    forbidden_keys: Tensor
    picture_keys: int = 0
    picture_sets: tuple[int, int, int] = (0, 0, 0)

    @property
    def samples(self) -> int:
        """S."""
        return len(self.order)

    def for_samples(self, samples: int) -> CompiledEdits:
        """Return the edits of the first `samples` samples."""
        return CompiledEdits(
            order=self.order[:samples],
            is_edited=self.is_edited[:samples],
            raised=self.raised[:, :samples],
            raised_keys=self.raised_keys[:, :samples],
            lowered=self.lowered[:, :samples],
            lowered_keys=self.lowered_keys[:, :samples],
            forbidden=self.forbidden[:, :samples],
            forbidden_keys=self.forbidden_keys[:, :samples],
            picture_keys=self.picture_keys,
            picture_sets=self.picture_sets,
        )


def edited_attention(query: Tensor, key: Tensor, value: Tensor, edits: CompiledEdits) -> Tensor:
    """Return softmax(S'') V, with S'' as defined above.

    Args:
        query: `[B, heads, N, d]`.
        key, value: `[B, heads, M, d]`.
        edits: of the first samples; the others get unedited attention.

    Returns:
        `[B, heads, N, d]`.
    """
    samples = edits.samples
    if len(query) < samples:
        edits, samples = edits.for_samples(len(query)), len(query)
    parts = (edits.order, edits.is_edited, edits.raised, edits.raised_keys, edits.lowered,
             edits.lowered_keys, edits.forbidden, edits.forbidden_keys,
             edits.picture_keys, list(edits.picture_sets))  # fmt: skip
    attend = _edited_attention_op if torch.compiler.is_compiling() else _edited_attention
    out = attend(query[:samples], key[:samples], value[:samples], *parts)
    if samples == len(query):
        return out
    rest = scaled_dot_product_attention(query[samples:], key[samples:], value[samples:])
    return torch.cat([out, rest])


def _edited_attention(
    query: Tensor, key: Tensor, value: Tensor, order: Tensor, is_edited: Tensor,
    raised: Tensor, raised_keys: Tensor, lowered: Tensor, lowered_keys: Tensor,
    forbidden: Tensor, forbidden_keys: Tensor, picture_keys: int, picture_sets: list[int],
) -> Tensor:  # fmt: skip
    """Compute edited queries in slices and the others in one fused call; all samples have edits."""
    rows = raised.shape[2]
    common = rows - is_edited.shape[1]  # edited in every sample
    index = order[:, None, :, None]
    ordered = query.gather(2, index.expand_as(query))
    out = _empty_output(query, value)
    unedited = out[:, :, common:]
    if common < query.shape[2]:
        unedited = scaled_dot_product_attention(ordered[:, :, common:], key, value)
        out[:, :, rows:] = unedited[:, :, rows - common :]
    with torch.autocast(query.device.type, enabled=False):
        # Edits move logits too far for half precision's rounding: compute in float32.
        keys, values = key.transpose(2, 3).float() * query.shape[3] ** -0.5, value.float()
        for heads, part in _slices(query, key.shape[2], rows):
            logits = ordered[:, heads, part].float() @ keys[:, heads]
            for keys_of, sets in _kinds_of_keys(picture_keys, picture_sets):
                _edit_logits(
                    logits[..., keys_of],
                    raised[sets[0], :, part], raised_keys[sets[0], :, keys_of],
                    lowered[sets[1], :, part], lowered_keys[sets[1], :, keys_of],
                    forbidden[sets[2], :, part], forbidden_keys[sets[2], :, keys_of],
                )  # fmt: skip
            out[:, heads, part] = logits.softmax(-1) @ values[:, heads]
    if common < rows:
        edited = out[:, :, common:rows]
        out[:, :, common:rows] = edited.where(
            is_edited[:, None, :, None], unedited[:, :, : rows - common]
        )
    return torch.empty_like(out).scatter_(2, index.expand_as(out), out)


def _kinds_of_keys(
    picture_keys: int, picture_sets: list[int]
) -> list[tuple[slice, tuple[slice, slice, slice]]]:
    """Return the keys of each kind, and the raised, lowered and forbidden sets with such keys."""
    every = slice(None)
    if not picture_keys:
        return [(every, (every, every, every))]
    first, second, third = picture_sets
    picture = slice(first), slice(second), slice(third)
    others = slice(first, None), slice(second, None), slice(third, None)
    return [(slice(picture_keys), picture), (slice(picture_keys, None), others)]


def _edit_logits(
    logits: Tensor, raised: Tensor, raised_keys: Tensor, lowered: Tensor, lowered_keys: Tensor,
    forbidden: Tensor, forbidden_keys: Tensor,
) -> None:  # fmt: skip
    """Edit some queries' logits on all keys of a kind in place, `[S, heads, rows, M]`."""
    lowest = logits.amin(-1, keepdim=True) if len(lowered) else None
    if len(raised):
        logits.lerp_(logits.amax(-1, keepdim=True), _combine_strengths(raised, raised_keys))
    if lowest is not None:
        logits.lerp_(lowest, _combine_strengths(lowered, lowered_keys))
    for queries, key_set in zip(forbidden, forbidden_keys, strict=True):
        mask = queries[:, :, None] & key_set[:, None, :]
        logits.masked_fill_(mask[:, None], -torch.inf)


def _empty_output(query: Tensor, value: Tensor) -> Tensor:
    """Return an empty output tensor, with the queries' memory layout if possible: no copy later."""
    if query.shape[3] == value.shape[3]:
        return torch.empty_like(query)
    return query.new_empty(*query.shape[:3], value.shape[3])


def _combine_strengths(queries: Tensor, keys: Tensor) -> Tensor:
    """Return the strength per query and key, `[S, 1, rows, M]`; a and b give 1 - (1-a)(1-b)."""
    total = queries[0, :, :, None] * keys[0, :, None, :]
    for strength, key_set in zip(queries[1:], keys[1:], strict=True):
        edit = strength[:, :, None] * key_set[:, None, :]
        total = total + edit - total * edit
    return total[:, None]


def _slices(query: Tensor, keys: int, rows: int) -> Iterator[tuple[slice, slice]]:
    """Yield slices of heads and of the first rows, whose logits fit into the cache together.

    Few rows of many heads would read all keys and values for little work.
    """
    batch, heads = query.shape[:2]
    logits = LOGITS_PER_SLICE.get(query.device.type, DEFAULT_LOGITS_PER_SLICE)
    together = min(heads, max(1, logits // (batch * keys * min(rows, MIN_ROWS))))
    step = max(1, logits // (batch * together * keys))
    for head in range(0, heads, together):
        for start in range(0, rows, step):
            yield slice(head, head + together), slice(start, min(start + step, rows))


# One operation for torch.compile, so that the number of slices does not cause recompilation.
_edited_attention_op = torch.library.custom_op(
    "sow::edited_attention", _edited_attention, mutates_args=()
)


@_edited_attention_op.register_fake
def _fake_edited_attention(query: Tensor, key: Tensor, value: Tensor, *_: Any) -> Tensor:
    return _empty_output(query, value)
