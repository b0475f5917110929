"""The fast form of modulated attention equals the dense one, and never holds an N x N matrix."""

from __future__ import annotations

import pytest
import torch
from conftest import seeded
from dense import dense_attention
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention
from torch.utils._python_dispatch import TorchDispatchMode

import sow.attention
from sow.attention import Pull, pulled_attention
from sow.regions import Tokens

TOLERANCE = {torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 5e-3}


def tokens_from(condition: torch.Tensor, related: torch.Tensor) -> Tokens:
    """Regions from their masks, `[B, h, w]`; distances are not needed here."""
    condition, related = condition.flatten(1), (related & ~condition).flatten(1)
    rows = int((condition | related).sum(1).max())
    return Tokens(condition, related, torch.zeros(condition.shape), rows)


def block(height: int, width: int, top: int, bottom: int, left: int, right: int) -> torch.Tensor:
    """A rectangle as a mask, `[1, h, w]`."""
    mask = torch.zeros(1, height, width, dtype=torch.bool)
    mask[:, top:bottom, left:right] = True
    return mask


def pulls(tokens: Tokens, generator: torch.Generator) -> Pull:
    """A different pull for every query of C (on the others) and of R (on C)."""
    strength = torch.rand(tokens.condition.shape, generator=generator)
    return Pull(inside=strength * tokens.related, outside=-strength * tokens.condition)


def heads(
    generator: torch.Generator, batch: int, heads: int, count: int, size: int, sharp: float = 1.0
) -> tuple[torch.Tensor, ...]:
    """Queries, keys and values."""
    made = (torch.randn(batch, heads, count, size, generator=generator) for _ in range(3))
    return tuple(tensor * factor for tensor, factor in zip(made, (sharp, 1, 1), strict=True))


def error(answer: torch.Tensor, query, key, value, tokens: Tokens, pull: Pull) -> float:
    """The largest difference from the dense form of the same numbers."""
    dense = dense_attention(query, key, value, tokens.condition, pull.inside, pull.outside)
    return float((answer.double() - dense).abs().max())


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
def test_equals_the_dense_form(shape, size, dtype):
    tokens = tokens_from(*SHAPES[shape])
    generator = seeded(size)
    qkv = [t.to(dtype) for t in heads(generator, 1, 3, tokens.condition.shape[1], size)]
    pull = pulls(tokens, generator)
    answer = pulled_attention(*qkv, tokens, pull)
    assert answer.dtype == dtype
    assert error(answer, *qkv, tokens, pull) < TOLERANCE[dtype]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**30),
    batch=st.integers(1, 4),
    side=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    sharp=st.sampled_from([0.1, 1.0, 6.0]),
    rows_of_a_slice=st.integers(1, 20),
)
def test_equals_the_dense_form_for_any_masks(seed, batch, side, sharp, rows_of_a_slice):
    """Masks that are no rectangles and differ within the batch; slices that do not come out even;
    pulls of either sign on either side."""
    generator = seeded(seed)
    wanted = torch.rand(2, batch, *side, generator=generator) < torch.rand(1, generator=generator)
    tokens = tokens_from(wanted[0], wanted[1])
    count = tokens.condition.shape[1]
    qkv = heads(generator, batch, 2, count, 8, sharp)
    strength = torch.rand(batch, count, generator=generator) * 2 - 1
    touched = tokens.condition | tokens.related
    side_of_keys = torch.rand(batch, count, generator=generator) < 0.5
    pull = Pull(strength * touched * side_of_keys, strength * touched * ~side_of_keys)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sow.attention, "SLICE", {"cpu": rows_of_a_slice * batch * 2 * count})
        answer = pulled_attention(*qkv, tokens, pull)
    assert error(answer, *qkv, tokens, pull) < TOLERANCE[torch.float32]


def test_neighbours_and_branches_do_not_matter():
    """Stacked guidance branches and other pictures in the batch change nothing."""
    one, other = SHAPES["apart"], SHAPES["C at the border"]
    both = tokens_from(*(torch.cat([a, b]) for a, b in zip(one, other, strict=True)))
    generator = seeded(1)
    query, key, value = heads(generator, 4, 2, 64, 16)
    pull = pulls(both, generator)
    stacked = pulled_attention(query, key, value, both.repeated(2), pull.repeated(2))
    alone = tokens_from(*one)
    first = Pull(pull.inside[:1], pull.outside[:1])
    for row in (0, 2):
        part = slice(row, row + 1)
        answer = pulled_attention(query[part], key[part], value[part], alone, first)
        assert torch.allclose(stacked[part], answer, atol=1e-6)


def test_no_pull_is_plain_attention():
    tokens = tokens_from(*SHAPES["apart"])
    query, key, value = heads(seeded(2), 1, 2, 64, 16)
    nothing = Pull(torch.zeros(1, 64), torch.zeros(1, 64))
    plain = scaled_dot_product_attention(query, key, value)
    assert torch.allclose(pulled_attention(query, key, value, tokens, nothing), plain, atol=1e-6)


def test_full_pulls():
    """At full strength, C sees all others at its lowest logit, and R all of C at its highest."""
    tokens = tokens_from(*SHAPES["apart"])
    query, key, _ = heads(seeded(3), 1, 1, 64, 16, sharp=3)
    full = Pull(tokens.related.float(), -tokens.condition.float())
    weights = pulled_attention(query, key, torch.eye(64)[None, None], tokens, full)[0, 0]
    condition, related = tokens.condition[0], tokens.related[0]
    of_condition = weights[condition][:, ~condition]
    assert torch.allclose(of_condition, of_condition[:, :1].expand_as(of_condition), atol=1e-7)
    assert (of_condition <= weights[condition][:, condition].amin(1, keepdim=True) + 1e-7).all()
    on_condition = weights[related][:, condition]
    assert torch.allclose(on_condition, on_condition[:, :1].expand_as(on_condition), atol=1e-7)
    assert (on_condition >= weights[related].amax(1, keepdim=True) - 1e-7).all()


class Largest(TorchDispatchMode):
    """Notes the most bytes that one tensor made by an operation has."""

    bytes = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, (tuple, list)) else (made,):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage().nbytes()
                self.bytes = max(self.bytes, storage)
        return made


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_no_matrix_of_all_tokens(dtype):
    """At N = 4096 with 5 heads of 64, no single tensor comes near the dense form's N x N."""
    side = 64
    tokens = tokens_from(block(side, side, 8, 40, 16, 48), block(side, side, 40, 60, 4, 56))
    query, key, value = (t.to(dtype) for t in heads(seeded(4), 1, 5, side**2, 64))
    pull = pulls(tokens, seeded(5))
    with Largest() as largest:
        pulled_attention(query, key, value, tokens, pull)
    matrix = 5 * side**4 * query.element_size()
    assert largest.bytes < 0.05 * matrix
