"""Grouping tasks into calls of the engine."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item")


def balanced_batch_size(limit: int, num_pictures: int) -> int:
    """Return the batch size of at most `limit` with the fewest batches and the least padding.

    Nine pictures with a limit of eight make two batches of five, not one of eight and one of a
    single picture padded to eight.
    """
    return math.ceil(num_pictures / math.ceil(num_pictures / limit))


class Buckets(Generic[Item]):
    """Items by key, in order of arrival."""

    def __init__(self) -> None:
        self._by_key: dict[Hashable, list[Item]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._by_key.values()))

    def add(self, key: Hashable, item: Item) -> None:
        """Add an item."""
        self._by_key.setdefault(key, []).append(item)

    def waiting_keys(self) -> list[Hashable]:
        """Return the keys that have items, those that have waited longest first."""
        return list(self._by_key)

    def first(self, key: Hashable) -> Item:
        """Return the item of a key that has waited longest."""
        return self._by_key[key][0]

    def take(self, key: Hashable, limit: int) -> list[Item]:
        """Remove and return up to `limit` items of a key; the key then goes to the end."""
        items = self._by_key.pop(key)
        if items[limit:]:
            self._by_key[key] = items[limit:]
        return items[:limit]

    def count(self, key: Hashable) -> int:
        """Return how many items a key has."""
        return len(self._by_key[key])
