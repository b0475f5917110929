"""The queue: one job at a time, and nobody waits for two jobs of somebody else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Ticket:
    """A place in the line."""

    def __init__(self, owner: str) -> None:
        self.owner = owner


class Line:
    """Whose turn it is. Owners take turns: the second job of one comes after the first of all."""

    def __init__(self) -> None:
        self._waiting: list[Ticket] = []
        self._current: Ticket | None = None
        self._changed = threading.Condition()

    @contextmanager
    def ticket(self, owner: str) -> Iterator[Ticket]:
        """Stand in the line for a while; leaving gives the turn to the next."""
        ticket = Ticket(owner)
        with self._changed:
            ahead = sum(one.owner == owner for one in [*self._waiting, self._current] if one)
            # After the tickets of all others that are their owner's first, second … too.
            place = len(self._waiting)
            while place and self._round(place - 1) > ahead:
                place -= 1
            self._waiting.insert(place, ticket)
            self._changed.notify_all()
        try:
            yield ticket
        finally:
            with self._changed:
                if self._current is ticket:
                    self._current = None
                elif ticket in self._waiting:
                    self._waiting.remove(ticket)
                self._changed.notify_all()

    def _round(self, place: int) -> int:
        """Return how many tickets of the same owner are before the one at a place."""
        owner = self._waiting[place].owner
        before = [*self._waiting[:place], *([self._current] if self._current else [])]
        return sum(one.owner == owner for one in before)

    def wait(self, ticket: Ticket, seconds: float) -> int:
        """Wait for a ticket's turn, and return how many are before it: 0 if it is its turn."""
        with self._changed:
            self._changed.wait_for(lambda: self._may_start(ticket), seconds)
            if self._may_start(ticket):
                if self._current is not ticket:
                    self._waiting.remove(ticket)
                    self._current = ticket
                return 0
            return self._waiting.index(ticket) + (self._current is not None)

    def _may_start(self, ticket: Ticket) -> bool:
        if self._current is ticket:
            return True
        return self._current is None and bool(self._waiting) and self._waiting[0] is ticket
