"""What controls change in a layer, and how the changes of several are brought together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from sow.attention.kernel import Edits


@dataclass(frozen=True)
class LogitEdit:
    """One change of a layer's logits: some queries on one set of keys; N queries, M keys.

    Give layers that are changed alike the same object, and always the same `queries`: what is
    worked out from them is kept.

    Attributes:
        kind: towards the row's highest logit, towards its lowest, or to minus infinity.
        queries: which queries of which picture it can concern at all, `[B, N]`, on the CPU.
        keys: the set, boolean `[B, M]`.
        strength: of each query, `[B, N]`, 0 to 1; what is forbidden has none.
        branches: how many branches of guidance it concerns, the prompt's being the first.
    """

    kind: Literal["raise", "lower", "forbid"]
    queries: Tensor
    keys: Tensor
    strength: Tensor | None
    branches: int = 1


@dataclass(frozen=True)
class Order:
    """In what order queries are worked through; see `Edits`.

    Attributes:
        all: all queries, those concerned first, `[B, N]`.
        rows: of these the first R, `[B, R]`: as many as are concerned in any picture.
        concerned: which of the last of these are, in which branch, `[S, U]`.
    """

    all: Tensor
    rows: Tensor
    concerned: Tensor


class EditCompiler:
    """Brings edits together, and keeps what only depends on which queries are concerned."""

    def __init__(self) -> None:
        self._known: dict[tuple[tuple[int, int], ...], tuple[Order, tuple[Tensor, ...]]] = {}

    def join(self, edits: Sequence[LogitEdit]) -> Edits | None:
        """All changes of a layer as the kernel wants them; None if no query is concerned."""
        if not edits:
            return None
        order, most = self._order(edits), _most_branches(edits)
        rows = order.rows
        if not rows.shape[1]:
            return None

        def strengths(edit: LogitEdit) -> Tensor:
            strength = edit.queries.to(rows.device) if edit.strength is None else edit.strength
            return _branched(strength.gather(1, rows), edit.branches, most)

        def keys(edit: LogitEdit) -> Tensor:
            return edit.keys.repeat(most, 1)

        def stacked(kind: str, part: Callable[[LogitEdit], Tensor], dtype: torch.dtype) -> Tensor:
            chosen = [part(edit).to(dtype) for edit in edits if edit.kind == kind]
            like = part(edits[0])
            return torch.stack(chosen) if chosen else like.new_zeros(0, *like.shape, dtype=dtype)

        return Edits(
            order=order.all.repeat(most, 1),
            concerned=order.concerned,
            raised=stacked("raise", strengths, torch.float32),
            raised_keys=stacked("raise", keys, torch.float32),
            lowered=stacked("lower", strengths, torch.float32),
            lowered_keys=stacked("lower", keys, torch.float32),
            forbidden=stacked("forbid", strengths, torch.bool),
            forbidden_keys=stacked("forbid", keys, torch.bool),
        )

    def _order(self, edits: Sequence[LogitEdit]) -> Order:
        """Found on the CPU and kept, so that nothing waits for the device."""
        queries = tuple(edit.queries for edit in edits)
        key = tuple((id(edit.queries), edit.branches) for edit in edits)
        if key not in self._known:
            union = torch.stack(queries).any(0)
            order = union.byte().argsort(dim=1, descending=True, stable=True)
            rows, device = order[:, : int(union.sum(1).max())], edits[0].keys.device
            concerned = _concerned(edits, rows)
            sure = int(concerned.all(0).long().cumprod(0).sum())  # in every sample
            found = Order(order.to(device), rows.to(device), concerned[:, sure:].to(device))
            self._known[key] = found, queries
        return self._known[key][0]


def _concerned(edits: Sequence[LogitEdit], rows: Tensor) -> Tensor:
    """Which of these queries any edit can concern, in each picture and branch, `[S, R]`."""
    most = _most_branches(edits)
    each = [_branched(edit.queries.gather(1, rows), edit.branches, most) for edit in edits]
    return torch.stack(each).any(0)


def _most_branches(edits: Sequence[LogitEdit]) -> int:
    return max(edit.branches for edit in edits)


def _branched(strength: Tensor, branches: int, most: int) -> Tensor:
    """For the branches of guidance, stacked in the batch: nothing in those not concerned."""
    concerned = strength.repeat(branches, 1)
    if branches == most:
        return concerned
    return torch.cat([concerned, torch.zeros_like(strength).repeat(most - branches, 1)])
