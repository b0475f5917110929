"""Edits of a layer's logits, as controls describe them and as the kernel applies them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from sow.attention.kernel import CompiledEdits


@dataclass(frozen=True)
class LogitEdit:
    """One edit of a layer's logits: some queries on one set of keys; N queries, M keys.

    Use the same object for layers with the same edit, and the same `queries` tensor in every call:
    what is computed from them is cached.

    Attributes:
        kind: towards the row's highest logit, towards its lowest, or to minus infinity.
        queries: the queries that the edit may affect, boolean `[B, N]`, on the CPU.
        keys: the set, boolean `[B, M]`.
        strength: of each query, `[B, N]`, 0 to 1; None for `forbid`.
        branches: the number of guidance branches that are edited, the prompt's being the first.
    """

    kind: Literal["raise", "lower", "forbid"]
    queries: Tensor
    keys: Tensor
    strength: Tensor | None
    branches: int = 1


@dataclass(frozen=True)
class QueryOrder:
    """The order in which the kernel computes queries; see `CompiledEdits`.

    Attributes:
        all: all queries, the edited ones first, `[B, N]`.
        rows: the first R of them, `[B, R]`; R is the largest number of edited queries of a picture.
        is_edited: which of the last U rows are edited in which picture and branch, `[S, U]`.
    """

    all: Tensor
    rows: Tensor
    is_edited: Tensor


class EditCompiler:
    """Combines the edits of several controls, and caches the order of queries."""

    def __init__(self) -> None:
        self._orders: dict[tuple[tuple[int, int], ...], tuple[QueryOrder, tuple[Tensor, ...]]] = {}

    def compile(
        self, edits: Sequence[LogitEdit], picture_keys: int = 0, picture_edits: int = 0
    ) -> CompiledEdits | None:
        """Return all edits of a layer in the kernel's form; None if no query is edited.

        picture_keys, picture_edits: in joint attention, how many of the first keys are the
        picture's, and how many of the first edits are on these.
        """
        if not edits:
            return None
        order, branches = self._order(edits), _max_branches(edits)
        rows = order.rows
        if not rows.shape[1]:
            return None

        def strengths(edit: LogitEdit) -> Tensor:
            strength = edit.queries.to(rows.device) if edit.strength is None else edit.strength
            return _repeat_for_branches(strength.gather(1, rows), edit.branches, branches)

        def keys(edit: LogitEdit) -> Tensor:
            return edit.keys.repeat(branches, 1)

        def stack(kind: str, part: Callable[[LogitEdit], Tensor], dtype: torch.dtype) -> Tensor:
            parts = [part(edit).to(dtype) for edit in edits if edit.kind == kind]
            if parts:
                return torch.stack(parts)
            template = part(edits[0])
            return template.new_zeros(0, *template.shape, dtype=dtype)

        def count(kind: str) -> int:
            return sum(edit.kind == kind for edit in edits[:picture_edits])

        return CompiledEdits(
            order=order.all.repeat(branches, 1),
            is_edited=order.is_edited,
            raised=stack("raise", strengths, torch.float32),
            raised_keys=stack("raise", keys, torch.float32),
            lowered=stack("lower", strengths, torch.float32),
            lowered_keys=stack("lower", keys, torch.float32),
            forbidden=stack("forbid", strengths, torch.bool),
            forbidden_keys=stack("forbid", keys, torch.bool),
            picture_keys=picture_keys,
            picture_sets=(count("raise"), count("lower"), count("forbid")),
        )

    def _order(self, edits: Sequence[LogitEdit]) -> QueryOrder:
        """Return the cached order, computed on the CPU so that nothing waits for the device."""
        queries = tuple(edit.queries for edit in edits)
        key = tuple((id(edit.queries), edit.branches) for edit in edits)
        if key not in self._orders:
            union = torch.stack(queries).any(0)
            order = union.byte().argsort(dim=1, descending=True, stable=True)
            rows, device = order[:, : int(union.sum(1).max())], edits[0].keys.device
            is_edited = _is_edited(edits, rows)
            common = int(is_edited.all(0).long().cumprod(0).sum())  # edited in every sample
            found = QueryOrder(order.to(device), rows.to(device), is_edited[:, common:].to(device))
            self._orders[key] = found, queries  # the tensors too: their ids stay unique
        return self._orders[key][0]


def _is_edited(edits: Sequence[LogitEdit], rows: Tensor) -> Tensor:
    """Return which of these queries any edit may affect, in each picture and branch, `[S, R]`."""
    branches = _max_branches(edits)
    parts = [
        _repeat_for_branches(edit.queries.gather(1, rows), edit.branches, branches)
        for edit in edits
    ]
    return torch.stack(parts).any(0)


def _max_branches(edits: Sequence[LogitEdit]) -> int:
    return max(edit.branches for edit in edits)


def _repeat_for_branches(strength: Tensor, edited: int, branches: int) -> Tensor:
    """Return the strength for `branches` stacked guidance branches: 0 in all but the first edited.

    strength: `[B, R]`; the result is `[branches * B, R]`.
    """
    repeated = strength.repeat(edited, 1)
    if edited == branches:
        return repeated
    return torch.cat([repeated, torch.zeros_like(strength).repeat(branches - edited, 1)])
