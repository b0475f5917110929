"""Batches are halved when memory runs out, and nothing else is lost."""

from __future__ import annotations

import pytest
import torch

from sow.errors import DeviceError
from sow.service.batching import BatchLimit, run_in_batches

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("padded", "sizes"), [(False, [4, 4, 1]), (True, [4, 4, 1])], ids=["short", "padded"]
)
def test_results_come_in_order(padded, sizes):
    batches = []

    def call(batch):
        batches.append(len(batch))
        return [item * 10 for item in batch]

    results = list(run_in_batches(range(9), BatchLimit(4), call, CPU, padded=padded))
    assert results == [item * 10 for item in range(9)]
    assert batches == sizes


@pytest.mark.parametrize(("padded", "size"), [(False, 2), (True, 4)], ids=["short", "padded"])
def test_out_of_memory_halves_the_batch_that_was_tried(padded, size):
    limit, batches = BatchLimit(8), []

    def call(batch):
        batches.append(len(batch))
        if len(batches) == 1:
            raise RuntimeError("CUDA out of memory")
        return batch

    assert list(run_in_batches([1, 2, 3, 4], limit, call, CPU, padded=padded)) == [1, 2, 3, 4]
    assert limit.size == size
    assert batches == [4, *[size] * (4 // size)]


def test_one_item_that_does_not_fit_is_an_error():
    def call(batch):
        raise MemoryError

    results = run_in_batches([1, 2], BatchLimit(2), call, CPU)
    with pytest.raises(DeviceError, match="cpu has too little memory"):
        next(results)


def test_other_errors_are_raised_at_once():
    def call(batch):
        raise RuntimeError("not a number")

    with pytest.raises(RuntimeError, match="not a number"):
        list(run_in_batches([1, 2], BatchLimit(2), call, CPU))
