"""Edited attention equals the dense form, and never allocates an N x N matrix."""

from __future__ import annotations

import pytest
import torch
from dense import dense_attention
from helpers import seeded
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention
from torch.utils._python_dispatch import TorchDispatchMode

import sow.attention.kernel
from sow.attention.edits import EditCompiler, LogitEdit
from sow.attention.kernel import edited_attention

TOLERANCE = {torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 5e-3}


def block(height: int, width: int, top: int, bottom: int, left: int, right: int) -> torch.Tensor:
    """Return a rectangle as a mask, `[1, h, w]`."""
    mask = torch.zeros(1, height, width, dtype=torch.bool)
    mask[:, top:bottom, left:right] = True
    return mask


def modulation_edits(condition: torch.Tensor, related: torch.Tensor, generator) -> list[LogitEdit]:
    """Return edits like modulation's, with random strengths; both masks are `[B, h, w]`."""
    condition, related = condition.flatten(1), (related & ~condition).flatten(1)
    strength = torch.rand(condition.shape, generator=generator)
    return [
        LogitEdit("raise", related, condition, strength * related),
        LogitEdit("lower", condition, ~condition, strength * condition),
    ]


def heads(
    generator: torch.Generator, batch: int, heads: int, count: int, size: int, sharp: float = 1.0
) -> tuple[torch.Tensor, ...]:
    """Return random queries, keys and values."""
    made = (torch.randn(batch, heads, count, size, generator=generator) for _ in range(3))
    return tuple(tensor * factor for tensor, factor in zip(made, (sharp, 1, 1), strict=True))


def attend(query, key, value, edits: list[LogitEdit]) -> torch.Tensor:
    joined = EditCompiler().compile(edits)
    if joined is None:
        return scaled_dot_product_attention(query, key, value)
    return edited_attention(query, key, value, joined)


def error(result: torch.Tensor, query, key, value, edits: list[LogitEdit]) -> float:
    """Return the largest difference from the dense form."""
    return float((result.double() - dense_attention(query, key, value, edits)).abs().max())


EMPTY = block(8, 8, 0, 0, 0, 0)
SHAPES = {
    "apart": (block(8, 8, 1, 4, 2, 6), block(8, 8, 4, 8, 1, 7)),
    "no R": (block(8, 8, 1, 4, 2, 6), EMPTY),
    "no C": (EMPTY, block(8, 8, 4, 8, 1, 7)),
    "neither": (EMPTY, EMPTY),
    "C at the border": (block(8, 8, 0, 5, 0, 3), block(8, 8, 5, 8, 0, 8)),
    "C everywhere": (block(8, 8, 0, 8, 0, 8), EMPTY),
    "R everywhere else": (block(8, 8, 3, 5, 3, 5), block(8, 8, 0, 8, 0, 8)),
    "one token": (block(8, 8, 7, 8, 7, 8), block(8, 8, 0, 1, 0, 1)),
    "odd": (block(7, 9, 2, 5, 3, 8), block(7, 9, 5, 7, 1, 9)),
}


@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda d: str(d).removeprefix("torch."))
@pytest.mark.parametrize("size", [8, 40, 64])
@pytest.mark.parametrize("shape", SHAPES)
def test_equals_dense_attention(shape, size, dtype):
    generator = seeded(size)
    edits = modulation_edits(*SHAPES[shape], generator)
    qkv = [t.to(dtype) for t in heads(generator, 1, 3, edits[0].keys.shape[1], size)]
    result = attend(*qkv, edits)
    assert result.dtype == dtype
    assert error(result, *qkv, edits) < TOLERANCE[dtype]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**30),
    batch=st.integers(1, 4),
    sizes=st.tuples(st.integers(1, 60), st.integers(2, 40)),
    sharp=st.sampled_from([0.1, 1.0, 6.0]),
    rows_per_slice=st.integers(1, 20),
    kinds=st.lists(st.sampled_from(["raise", "lower", "forbid"]), min_size=1, max_size=4),
)
def test_equals_dense_attention_for_any_edits(seed, batch, sizes, sharp, rows_per_slice, kinds):
    """Any edits of any queries and keys together, cross-attention, and an incomplete last slice."""
    generator = seeded(seed)
    count, keys = sizes
    share = torch.rand(1, generator=generator)
    edits = []
    for kind in kinds:
        queries = torch.rand(batch, count, generator=generator) < share
        key_set = torch.rand(batch, keys, generator=generator) < 0.5
        key_set[:, 0] = False  # a query needs at least one key
        strength = torch.rand(batch, count, generator=generator) * queries
        edits.append(LogitEdit(kind, queries, key_set, None if kind == "forbid" else strength))
    query, _, _ = heads(generator, batch, 2, count, 8, sharp)
    _, key, value = heads(generator, batch, 2, keys, 8)
    with pytest.MonkeyPatch.context() as patch:
        logits_per_slice = {"cpu": rows_per_slice * batch * 2 * keys}
        patch.setattr(sow.attention.kernel, "LOGITS_PER_SLICE", logits_per_slice)
        result = attend(query, key, value, edits)
    assert error(result, query, key, value, edits) < TOLERANCE[torch.float32]


@pytest.mark.parametrize("first", [0, 1, 2])
def test_the_order_of_edits_does_not_matter(first):
    generator = seeded(7)
    queries = torch.rand(3, 1, 64, generator=generator) < 0.4
    keys = torch.rand(3, 1, 64, generator=generator) < 0.4
    strength = torch.rand(3, 1, 64, generator=generator)
    kinds = ("raise", "raise", "lower")
    edits = [LogitEdit(k, q, key_set, s * q)
             for k, q, key_set, s in zip(kinds, queries, keys, strength, strict=True)]  # fmt: skip
    qkv = heads(generator, 1, 2, 64, 16)
    rotated = edits[first:] + edits[:first]
    assert torch.allclose(attend(*qkv, rotated), attend(*qkv, edits), atol=1e-6)


def test_samples_do_not_depend_on_neighbours_and_branches():
    """Stacked branches and other pictures have no effect, nor has an edit of the prompt's branch
    on the other branches."""
    one, other = SHAPES["apart"], SHAPES["C at the border"]
    generator = seeded(1)
    query, key, value = heads(generator, 4, 2, 64, 16)  # two branches of two pictures
    masks = (torch.cat(pair) for pair in zip(one, other, strict=True))
    both = modulation_edits(*masks, generator)
    for branches in (1, 2):
        edits = [LogitEdit(e.kind, e.queries, e.keys, e.strength, branches) for e in both]
        mixed = [edits[0], both[1]]  # the second in the prompt's branch only
        for some in (edits, mixed):
            stacked = attend(query, key, value, some)
            for row in range(4):
                picture, branch, part = row % 2, row // 2, slice(row, row + 1)
                alone = [
                    LogitEdit(e.kind, *(t[picture, None] for t in (e.queries, e.keys, e.strength)))
                    for e in some
                    if branch < e.branches
                ]
                expected = dense_attention(query[part], key[part], value[part], alone)
                assert (stacked[part] - expected).abs().max() < 1e-5


def test_samples_are_bitwise_independent_of_the_batch():
    """Even if a neighbour has edits of more queries or branches."""
    generator, size = seeded(6), 16
    few, many = block(size, size, 2, 4, 2, 9).flatten(1), block(size, size, 1, 15, 0, 13).flatten(1)
    one = heads(generator, 1, 2, size**2, 40)
    query, key, value = (part.repeat(4, 1, 1, 1) for part in one)  # two branches of two pictures

    def first_picture(other: torch.Tensor, branches: int) -> torch.Tensor:
        """Return the first picture's output; the second has further edits."""
        queries = torch.cat([few, other & ~few])
        alone = torch.cat([torch.zeros_like(few), other])
        keys = torch.cat([many, few])
        edits = [LogitEdit("raise", queries, keys, 0.5 * queries),
                 LogitEdit("lower", alone, keys, 0.25 * alone, branches)]  # fmt: skip
        return attend(query, key, value, edits)[::2]

    expected = first_picture(few, 1)
    for other in (many, few, block(size, size, 0, size, 0, size).flatten(1)):
        for branches in (1, 2):
            assert torch.equal(first_picture(other, branches), expected)


def test_zero_strength_is_unedited_attention():
    condition, related = (mask.flatten(1) for mask in SHAPES["apart"])
    query, key, value = heads(seeded(2), 1, 2, 64, 16)
    nothing = [LogitEdit("raise", related, condition, torch.zeros(1, 64)),
               LogitEdit("lower", condition, ~condition, torch.zeros(1, 64))]  # fmt: skip
    plain = scaled_dot_product_attention(query, key, value)
    assert torch.allclose(attend(query, key, value, nothing), plain, atol=1e-6)


def test_full_strength():
    """C has its lowest logit outside C, R its highest in C; forbidden keys have no weight."""
    condition, related = (mask.flatten(1) for mask in SHAPES["apart"])
    query, key, _ = heads(seeded(3), 1, 1, 64, 16, sharp=3)
    corner = block(8, 8, 7, 8, 7, 8).flatten(1)
    edits = [
        LogitEdit("raise", related, condition, related.float()),
        LogitEdit("lower", condition, ~condition, condition.float()),
        LogitEdit("forbid", corner, condition, None),
    ]
    weights = attend(query, key, torch.eye(64)[None, None], edits)[0, 0]
    condition, related = condition[0], related[0]
    of_condition = weights[condition][:, ~condition]
    assert torch.allclose(of_condition, of_condition[:, :1].expand_as(of_condition), atol=1e-7)
    assert (of_condition <= weights[condition][:, condition].amin(1, keepdim=True) + 1e-7).all()
    on_condition = weights[related][:, condition]
    assert torch.allclose(on_condition, on_condition[:, :1].expand_as(on_condition), atol=1e-7)
    assert (on_condition >= weights[related].amax(1, keepdim=True) - 1e-7).all()
    assert (weights[63][condition] == 0).all()
    assert weights[63].sum() == pytest.approx(1)


class LargestTensor(TorchDispatchMode):
    """Tracks the size in bytes of the largest tensor that an operation returns."""

    bytes = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, (tuple, list)) else (made,):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage().nbytes()
                self.bytes = max(self.bytes, storage)
        return made


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_no_matrix_of_all_tokens_is_allocated(dtype):
    """At N = 4096 with 5 heads of 64, every tensor is far smaller than the dense N x N matrix."""
    side = 64
    masks = block(side, side, 8, 40, 16, 48), block(side, side, 40, 60, 4, 56)
    query, key, value = (t.to(dtype) for t in heads(seeded(4), 1, 5, side**2, 64))
    edits = modulation_edits(*masks, seeded(5))
    with LargestTensor() as tracker:
        attend(query, key, value, edits)
    matrix = 5 * side**4 * query.element_size()
    assert tracker.bytes < 0.06 * matrix
