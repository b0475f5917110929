"""Batches that fit into memory: as many pictures in a call as the device allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from sow.errors import DeviceError
from sow.models.devices import is_out_of_memory

if TYPE_CHECKING:
    import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass
class BatchLimit:
    """How many pictures go into a call; `run_in_batches` halves it when memory runs out."""

    size: int


def run_in_batches(
    items: Sequence[Item],
    limit: BatchLimit,
    call: Callable[[Sequence[Item]], Sequence[Result]],
    device: torch.device,
    *,
    padded: bool = False,
) -> Iterator[Result]:
    """Yield the results of `call` for all items, in their order.

    A call that runs out of memory is repeated with half as many items.

    Args:
        limit: how many items go into a call; still halved when this is done.
        call: makes a result of each item of a batch.
        device: the device of the calls, for messages.
        padded: whether `call` fills up smaller batches to the size of `limit`.

    Raises:
        DeviceError: if a single item does not fit.
    """
    remaining = items
    while remaining:
        batch = remaining[: limit.size]
        try:
            results = call(batch)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            size = limit.size if padded else len(batch)
            if size == 1:
                raise picture_too_large(device) from None
            limit.size = size // 2
            continue
        remaining = remaining[len(batch) :]
        yield from results


def picture_too_large(device: torch.device) -> DeviceError:
    """Return the error for a picture that does not fit into memory even alone."""
    return DeviceError(
        f"{device} has too little memory for this picture",
        "try dtype=float16, a smaller canvas= or device=cpu",
    )
