"""Which tasks go into one call of the engine."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item")


def balanced_batch_size(room: int, pictures: int) -> int:
    """The size of batches of which as many as needed are as full as can be.

    Nine pictures where eight have room are two batches of five, not one of eight and a ninth
    picture that is filled up to as many.
    """
    return math.ceil(pictures / math.ceil(pictures / room))


class Buckets(Generic[Item]):
    """Tasks that are ready, by what they have to have in common; first come, first served."""

    def __init__(self) -> None:
        self._by_kind: dict[Hashable, list[Item]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._by_kind.values()))

    def add(self, kind: Hashable, item: Item) -> None:
        """One more that is ready."""
        self._by_kind.setdefault(kind, []).append(item)

    def kinds(self) -> list[Hashable]:
        """Those of which there are any, the ones that have waited longest first."""
        return list(self._by_kind)

    def first(self, kind: Hashable) -> Item:
        """The one of a kind that has waited longest."""
        return self._by_kind[kind][0]

    def take(self, kind: Hashable, most: int) -> list[Item]:
        """The first of a kind; what is left goes to the end of the queue of kinds."""
        items = self._by_kind.pop(kind)
        if items[most:]:
            self._by_kind[kind] = items[most:]
        return items[:most]

    def count(self, kind: Hashable) -> int:
        """How many there are of a kind."""
        return len(self._by_kind[kind])
